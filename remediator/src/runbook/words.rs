//! Conditions and times as a page for people has them. What has no plain words stays in the language it is written in.

use std::collections::BTreeMap;
use std::time::Duration;

use vvtv_toolkit::duration::PromDuration;

use super::file::When;

/// Comparisons, longer ones first where one begins like another.
const COMPARISONS: [(&str, &str); 8] = [
    (" not in ", "is none of"),
    (" in ", "is"),
    (" == ", "is"),
    (" != ", "is not"),
    (" <= ", "is at most"),
    (" >= ", "is at least"),
    (" < ", "is below"),
    (" > ", "is above"),
];

/// Titles of steps by their ids.
pub(super) type Titles<'a> = BTreeMap<&'a str, &'a str>;

/// A condition, to stand after "if".
pub(super) fn condition(when: &When, titles: &Titles<'_>) -> String {
    let join = |parts: &[When], word: &str| {
        let parts: Vec<_> = parts.iter().map(|part| condition(part, titles)).collect();
        parts.join(word)
    };
    match when {
        When::Promql(query) => format!("`{}` yields 1", one_line(&query.value)),
        When::Expr(text) => {
            let text = one_line(&text.value);
            expression(&text, titles).unwrap_or_else(|| format!("`{text}` holds"))
        }
        When::All(parts) => join(&parts.value, ", and "),
        When::Any(parts) => join(&parts.value, ", or "),
    }
}

/// Text on one line: folded YAML keeps the indentation of its lines.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A duration in whole words where there are some: `10 minutes`, `1 hour`, `1m30s`.
pub(super) fn duration(duration: Duration) -> String {
    let (seconds, parts) = (duration.as_secs(), duration.subsec_nanos());
    let say = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match seconds {
        1.. if parts == 0 && seconds.is_multiple_of(3_600) => say(seconds / 3_600, "hour"),
        1.. if parts == 0 && seconds.is_multiple_of(60) => say(seconds / 60, "minute"),
        1.. if parts == 0 && seconds < 60 => say(seconds, "second"),
        _ => PromDuration::new(duration).to_string(),
    }
}

fn expression(text: &str, titles: &Titles<'_>) -> Option<String> {
    let ands = split(text, " and ");
    let ors = split(text, " or ");
    let (clauses, word) = match (ands.len(), ors.len()) {
        (_, 1) => (ands, ", and "),
        (1, _) => (ors, ", or "),
        _ => return None,
    };
    let said: Option<Vec<_>> = clauses.into_iter().map(|clause| comparison(clause.trim(), titles)).collect();
    Some(said?.join(word))
}

fn comparison(clause: &str, titles: &Titles<'_>) -> Option<String> {
    if let Some(what) = clause.strip_suffix(".done") {
        let (what, words) = what.strip_prefix("not ").map_or((what, "was done"), |what| (what, "was not done"));
        let title = titles.get(what.trim().strip_prefix("steps.")?)?;
        return Some(format!("“{title}” {words}"));
    }
    if let Some(what) = clause.strip_suffix(" is none") {
        return Some(format!("{} is not set", subject(what, titles)?));
    }
    let (left, words, right) = COMPARISONS.iter().find_map(|(sign, words)| match *split(clause, sign) {
        [left, right] => Some((left, *words, right)),
        _ => None,
    })?;
    Some(format!("{} {words} {}", subject(left.trim(), titles)?, object(right.trim())?))
}

/// What is compared: something that a step reported, or a fact.
fn subject(text: &str, titles: &Titles<'_>) -> Option<String> {
    let text = text.strip_prefix("num(").and_then(|text| text.strip_suffix(')')).unwrap_or(text);
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    if !plain(text) {
        return None;
    }
    if let Some(label) = text.strip_prefix("alert.labels.") {
        return Some(format!("the alert's `{label}`"));
    }
    let (step, what) = text.strip_prefix("steps.")?.split_once('.')?;
    let title = titles.get(step)?;
    match what.strip_prefix("json.") {
        Some(path) => Some(format!("`{path}` from “{title}”")),
        None if what == "state" => Some(format!("the outcome of “{title}”")),
        None if what == "exit_code" => Some(format!("the exit code of “{title}”")),
        None => None,
    }
}

/// A literal: a number, a text, or a list of them.
fn object(text: &str) -> Option<String> {
    if let Some(list) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let items: Option<Vec<_>> = list.split(',').map(|item| object(item.trim())).collect();
        let items = items?;
        let (last, rest) = items.split_last()?;
        return Some(if rest.is_empty() { last.clone() } else { format!("{} or {last}", rest.join(", ")) });
    }
    if text.parse::<f64>().is_ok() {
        return Some(text.to_owned());
    }
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'))?;
    (!inner.contains('"')).then(|| inner.to_owned())
}

/// Splits at a word that stands neither in a string nor in brackets.
fn split<'a>(text: &'a str, at: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut depth, mut quote, mut start, mut skip) = (0_i32, None, 0, 0);
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        let found = quote.is_none()
            && depth == 0
            && index >= skip
            && text.get(index..).is_some_and(|rest| rest.starts_with(at));
        if found {
            parts.push(text.get(start..index).unwrap_or_default());
            start = index + at.len();
            skip = start;
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(r#"steps.status.json.state in ["stuck", "dead"]"#, Some("`state` from “Check it” is stuck or dead"))]
    #[case("num(steps.status.json.buffer_seconds) < 1800", Some("`buffer_seconds` from “Check it” is below 1800"))]
    #[case(
        r#"steps.status.state == "ok" and steps.status.exit_code >= 2"#,
        Some("the outcome of “Check it” is ok, and the exit code of “Check it” is at least 2")
    )]
    #[case(
        r#"steps.status.json.a != "x and y" or alert.labels.variant == "b""#,
        Some("`a` from “Check it” is not x and y, or the alert's `variant` is b")
    )]
    #[case("steps.status.done", Some("“Check it” was done"))]
    #[case("not steps.status.done", Some("“Check it” was not done"))]
    #[case("steps.status.json.item is none", Some("`item` from “Check it” is not set"))]
    #[case(r#"steps.status.json.a == 1 or steps.status.json.b == 2 and steps.status.json.c == 3"#, None)]
    #[case("steps.status.json.list | length > 3", None)]
    #[case("steps.status.json.é < 3", None)]
    #[case("(steps.status.json.a == 1)", None)]
    fn what_has_plain_words_is_said_in_them(#[case] text: &str, #[case] expected: Option<&str>) {
        let titles = BTreeMap::from([("status", "Check it")]);
        assert_eq!(expression(text, &titles).as_deref(), expected);
    }

    #[rstest]
    #[case(1, "1 second")]
    #[case(90, "1m30s")]
    #[case(600, "10 minutes")]
    #[case(3_600, "1 hour")]
    fn times_are_said_in_whole_units(#[case] seconds: u64, #[case] expected: &str) {
        assert_eq!(duration(Duration::from_secs(seconds)), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_answer(text in "\\PC*|[a-z\\[\\]()\"'., <>=!é]*") {
            let _ = expression(&text, &BTreeMap::new());
        }
    }
}
