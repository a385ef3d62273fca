//! The few JSON objects that this program prints.

use std::fmt::{Display, Write as _};
use std::io::Write as _;

pub struct Object(String);

pub fn object() -> Object {
    Object(String::new())
}

impl Object {
    fn name(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        let _ = write!(self.0, "\"{name}\":");
    }

    pub fn number(mut self, name: &str, value: impl Display) -> Self {
        self.name(name);
        let _ = write!(self.0, "{value}");
        self
    }

    pub fn flag(self, name: &str, value: bool) -> Self {
        self.number(name, value)
    }

    pub fn null(self, name: &str) -> Self {
        self.number(name, "null")
    }

    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.0.push('"');
        for character in value.chars() {
            match character {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                c if (c as u32) < 0x20 => {
                    let _ = write!(self.0, "\\u{:04x}", c as u32);
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
        self
    }
}

/// Prints one object on a line of its own. A reader that has gone away is no
/// error: the program then learns of it from the end of its stdin.
pub fn say(object: &Object) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{{{}}}", object.0);
    let _ = out.flush();
}
