//! Steps that no incident can reach: their condition is never true.
//!
//! A condition is decided here when all that it reads is known beforehand: nothing at all, or steps that never run themselves. In
//! `all` and `any` one part may settle it.

use std::collections::BTreeMap;

use vvtv_incident::StepId;

use super::Report;
use crate::conditions::Condition;
use crate::conditions::expression;
use crate::conditions::facts::{Facts, StepFacts};
use crate::config::Config;
use crate::runbook::Book;

/// What is known of a condition before anything happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Always,
    /// It is false, or an error, which is never a yes.
    Never,
    Open,
}

pub(super) fn check(book: &Book, config: &Config, report: &mut Report) {
    let mut never = Facts::default();
    for step in book.plan.all_steps() {
        let Some(when) = book.step(&step.id).and_then(|spec| spec.when.as_ref()) else { continue };
        let Some(mark) = book.marks.conditions.get(&step.id) else { continue };
        match known(when, &never, config) {
            Known::Open => {}
            Known::Always => {
                report.warning_at(&book.marks.source, mark, "this condition always holds: leave it out");
            }
            Known::Never => {
                let because = because(&never.steps, when);
                let message = format!("`{}` never runs: its condition cannot hold{because}", step.id);
                report.error_at(&book.marks.source, mark, message);
                never.steps.insert(step.id.as_str().to_owned(), skipped());
            }
        }
    }
}

fn skipped() -> StepFacts {
    StepFacts { state: "skipped".to_owned(), ..StepFacts::default() }
}

fn because(never: &BTreeMap<String, StepFacts>, when: &Condition) -> String {
    let mut read = Vec::new();
    steps_read(when, &mut read);
    read.retain(|step| never.contains_key(step.as_str()));
    read.first().map(|step| format!(", since `{step}` never runs")).unwrap_or_default()
}

fn steps_read(when: &Condition, read: &mut Vec<StepId>) {
    match when {
        Condition::Promql(_) => {}
        Condition::Expr(text) => {
            let reads = expression::check_expression(text).unwrap_or_default();
            read.extend(reads.steps.iter().map(|step| StepId::new(step.as_str())));
        }
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| steps_read(part, read)),
    }
}

fn known(when: &Condition, never: &Facts, config: &Config) -> Known {
    match when {
        Condition::Promql(_) => Known::Open,
        Condition::Expr(text) => expression_known(text, never, config),
        Condition::All(parts) => settle(parts, Known::Never, Known::Always, never, config),
        Condition::Any(parts) => settle(parts, Known::Always, Known::Never, never, config),
    }
}

/// One part with the settling answer is enough; the opposite takes all of them.
fn settle(parts: &[Condition], settles: Known, otherwise: Known, never: &Facts, config: &Config) -> Known {
    let parts: Vec<_> = parts.iter().map(|part| known(part, never, config)).collect();
    if parts.contains(&settles) {
        settles
    } else if parts.iter().all(|part| *part == otherwise) {
        otherwise
    } else {
        Known::Open
    }
}

fn expression_known(text: &str, never: &Facts, config: &Config) -> Known {
    let Ok(reads) = expression::check_expression(text) else { return Known::Open };
    if reads.facts || !reads.steps.iter().all(|step| never.steps.contains_key(step)) {
        return Known::Open;
    }
    match expression::holds(text, &expression::context(never, &config.site)) {
        Ok(true) => Known::Always,
        Ok(false) | Err(_) => Known::Never,
    }
}
