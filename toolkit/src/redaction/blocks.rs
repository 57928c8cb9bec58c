//! Secrets of several lines.

use std::sync::LazyLock;

use regex::Regex;

use super::MARK;
use super::commands;
use super::names::{Sense, sense};
use super::pattern::compile;
use super::spans::Spans;

/// A body's line of a PEM block has at least so many characters, but for its last.
const BODY_MIN: usize = 40;

/// What the lines before say of the next one.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    state: State,
    /// The line before named a secret whose value is to come (`name: X_TOKEN`, then `value: …`).
    pub(super) named: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    /// In a private key.
    Key,
    /// After what may have been its last line.
    KeyEnd,
    /// In a certificate or a public key: nothing to hide.
    Public,
    /// In a block scalar of YAML under a secret's key that is so far indented.
    Scalar { indent: usize },
    /// The line before ended with a flag whose value is to come.
    Argument,
}

static SCALAR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(
        r#"^(?P<indent>\s*(?:- +)*)["']?(?P<name>[\w.-]{1,80})["']?\s*:\s+(?:![\w!]+\s+)?[|>][+-]?\d?[+-]?\s*(?:#.*)?$"#,
    )
});

static BEGIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| compile(r"(?i)-----BEGIN (?P<what>[\w ]{1,60})-----(?P<rest>.*)$"));

impl Block {
    /// Hides what a line is part of.
    pub(super) fn begin(&mut self, line: &str, spans: &mut Spans) {
        let text = line.trim_end();
        match self.state {
            State::Outside | State::Public => {}
            State::Key | State::KeyEnd => self.key(text, spans),
            State::Scalar { indent } => {
                let own = text.len() - text.trim_start().len();
                if own > indent || text.is_empty() {
                    spans.push(own..text.len());
                } else {
                    self.state = State::Outside;
                }
            }
            State::Argument => {
                self.state = State::Outside;
                if let Some(value) = commands::first_argument(text) {
                    spans.push(value);
                }
            }
        }
    }

    fn key(&mut self, text: &str, spans: &mut Spans) {
        let last = text.split_ascii_whitespace().next_back().unwrap_or_default();
        // A log's time and source may stand before the text.
        let digits = last.trim_end_matches('=');
        let is_body = !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
            && (last == MARK || !last.contains(MARK));
        let is_header = text.is_empty()
            || ["Proc-Type:", "DEK-Info:", "Version:", "Comment:"].iter().any(|known| text.contains(known));
        match self.state {
            State::Key if is_header => {}
            State::Key if is_body => {
                spans.push(text.len() - last.len()..text.len());
                if last.len() < BODY_MIN {
                    self.state = State::KeyEnd;
                }
            }
            State::Key | State::KeyEnd | State::Outside | State::Public | State::Scalar { .. } | State::Argument => {
                self.state = State::Outside;
            }
        }
    }

    /// Takes note of what a line opens and closes.
    pub(super) fn end(&mut self, line: &str) {
        let text = line.trim_end();
        let fence = text.contains("-----");
        if fence && text.contains("-----END ") {
            self.state = State::Outside;
        } else if let Some(begun) = BEGIN.as_ref().filter(|_| fence).and_then(|pattern| pattern.captures(text)) {
            let what = begun.name("what").map_or("", |what| what.as_str()).to_ascii_uppercase();
            let alone = begun.name("rest").is_none_or(|rest| rest.as_str().trim().is_empty());
            let secret = what.contains("PRIVATE KEY") || what.contains("STATIC KEY");
            if alone {
                self.state = if secret { State::Key } else { State::Public };
            }
        } else if self.state == State::Outside {
            let scalar =
                SCALAR.as_ref().filter(|_| text.contains(['|', '>'])).and_then(|pattern| pattern.captures(text));
            let scalar = scalar.filter(|found| {
                found.name("name").is_some_and(|name| !matches!(sense(name.as_str()), Sense::Plain | Sense::StreamId))
            });
            if let Some(found) = scalar {
                self.state = State::Scalar { indent: found.name("indent").map_or(0, |indent| indent.as_str().len()) };
            } else if commands::ends_with_flag(text) {
                self.state = State::Argument;
            }
        }
    }

    pub(super) fn is_public(&self) -> bool {
        self.state == State::Public
    }
}
