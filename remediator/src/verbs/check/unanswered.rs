//! Alert rules whose alerts end in silence: they are sent here, and no runbook answers them; or one does, and they do not say for which
//! target.

use std::collections::{BTreeMap, BTreeSet};

use vvtv_incident::{AlertName, LabelName};

use super::Report;
use super::route::{Holds, Labels, Routes};
use super::rules::{Alert, Rules};
use crate::conditions::promql::may_have;
use crate::config::Config;
use crate::runbook::Book;
use crate::source::Source;

/// Names that the files' rules and routes have in common.
const ALERTNAME: &str = "alertname";
const SEVERITY: &str = "severity";

/// Reads the routes that the configuration names; none if it names none, or they cannot be read.
pub(super) fn routes(config: &Config, report: &mut Report) -> Option<Routes> {
    let (path, mark) = (config.alertmanager_config.as_ref()?, config.marks.alertmanager_config.as_ref()?);
    let source = match Source::read(path) {
        Ok(source) => source,
        Err(error) => {
            report.error_at(&config.marks.source, mark, format!("{}: {}", path.display(), error.message()));
            return None;
        }
    };
    let file = match source.parse() {
        Ok(file) => file,
        Err(error) => {
            report.error(&error);
            return None;
        }
    };
    match Routes::new(file) {
        Ok(routes) if routes.ours.is_empty() => {
            let message =
                "no receiver there delivers here: none has a webhook whose address ends in /webhook/alertmanager";
            report.warning_at(&config.marks.source, mark, message);
            None
        }
        Ok(routes) => Some(routes),
        Err(wrong) => {
            report.error_at(&source, &wrong.at, wrong.message);
            None
        }
    }
}

/// Every rule whose alerts the routes send, or may send, here, and that no runbook answers.
pub(super) fn check(rules: &Rules, routes: &Routes, books: &[Book], config: &Config, report: &mut Report) {
    let answered: BTreeSet<&AlertName> = books.iter().flat_map(|book| &book.plan.alerts).collect();
    let watchdog = config.policy.watch.as_ref().map(|watch| &watch.alert);
    for (name, alert) in rules.alerts() {
        if answered.contains(name) || watchdog == Some(name) {
            continue;
        }
        let sent = match routes.sent_here(&labels(name, alert, books)) {
            Holds::No => continue,
            Holds::Perhaps => "can be sent here",
            Holds::Yes => "is sent here",
        };
        let severity = alert.label(SEVERITY).filter(|value| !is_template(value));
        let heard = match severity {
            Some(severity) if config.policy.unanswered.severities.contains(severity) => "people are called about it",
            Some(_) => "nobody hears of it",
            None => "people hear of it only if its `severity` is one of `unanswered.severities`",
        };
        let message = format!("{name} {sent} by Alertmanager's routes, and no runbook answers it: {heard}");
        report.warning_at(&alert.source, &alert.name, message);
    }
}

/// A rule whose alerts a runbook answers and that cannot name the runbook's target.
pub(super) fn check_target(name: &AlertName, book: &Book, rules: &Rules, report: &mut Report) {
    let target = book.plan.target.as_str();
    for (_, alert) in rules.alerts().filter(|(known, _)| *known == name) {
        if has(alert, target) {
            continue;
        }
        let message = format!(
            "{name} has no label `{target}`, which its runbook `{}` takes for the target: no step would run for it",
            book.plan.id
        );
        report.warning_at(&alert.source, &alert.name, message);
    }
}

/// What is known of the labels of a rule's alerts.
fn labels(name: &AlertName, alert: &Alert, books: &[Book]) -> Labels {
    let mut labels: BTreeMap<_, _> =
        alert.labels.iter().filter(|(_, value)| !is_template(value)).map(|(k, v)| (k.clone(), v.clone())).collect();
    for target in books.iter().map(|book| &book.plan.target).collect::<BTreeSet<&LabelName>>() {
        if !has(alert, target.as_str()) {
            labels.insert(target.to_string(), String::new());
        }
    }
    labels.insert(ALERTNAME.to_owned(), name.to_string());
    labels
}

/// Whether the rule's alerts may have a label.
fn has(alert: &Alert, label: &str) -> bool {
    alert.labels.contains_key(label) || may_have(&alert.expr, label)
}

fn is_template(value: &str) -> bool {
    value.contains("{{")
}
