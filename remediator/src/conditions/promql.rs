//! PromQL texts in which `$target` stands for the incident's target.

mod labels;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use vvtv_incident::Target;

pub(crate) use self::labels::may_have;

/// A query in which every `$target` is known to stand inside a double-quoted string, where it can be escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query(Box<str>);

const TARGET: &str = "$target";

/// Where a scan of a query is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    Comment,
    /// A double-quoted string; `true` if it is the operand of a regular-expression matcher.
    Double(bool),
    Single,
    Raw,
}

impl Query {
    /// Takes a query as it is written.
    ///
    /// # Errors
    /// It is empty, a string in it has no end, or `$target` stands where it cannot be escaped.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the query is empty".to_owned());
        }
        let mut inside = Inside::Code;
        let mut code = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if rest.starts_with(TARGET) {
                target_may_stand(inside)?;
            }
            let mut taken = next.len_utf8();
            match (inside, next) {
                (Inside::Code, '"') => inside = Inside::Double(code.ends_with("=~") || code.ends_with("!~")),
                (Inside::Code, '\'') => inside = Inside::Single,
                (Inside::Code, '`') => inside = Inside::Raw,
                (Inside::Code, '#') => inside = Inside::Comment,
                (Inside::Code, other) if !other.is_whitespace() => code.push(other),
                (Inside::Comment, '\n') => inside = Inside::Code,
                (Inside::Double(_), '"') | (Inside::Single, '\'') | (Inside::Raw, '`') => {
                    inside = Inside::Code;
                    code.clear();
                }
                (Inside::Double(_) | Inside::Single, '\\') => {
                    taken += rest.chars().nth(1).map_or(0, char::len_utf8);
                }
                (Inside::Code | Inside::Comment | Inside::Double(_) | Inside::Single | Inside::Raw, _) => {}
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        match inside {
            Inside::Code | Inside::Comment => Ok(Self(text.into())),
            Inside::Double(_) | Inside::Single | Inside::Raw => Err("a string in the query has no end".to_owned()),
        }
    }

    /// The query as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The query about one target.
    #[must_use]
    pub fn about(&self, target: &Target) -> String {
        self.0.replace(TARGET, &escaped(target.as_str()))
    }
}

impl Query {
    /// The metrics that it asks for by their plain names.
    #[must_use]
    pub fn metrics(&self) -> BTreeSet<String> {
        let code = without_texts(&self.0);
        let mut names = BTreeSet::new();
        let mut rest = code.as_str();
        while let Some(start) = rest.find(|c: char| is_word(c)) {
            rest = rest.get(start..).unwrap_or_default();
            let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
            let next = after.trim_start();
            rest = after;
            let modifier = MODIFIERS.contains(&word.to_ascii_lowercase().as_str());
            if let (true, Some(labels)) = (modifier, next.strip_prefix('(')) {
                rest = labels.split_once(')').map_or("", |(_, rest)| rest);
            }
            // Numbers and durations begin with a digit; a name before a bracket is a function, one before `by (` an aggregation.
            let follows = next.split(|c| !is_word(c)).next().unwrap_or_default();
            let called = next.starts_with('(') || matches!(follows, "by" | "without");
            let number = word.starts_with(|c: char| c.is_ascii_digit());
            if !(modifier || called || number || KEYWORDS.contains(&word.to_ascii_lowercase().as_str())) {
                names.insert(word.to_owned());
            }
        }
        names
    }
}

/// What labels in brackets may follow.
const MODIFIERS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const KEYWORDS: [&str; 10] = ["and", "or", "unless", "atan2", "bool", "offset", "inf", "nan", "start", "end"];

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

/// The query without strings, comments, label matchers and ranges.
fn without_texts(text: &str) -> String {
    let mut code = String::new();
    let (mut quote, mut depth) = (None, 0_u32);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"' | '\''), '\\') => _ = chars.next(),
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '#') => quote = Some('\n'),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => {
                depth = depth.saturating_sub(1);
                code.push(' ');
            }
            (None, c) if depth == 0 => code.push(c),
            (None, _) => {}
        }
    }
    code
}

/// The query without its comments.
fn without_comments(text: &str) -> String {
    let (mut code, mut quote, mut comment) = (String::new(), None, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            _ if comment => comment = c != '\n',
            (None, '#') => comment = true,
            (Some('"' | '\''), '\\') => {
                code.push(c);
                code.extend(chars.next());
                continue;
            }
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(c),
            (Some(_) | None, _) => {}
        }
        if !comment {
            code.push(c);
        }
    }
    code
}

fn target_may_stand(inside: Inside) -> Result<(), String> {
    let complaint = match inside {
        Inside::Double(false) | Inside::Comment => return Ok(()),
        Inside::Double(true) => "`$target` may not stand in a regular expression: match it with = or !=",
        Inside::Code | Inside::Single | Inside::Raw => {
            "`$target` must stand inside double quotes: {stream=\"$target\"}"
        }
    };
    Err(complaint.to_owned())
}

/// The text as the inside of a double-quoted PromQL string (Go's escapes).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("main", r#"up{stream="main"}"#)]
    #[case(r#"a"} or vector(1) #"#, r#"up{stream="a\"} or vector(1) #"}"#)]
    #[case("back\\slash", r#"up{stream="back\\slash"}"#)]
    #[case("line\nfeed\0", r#"up{stream="line\u000afeed\u0000"}"#)]
    fn a_target_stays_inside_its_quotes(#[case] target: &str, #[case] expected: &str) {
        let query = Query::parse(r#"up{stream="$target"}"#).unwrap();
        assert_eq!(query.about(&Target::new(target)), expected);
    }

    #[rstest]
    #[case("$target", "`$target` must stand inside double quotes: {stream=\"$target\"}")]
    #[case("up{stream='$target'}", "`$target` must stand inside double quotes: {stream=\"$target\"}")]
    #[case("up{stream=`$target`}", "`$target` must stand inside double quotes: {stream=\"$target\"}")]
    #[case(
        r#"up{a="x", stream =~ "$target"}"#,
        "`$target` may not stand in a regular expression: match it with = or !="
    )]
    #[case(r#"up{a="\"$target"#, "a string in the query has no end")]
    #[case(" ", "the query is empty")]
    fn a_target_that_cannot_be_escaped_is_refused(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Query::parse(text), Err(expected.to_owned()));
    }

    #[rstest]
    #[case("up", &["up"])]
    #[case("min(up{job=\"x\"}) * on () max by (stream) (b:c{a=~\"d}\"} offset 5m)", &["b:c", "up"])]
    #[case("sum without (a, b) (rate(x_total[5m:1m])) > bool 1e3 # y", &["x_total"])]
    #[case("a and ignoring(l) group_left(m) b unless on(n) c or vector(0) == bool Inf", &["a", "b", "c"])]
    #[case("sum(a) by (b) < bool on () c @ end()", &["a", "c"])]
    #[case("{__name__=\"a\"} + 'b' + `c` + \"d\\\"e\"", &[])]
    fn metrics_are_found(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(Query::parse(text).unwrap().metrics().into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn comments_and_escapes_do_not_confuse_the_scan() {
        let text = "up{a=\"\\\"\", b=~\"x\", stream=\"$target\"} # it's \"$target\n > bool 0";
        assert!(Query::parse(text).is_ok());
    }
}
