//! The page as JSON, as nginx-http-flv-module writes it (`rtmp_stat_format json`).
//!
//! That module forgets commas between recorders, escapes names as if for HTML, and not as JSON wants it. So the text is taken by its
//! brackets, strings and bare words; commas and colons are not demanded.

use quick_xml::escape::unescape;

use super::page::{PageError, Reading, Tag, malformed};

/// Brackets deeper than this are not a statistics page.
const DEPTH_MAX: usize = 64;

/// Reads JSON.
#[derive(Debug, Default)]
pub(super) struct Json {
    open: Vec<Bracket>,
    /// The key whose value comes next.
    key: Option<Tag>,
}

#[derive(Clone, Copy, Debug)]
enum Bracket {
    /// With the element that it is, if it has a name.
    Object(Option<Tag>),
    /// With the element that each of its members is.
    Array(Tag),
}

impl Json {
    /// Understands a text as far as it goes; tells how many bytes that were.
    pub(super) fn read(&mut self, text: &str, last: bool, reading: &mut Reading) -> Result<usize, PageError> {
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(token) = Token::first(rest, last)? else { return Ok(at) };
            at += token.length();
            self.take(token, reading)?;
        }
        Ok(at)
    }

    fn take(&mut self, token: Token<'_>, reading: &mut Reading) -> Result<(), PageError> {
        match token {
            Token::Between(_) => Ok(()),
            Token::Open(array) => self.begin(array, reading),
            Token::Close => {
                let bracket = self.open.pop().ok_or_else(|| malformed("statistics page: a bracket too many"))?;
                self.key = None;
                match bracket {
                    Bracket::Object(Some(tag)) => reading.close(tag),
                    Bracket::Object(None) | Bracket::Array(_) => Ok(()),
                }
            }
            Token::Word(word) => self.value(word, reading),
            Token::Text { inner } => match (self.open.last(), self.key) {
                (Some(Bracket::Object(_)), None) => {
                    self.key = Some(Tag::of(inner));
                    Ok(())
                }
                _ => self.value(&plain(inner), reading),
            },
        }
    }

    fn begin(&mut self, array: bool, reading: &mut Reading) -> Result<(), PageError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(malformed("the statistics page is nested too deeply"));
        }
        let tag = match (self.key.take(), self.open.last()) {
            (Some(tag), _) => Some(tag),
            (None, Some(Bracket::Array(tag))) => Some(*tag),
            (None, _) => None,
        };
        if array {
            self.open.push(Bracket::Array(tag.unwrap_or(Tag::Other)));
            return Ok(());
        }
        self.open.push(Bracket::Object(tag));
        tag.map_or(Ok(()), |tag| reading.open(tag))
    }

    fn value(&mut self, text: &str, reading: &mut Reading) -> Result<(), PageError> {
        let Some(tag) = self.key.take() else { return Ok(()) };
        // What is false is what XML leaves out.
        if matches!(text, "false" | "null") || self.open.len() < 2 {
            return Ok(());
        }
        reading.open(tag)?;
        reading.say(text)?;
        reading.close(tag)
    }
}

enum Token<'a> {
    /// Blanks, commas, colons: so many bytes.
    Between(usize),
    /// `[`, or else `{`.
    Open(bool),
    Close,
    /// What stands between quotes.
    Text {
        inner: &'a str,
    },
    /// A number, `true`, `false`, `null`.
    Word(&'a str),
}

impl<'a> Token<'a> {
    /// The first token of a text; none where its end is still to come.
    fn first(text: &'a str, last: bool) -> Result<Option<Self>, PageError> {
        let cut = |what: &str| {
            if last { Err(malformed(format!("statistics page: {what} without an end"))) } else { Ok(None) }
        };
        let is_between = |c: char| c.is_whitespace() || matches!(c, ',' | ':');
        let found = match text.chars().next() {
            None => return Ok(None),
            Some('{') => Self::Open(false),
            Some('[') => Self::Open(true),
            Some('}' | ']') => Self::Close,
            Some('"') => {
                let Some(inner) = text.get(1..).and_then(|rest| rest.get(..quote(rest)?)) else {
                    return cut("a string");
                };
                Self::Text { inner }
            }
            Some(c) if is_between(c) => Self::Between(text.find(|c| !is_between(c)).unwrap_or(text.len())),
            Some(_) => {
                let ends = |c: char| is_between(c) || "{}[]\"".contains(c);
                match text.find(ends) {
                    Some(end) => Self::Word(text.get(..end).unwrap_or_default()),
                    None => return cut("a word"),
                }
            }
        };
        Ok(Some(found))
    }

    const fn length(&self) -> usize {
        match self {
            Self::Between(length) => *length,
            Self::Open(_) | Self::Close => 1,
            Self::Text { inner } => inner.len() + 2,
            Self::Word(word) => word.len(),
        }
    }
}

/// What a string means: with its own escapes undone where they are right, and those of HTML.
fn plain(inner: &str) -> String {
    let unquoted = if inner.contains('\\') { serde_json::from_str(&format!("\"{inner}\"")).ok() } else { None };
    let text = unquoted.unwrap_or_else(|| inner.to_owned());
    match unescape(&text) {
        Ok(plain) => plain.into_owned(),
        Err(_) => text,
    }
}

/// Where the closing quote is.
fn quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}
