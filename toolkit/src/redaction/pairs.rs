//! Names with values: configuration in YAML, JSON and INI, environment variables, headers, queries, logfmt, `Debug` output.

use std::ops::Range;

use super::names::{NAME_BYTES_MAX, Sense, sense, sense_in_query, takes_the_line};
use super::spans::Spans;

/// Values that are no secret.
const NO_SECRETS: [&str; 29] = [
    "",
    "-",
    "|",
    "|-",
    "|+",
    ">",
    ">-",
    ">+",
    "~",
    "[]",
    "{}",
    "expired",
    "false",
    "invalid",
    "missing",
    "nil",
    "no",
    "none",
    "null",
    "off",
    "ok",
    "on",
    "optional",
    "required",
    "true",
    "undefined",
    "unset",
    "unknown",
    "yes",
];

/// Values of `auth` and `pass` that are none either.
const NO_SECRETS_PERHAPS: [&str; 20] = [
    "anonymous",
    "basic",
    "bearer",
    "digest",
    "error",
    "failed",
    "first",
    "login",
    "ntlm",
    "oauth",
    "oauth2",
    "plain",
    "request",
    "second",
    "success",
    "tls",
    "token",
    "user",
    "x509",
    "in",
];

/// Words before a name that make it a word of a message: "unexpected token: …".
const OF_A_MESSAGE: [&str; 4] = ["expected", "invalid", "unexpected", "unknown"];

/// A longer value is none of the ordinary ones, whatever it looks like. Also keeps the search linear: what is not hidden is looked at again.
const ORDINARY_BYTES_MAX: usize = 200;

/// How far a quoted name may stand from its separator.
const BLANKS_MAX: usize = 8;

/// Which keys say the name of a value that stands elsewhere.
const NAMING: [&str; 3] = ["name", "key", "header"];

/// A name before a separator.
struct Name {
    range: Range<usize>,
    /// In the query of an address.
    in_query: bool,
    /// Nothing but indentation, or the mark of a list's item, before it.
    begins_line: bool,
    quoted: bool,
}

/// Finds the values of secret names. `named` tells that a secret was named before (`name: X_TOKEN`), whose value is to come.
pub(super) fn find(line: &str, named: &mut bool, spans: &mut Spans) {
    let carried = std::mem::take(named);
    let mut was_named = carried;
    let mut at = 0;
    // A value that is not closed ends with what the line says.
    let line = line.trim_end();
    while let Some((separator, value_from)) = next_separator(line, at) {
        at = value_from;
        let Some(name) = name_before(line, separator.start) else { continue };
        let text = line.get(name.range.clone()).unwrap_or_default();
        let told = if name.in_query { sense_in_query(text) } else { sense(text) };
        let is_value_of_named = was_named && text.eq_ignore_ascii_case("value");
        if told == Sense::Plain && !is_value_of_named {
            if NAMING.iter().any(|naming| naming.eq_ignore_ascii_case(text)) {
                let near = line.get(..line.floor_char_boundary(value_from + NAME_BYTES_MAX)).unwrap_or_default();
                let value = value(near, value_from, &name, false);
                was_named = sense(near.get(value).unwrap_or_default()) != Sense::Plain;
                *named = was_named;
            }
            continue;
        }
        if is_value_of_named {
            *named = false;
        } else if is_of_a_message(line, name.range.start) {
            continue;
        }
        let colon = line.as_bytes().get(separator.start) == Some(&b':');
        let secret = if takes_the_line(text) {
            rest_of_line(line, value_from, name.range.start, text)
        } else {
            value(line, value_from, &name, colon)
        };
        if is_secret(line, &secret, told) {
            at = at.max(secret.end);
            spans.push(secret);
        }
    }
}

/// The next `=`, `:` or `%3D` from `at` on, and where what follows it begins.
fn next_separator(line: &str, at: usize) -> Option<(Range<usize>, usize)> {
    let bytes = line.as_bytes();
    let mut at = at;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        let end = match byte {
            b':' if next == Some(b':') => {
                at += 2;
                continue;
            }
            b':' if next == Some(b'/') && bytes.get(at + 2) == Some(&b'/') => {
                at += 3;
                continue;
            }
            b':' | b'=' => {
                let more = bytes.get(at + 1..).unwrap_or_default();
                at + 1 + more.iter().take(2).take_while(|byte| matches!(byte, b'=' | b'~' | b'>')).count()
            }
            b'%' if bytes.get(at + 1..at + 3).is_some_and(|code| code.eq_ignore_ascii_case(b"3d")) => at + 3,
            _ => {
                at += 1;
                continue;
            }
        };
        return Some((at..end, end));
    }
    None
}

fn name_before(line: &str, separator: usize) -> Option<Name> {
    let bytes = line.as_bytes();
    let before = |at: usize| at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    let mut end = separator;
    while separator - end < BLANKS_MAX && before(end).is_some_and(|byte| byte == b' ' || byte == b'\t') {
        end -= 1;
    }
    if before(end) == Some(b']') {
        end -= 1;
    }
    let quoted = before(end).is_some_and(|byte| byte == b'"' || byte == b'\'');
    if quoted {
        end -= 1;
        if before(end) == Some(b'\\') {
            end -= 1;
        }
    }
    let mut start = end;
    while end - start < NAME_BYTES_MAX
        && before(start).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    {
        start -= 1;
    }
    // `%26token%3D`: the code of the `&` is not part of the name.
    let coded = before(start) == Some(b'%') && end - start > 2;
    if coded {
        start += 2;
    }
    let in_query = coded || before(start).is_some_and(|byte| matches!(byte, b'?' | b'&' | b';'));
    let begins_line = start <= ORDINARY_BYTES_MAX
        && line
            .get(..start)
            .is_some_and(|text| text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'-' | b'>' | b'<')));
    (start < end).then_some(Name { range: start..end, in_query, begins_line, quoted })
}

fn is_of_a_message(line: &str, name: usize) -> bool {
    let near = line.get(line.floor_char_boundary(name.saturating_sub(NAME_BYTES_MAX))..name).unwrap_or_default();
    near.split_ascii_whitespace()
        .next_back()
        .is_some_and(|word| OF_A_MESSAGE.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// Where a value stands that begins after `from`.
fn value(line: &str, from: usize, name: &Name, colon: bool) -> Range<usize> {
    let mut start = skip_blanks(line, from);
    // `Some("…")` and other wrappers of `Debug`.
    let wrapper = rest(line, start).bytes().take_while(u8::is_ascii_alphanumeric).count();
    if wrapper > 0 && line.as_bytes().get(start + wrapper) == Some(&b'(') {
        start += wrapper + 1;
    }
    let text = rest(line, start);
    let end_of_line = line.len();
    if let Some(quoted) = text.strip_prefix("\\\"") {
        return start + 2..quoted.find("\\\"").map_or(end_of_line, |length| start + 2 + length);
    }
    if let Some(quote @ (b'"' | b'\'' | b'`')) = text.bytes().next() {
        return start + 1..closing(line, start + 1, quote).unwrap_or(end_of_line);
    }
    if text.starts_with('[') {
        return start..text.find(']').map_or(end_of_line, |length| start + length + 1);
    }
    if name.in_query {
        return start..query_end(line, start);
    }
    if name.begins_line && !name.quoted && colon && start > from {
        let comment =
            text.find(" #").map_or(end_of_line, |at| start + text.get(..at).unwrap_or_default().trim_end().len());
        return start..comment;
    }
    start..plain_end(line, start)
}

fn rest(line: &str, from: usize) -> &str {
    line.get(from..).unwrap_or_default()
}

fn skip_blanks(line: &str, from: usize) -> usize {
    let text = rest(line, from);
    from + text.bytes().take(BLANKS_MAX).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The closing quote of a text that begins at `from`.
fn closing(line: &str, from: usize, quote: u8) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in rest(line, from).bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quote == b'"' => escaped = true,
            byte if byte == quote => return Some(from + at),
            _ => {}
        }
    }
    None
}

fn query_end(line: &str, from: usize) -> usize {
    let text = rest(line, from);
    // A stream identifier of SRT begins like a fragment, and is none.
    let srt = if text.starts_with("#!::") { 1 } else { 0 };
    let ends = |c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'' | '<' | '>' | '#' | '`');
    let end = rest(text, srt).find(ends).map_or(text.len(), |length| srt + length);
    let code = text.get(..end).and_then(|text| text.find("%26"));
    let end = code.unwrap_or(end);
    // What stands behind an address in a sentence is not part of it.
    from + text.get(..end).unwrap_or_default().trim_end_matches([':', ',', '.', ';', ')', ']', '}']).len()
}

/// The end of a value without quotes: a blank, or punctuation that belongs to what is around it and not to the value.
fn plain_end(line: &str, from: usize) -> usize {
    let text = rest(line, from);
    for (at, c) in text.char_indices() {
        let after = || rest(text, at + c.len_utf8());
        let ends = match c {
            c if c.is_whitespace() => true,
            ',' | ';' | '&' | '|' => ends_here(after()) || begins_a_pair(after()),
            ')' | ']' | '}' | '"' | '\'' | '`' | '<' | '>' | '\\' => ends_here(after()),
            _ => false,
        };
        if ends {
            return from + at;
        }
    }
    line.len()
}

fn ends_here(after: &str) -> bool {
    after
        .chars()
        .next()
        .is_none_or(|c| c.is_whitespace() || matches!(c, ',' | ';' | ')' | ']' | '}' | '"' | '\'' | ':' | '>' | '.'))
}

fn begins_a_pair(after: &str) -> bool {
    let name = after
        .bytes()
        .take(NAME_BYTES_MAX)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    let length = name.count();
    length > 0 && matches!(after.as_bytes().get(length), Some(b'=' | b':'))
}

/// The value of a header that may have blanks: up to the quote that the header stands in, or to the end. A scheme is shown.
fn rest_of_line(line: &str, from: usize, name: usize, text: &str) -> Range<usize> {
    let start = skip_blanks(line, from);
    let end_of_line = line.len();
    let quote_before = name.checked_sub(1).and_then(|at| line.as_bytes().get(at)).copied();
    let opening = line.as_bytes().get(start).copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let (start, end) = match (opening, quote_before) {
        // Both the name and the value are quoted.
        (Some(quote), _) => (start + 1, closing(line, start + 1, quote).unwrap_or(end_of_line)),
        (None, Some(quote @ (b'"' | b'\''))) => (start, closing(line, start, quote).unwrap_or(end_of_line)),
        (None, _) => (start, end_of_line),
    };
    if !text.to_ascii_lowercase().ends_with("authorization") {
        return start..end;
    }
    let value = line.get(start..end).unwrap_or_default();
    let scheme = value
        .find(' ')
        .filter(|length| value.bytes().take(*length).all(|byte| byte.is_ascii_alphabetic() || byte == b'-'));
    start + scheme.map_or(0, |length| length + 1)..end
}

fn is_secret(line: &str, span: &Range<usize>, sense: Sense) -> bool {
    if span.len() > ORDINARY_BYTES_MAX {
        return true;
    }
    let value = line.get(span.clone()).unwrap_or_default().trim();
    let lower = value.to_ascii_lowercase();
    let template = value.starts_with("{{")
        || value.starts_with("${")
        || value.starts_with("$(")
        || value.starts_with('{') && !value.starts_with("{SHA");
    let placeholder = value.starts_with('<') && value.ends_with('>');
    let digits = value.len() <= 2 && value.bytes().all(|byte| byte.is_ascii_digit());
    if NO_SECRETS.contains(&lower.as_str()) || template || placeholder || digits {
        return false;
    }
    let first_word = lower.split(|c: char| c.is_whitespace() || c == ',').next().unwrap_or_default();
    match sense {
        Sense::Secret | Sense::Plain => true,
        Sense::Perhaps => !NO_SECRETS_PERHAPS.contains(&first_word) && !NO_SECRETS.contains(&first_word),
        Sense::Several => {
            let quoted = span.start.checked_sub(1).and_then(|at| line.as_bytes().get(at));
            value.starts_with('[') || quoted.is_some_and(|byte| matches!(byte, b'"' | b'\''))
        }
        Sense::StreamId => !is_plain_stream_id(value),
    }
}

/// A name, or a mode and a name, without user and secret.
pub(super) fn is_plain_stream_id(value: &str) -> bool {
    let short = |name: &str| {
        name.len() <= 16 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
    };
    if let Some(list) = value.strip_prefix("#!::") {
        return list.split(',').all(|pair| {
            pair.split_once('=').is_some_and(|(key, value)| matches!(key, "r" | "m" | "h" | "t") && short(value))
        });
    }
    match value.split_once(':') {
        Some((mode, name)) => matches!(mode, "publish" | "read" | "play" | "request") && short(name),
        None => short(value),
    }
}
