//! Expressions and argument templates over the facts: minijinja with everything undefined an error.
//!
//! Conditions are Ansible's `when:` idiom. They must yield a boolean; an error is never a yes.

use std::collections::{BTreeSet, HashSet};

use minijinja::value::{Kwargs, Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::conditions::facts::Facts;
use crate::site::SiteValues;

/// Instructions that one evaluation may take.
const FUEL: u64 = 50_000;

/// The longest expression or template: what nests deeper than a text of this length can would overflow the stack.
const BYTES_MAX: usize = 4 << 10;

/// The names that an expression may begin with.
const ROOTS: [&str; 6] = ["target", "steps", "alert", "incident", "host", "vars"];

/// Those of them whose values are anybody's.
const DATA: [&str; 3] = ["target", "steps", "alert"];

/// What an expression or template reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// Steps, by id.
    pub steps: BTreeSet<String>,
    /// SiteValues variables, by name.
    pub vars: BTreeSet<String>,
    /// Whether it reads anything else: the target, the alert, the incident or the host, or a step by a name that is not fixed.
    pub facts: bool,
}

/// What expressions and templates can name: the facts, and as `vars` the site variables that are one argument.
#[must_use]
pub(crate) fn context(facts: &Facts, site: &SiteValues) -> Value {
    let vars = site.variables.iter().filter_map(|(name, variable)| Some((name.as_str(), variable.one()?)));
    let vars = Value::from_pairs(vars);
    minijinja::context! { vars, ..Value::from(Serde(facts)) }
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_formatter(|out, state, value| {
        // "none" or a rendered list as an argument is never what was meant.
        if value.is_none() || value.as_object().is_some() {
            return Err(Error::new(ErrorKind::InvalidOperation, format!("{} cannot be an argument", value.kind())));
        }
        minijinja::escape_formatter(out, state, value)
    });
    env.add_function("num", num);
    env.add_filter("segment", segment);
    env.add_filter("query_value", query_value);
    for name in ["debug", "range", "lipsum", "cycler", "joiner", "namespace", "dict"] {
        env.remove_global(name);
    }
    env
}

/// `num(value)`: the number that a value is or spells. Comparing a text with a number is silently false or true otherwise.
fn num(_: &State<'_, '_>, value: &Value, kwargs: Kwargs) -> Result<Value, Error> {
    kwargs.assert_all_used()?;
    if value.is_number() {
        return Ok(value.clone());
    }
    let number = value.as_str().and_then(|text| text.trim().parse::<f64>().ok()).filter(|number| number.is_finite());
    number
        .map(Value::from)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("num(): {value:?} is not a number")))
}

/// RFC 3986, section 2.3: what means itself everywhere in an address.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `value | segment`: exactly one segment of an address or path (RFC 3986, section 3.3).
///
/// What servers take for more than one segment after undoing the escapes is refused: slashes, and the segments that mean directories.
fn segment(value: &Value) -> Result<String, Error> {
    let text = plain("segment", value)?;
    let refuse = |why: &str| Err(Error::new(ErrorKind::InvalidOperation, format!("segment: {why}")));
    match &*text {
        "" => refuse("an empty text is no segment"),
        "." | ".." => refuse("`.` and `..` are no names"),
        _ if text.contains(['/', '\\']) => refuse("the value has a slash in it"),
        _ if text.contains(char::is_control) => refuse("the value has a control character in it"),
        _ => Ok(utf8_percent_encode(&text, &UNRESERVED).to_string()),
    }
}

/// `value | query_value`: exactly one value of an address's query (RFC 3986, section 3.4).
fn query_value(value: &Value) -> Result<String, Error> {
    let text = plain("query_value", value)?;
    Ok(utf8_percent_encode(&text, &UNRESERVED).to_string())
}

/// A text or a number; nothing else has one spelling.
fn plain(filter: &str, value: &Value) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if !matches!(value.kind(), ValueKind::String | ValueKind::Number) {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("{filter}: {} is no text", value.kind())));
    }
    Ok(value.to_string())
}

/// Whether a template reads what an alert or a step said. What does not parse is taken to.
#[must_use]
pub(crate) fn reads_data(template: &str) -> bool {
    let env = environment();
    let Ok(template) = env.template_from_str(template) else { return true };
    template.undeclared_variables(false).iter().any(|root| DATA.contains(&root.as_str()))
}

/// Checks a condition's expression and says what it reads.
///
/// # Errors
/// It does not parse, or names something that no facts have.
pub(crate) fn check_expression(text: &str) -> Result<Reads, String> {
    not_too_long(text)?;
    let env = environment();
    let expression = env.compile_expression(text).map_err(|error| explain(&error))?;
    reads(expression.undeclared_variables(true), expression.undeclared_variables(false))
}

/// Checks an argument template and says what it reads.
///
/// # Errors
/// It does not parse, or names something that no facts have.
pub(crate) fn check_template(text: &str) -> Result<Reads, String> {
    not_too_long(text)?;
    let env = environment();
    let template = env.template_from_str(text).map_err(|error| explain(&error))?;
    reads(template.undeclared_variables(true), template.undeclared_variables(false))
}

fn not_too_long(text: &str) -> Result<(), String> {
    if text.len() > BYTES_MAX { Err(format!("longer than {BYTES_MAX} bytes")) } else { Ok(()) }
}

/// From the paths that are read, as far as they are fixed, and the names that they begin with.
fn reads(paths: HashSet<String>, roots: HashSet<String>) -> Result<Reads, String> {
    let mut reads = Reads::default();
    if let Some(root) = roots.iter().filter(|root| *root != "num" && !ROOTS.contains(&root.as_str())).min() {
        return Err(format!("`{root}` is not a fact: expected one of {}", ROOTS.join(", ")));
    }
    for path in paths {
        let mut parts = path.split('.');
        match (parts.next().unwrap_or_default(), parts.next()) {
            ("steps", Some(step)) => _ = reads.steps.insert(step.to_owned()),
            ("vars", Some(name)) => _ = reads.vars.insert(name.to_owned()),
            ("num", None) => {}
            // All steps, or all variables, as one value are more than can be told apart.
            _ => reads.facts = true,
        }
    }
    Ok(reads)
}

/// Evaluates a condition.
///
/// # Errors
/// Something in it is undefined or of the wrong type, it takes too long, or it does not yield a boolean.
pub(crate) fn holds(text: &str, facts: &Value) -> Result<bool, String> {
    not_too_long(text)?;
    let env = environment();
    let expression = env.compile_expression(text).map_err(|error| explain(&error))?;
    let value = expression.eval(facts).map_err(|error| explain(&error))?;
    if value.kind() != ValueKind::Bool {
        return Err(format!("yields {}, not a boolean", value.kind()));
    }
    Ok(value.is_true())
}

/// Renders an argument template.
///
/// # Errors
/// Something in it is undefined or none, or it takes too long.
pub(crate) fn render(text: &str, facts: &Value) -> Result<String, String> {
    environment().render_str(text, facts).map_err(|error| explain(&error))
}

fn explain(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn facts() -> Value {
        Value::from(Serde(json!({
            "target": "main",
            "steps": {
                "status": {"state": "ok", "exit_code": 0, "json": {"state": "stuck", "item": null, "age": "10", "list": []}},
                "probe": {"state": "failed", "exit_code": 1},
            },
            "alert": {"name": "SegmentAgeHigh", "labels": {"stream": "main"}, "annotations": {}},
        })))
    }

    #[rstest]
    #[case(r#"steps.status.json.state in ["stuck", "dead"]"#, Ok(true))]
    #[case(r#"steps.status.json.state == "dead""#, Ok(false))]
    #[case(r#"steps.probe.state != "ok" or steps.probe.json.state == "dead""#, Ok(true))]
    #[case("num(steps.status.json.age) > 3", Ok(true))]
    #[case("steps.status.json.item is none", Ok(true))]
    #[case("steps.status.exit_code", Err("yields number, not a boolean"))]
    #[case(r#""yes""#, Err("yields string, not a boolean"))]
    fn a_condition_is_a_boolean(#[case] text: &str, #[case] expected: Result<bool, &str>) {
        assert_eq!(holds(text, &facts()), expected.map_err(str::to_owned));
    }

    #[rstest]
    #[case(r#"steps.probe.json.state != "ok""#)]
    #[case(r#"steps.status.json.missing != "ok""#)]
    #[case(r#"steps.status.json.item.title != "ok""#)]
    #[case(r#"steps.status.json["missing"] != 1"#)]
    #[case(r#"steps.status.json.list[0] != 1"#)]
    #[case(r#"steps.status.json.list | first != 1"#)]
    #[case(r#"alert.labels.variant != "x""#)]
    #[case(r#"not alert.labels.variant"#)]
    #[case(r#"alert.labels.variant not in ["x"]"#)]
    #[case("0 <= steps.status.json.missing != 5")]
    #[case(r#"num("ten") > 3"#)]
    #[case("num(steps.status.json.missing) < 3")]
    #[case(r#"steps.nowhere.state != "ok""#)]
    fn what_is_undefined_is_an_error_and_never_a_yes(#[case] text: &str) {
        assert!(holds(text, &facts()).is_err(), "{text}: {:?}", holds(text, &facts()));
    }

    #[test]
    fn work_is_bounded() {
        let sum = vec!["1"; 2_000].join("+") + " == 2000";
        assert_eq!(holds(&sum, &facts()), Ok(true));
        assert_eq!(holds(&vec!["1"; 60_000].join("+"), &facts()), Err("longer than 4096 bytes".to_owned()));
        let nested = format!("{}1{} == 1", "(".repeat(2_000), ")".repeat(2_000));
        assert!(holds(&nested, &facts()).is_err());
        let endless = "{% for a in 'xxxxxxxxxx' %}{% for b in 'xxxxxxxxxx' %}{% for c in 'xxxxxxxxxx' %}{% for d in \
                       'xxxxxxxxxx' %}{% for e in 'xxxxxxxxxx' %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}";
        assert!(render(endless, &facts()).is_err());
    }

    #[test]
    fn reads_are_known_before_anything_runs() {
        let reads = check_expression(r#"steps.status.json.state == "x" and target == vars.name"#).unwrap();
        assert_eq!(reads.steps, BTreeSet::from(["status".to_owned()]));
        assert_eq!(reads.vars, BTreeSet::from(["name".to_owned()]));
        assert_eq!(
            check_expression("stepps.status.state == 1"),
            Err("`stepps` is not a fact: expected one of target, steps, alert, incident, host, vars".to_owned())
        );
        assert!(check_expression("steps.status.state ==").is_err());
    }

    #[rstest]
    #[case("{{ target }}", Ok("main"))]
    #[case("a={{ steps.status.exit_code }}", Ok("a=0"))]
    #[case("{{ steps.status.json.item }}", Err("invalid operation: none cannot be an argument"))]
    #[case("{{ steps.status.json.list }}", Err("invalid operation: sequence cannot be an argument"))]
    fn an_argument_is_one_plain_value(#[case] text: &str, #[case] expected: Result<&str, &str>) {
        assert_eq!(render(text, &facts()), expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[rstest]
    #[case("main-1_a.b~", Ok("main-1_a.b~"))]
    #[case("%2e%2e", Ok("%252e%252e"))]
    #[case("{1..3}x[1-5]?a=b&c#d", Ok("%7B1..3%7Dx%5B1-5%5D%3Fa%3Db%26c%23d"))]
    #[case("é @:", Ok("%C3%A9%20%40%3A"))]
    #[case("", Err("invalid operation: segment: an empty text is no segment"))]
    #[case(".", Err("invalid operation: segment: `.` and `..` are no names"))]
    #[case("..", Err("invalid operation: segment: `.` and `..` are no names"))]
    #[case("a/b", Err("invalid operation: segment: the value has a slash in it"))]
    #[case("..\\b", Err("invalid operation: segment: the value has a slash in it"))]
    #[case("a\0b", Err("invalid operation: segment: the value has a control character in it"))]
    fn a_segment_is_one_segment(#[case] target: &str, #[case] expected: Result<&str, &str>) {
        let facts = Value::from(Serde(json!({"target": target})));
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(render("{{ target | segment }}", &facts), expected);
    }

    #[rstest]
    #[case("{{ steps.status.exit_code | segment }}", Ok("0"))]
    #[case("{{ steps.status.json.list | segment }}", Err("invalid operation: segment: sequence is no text"))]
    #[case("{{ steps.status.json.item | query_value }}", Err("invalid operation: query_value: none is no text"))]
    #[case("{{ 'a/b c&d' | query_value }}", Ok("a%2Fb%20c%26d"))]
    fn other_values_have_a_spelling_or_are_refused(#[case] text: &str, #[case] expected: Result<&str, &str>) {
        assert_eq!(render(text, &facts()), expected.map(str::to_owned).map_err(str::to_owned));
        assert!(render("{{ steps.status.json.missing | segment }}", &facts()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_value_an_address_keeps_its_shape(value in "\\PC*|[./\\\\%?#&=a-f0-9 ]*|\\.{0,3}") {
            let facts = Value::from(Serde(json!({"target": value})));
            if let Ok(text) = render("http://h/hls/{{ target | segment }}", &facts) {
                let url = url::Url::parse(&text).unwrap();
                let segments: Vec<_> = url.path_segments().unwrap().collect();
                proptest::prop_assert_eq!(segments.len(), 2);
                proptest::prop_assert_eq!((url.host_str(), segments[0], url.query(), url.fragment()), (Some("h"), "hls", None, None));
                let undone = percent_encoding::percent_decode_str(segments[1]).decode_utf8().unwrap();
                proptest::prop_assert_eq!(undone, value.as_str());
            } else {
                proptest::prop_assert!(value.is_empty() || value.contains(['/', '\\']) || value.contains(char::is_control) || [".", ".."].contains(&&*value));
            }
            let text = render("http://h/hls/x?name={{ target | query_value }}&y=1", &facts).unwrap();
            let url = url::Url::parse(&text).unwrap();
            let pairs: Vec<_> = url.query_pairs().into_owned().collect();
            proptest::prop_assert_eq!((url.path(), url.fragment()), ("/hls/x", None));
            proptest::prop_assert_eq!(pairs, [("name".to_owned(), value), ("y".to_owned(), "1".to_owned())]);
        }
    }

    #[test]
    fn an_argument_with_something_undefined_is_refused() {
        assert!(render("x={{ alert.labels.variant }}", &facts()).is_err());
    }
}
