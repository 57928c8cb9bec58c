//! Lists of attributes, read as players read them (RFC 8216 §4.2): blanks around names and values, missing quotes, names in lower case.

use std::borrow::Cow;

use super::variables::{Undefined, Variables};

/// Attributes of one tag; more are not looked at.
const ATTRIBUTES_MAX: usize = 64;

/// The attributes of a tag.
pub(super) struct AttributeList<'a> {
    attributes: Vec<(&'a str, Cow<'a, str>)>,
    /// It is not written as the standard says.
    pub(super) is_sloppy: bool,
    /// Values that refer to a variable that is not defined: those attributes are left out.
    pub(super) undefined: usize,
}

impl<'a> AttributeList<'a> {
    /// Reads what stands behind a tag's colon. Variables are filled into quoted values (rfc8216bis §4.3).
    pub(super) fn read(text: &'a str, variables: &Variables) -> Self {
        let mut list = Self { attributes: Vec::new(), is_sloppy: false, undefined: 0 };
        let mut rest = text;
        while !rest.is_empty() && list.attributes.len() < ATTRIBUTES_MAX {
            let Some((name, after)) = rest.split_once('=') else {
                list.is_sloppy = true;
                break;
            };
            let own = name.rsplit(',').next().unwrap_or(name);
            let (value, is_quoted, behind, is_sloppy) = value(after);
            list.is_sloppy |= is_sloppy || own.trim() != name;
            list.add(own.trim(), value, is_quoted, variables);
            rest = behind;
        }
        list
    }

    fn add(&mut self, name: &'a str, value: &'a str, is_quoted: bool, variables: &Variables) {
        let value = match if is_quoted { variables.fill(value) } else { Ok(Cow::Borrowed(value)) } {
            Ok(value) => value,
            Err(Undefined) => {
                self.undefined += 1;
                return;
            }
        };
        // Of an attribute that stands there twice the last counts, as for browsers.
        let known = self.attributes.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some(known) = known {
            self.is_sloppy = true;
            self.attributes.swap_remove(known);
        }
        self.attributes.push((name, value));
    }

    /// The value of an attribute, without its quotes.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    /// The same, as a text to keep.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A decimal integer; what follows its digits is not looked at.
    pub(super) fn integer(&self, name: &str) -> Option<u64> {
        leading_integer(self.get(name)?).map(|(number, _)| number)
    }

    /// `YES`.
    pub(super) fn yes(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("YES"))
    }
}

/// The value at the beginning of a text, whether it has quotes, what follows its comma, and whether the standard says otherwise.
fn value(text: &str) -> (&str, bool, &str, bool) {
    let begins = text.trim_start();
    let quote = begins.chars().next().filter(|first| matches!(first, '"' | '\''));
    let quoted = quote.and_then(|quote| begins.get(1..)?.split_once(quote).map(|parts| (quote, parts)));
    match quoted {
        Some((quote, (inner, after))) => {
            let (junk, behind) = after.split_once(',').unwrap_or((after, ""));
            (inner, true, behind, begins.len() != text.len() || !junk.is_empty() || quote == '\'')
        }
        None => {
            let (value, behind) = text.split_once(',').unwrap_or((text, ""));
            (value.trim(), false, behind, value.trim() != value || value.is_empty() || value.contains('"'))
        }
    }
}

/// The decimal integer that a text begins with, and whether nothing else stands there.
pub(super) fn leading_integer(text: &str) -> Option<(u64, bool)> {
    let begins = text.trim_start();
    let end = begins.find(|character: char| !character.is_ascii_digit()).unwrap_or(begins.len());
    begins.get(..end)?.parse().ok().map(|number| (number, end == text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::strict("A=1,B=\"x,y=z\",C=4x3", &[("A", "1"), ("B", "x,y=z"), ("C", "4x3")], false)]
    #[case::blanks(" A = 1 , B = \"x\" , C=2", &[("A", "1"), ("B", "x"), ("C", "2")], true)]
    #[case::single_quotes("A='x,y',B=1", &[("A", "x,y"), ("B", "1")], true)]
    #[case::twice("A=1,B=2,A=3", &[("B", "2"), ("A", "3")], true)]
    #[case::unfinished("A=\"x,B=2", &[("A", "\"x"), ("B", "2")], true)]
    #[case::no_value("A=,B=2", &[("A", ""), ("B", "2")], true)]
    #[case::no_name("alone,B=2", &[("B", "2")], true)]
    #[case::comma_at_the_end("A=1,", &[("A", "1")], false)]
    #[case::nothing("", &[], false)]
    #[case::umlaut("A=ö,B=\"ö\"", &[("A", "ö"), ("B", "ö")], false)]
    fn attributes_as_they_are_written(#[case] text: &str, #[case] expected: &[(&str, &str)], #[case] sloppy: bool) {
        let list = AttributeList::read(text, &Variables::default());
        let found: Vec<_> = list.attributes.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!((found.as_slice(), list.is_sloppy), (expected, sloppy));
    }

    #[test]
    fn numbers_as_they_are_written() {
        let cases = ["7", " 7", "7.5", "7 bits", "-7", "", "99999999999999999999"];
        let expected = [Some((7, true)), Some((7, false)), Some((7, false)), Some((7, false)), None, None, None];
        assert_eq!(cases.map(leading_integer), expected);
    }
}
