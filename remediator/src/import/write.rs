//! YAML with marks: a value and, on the line before it, what a person has to decide about it.

use super::Decision;

/// One file that is being written.
pub(super) struct Writer<'a> {
    page: &'a str,
    file: String,
    text: String,
    decisions: &'a mut Vec<Decision>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(page: &'a str, file: &str, decisions: &'a mut Vec<Decision>) -> Self {
        let text =
            format!("# Compiled from {page}. Each `DECIDE` is a person's; take the mark away when it is decided.\n");
        Self { page, file: file.to_owned(), text, decisions }
    }

    pub(super) fn finish(self) -> (String, String) {
        (self.file, self.text)
    }

    pub(super) fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Names a decision and marks the line that comes next with it.
    pub(super) fn decide(&mut self, indent: usize, line: usize, about: &str, text: &str) {
        self.line(indent, &format!("# DECIDE: {text} ({}:{line})", self.page));
        self.decisions.push(Decision {
            page: self.page.to_owned(),
            line,
            file: self.file.clone(),
            about: about.to_owned(),
            text: text.to_owned(),
        });
    }
}

/// A text as a YAML scalar that is the same text again, also between brackets.
pub(super) fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _./=@+-".contains(c);
    let starts = text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let word = !["true", "false", "null", "yes", "no", "on", "off", "nan", "inf"]
        .contains(&text.to_ascii_lowercase().as_str());
    let whole =
        text.len() < 10 && !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
    let dotted = text.matches('.').count() > 1 && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if whole || dotted || (starts && word && text.chars().all(plain) && text.trim() == text) {
        text.to_owned()
    } else {
        // JSON's strings are YAML's.
        serde_json::Value::from(text).to_string()
    }
}
