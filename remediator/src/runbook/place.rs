//! Where data stands in an argument: in an address or a path it must stay one segment or one query value of it.
//!
//! Data is what an alert or a step said: `target`, `alert`, `steps`. What the site or the remediator itself says (`vars`, `host`,
//! `incident`) may be more than a segment.

use crate::conditions::expression;

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    /// The inside of `{{ … }}`.
    Value(&'a str),
    /// `{% … %}` or `{# … #}`, or something that is not understood here.
    Other,
}

/// Where in an address or path a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first `/` of all.
    Front,
    Host,
    Path,
    Query,
}

/// Whether data in an argument can only be what its place allows.
///
/// # Errors
/// It could be a host, several segments or several values; the text says what to write instead.
pub(super) fn check(text: &str) -> Result<(), String> {
    let parts = parts(text);
    let is_path = parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('/')));
    if !is_path || !expression::reads_data(text) {
        return Ok(());
    }
    if parts.contains(&Part::Other) {
        return Err("an address or path with data in it takes only `{{ … }}`".to_owned());
    }
    let mut before = String::new();
    for part in parts {
        match part {
            Part::Text(text) => before.push_str(text),
            Part::Value(value) => {
                if expression::reads_data(&format!("{{{{{value}}}}}")) {
                    filtered(value, place(&before))?;
                }
                before.push('\u{1}');
            }
            Part::Other => {}
        }
    }
    Ok(())
}

/// Whether an argument has data in it that no filter keeps to one segment or value.
pub(crate) fn has_raw_data(text: &str) -> bool {
    parts(text).iter().any(|part| match part {
        Part::Text(_) => false,
        Part::Value(value) => expression::reads_data(&format!("{{{{{value}}}}}")) && last_filter(value).is_none(),
        Part::Other => expression::reads_data(text),
    })
}

fn place(before: &str) -> Place {
    let (is_address, rest) = before.split_once("://").map_or((false, before), |(_, rest)| (true, rest));
    match (is_address, rest.contains(['?', '#'])) {
        (_, true) => Place::Query,
        (_, false) if rest.contains('/') => Place::Path,
        (true, false) => Place::Host,
        (false, false) => Place::Front,
    }
}

fn filtered(value: &str, place: Place) -> Result<(), String> {
    let shown = value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '+'));
    let (filter, what) = match place {
        Place::Front => {
            return Err("data may not begin an address or path: write what comes before the first `/`".to_owned());
        }
        Place::Host => {
            return Err(
                "data may not choose the host: write it, or take it from the configuration's `variables`".to_owned()
            );
        }
        Place::Path => ("segment", "one segment of an address or path"),
        Place::Query => ("query_value", "one value of a query"),
    };
    match last_filter(value) {
        Some("segment") => Ok(()),
        Some("query_value") if place == Place::Query => Ok(()),
        Some(_) | None => Err(format!("data must stay {what}: write `{{{{ {} | {filter} }}}}`", enclosed(shown))),
    }
}

/// A value as a filter can follow it.
fn enclosed(value: &str) -> String {
    let value = value.split_once(" | query_value").map_or(value, |(value, _)| value);
    if outline(value).is_some() { value.to_owned() } else { format!("({value})") }
}

/// The filter that makes all of a value, if it is one of those that keep data in its place.
fn last_filter(value: &str) -> Option<&'static str> {
    let value = value.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']);
    let outline = outline(value)?;
    let last = outline.rsplit_once('|')?.1;
    ["segment", "query_value"].into_iter().find(|known| *known == last)
}

/// A name or an enclosed expression with its filters, without blanks, and with `_` for what stands in brackets. `None` for
/// anything else: an operator binds weaker than a filter, so that the last filter of `a ~ b | segment` would not see `a`.
fn outline(value: &str) -> Option<String> {
    let mut outline = String::new();
    let (mut depth, mut quote, mut gap) = (0_usize, None, false);
    let mut chars = value.trim().chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => _ = chars.next(),
            (Some(open), c) => quote = (open != c).then_some(open),
            (None, '"' | '\'') if depth > 0 => quote = Some(c),
            (None, '(' | '[') => {
                // Two values side by side are none.
                if gap && !outline.is_empty() && !outline.ends_with(['|', '.']) {
                    return None;
                }
                if depth == 0 {
                    outline.push('_');
                }
                depth += 1;
                gap = false;
            }
            (None, ')' | ']') => depth = depth.checked_sub(1)?,
            (None, '{' | '}') => return None,
            (None, _) if depth > 0 => {}
            (None, c) if c.is_whitespace() => gap = true,
            (None, '|' | '.') => {
                outline.push(c);
                gap = false;
            }
            (None, c) if c.is_alphanumeric() || c == '_' => {
                if gap && !outline.is_empty() && !outline.ends_with(['|', '.']) {
                    return None;
                }
                gap = false;
                outline.push(c);
            }
            (None, _) => return None,
        }
    }
    (depth == 0 && quote.is_none()).then_some(outline)
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = super::argument::template_start(rest) {
        let (before, from) = rest.split_at(start);
        parts.push(Part::Text(before));
        let inside = from.get(2..).unwrap_or_default();
        match end(inside).filter(|_| from.starts_with("{{")) {
            Some(end) => {
                parts.push(Part::Value(inside.get(..end).unwrap_or_default()));
                rest = inside.get(end + 2..).unwrap_or_default();
            }
            None => {
                parts.push(Part::Other);
                rest = inside;
            }
        }
    }
    parts.push(Part::Text(rest));
    parts
}

/// Where `{{` ends: quotes may hold anything.
fn end(inside: &str) -> Option<usize> {
    let mut quote = None;
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => _ = chars.next(),
            (Some(open), c) => quote = (open != c).then_some(open),
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') if inside.get(at..).is_some_and(|rest| rest.starts_with("}}")) => return Some(at),
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const HOST: &str = "data may not choose the host: write it, or take it from the configuration's `variables`";
    const FRONT: &str = "data may not begin an address or path: write what comes before the first `/`";

    #[rstest]
    #[case("{{ target }}")]
    #[case("--stream={{ target }}")]
    #[case("note={{ alert.labels.note }} and {{ steps.a.stdout }}")]
    #[case("http://h/hls/{{ target | segment }}.m3u8")]
    #[case("http://h/hls/{{-target|segment-}}.m3u8")]
    #[case("rtmp://127.0.0.1:1935/{{ (alert.labels.app ~ 'x') | segment }}/{{ target | segment }}")]
    #[case("http://h/?name={{ target | query_value }}&x={{ alert.labels['a/b'] | segment }}")]
    #[case("/vvtv/logs/{{ target | lower | segment }}.log")]
    #[case("{{ vars.base }}/{{ vars.x }}/{{ target | segment }}")]
    #[case("{{ incident.attachments }}/x-{{ incident.id }}.tar.gz")]
    #[case("http://{{ vars.host }}/{{ host.platform }}")]
    #[case("encoder.bitrate={{ '=' ~ steps.a.json['x/y'] }}")]
    fn one_segment_or_one_value_may_stand(#[case] text: &str) {
        assert_eq!(check(text), Ok(()));
    }

    #[rstest]
    #[case("http://h/{{ target }}", "data must stay one segment of an address or path: write `{{ target | segment }}`")]
    #[case("/a/{{ target }}.log", "data must stay one segment of an address or path: write `{{ target | segment }}`")]
    #[case(
        "/a/{{ target | query_value }}",
        "data must stay one segment of an address or path: write `{{ target | segment }}`"
    )]
    #[case("http://h/a?b={{ target }}", "data must stay one value of a query: write `{{ target | query_value }}`")]
    #[case(
        "http://h/{{ target ~ alert.name | segment }}",
        "data must stay one segment of an address or path: write `{{ (target ~ alert.name | segment) | segment }}`"
    )]
    #[case(
        "http://h/{{ target if true else target | segment }}",
        "data must stay one segment of an address or path: write `{{ (target if true else target | segment) | segment }}`"
    )]
    #[case(
        "http://h/{{ target | segment | lower }}",
        "data must stay one segment of an address or path: write `{{ target | segment | lower | segment }}`"
    )]
    #[case(
        "http://h/{{ target | segment ~ target }}",
        "data must stay one segment of an address or path: write `{{ (target | segment ~ target) | segment }}`"
    )]
    #[case(
        "http://h/{{ 'x | segment' ~ target }}",
        "data must stay one segment of an address or path: write `{{ ('x | segment' ~ target) | segment }}`"
    )]
    #[case("http://{{ alert.labels.instance }}/x", HOST)]
    #[case("http://{{ alert.labels.instance | segment }}/x", HOST)]
    #[case("http://h:{{ alert.labels.port | segment }}/x", HOST)]
    #[case("http://{{ vars.user }}@{{ target | segment }}/x", HOST)]
    #[case("{{ target | segment }}/x", FRONT)]
    #[case("{{ target }}://h/", FRONT)]
    #[case("--url={{ target | segment }}/x", FRONT)]
    #[case(
        "http://h/{% if true %}{{ target | segment }}{% endif %}",
        "an address or path with data in it takes only `{{ … }}`"
    )]
    #[case("http://h/{# x #}{{ target | segment }}", "an address or path with data in it takes only `{{ … }}`")]
    fn what_could_be_more_is_refused(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(check(text), Err(expected.to_owned()));
    }

    #[rstest]
    #[case("{{ target }}", true)]
    #[case("a={{ target | segment }}&b={{ steps.a.stdout }}", true)]
    #[case("{% if target %}{% endif %}", true)]
    #[case("{{ target | query_value }}", false)]
    #[case("{{ vars.x }}", false)]
    #[case("plain", false)]
    fn raw_data_is_seen_anywhere(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(has_raw_data(text), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_answer(text in "\\PC*|([{}%#|()a-z'\"\\\\ /:.~]|\\{\\{ ?target)*") {
            let _ = check(&text);
            let _ = has_raw_data(&text);
        }
    }
}
