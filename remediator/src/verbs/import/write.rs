//! YAML with marks: a value and, on the line before it, what a person has to decide about it.

use std::fmt::Write as _;

use vvtv_toolkit::text::visible;

use super::report::{Decision, Weight};

/// One file that is being written.
pub(super) struct Writer<'a> {
    page: &'a str,
    file: String,
    text: String,
    decisions: &'a mut Vec<Decision>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(page: &'a str, file: &str, decisions: &'a mut Vec<Decision>) -> Self {
        let text = format!(
            "# Compiled from {}. Each `DECIDE` is a person's; take the mark away when it is decided.\n",
            visible(page)
        );
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

    /// A key and its text, as a block where it has several lines.
    pub(super) fn text(&mut self, indent: usize, key: &str, text: &str) {
        if !is_block(text) {
            return self.line(indent, &format!("{key}: {}", scalar(text)));
        }
        self.line(indent, &format!("{key}: |-"));
        for line in text.lines() {
            let indent = if line.is_empty() { 0 } else { indent + 2 };
            self.line(indent, line);
        }
    }

    /// Names a decision and marks the line that comes next with it.
    pub(super) fn decide(&mut self, indent: usize, line: usize, about: &str, text: &str) {
        self.mark(indent, line, about, Weight::Decide, text);
    }

    /// The same for a place at which acting as it is written would do harm.
    pub(super) fn danger(&mut self, indent: usize, line: usize, about: &str, text: &str) {
        self.mark(indent, line, about, Weight::Danger, text);
    }

    fn mark(&mut self, indent: usize, line: usize, about: &str, weight: Weight, text: &str) {
        self.line(indent, &format!("# DECIDE: {} ({}:{line})", visible(text), visible(self.page)));
        self.add(line, about, weight, text);
    }

    /// Something that a person should know and need not decide.
    pub(super) fn note(&mut self, line: usize, about: &str, text: &str) {
        self.add(line, about, Weight::Note, text);
    }

    fn add(&mut self, line: usize, about: &str, weight: Weight, text: &str) {
        self.decisions.push(Decision {
            page: self.page.to_owned(),
            line,
            file: self.file.clone(),
            about: about.to_owned(),
            weight,
            text: text.to_owned(),
        });
    }
}

/// What a file has of a remark whose weight was found out elsewhere.
pub(super) fn remark(out: &mut Writer<'_>, indent: usize, line: usize, about: &str, weight: Weight, text: &str) {
    match weight {
        Weight::Danger => out.danger(indent, line, about, text),
        Weight::Decide => out.decide(indent, line, about, text),
        Weight::Note => out.note(line, about, text),
    }
}

/// A text as a YAML scalar that is the same text again, also between brackets.
pub(super) fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _./=@+-".contains(c);
    let starts = text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let word = !["true", "false", "null", "yes", "no", "on", "off", "nan", "inf", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    let whole =
        text.len() < 10 && !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
    let dotted = text.matches('.').count() > 1 && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if whole || dotted || (starts && word && text.chars().all(plain) && text.trim() == text && !text.starts_with("---"))
    {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Texts as a YAML sequence on one line.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| scalar(text)).collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            // Writing to a String cannot fail.
            c => _ = write!(out, "\\U{:08x}", u32::from(c)),
        }
    }
    out.push('"');
    out
}

/// What YAML 1.2 takes as it is (`c-printable`), without what breaks lines or marks byte orders.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a text is the same again as a literal block.
fn is_block(text: &str) -> bool {
    let starts = text.starts_with(|c: char| is_printable(c) && !c.is_whitespace());
    text.contains('\n') && starts && !text.ends_with('\n') && text.chars().all(|c| is_printable(c) || c == '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_text_is_the_same_again(text in "(\n|\t| |\"|\\\\|'|#|:|---|\u{1}|\u{2028}|\u{85}|[0-9]|\\PC)*") {
            let mut decisions = Vec::new();
            let mut out = Writer::new("page.md", "a.yml", &mut decisions);
            out.text(0, "text", &text);
            out.line(0, &format!("list: {}", list(&[text.clone(), "x".to_owned()])));
            out.decide(0, 1, "text", &text);
            let (_, yaml) = out.finish();
            let parsed: Result<std::collections::BTreeMap<String, serde_json::Value>, _> =
                vvtv_toolkit::yaml::parse("a.yml", &yaml);
            let parsed = parsed.map_err(|error| proptest::test_runner::TestCaseError::fail(format!("{yaml}\n{error}")))?;
            let same = |value: &serde_json::Value| {
                let said = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                said == text
            };
            proptest::prop_assert!(same(&parsed["text"]) && same(&parsed["list"][0]), "{yaml}");
        }
    }
}
