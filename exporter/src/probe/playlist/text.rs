//! The bytes of a playlist as lines, as forgiving as players are. What was forgiven is told, so that a check can count it.

use std::borrow::Cow;

use crate::health::{Failure, ProbeError};

/// A playlist's text.
pub(super) struct Text<'a> {
    text: Cow<'a, str>,
    /// Some bytes were not UTF-8 (RFC 8216 §4): they are replaced, because titles in Latin-1 are no reason to stop watching.
    pub(super) not_utf8: bool,
}

impl<'a> Text<'a> {
    /// Takes a body.
    ///
    /// # Errors
    /// It is UTF-16, which no player reads.
    pub(super) fn new(body: &'a [u8]) -> Result<Self, ProbeError> {
        let utf16 = matches!(body, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'#', 0, ..] | [0, b'#', ..]);
        if utf16 {
            let message = "the playlist is UTF-16, and must be UTF-8 (RFC 8216 §4)";
            return Err(ProbeError::new(Failure::Malformed, message));
        }
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        // Looking whether it is UTF-8 is ten times as fast as mending it.
        let (text, not_utf8) = match std::str::from_utf8(body) {
            Ok(text) => (Cow::Borrowed(text), false),
            Err(_) => (String::from_utf8_lossy(body), true),
        };
        Ok(Self { text, not_utf8 })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Something blank stands before the first line that says something (§4.3.1.1: `EXTM3U` is the first line).
    pub(super) fn begins_blank(&self) -> bool {
        self.text.starts_with(char::is_whitespace)
    }

    /// Its lines without the blanks around them, with their numbers. They end with LF, CRLF or CR alone.
    pub(super) fn lines(&self) -> Lines<'_> {
        Lines { rest: Some(&self.text), number: 0, has_returns: self.text.contains('\r') }
    }
}

/// Lines of a text.
pub(super) struct Lines<'a> {
    rest: Option<&'a str>,
    number: usize,
    /// Most lists have none, and twelve hours are 65,000 lines.
    has_returns: bool,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let (line, behind) = match rest.split_once('\n') {
            Some((line, behind)) => (line, Some(behind)),
            None => (rest, None),
        };
        // What ends with CR and LF has no line between them.
        let alone =
            if self.has_returns { line.split_once('\r').filter(|(_, behind)| !behind.is_empty()) } else { None };
        let (line, behind) = match alone {
            Some((line, _)) => (line, rest.get(line.len() + 1..)),
            None => (line, behind),
        };
        self.rest = behind;
        self.number += 1;
        Some((self.number, line.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_anybody_ends_them() {
        let text = Text::new(b"\xEF\xBB\xBFa\r\n b \rc\n\nd").unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), [(1, "a"), (2, "b"), (3, "c"), (4, ""), (5, "d")]);
        assert!(!text.not_utf8 && !text.begins_blank());
    }

    #[test]
    fn what_is_forgiven_is_told() {
        let text = Text::new(b"\r\n #EXTM3U \xF6").unwrap();
        assert_eq!((text.not_utf8, text.begins_blank()), (true, true));
        for utf16 in [b"\xFF\xFE#\0".as_slice(), b"\xFE\xFF\0#", b"#\0E\0", b"\0#\0E"] {
            assert_eq!(Text::new(utf16).map(|_| ()).map_err(|error| error.reason), Err(Failure::Malformed));
        }
    }
}
