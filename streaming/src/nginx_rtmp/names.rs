//! Names as an encoder sends them, as a configuration writes them, and as a page lists them.
//!
//! An address may be percent-encoded or not, an encoder may send either, and the page shows blanks for whatever is no ASCII
//! (`ngx_rtmp_stat_escape` of nginx-rtmp-module). So two names are the same if what remains of them is; where that makes several
//! publishers of one, the one that is written alike comes first.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What remains of a name on every way.
#[must_use]
pub fn plain_name(name: &str) -> String {
    let decoded: Cow<'_, [u8]> = percent_decode_str(name).into();
    let blank = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { ' ' };
    decoded.iter().map(blank).collect::<String>().trim().to_owned()
}

/// Whether two writings may be of one name.
#[must_use]
pub fn is_same_name(one: &str, other: &str) -> bool {
    plain_name(one) == plain_name(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("main", "main")]
    #[case::braces("a%7Bb%7D", "a{b}")]
    #[case::braces_escaped_in_an_address("%7B%7D", "{}")]
    #[case::umlaut_in_an_address("k%C3%A4nal", "känal")]
    #[case::umlaut_on_the_page("känal", "k  nal")]
    #[case::percent_sent_as_it_is("a%20b", "a b")]
    #[case::at("DR3@28064", "DR3%4028064")]
    #[case::slash("ev/en", "ev%2Fen")]
    #[case::a_lone_percent("100%", "100%25")]
    fn the_same(#[case] one: &str, #[case] other: &str) {
        assert!(is_same_name(one, other));
    }
}
