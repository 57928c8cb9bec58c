//! Whether a query's result can have a label, as far as its text says. What is not certain counts as yes.

use super::{is_word, without_comments};

/// Aggregations that leave nothing of the labels that they are not told to keep.
const AGGREGATIONS: [&str; 10] =
    ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "quantile", "count_values"];
/// Aggregations that pick series as they are.
const SELECTIONS: [&str; 4] = ["topk", "bottomk", "limitk", "limit_ratio"];
/// Functions whose result has no labels at all.
const BARE: [&str; 4] = ["vector", "scalar", "time", "pi"];
/// Functions whose result has those labels that their selector asks for by `=`.
const ABSENT: [&str; 2] = ["absent", "absent_over_time"];
/// Functions that make a label, named by their second argument.
const MAKERS: [&str; 2] = ["label_replace", "label_join"];

/// Whether the result of a query may have a label.
#[must_use]
pub(crate) fn may_have(query: &str, label: &str) -> bool {
    let text = without_comments(query);
    operands(&text).iter().any(|operand| operand_may_have(operand.trim(), label))
}

/// What stands between the operators that are in no brackets. A result has no label that none of them has.
fn operands(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut begin = 0;
    let mut scan = Scan::default();
    let mut words = Words::default();
    for (at, c) in text.char_indices() {
        let outside = scan.outside();
        scan.step(c);
        if !outside {
            words.end();
            continue;
        }
        if matches!(c, '+' | '-' | '*' | '/' | '%' | '^' | '=' | '!' | '<' | '>') {
            found.extend(text.get(begin..at));
            begin = at + 1;
        } else if let Some(start) = words.operator(text, at, c) {
            found.extend(text.get(begin..start));
            begin = at;
        }
    }
    found.extend(text.get(begin..));
    found.retain(|operand| !operand.trim().is_empty());
    found
}

/// The word that a scan is in.
#[derive(Default)]
struct Words {
    start: Option<usize>,
}

impl Words {
    fn end(&mut self) {
        self.start = None;
    }

    /// The start of the word that ends before this character, if it is an operator between vectors.
    fn operator(&mut self, text: &str, at: usize, c: char) -> Option<usize> {
        if is_word(c) {
            self.start.get_or_insert(at);
            return None;
        }
        let start = self.start.take()?;
        let word = text.get(start..at)?.to_ascii_lowercase();
        matches!(word.as_str(), "and" | "or" | "unless" | "atan2").then_some(start)
    }
}

/// Where in brackets and strings a scan is.
#[derive(Default)]
struct Scan {
    depth: u32,
    quote: Option<char>,
    escaped: bool,
}

impl Scan {
    const fn outside(&self) -> bool {
        self.depth == 0 && self.quote.is_none()
    }

    fn step(&mut self, c: char) {
        match (self.quote, c) {
            (Some(_), _) if self.escaped => self.escaped = false,
            (Some('"' | '\''), '\\') => self.escaped = true,
            (Some(open), c) if c == open => self.quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => self.quote = Some(c),
            (None, '(' | '{' | '[') => self.depth += 1,
            (None, ')' | '}' | ']') => self.depth = self.depth.saturating_sub(1),
            (None, _) => {}
        }
    }
}

fn operand_may_have(operand: &str, label: &str) -> bool {
    // What a comparison or a match of vectors says of itself.
    let operand = modifiers_off(operand);
    if let Some(inner) = in_brackets(operand, '(') {
        return may_have(inner, label);
    }
    let name_ends = operand.find(|c| !is_word(c)).unwrap_or(operand.len());
    let (name, rest) = operand.split_at(name_ends);
    let (name, rest) = (name.to_ascii_lowercase(), rest.trim_start());
    if name.starts_with(|c: char| c.is_ascii_digit()) || matches!(name.as_str(), "inf" | "nan") {
        return false;
    }
    if AGGREGATIONS.contains(&name.as_str()) || SELECTIONS.contains(&name.as_str()) {
        return aggregation_may_have(&name, rest, label);
    }
    match in_brackets(rest, '(') {
        Some(arguments) => call_may_have(&name, arguments, label),
        None => selector_may_have(rest, label),
    }
}

/// Without `bool`, `on (…)`, `ignoring (…)`, `group_left (…)` and `group_right (…)` before the operand itself.
fn modifiers_off(operand: &str) -> &str {
    let mut rest = operand.trim();
    loop {
        let ends = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(ends);
        match word.to_ascii_lowercase().as_str() {
            "bool" | "and" | "or" | "unless" | "atan2" => rest = after.trim_start(),
            "on" | "ignoring" | "group_left" | "group_right" => {
                let after = after.trim_start();
                rest = after
                    .split_once(')')
                    .filter(|_| after.starts_with('('))
                    .map_or(after, |(_, rest)| rest)
                    .trim_start();
            }
            _ => return rest,
        }
    }
}

/// What is in the brackets that a text begins with.
fn in_brackets(text: &str, open: char) -> Option<&str> {
    let inner = text.strip_prefix(open)?;
    let mut scan = Scan { depth: 1, ..Scan::default() };
    for (at, c) in inner.char_indices() {
        scan.step(c);
        if scan.outside() {
            return inner.get(..at);
        }
    }
    None
}

/// `sum by (a) (x)`, `sum(x) by (a)`, `sum without (a) (x)`, `sum(x)`.
fn aggregation_may_have(name: &str, rest: &str, label: &str) -> bool {
    let lower = rest.to_ascii_lowercase();
    let (grouping, list, argument) = if lower.starts_with("by") || lower.starts_with("without") {
        let (word, after) = rest.split_at(if lower.starts_with("by") { 2 } else { 7 });
        let list = in_brackets(after.trim_start(), '(').unwrap_or_default();
        let after = after.split_once(')').map_or("", |(_, after)| after);
        (Some(word), list, in_brackets(after.trim_start(), '(').unwrap_or_default())
    } else {
        let argument = in_brackets(rest, '(').unwrap_or_default();
        let after = rest.get(argument.len() + 2..).unwrap_or_default().trim_start();
        let ends = after.find(|c| !is_word(c)).unwrap_or(after.len());
        let (word, after) = after.split_at(ends);
        ((!word.is_empty()).then_some(word), in_brackets(after.trim_start(), '(').unwrap_or_default(), argument)
    };
    let listed = list.split(',').any(|it| it.trim() == label);
    let made = name == "count_values" && argument.contains(&format!("\"{label}\""));
    let kept = match grouping.map(str::to_ascii_lowercase).as_deref() {
        _ if SELECTIONS.contains(&name) => true,
        Some("by") => listed,
        Some("without") => !listed,
        _ => false,
    };
    made || kept && arguments(argument).iter().any(|part| may_have(part, label))
}

fn call_may_have(name: &str, inside: &str, label: &str) -> bool {
    if BARE.contains(&name) {
        return false;
    }
    if ABSENT.contains(&name) {
        return matchers(inside)
            .iter()
            .any(|(name, operator, value)| name == label && operator == "=" && !value.is_empty());
    }
    let arguments = arguments(inside);
    let makes =
        MAKERS.contains(&name) && arguments.get(1).is_some_and(|made| made.trim().trim_matches(QUOTES) == label);
    makes || arguments.iter().any(|argument| may_have(argument, label))
}

const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Parts between the commas that are in no brackets.
fn arguments(inside: &str) -> Vec<&str> {
    let (mut found, mut begin, mut scan) = (Vec::new(), 0, Scan::default());
    for (at, c) in inside.char_indices() {
        if scan.outside() && c == ',' {
            found.extend(inside.get(begin..at));
            begin = at + 1;
        }
        scan.step(c);
    }
    found.extend(inside.get(begin..));
    found
}

/// A selector may have every label but one that it asks not to be there. A text of its own (`"x"`) has none.
fn selector_may_have(rest: &str, label: &str) -> bool {
    if rest.starts_with(QUOTES) {
        return false;
    }
    !matchers(rest).iter().any(|(name, operator, value)| name == label && operator == "=" && value.is_empty())
}

/// The matchers in the first curly brackets: name, operator, value.
fn matchers(text: &str) -> Vec<(String, String, String)> {
    let Some(inner) = text.find('{').and_then(|at| in_brackets(text.get(at..)?, '{')) else { return Vec::new() };
    let matcher = |part: &str| {
        let part = part.trim();
        let name_ends = part.find(|c| !is_word(c))?;
        let (name, rest) = part.split_at(name_ends);
        let rest = rest.trim_start();
        let operator = rest.get(..rest.find(|c: char| !matches!(c, '=' | '!' | '~'))?)?;
        let value = rest.get(operator.len()..)?.trim().trim_matches(QUOTES);
        Some((name.to_owned(), operator.to_owned(), value.to_owned()))
    };
    arguments(inner).into_iter().filter_map(matcher).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("up == 0")]
    #[case("max by (stream, variant) (x) > 3 * y{stream=\"main\"}")]
    #[case("sum(x) by (stream) > 1")]
    #[case("sum without (job) (rate(x[5m])) > 1")]
    #[case("topk(3, x)")]
    #[case("label_replace(vector(1), \"stream\", \"main\", \"\", \"\")")]
    #[case("absent(up{stream=\"main\"})")]
    #[case("vector(1) or on () up")]
    #[case("count_values(\"stream\", x)")]
    #[case("histogram_quantile(0.9, sum by (le, stream) (rate(x_bucket[5m]))) > 1")]
    #[case("-x")]
    #[case("sum(y) # by (job)\n or x")]
    #[case("a and on (stream) sum by (stream) (b)")]
    fn what_may_have_the_label(#[case] query: &str) {
        assert!(may_have(query, "stream"), "{query}");
    }

    #[rstest]
    #[case("sum(x) > 1")]
    #[case("sum by (job) (x) / sum by (job) (y) > 0.1")]
    #[case("max without (stream) (x)")]
    #[case("count(up{job=\"x\", stream=~\"a|b\"} == 0) >= 2")]
    #[case("absent(up{job=\"x\"})")]
    #[case("vector(1)")]
    #[case("(sum(x)) > bool on () (count(y))")]
    #[case("x{stream=\"\"} > 1")]
    #[case("quantile by (job) (0.9, x{a=\")stream(\"})")]
    #[case("time() - max(x_timestamp_seconds) > 600")]
    #[case("sum(topk(3, x)) # stream")]
    fn what_cannot_have_the_label(#[case] query: &str) {
        assert!(!may_have(query, "stream"), "{query}");
    }
}
