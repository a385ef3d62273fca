//! Line commands on stdin: each answered by exactly one JSON line.

use std::io::BufRead;
use std::str::FromStr;

use crate::Fallible;
use crate::json::{self, Object};
use crate::store::{self, Tree};

pub struct Words<'a> {
    parts: std::str::SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    pub fn text(&mut self, what: &str) -> Fallible<&'a str> {
        self.parts
            .next()
            .ok_or_else(|| format!("missing argument: {what}").into())
    }

    pub fn number<T: FromStr>(&mut self, what: &str) -> Fallible<T> {
        let text = self.text(what)?;
        text.parse()
            .map_err(|_| format!("{what}: not a number: {text:?}").into())
    }

    pub fn optional<T: FromStr>(&mut self) -> Option<T> {
        self.parts.next().and_then(|text| text.parse().ok())
    }
}

/// Reads commands until `close` or the end of the input. A command that fails is
/// answered by `{"error":...}` and the program stays.
pub fn serve(mut run: impl FnMut(&str, &mut Words<'_>) -> Fallible<Object>) -> Fallible<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = Words {
            parts: line.split_whitespace(),
        };
        match words.parts.next() {
            None => continue,
            Some("close") => return Ok(()),
            Some("abort") => std::process::exit(0),
            Some(name) => match run(name, &mut words) {
                Ok(answer) => json::say(&answer),
                Err(error) => json::say(&json::object().text("error", &error.to_string())),
            },
        }
    }
    Ok(())
}

/// The commands that leader and follower share.
pub fn common<const K: usize, const V: usize>(
    tree: &Tree<K, V>,
    name: &str,
    words: &mut Words<'_>,
) -> Fallible<Object> {
    match name {
        "get" => {
            let value = tree.get(&crate::content::unhex(words.text("key")?)?);
            Ok(match value {
                Some(value) => json::object().text("value", &crate::content::hex(&value)),
                None => json::object().null("value"),
            })
        }
        "count" => Ok(json::object().number("count", tree.len())),
        "digest" => Ok(store::digest(tree)?.to_json()),
        "dump" => Ok(json::object().number("count", store::dump(tree, words.text("path")?)?)),
        "flush" => {
            tree.flush()?;
            Ok(done())
        }
        "status" => Ok(json::object()
            .number("count", tree.len())
            .number("caughtUp", crate::log::caught_up())
            .number("troubles", crate::log::troubles())),
        other => Err(format!("unknown command {other:?}").into()),
    }
}

pub fn done() -> Object {
    json::object().flag("ok", true)
}
