//! Alert rules files, as far as runbooks depend on them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use vvtv_incident::AlertName;
use vvtv_toolkit::yaml::Spanned;

use super::Report;
use crate::config::Config;
use crate::runbook::Book;
use crate::source::{Source, place};

/// Unknown keys are Prometheus' business: `promtool check rules` knows all of them.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    record: Option<String>,
    #[serde(default)]
    alert: Option<Spanned<String>>,
    #[serde(default)]
    expr: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, Spanned<String>>,
}

/// One alert rule.
pub(super) struct Alert {
    pub(super) source: Source,
    /// Where its name stands.
    pub(super) name: Spanned<()>,
    pub(super) expr: String,
    /// Labels that it sets, templates as they are.
    pub(super) labels: BTreeMap<String, String>,
    runbook_url: Option<Spanned<String>>,
}

impl Alert {
    /// The value of a label that it sets.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

/// All alert rules of the configured files.
#[derive(Default)]
pub(super) struct Rules {
    alerts: BTreeMap<AlertName, Vec<Alert>>,
    /// Series that the rules record.
    pub(super) records: BTreeSet<String>,
    complete: bool,
}

impl Rules {
    pub(super) fn read(config: &Config, report: &mut Report) -> Self {
        let mut rules = Self { complete: true, ..Self::default() };
        for (path, mark) in config.rules.iter().zip(&config.marks.rules) {
            let source = match Source::read(path) {
                Ok(source) => source,
                Err(error) => {
                    rules.complete = false;
                    let message = format!("{}: {}", path.display(), error.message());
                    report.error_at(&config.marks.source, mark, message);
                    continue;
                }
            };
            match source.parse::<File>() {
                Ok(file) => rules.add(&source, file),
                Err(error) => {
                    rules.complete = false;
                    report.error(&error);
                }
            }
        }
        report.rules = rules.alerts.values().map(Vec::len).sum();
        rules
    }

    fn add(&mut self, source: &Source, file: File) {
        for mut rule in file.groups.into_iter().flat_map(|group| group.rules) {
            self.records.extend(rule.record.take());
            let Some(name) = rule.alert else { continue };
            self.alerts.entry(AlertName::new(name.value.as_str())).or_default().push(Alert {
                source: source.clone(),
                name: place(&name),
                expr: rule.expr,
                labels: rule.labels,
                runbook_url: rule.annotations.remove("runbook_url"),
            });
        }
    }

    /// Every alert rule, by the name of its alerts.
    pub(super) fn alerts(&self) -> impl Iterator<Item = (&AlertName, &Alert)> {
        self.alerts.iter().flat_map(|(name, rules)| rules.iter().map(move |rule| (name, rule)))
    }

    /// Whether the rules know an alert that a runbook answers, and say the same of it.
    pub(super) fn check(&self, alert: &AlertName, mark: &Spanned<()>, book: &Book, report: &mut Report) {
        let Some(rules) = self.alerts.get(alert) else {
            // A rules file that could not be read may have it.
            if self.complete {
                report.error_at(
                    &book.marks.source,
                    mark,
                    format!("no rule raises {alert}: this runbook would never run"),
                );
            }
            return;
        };
        for rule in rules {
            let severity = book.plan.severity.as_str();
            if let Some(other) = rule.label("severity").filter(|other| *other != severity) {
                let message = format!("the rule says {alert} is {other}, this runbook says {severity}");
                report.warning_at(&book.marks.source, mark, message);
            }
            if let Some(url) = &rule.runbook_url
                && url.value.rsplit_once("/runbooks/").is_some_and(|(_, id)| id != book.plan.id.as_str())
            {
                let message = format!("{alert} is answered by the runbook `{}`", book.plan.id);
                report.warning_at(&rule.source, url, message);
            }
        }
    }
}
