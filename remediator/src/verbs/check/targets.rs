//! Runbooks whose targets nobody would know: none of their steps would ever run.

use std::collections::BTreeSet;

use super::Report;
use crate::config::Config;
use crate::runbook::Book;

pub(super) fn check(book: &Book, config: &Config, report: &mut Report) {
    let words: BTreeSet<&str> = config.targets.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let label = book.plan.target.as_str();
    if !config.inventory.is_empty() || words.contains(label) {
        return;
    }
    let message = format!(
        "nobody knows a `{label}`, so no step would run: let the configuration's `targets` yield the label, or name the targets in \
         `inventory`"
    );
    report.warning_at(&book.marks.source, &book.marks.target, message);
}
