//! Variables of playlists (`EXT-X-DEFINE`, rfc8216bis §4.3 and §4.4.2.3).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::attributes::AttributeList;
use crate::config::Location;

/// Variables of one playlist.
const VARIABLES_MAX: usize = 128;

/// Bytes of a name, and of a value.
const VALUE_BYTES_MAX: usize = 4096;

/// Bytes of a text after its variables were filled in, at most: more than any address has.
const FILLED_BYTES_MAX: usize = 16 << 10;

/// What surrounds a playlist: where it was read, and what its master defines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The query of the playlist's own address after redirects, without `?`; `QUERYPARAM` reads it. Empty where there is none.
    pub query: String,
    /// Those of its master, which `IMPORT` reads.
    pub variables: Variables,
}

impl Context {
    /// Of the playlist that was read at `location`, under a master that defines `variables`.
    #[must_use]
    pub fn new(location: &Location, variables: Option<&Variables>) -> Self {
        let query = match location {
            Location::Http(url) => url.query().unwrap_or_default().to_owned(),
            Location::File(_) => String::new(),
        };
        Self { query, variables: variables.cloned().unwrap_or_default() }
    }
}

/// Variables by name, at most 128 of at most 4 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

/// A text refers to a variable that is not defined, or grows beyond all addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Undefined;

impl Variables {
    /// Nothing is defined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a definition. False where it defines nothing: without a name or a value, a second time, or one too many.
    pub(super) fn define(&mut self, definition: &AttributeList<'_>, context: &Context) -> bool {
        let get = |name| definition.get(name);
        let (name, value) = match (get("QUERYPARAM"), get("IMPORT"), get("NAME")) {
            (Some(name), _, _) => (name, parameter(&context.query, name)),
            (None, Some(name), _) => (name, context.variables.0.get(name).cloned()),
            (None, None, Some(name)) => (name, get("VALUE").map(str::to_owned)),
            (None, None, None) => return false,
        };
        let Some(value) = value else { return false };
        let fits = self.0.len() < VARIABLES_MAX && name.len().max(value.len()) <= VALUE_BYTES_MAX;
        if !fits || self.0.contains_key(name) || name.is_empty() {
            return false;
        }
        self.0.insert(name.to_owned(), value);
        true
    }

    /// Fills in each `{$name}`. What is filled in is not looked through again, so that it cannot grow without end.
    pub(super) fn fill<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, Undefined> {
        // Almost no address has one, and a single byte is found soonest.
        if !text.contains('{') {
            return Ok(Cow::Borrowed(text));
        }
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{$") {
            filled.push_str(before);
            let reference = after.split_once('}').filter(|(name, _)| is_name(name));
            match reference {
                Some((name, behind)) => {
                    filled.push_str(self.0.get(name).ok_or(Undefined)?);
                    rest = behind;
                }
                None => {
                    filled.push_str("{$");
                    rest = after;
                }
            }
            if filled.len() > FILLED_BYTES_MAX {
                return Err(Undefined);
            }
        }
        filled.push_str(rest);
        Ok(Cow::Owned(filled))
    }
}

/// Letters, digits, `-` and `_` (rfc8216bis §4.4.2.3).
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A parameter of a query, decoded as browsers do it; none where it is missing or empty.
fn parameter(query: &str, name: &str) -> Option<String> {
    let found = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defined(lines: &[&str], query: &str) -> (Variables, Vec<bool>) {
        let mut imported = Variables::default();
        assert!(imported.define(&AttributeList::read("NAME=\"dir\",VALUE=\"hd\"", &imported), &Context::default()));
        let context = Context { query: query.to_owned(), variables: imported };
        let mut variables = Variables::default();
        let outcomes = lines.iter().map(|line| {
            let list = AttributeList::read(line, &variables);
            let outcome = variables.clone().define(&list, &context);
            variables.define(&list, &context);
            outcome
        });
        let outcomes = outcomes.collect();
        (variables, outcomes)
    }

    #[test]
    fn each_way_to_define_and_each_way_to_fail() {
        let lines = [
            "IMPORT=\"dir\"",
            "QUERYPARAM=\"tok\"",
            "NAME=\"both\",VALUE=\"{$dir}/{$tok}\"",
            "NAME=\"dir\",VALUE=\"again\"",
            "IMPORT=\"nobody\"",
            "QUERYPARAM=\"nothing\"",
            "QUERYPARAM=\"empty\"",
            "NAME=\"no-value\"",
            "VALUE=\"no name\"",
        ];
        let (variables, outcomes) = defined(&lines, "a=1&tok=x%2Fy+z&empty=");
        assert_eq!(outcomes, [true, true, true, false, false, false, false, false, false]);
        assert_eq!(variables.fill("{$both}?{$tok}&{$ dir}{$}{$").as_deref(), Ok("hd/x/y z?x/y z&{$ dir}{$}{$"));
        assert_eq!(variables.fill("{$dir}/{$nobody}"), Err(Undefined));
    }

    #[test]
    fn nothing_grows_without_end() {
        let (value, mut variables) = ("v".repeat(VALUE_BYTES_MAX), Variables::default());
        for n in 0..2 * VARIABLES_MAX {
            let line = format!("NAME=\"n{n}\",VALUE=\"{value}\"");
            let list = AttributeList::read(&line, &variables);
            assert_eq!(variables.clone().define(&list, &Context::default()), n < VARIABLES_MAX);
            variables.define(&list, &Context::default());
        }
        assert_eq!(variables.fill(&"{$n0}".repeat(5)), Err(Undefined));
        let long = format!("NAME=\"long\",VALUE=\"{value}v\"");
        assert!(!Variables::default().define(&AttributeList::read(&long, &variables), &Context::default()));
    }
}
