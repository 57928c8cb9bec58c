//! The one door to YAML: strict parsing, and every error with file, line, column and an excerpt of the source.
//!
//! Secrets in the excerpt and in the message are covered: configuration errors end up in logs.
//!
//! Meaning errors found after parsing ("this level has no contact") go through [`error_at`] and look the same as syntax errors.

mod document;

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::de::DeserializeOwned;
pub use serde_yaml::Spanned;

pub use self::document::{Document, place};

use crate::redaction::{self, MARK, Redactor};

/// The largest file that is read: larger ones are a mistake, not a configuration.
pub const BYTES_MAX: u64 = 4 << 20;

/// What is wrong with a YAML file, ready to be shown to the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    source_name: String,
    place: Place,
    message: String,
    excerpt: String,
}

/// Where in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole (unreadable, empty, too large).
    File,
    /// A line and a column, both counted from 1.
    At {
        /// Line, from 1.
        line: u64,
        /// Column in characters, from 1.
        column: u64,
    },
}

impl YamlError {
    /// The error without file name and excerpt.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where the error is.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    fn whole_file(source_name: &str, message: String) -> Self {
        Self { source_name: source_name.to_owned(), place: Place::File, message, excerpt: String::new() }
    }

    fn at(source_name: &str, text: &str, line: u64, column: u64, message: String) -> Self {
        let (excerpt, hidden) = excerpt(text, line, column);
        // What cannot be read is often quoted in the message.
        let message = hidden.iter().fold(message, |message, secret| message.replace(secret, MARK));
        let message = redaction::text(&message).into_owned();
        Self { source_name: source_name.to_owned(), place: Place::At { line, column }, message, excerpt }
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::File => write!(f, "{}: {}", self.source_name, self.message),
            Place::At { line, column } => {
                write!(f, "{}:{line}:{column}: {}\n{}", self.source_name, self.message, self.excerpt)
            }
        }
    }
}

impl std::error::Error for YamlError {}

/// Parses `text`; `source_name` (usually the file's path) is only used in messages.
///
/// Unknown keys are refused where the type says `deny_unknown_fields`; duplicate keys always; `yes` and `on` are not booleans.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse<T: DeserializeOwned>(source_name: &str, text: &str) -> Result<T, YamlError> {
    let options = serde_yaml::options! { strict_booleans: true, with_snippet: false };
    serde_yaml::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let rendered = error.render_with_formatter(&serde_yaml::UserMessageFormatter);
        match error.location().filter(|at| at.line() > 0) {
            Some(at) => {
                let suffix = format!(" at line {}, column {}", at.line(), at.column());
                let message = rendered.strip_suffix(&suffix).unwrap_or(&rendered).to_owned();
                YamlError::at(source_name, text, at.line(), at.column(), message)
            }
            None => YamlError::whole_file(source_name, rendered),
        }
    })
}

/// Reads and parses a file of at most [`BYTES_MAX`] bytes.
///
/// # Errors
/// The file cannot be read, is too large, is not UTF-8, or [`parse`] refuses it.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, YamlError> {
    let text = read(path)?;
    parse(&path.display().to_string(), &text)
}

/// Reads a file's text for [`parse`] and later [`error_at`] calls.
///
/// # Errors
/// The file cannot be read, is larger than [`BYTES_MAX`], or is not UTF-8.
pub fn read(path: &Path) -> Result<String, YamlError> {
    let name = path.display().to_string();
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| YamlError::whole_file(&name, format!("cannot read: {error}")))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(YamlError::whole_file(&name, format!("larger than {BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// An error in the meaning of a value that was read without complaint, placed where the value stands.
#[must_use]
pub fn error_at<T>(source_name: &str, text: &str, value: &Spanned<T>, message: impl Into<String>) -> YamlError {
    let at = &value.referenced;
    if at.line() == 0 {
        return YamlError::whole_file(source_name, message.into());
    }
    YamlError::at(source_name, text, at.line(), at.column(), message.into())
}

/// An error about a file as a whole.
pub(crate) fn whole_file(source_name: &str, message: String) -> YamlError {
    YamlError::whole_file(source_name, message)
}

/// Lines shown before the one that is wrong.
const CONTEXT_LINES: u64 = 2;

/// Shorter secrets are not taken out of messages: they are part of ordinary words.
const HIDDEN_BYTES_MIN: usize = 4;

/// The lines around a place with all secrets covered, and the secrets of the place's own line.
fn excerpt(text: &str, line: u64, column: u64) -> (String, Vec<&str>) {
    let first = line.saturating_sub(CONTEXT_LINES).max(1);
    let mut shown = String::new();
    let mut caret = 0..0;
    let mut hidden = Vec::new();
    // From the first line on: a secret may have begun long before.
    let mut lines = Redactor::default().lines();
    for (content, number) in text.lines().zip(1_u64..).take_while(|(_, n)| *n <= line) {
        let (content, secrets) = lines.next_aligned(content);
        if number < first {
            continue;
        }
        let content: String = content.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if number == line {
            hidden = secrets.into_iter().filter(|secret| secret.len() >= HIDDEN_BYTES_MIN).collect();
            let skip = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
            let start = content.char_indices().nth(skip).map_or(content.len(), |(at, _)| at);
            let end =
                content.get(start..).and_then(|tail| tail.find([' ', ',', ']', '}'])).unwrap_or(content.len() - start);
            caret = shown.len() + start..shown.len() + start + end.max(usize::from(start < content.len()));
        }
        shown.push_str(&content);
        shown.push('\n');
    }
    let snippet = Snippet::source(shown.as_str())
        .line_start(usize::try_from(first).unwrap_or(1))
        .fold(false)
        .annotation(AnnotationKind::Primary.span(caret));
    let report = &[annotate_snippets::Group::with_level(Level::ERROR).element(snippet)];
    (Renderer::plain().render(report), hidden)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Sample {
        listen: String,
        #[serde(default)]
        loud: bool,
        #[serde(default)]
        level: Option<Spanned<u8>>,
        #[serde(default)]
        map: BTreeMap<String, String>,
    }

    fn error(text: &str) -> String {
        parse::<Sample>("sample.yml", text).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_shown_in_its_place() {
        insta::assert_snapshot!(error("listen: here\nlisten_adress: there\n"), @"
        sample.yml:2:1: unknown field `listen_adress`, expected one of listen, loud, level, map
          |
        1 | listen: here
        2 | listen_adress: there
          | ^^^^^^^^^^^^^^
        ");
    }

    #[test]
    fn a_duplicate_key_is_refused_in_structs_and_maps() {
        insta::assert_snapshot!(error("listen: a\nlisten: b\n"), @"
        sample.yml:2:1: duplicate mapping key `listen` is not allowed here
          |
        1 | listen: a
        2 | listen: b
          | ^^^^^^^
        ");
        insta::assert_snapshot!(error("listen: a\nmap:\n  k: 1\n  k: 2\n"), @"
        sample.yml:4:3: duplicate mapping key `k` is not allowed here
          |
        2 | map:
        3 |   k: 1
        4 |   k: 2
          |   ^^
        ");
    }

    #[test]
    fn broken_syntax_has_a_place() {
        insta::assert_snapshot!(error("listen: [a\nb: c\n"), @"
        sample.yml:1:9: expected string scalar
          |
        1 | listen: [a
          |         ^^
        ");
    }

    #[test]
    fn yes_is_not_a_boolean() {
        insta::assert_snapshot!(error("listen: a\nloud: yes\n"), @"
        sample.yml:2:7: invalid boolean (true or false expected)
          |
        1 | listen: a
        2 | loud: yes
          |       ^^^
        ");
    }

    #[test]
    fn an_empty_file_is_an_error_not_a_default() {
        insta::assert_snapshot!(error(""), @"
        sample.yml:1:1: unexpected end of file
          |
        1 |
          | ^
        ");
    }

    #[test]
    fn an_error_of_meaning_looks_the_same_and_stands_right_of_wide_characters() {
        let text = "listen: ü\nlevel: 7 # no such\n";
        let sample: Sample = parse("sample.yml", text).unwrap();
        let error = error_at("sample.yml", text, &sample.level.unwrap(), "no contact has level 7");
        insta::assert_snapshot!(error, @"
        sample.yml:2:8: no contact has level 7
          |
        1 | listen: ü
        2 | level: 7 # no such
          |        ^
        ");
        assert_eq!(error.place(), Place::At { line: 2, column: 8 });
    }

    #[test]
    fn secrets_are_covered_and_columns_stay() {
        insta::assert_snapshot!(error("listen: 'http://user:passw0rd@h/?token=abc'\nlevel: 'http://u:hunter2@h'\n"), @"
        sample.yml:2:8: invalid u8
          |
        1 | listen: 'http://user:********@h/?token=***'
        2 | level: 'http://u:*******@h'
          |        ^^^^^^^^^^^^^^^^^^^^
        ");
        insta::assert_snapshot!(error("map:\n  api_key: hunter2 # one\nlisten: a\npassword: 5\n"), @"
        sample.yml:4:1: unknown field `password`, expected one of listen, loud, level, map
          |
        2 |   api_key: ******* # one
        3 | listen: a
        4 | password: 5
          | ^^^^^^^^^
        ");
        insta::assert_snapshot!(error("map: {private_key: a}\nx: |\n  -----BEGIN PRIVATE KEY-----\n  MIIEowIBAAKCAQEA0123456789abcdefghijklmnopqrstuv\n  -----END\ny\n"), @"
        sample.yml:2:1: unknown field `x`, expected one of listen, loud, level, map
          |
        1 | map: {private_key: *}
        2 | x: |
          | ^^
        ");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load::<Sample>(Path::new("does/not/exist.yml")).unwrap_err();
        assert_eq!(error.to_string(), "does/not/exist.yml: cannot read: No such file or directory (os error 2)");
    }

    #[test]
    fn an_alias_bomb_is_bounded() {
        let mut text = String::from("listen: a\nmap:\n  a: &a \"xxxxxxxxxx\"\n");
        for depth in 0..40 {
            text.push_str(&format!("x{depth}: &b{depth} [*a, *a, *a, *a, *a, *a, *a, *a]\n"));
        }
        assert!(parse::<Sample>("bomb.yml", &text).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_answer_not_a_panic(text in "\\PC*|[-:\\[\\]{}&*!|>'\"%@` \n\ta-z]*") {
            let _ = parse::<Sample>("any.yml", &text).map_err(|error| error.to_string());
        }
    }
}
