//! The program's own secrets, by value.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::OWN_BYTES_MIN;
use super::spans::Spans;

/// A text, and from which byte on it is secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    text: Box<str>,
    secret_from: usize,
}

/// Values that are never shown.
#[derive(Clone, Default)]
pub(super) struct Known(Vec<Value>);

impl Known {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, secret: &str) {
        let parts = secret.lines().map(str::trim).filter(|part| part.len() >= OWN_BYTES_MIN);
        for part in parts {
            self.put(part.to_owned(), 0);
            self.put(utf8_percent_encode(part, NON_ALPHANUMERIC).to_string(), 0);
        }
    }

    pub(super) fn add_behind(&mut self, context: &str, secret: &str) {
        self.add(secret);
        if !secret.is_empty() {
            self.put(format!("{context}{secret}"), context.len());
        }
    }

    fn put(&mut self, text: String, secret_from: usize) {
        let value = Value { text: text.into(), secret_from };
        if !self.0.contains(&value) {
            self.0.push(value);
        }
    }

    pub(super) fn find(&self, line: &str, spans: &mut Spans) {
        for Value { text, secret_from } in &self.0 {
            for (at, found) in line.match_indices(&**text) {
                spans.push(at + secret_from..at + found.len());
            }
        }
    }
}
