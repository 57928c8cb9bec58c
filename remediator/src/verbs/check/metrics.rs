//! Metrics that runbooks ask for, against those that exist: a name with a slip in it is health that stays unknown for ever.

use std::collections::BTreeSet;

use vvtv_toolkit::yaml::Spanned;

use super::Report;
use crate::conditions::Condition;
use crate::conditions::promql::Query;
use crate::config::Config;
use crate::runbook::Book;
use crate::source::Source;

/// What Prometheus makes by itself.
const OWN: [&str; 9] = [
    "up",
    "ALERTS",
    "ALERTS_FOR_STATE",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "scrape_timeout_seconds",
    "scrape_sample_limit",
];

/// Metrics that exist.
pub(super) struct Metrics {
    names: BTreeSet<String>,
    /// Whether all files with names could be read.
    complete: bool,
}

impl Metrics {
    /// Reads the configured files; `None` if there are none, so that nothing is known.
    pub(super) fn read(config: &Config, recorded: &BTreeSet<String>, report: &mut Report) -> Option<Self> {
        if config.metrics.is_empty() {
            return None;
        }
        let mut metrics = Self { names: recorded.clone(), complete: true };
        metrics.names.extend(OWN.map(str::to_owned));
        for (path, mark) in config.metrics.iter().zip(&config.marks.metrics) {
            match Source::read(path) {
                Ok(source) => metrics.names.extend(source.text().lines().filter_map(name).map(str::to_owned)),
                Err(error) => {
                    metrics.complete = false;
                    let message = format!("{}: {}", path.display(), error.message());
                    report.error_at(&config.marks.source, mark, message);
                }
            }
        }
        Some(metrics)
    }

    /// Looks at every query of a runbook.
    pub(super) fn check(&self, book: &Book, report: &mut Report) {
        // What could not be read may have the name.
        if !self.complete {
            return;
        }
        self.query(&book.healthy, &book.marks.healthy, book, report);
        for (id, mark) in &book.marks.conditions {
            let mut queries = Vec::new();
            if let Some(when) = book.step(id).and_then(|spec| spec.when.as_ref()) {
                collect(when, &mut queries);
            }
            queries.into_iter().for_each(|query| self.query(query, mark, book, report));
        }
    }

    fn query(&self, query: &Query, mark: &Spanned<()>, book: &Book, report: &mut Report) {
        for name in query.metrics() {
            if !self.has(&name) {
                let near = self.near(&name).map(|near| format!(": is it `{near}`?")).unwrap_or_default();
                report.error_at(&book.marks.source, mark, format!("no metric has the name `{name}`{near}"));
            }
        }
    }

    /// A histogram's series have endings that its name does not.
    fn has(&self, name: &str) -> bool {
        let mut stems = ["", "_bucket", "_sum", "_count"].iter().filter_map(|ending| name.strip_suffix(ending));
        stems.any(|stem| self.names.contains(stem))
    }

    /// The name that differs in the fewest letters at its end or middle, if they are few.
    fn near(&self, name: &str) -> Option<&str> {
        let alike = |other: &str| {
            let front = name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
            let rest = name.len().min(other.len()) - front;
            let back = name.bytes().rev().zip(other.bytes().rev()).take(rest).take_while(|(a, b)| a == b).count();
            name.len().max(other.len()) - front - back
        };
        let nearest = self.names.iter().min_by_key(|other| alike(other))?;
        (alike(nearest) <= 3).then_some(nearest)
    }
}

/// The name at the beginning of a line of a scrape, or of a list of names.
fn name(line: &str) -> Option<&str> {
    let line = line.trim();
    let line = line.strip_prefix("# TYPE ").unwrap_or(line);
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c))).unwrap_or(line.len());
    line.get(..end).filter(|name| !name.is_empty())
}

fn collect<'a>(condition: &'a Condition, queries: &mut Vec<&'a Query>) {
    match condition {
        Condition::Promql(query) => queries.push(query),
        Condition::Expr(_) => {}
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| collect(part, queries)),
    }
}
