//! Addresses as messages show them: without what only their owner may know.

use std::borrow::Cow;

use url::Url;
use vvtv_toolkit::redaction::Redactor;

use crate::config::Location;

/// Characters of an address that a message shows.
const SHOWN_MAX: usize = 300;

/// An address for messages: without its password, and without the values of its query, which may be signatures.
#[must_use]
pub fn shown(location: &Location) -> String {
    match location {
        Location::Http(url) => shown_url(url),
        Location::File(path) => path.display().to_string(),
    }
}

pub(super) fn shown_url(url: &Url) -> String {
    shown_reference(url.as_str())
}

/// A reference as a playlist or a redirect writes it, for messages.
#[must_use]
pub fn shown_reference(text: &str) -> String {
    bounded(&Redactor::default().address(text)).into_owned()
}

/// What a terminal obeys instead of showing it, and what turns around the text beside it (Unicode Standard Annex 9, §2).
#[must_use]
pub fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

fn bounded(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("http://a.test/main.m3u8", "http://a.test/main.m3u8")]
    #[case("http://user@a.test/main.m3u8", "http://user@a.test/main.m3u8")]
    #[case("http://user:secret@a.test/main.m3u8", "http://user:REDACTED@a.test/main.m3u8")]
    #[case("http://:secret@a.test:81/", "http://:REDACTED@a.test:81/")]
    #[case(
        "http://a.test/x.ts?Policy=abc&Signature=s%3D&t#secret",
        "http://a.test/x.ts?Policy=REDACTED&Signature=REDACTED&REDACTED"
    )]
    #[case("seg/1.ts?token=abc=", "seg/1.ts?token=REDACTED")]
    #[case("/1.ts#abc", "/1.ts")]
    fn secrets_are_not_shown(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(shown_reference(text), expected);
        if let Ok(url) = Url::parse(text) {
            assert_eq!(shown(&Location::Http(url)), expected);
        }
    }

    #[test]
    fn long_ones_are_cut() {
        assert_eq!(shown_reference(&"é".repeat(400)), format!("{}…", "é".repeat(SHOWN_MAX)));
    }
}
