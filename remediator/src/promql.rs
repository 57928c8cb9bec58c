//! PromQL texts in which `$target` stands for the incident's target.

use std::fmt::Write as _;

use vvtv_incident::Target;

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

    #[test]
    fn comments_and_escapes_do_not_confuse_the_scan() {
        let text = "up{a=\"\\\"\", b=~\"x\", stream=\"$target\"} # it's \"$target\n > bool 0";
        assert!(Query::parse(text).is_ok());
    }
}
