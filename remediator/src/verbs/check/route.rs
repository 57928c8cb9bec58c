//! Where Alertmanager's routes send an alert of which only a part of the labels is known.
//!
//! Source: Prometheus documentation, Alertmanager `<route>` and `<matcher>`. An alert enters at the top; a node that matches hands it to its
//! children in their order and stops at the first that matches and does not say `continue`; where no child matches, the node itself has
//! it. A label that an alert does not have is empty.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::Deserialize;
use vvtv_toolkit::yaml::Spanned;

/// The end of the address under which this program takes deliveries.
const OURS: &str = "/webhook/alertmanager";
/// Nodes deeper than this are none that anybody wrote.
const DEPTH_MAX: usize = 64;

/// Other keys are Alertmanager's business: `amtool check-config` knows all of them.
#[derive(Deserialize)]
pub(super) struct File {
    route: Node,
    #[serde(default)]
    receivers: Vec<Receiver>,
}

#[derive(Deserialize)]
struct Receiver {
    name: String,
    #[serde(default)]
    webhook_configs: Vec<WebhookConfig>,
}

#[derive(Deserialize)]
struct WebhookConfig {
    #[serde(default)]
    url: Option<String>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    receiver: Option<String>,
    #[serde(default, rename = "match")]
    equal: BTreeMap<String, Spanned<String>>,
    #[serde(default, rename = "match_re")]
    like: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    matchers: Vec<Spanned<String>>,
    #[serde(default, rename = "continue")]
    goes_on: bool,
    #[serde(default)]
    routes: Vec<Self>,
}

/// Something in the file that Alertmanager would refuse.
pub(super) struct Wrong {
    pub(super) at: Spanned<()>,
    pub(super) message: String,
}

/// The routes, checked.
#[derive(Debug)]
pub(super) struct Routes {
    root: Route,
    /// Receivers that deliver to this program.
    pub(super) ours: BTreeSet<String>,
}

#[derive(Debug)]
struct Route {
    receiver: String,
    matchers: Vec<Matcher>,
    goes_on: bool,
    children: Vec<Self>,
}

#[derive(Debug)]
struct Matcher {
    label: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Is(String),
    IsNot(String),
    Like(Regex),
    NotLike(Regex),
}

/// What is known of an alert's labels: of a label that is not here, nothing.
pub(super) type Labels = BTreeMap<String, String>;

/// Whether something holds for an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holds {
    No,
    /// It depends on what is not known.
    Perhaps,
    Yes,
}

impl Routes {
    pub(super) fn new(file: File) -> Result<Self, Wrong> {
        let delivers_here = |receiver: &Receiver| {
            let mut addresses = receiver.webhook_configs.iter().filter_map(|it| it.url.as_deref());
            addresses.any(|url| url.trim_end_matches('/').ends_with(OURS))
        };
        let ours = file.receivers.iter().filter(|it| delivers_here(it)).map(|it| it.name.clone()).collect();
        Ok(Self { root: route(file.route, "", 0)?, ours })
    }

    /// Whether an alert is sent here.
    pub(super) fn sent_here(&self, labels: &Labels) -> Holds {
        let mut reached = BTreeMap::new();
        walk(&self.root, labels, Holds::Yes, &mut reached);
        let ours = reached.iter().filter(|(receiver, _)| self.ours.contains(**receiver)).map(|(_, holds)| *holds);
        ours.max().unwrap_or(Holds::No)
    }
}

/// Notes which receivers an alert reaches that comes to this node; gives whether the node takes it.
fn walk<'a>(route: &'a Route, labels: &Labels, comes: Holds, reached: &mut BTreeMap<&'a str, Holds>) -> Holds {
    let takes = matches(&route.matchers, labels);
    if takes == Holds::No {
        return Holds::No;
    }
    let here = comes.min(takes);
    let (mut still, mut taken_below) = (here, Holds::No);
    for child in &route.children {
        let took = walk(child, labels, still, reached);
        taken_below = taken_below.max(took);
        match took {
            Holds::Yes if !child.goes_on => break,
            Holds::Perhaps if !child.goes_on => still = still.min(Holds::Perhaps),
            Holds::Yes | Holds::Perhaps | Holds::No => {}
        }
    }
    let own = match taken_below {
        Holds::No => here,
        Holds::Perhaps => here.min(Holds::Perhaps),
        Holds::Yes => Holds::No,
    };
    if own > Holds::No {
        let known = reached.entry(&route.receiver).or_insert(own);
        *known = own.max(*known);
    }
    takes
}

/// All of them must match.
fn matches(matchers: &[Matcher], labels: &Labels) -> Holds {
    let each = matchers.iter().map(|matcher| match labels.get(&matcher.label) {
        None => Holds::Perhaps,
        Some(value) if matcher.test.holds(value) => Holds::Yes,
        Some(_) => Holds::No,
    });
    each.min().unwrap_or(Holds::Yes)
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Is(expected) => value == expected,
            Self::IsNot(other) => value != other,
            Self::Like(pattern) => pattern.is_match(value),
            Self::NotLike(pattern) => !pattern.is_match(value),
        }
    }
}

fn route(node: Node, inherited: &str, depth: usize) -> Result<Route, Wrong> {
    let receiver = node.receiver.unwrap_or_else(|| inherited.to_owned());
    let mut matchers = Vec::new();
    for (label, value) in node.equal {
        matchers.push(Matcher { label, test: Test::Is(value.value) });
    }
    for (label, value) in node.like {
        let pattern = anchored(&value.value).map_err(|message| wrong(&value, message))?;
        matchers.push(Matcher { label, test: Test::Like(pattern) });
    }
    for written in &node.matchers {
        matchers.extend(parse(&written.value).map_err(|message| wrong(written, message))?);
    }
    // What is nested deeper is taken for a leaf.
    let children = if depth < DEPTH_MAX { node.routes } else { Vec::new() };
    let children = children.into_iter().map(|child| route(child, &receiver, depth + 1)).collect::<Result<_, _>>()?;
    Ok(Route { receiver, matchers, goes_on: node.goes_on, children })
}

fn wrong<T>(at: &Spanned<T>, message: String) -> Wrong {
    Wrong { at: crate::source::place(at), message }
}

/// The whole value must match.
fn anchored(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|_| format!("`{pattern}` is not a regular expression"))
}

/// `a = b`, `a != "b"`, or several of them in curly brackets, with commas between.
fn parse(text: &str) -> Result<Vec<Matcher>, String> {
    let inner = text.trim();
    let inner = inner.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(inner);
    let (mut found, mut rest) = (Vec::new(), inner.trim());
    while !rest.is_empty() {
        let (matcher, after) =
            one(rest).ok_or_else(|| format!("`{text}` is not a matcher: expected e.g. severity=~\"a|b\""))?;
        found.push(matcher?);
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Ok(found)
}

/// The first matcher, and what follows it.
fn one(text: &str) -> Option<(Result<Matcher, String>, &str)> {
    let (label, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => text.split_at(text.find(['=', '!', '~'])?),
    };
    let (label, rest) = (label.trim().to_owned(), rest.trim_start());
    let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| rest.starts_with(operator))?;
    let (value, rest) = value(rest.get(operator.len()..)?.trim_start())?;
    let test = match operator {
        "=~" => anchored(&value).map(Test::Like),
        "!~" => anchored(&value).map(Test::NotLike),
        "!=" => Ok(Test::IsNot(value)),
        _ => Ok(Test::Is(value)),
    };
    if label.is_empty() {
        return None;
    }
    Some((test.map(|test| Matcher { label, test }), rest))
}

/// A value in double quotes with `\"`, `\\` and `\n` in it, or up to the next comma.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
        return Some((value.trim_end().to_owned(), rest));
    };
    let (mut value, mut chars) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other @ ('"' | '\\') => value.push(other),
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TREE: &str = r#"
route:
  receiver: people
  routes:
    - match: {team: other}
      receiver: elsewhere
    - matchers: ['severity =~ "critical|major"', stream != ""]
      receiver: us
      routes:
        - matchers: ['{env="staging", tier!~"[12]"}']
          receiver: nobody
        - match_re: {alertname: "Audit.*"}
          continue: true
          routes: [{matchers: [loud=yes], receiver: people}]
    - receiver: us
      matchers: [alertname = Watchdog]
receivers:
  - {name: us, webhook_configs: [{url: 'http://h:1/webhook/alertmanager'}]}
  - {name: people, webhook_configs: [{url: 'http://h:1/other'}]}
  - {name: elsewhere}
  - {name: nobody}
"#;

    fn routes(text: &str) -> Result<Routes, Wrong> {
        let source = crate::source::Source::from_text("alertmanager.yml".into(), text.to_owned());
        Routes::new(source.parse().unwrap())
    }

    fn labels(text: &str) -> Labels {
        let pair = |it: &str| it.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
        text.split(' ').map(pair).collect()
    }

    #[rstest]
    #[case("team= alertname=X severity=critical stream=a env= tier=", Holds::Yes)]
    #[case("team= alertname=X severity=critical stream= env=", Holds::No)]
    #[case("team=other alertname=X severity=critical stream=a", Holds::No)]
    #[case("team= alertname=X severity=page stream=a", Holds::No)]
    #[case("team= alertname=X severity=major stream=a env=staging tier=3", Holds::No)]
    #[case("team= alertname=X severity=major stream=a env=staging tier=2", Holds::Yes)]
    #[case("team= alertname=Watchdog severity=none stream=", Holds::Yes)]
    #[case("team= alertname=AuditFails severity=major stream=a env= loud=yes", Holds::No)]
    #[case("team= alertname=AuditFails severity=major stream=a env= loud=", Holds::Yes)]
    #[case("alertname=X severity=critical", Holds::Perhaps)]
    #[case("alertname=X severity=warning", Holds::No)]
    #[case("team= alertname=X severity=critical stream=a", Holds::Perhaps)]
    fn an_alert_is_sent_where_the_tree_says(#[case] known: &str, #[case] expected: Holds) {
        let routes = routes(TREE).map_err(|wrong| wrong.message).unwrap();
        assert_eq!(routes.sent_here(&labels(known)), expected, "{known}");
        if expected != Holds::Perhaps {
            assert_eq!(amtool_says(known).contains("us"), expected == Holds::Yes, "{known}");
        }
    }

    /// The receivers that Alertmanager's own tool names.
    fn amtool_says(known: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("alertmanager.yml");
        std::fs::write(&file, TREE).unwrap();
        let labels = known.split(' ').filter(|pair| !pair.ends_with('='));
        let tool = std::process::Command::new("amtool")
            .args(["config", "routes", "test"])
            .arg(format!("--config.file={}", file.display()))
            .args(labels)
            .output();
        let said = tool.expect("amtool is installed");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).into_owned()
    }

    #[rstest]
    #[case("severity =~ \"a(\"", "`a(` is not a regular expression")]
    #[case("severity", "`severity` is not a matcher: expected e.g. severity=~\"a|b\"")]
    #[case("a=\"b", "`a=\"b` is not a matcher: expected e.g. severity=~\"a|b\"")]
    fn what_alertmanager_would_refuse_is_named(#[case] matcher: &str, #[case] expected: &str) {
        let text = format!("route: {{receiver: us, routes: [{{matchers: ['{matcher}']}}]}}");
        assert_eq!(routes(&text).map_err(|wrong| wrong.message).unwrap_err(), expected);
    }
}
