//! Command line: one mode, positional words, `--name value` pairs and flags.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;

use crate::Fallible;

const FLAGS: &[&str] = &["keep-dirty", "all"];

pub struct Args {
    words: Vec<String>,
    options: HashMap<String, String>,
}

impl Args {
    pub fn parse(mut input: impl Iterator<Item = String>) -> Fallible<Self> {
        let mut words = Vec::new();
        let mut options = HashMap::new();
        while let Some(word) = input.next() {
            let Some(name) = word.strip_prefix("--") else {
                words.push(word);
                continue;
            };
            let value = if FLAGS.contains(&name) {
                String::new()
            } else {
                input
                    .next()
                    .ok_or_else(|| format!("--{name} needs a value"))?
            };
            options.insert(name.to_string(), value);
        }
        Ok(Self { words, options })
    }

    pub fn mode(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    pub fn word(&self, index: usize, what: &str) -> Fallible<&str> {
        match self.words.get(index) {
            Some(word) => Ok(word),
            None => Err(format!("missing argument: {what}").into()),
        }
    }

    pub fn flag(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }

    pub fn text(&self, name: &str) -> Fallible<&str> {
        match self.options.get(name) {
            Some(value) => Ok(value),
            None => Err(format!("missing option --{name}").into()),
        }
    }

    pub fn optional<T: FromStr>(&self, name: &str) -> Fallible<Option<T>> {
        match self.options.get(name) {
            None => Ok(None),
            Some(value) => match value.parse() {
                Ok(parsed) => Ok(Some(parsed)),
                Err(_) => Err(format!("--{name}: not valid: {value:?}").into()),
            },
        }
    }

    pub fn required<T: FromStr>(&self, name: &str) -> Fallible<T> {
        self.optional(name)?
            .ok_or_else(|| format!("missing option --{name}").into())
    }

    pub fn number(&self, name: &str) -> Fallible<usize> {
        self.required(name)
    }

    pub fn dir(&self) -> Fallible<PathBuf> {
        Ok(PathBuf::from(self.text("dir")?))
    }
}
