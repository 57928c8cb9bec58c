//! `report`: what the steps came to, and what would have been done where nothing was.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use vvtv_incident::Timestamp;
use vvtv_toolkit::duration::PromDuration;

use crate::clock::rfc3339;
use crate::efficacy;
use crate::journal::{HeldChange, JournalError, Reader};
use crate::runbook::LoadedRunbook;

/// What the journal says of a time.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    since: String,
    steps: Vec<StepReport>,
    held: Vec<HeldReport>,
}

/// One step.
#[derive(Debug, Serialize)]
struct StepReport {
    runbook: String,
    step: String,
    runs: u32,
    helped: u32,
    median_seconds: Option<f64>,
}

/// A change that was not made, or not at once, and what happened then.
#[derive(Debug, Serialize)]
struct HeldReport {
    at: String,
    incident: u64,
    runbook: String,
    target: String,
    step: String,
    reason: String,
    /// A change was made after it, in the same incident.
    changed_after_seconds: Option<f64>,
    /// The target became healthy after it.
    healthy_after_seconds: Option<f64>,
}

/// Asks the journal about the time since then, and one runbook or all.
///
/// # Errors
/// The journal cannot be read.
pub(crate) async fn report(
    reader: &Reader,
    books: &[Arc<LoadedRunbook>],
    runbook: Option<&str>,
    since: Timestamp,
) -> Result<Report, JournalError> {
    let wanted = |id: &str| runbook.is_none_or(|runbook| runbook == id);
    let records = efficacy::records(&reader.changes(since).await?, books);
    let steps = records.iter().filter(|((id, _), _)| wanted(id.as_str())).map(|((id, step), record)| StepReport {
        runbook: id.to_string(),
        step: step.to_string(),
        runs: record.runs,
        helped: record.helped(),
        median_seconds: record.median().map(|median| median.as_secs_f64()),
    });
    let held = reader.held_changes(since).await?;
    // One incident may come to the same step again and again; the first time counts.
    let mut first: BTreeMap<(u64, String), HeldReport> = BTreeMap::new();
    for change in held.into_iter().filter(|change| wanted(change.runbook.as_str())) {
        first.entry((change.incident.get(), change.step.clone())).or_insert_with(|| held_report(change));
    }
    Ok(Report { since: rfc3339(since), steps: steps.collect(), held: first.into_values().collect() })
}

fn held_report(change: HeldChange) -> HeldReport {
    let after = |at: Option<Timestamp>| at.map(|at| at.since(change.at).as_secs_f64());
    HeldReport {
        at: rfc3339(change.at),
        incident: change.incident.get(),
        runbook: change.runbook.to_string(),
        changed_after_seconds: after(change.changed_at),
        healthy_after_seconds: after(change.healthy_at),
        target: change.target,
        step: change.step,
        reason: change.reason,
    }
}

fn seconds(seconds: f64) -> PromDuration {
    PromDuration::new(Duration::from_secs_f64(seconds.max(0.0).round()))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Since {}, changes after which the target was healthy:", self.since)?;
        if self.steps.is_empty() {
            writeln!(f, "  (none was made)")?;
        }
        for step in &self.steps {
            let median = step.median_seconds.map(|it| format!(", median {}", seconds(it))).unwrap_or_default();
            writeln!(f, "  {} {}: {} of {}{median}", step.runbook, step.step, step.helped, step.runs)?;
        }
        writeln!(f, "Changes that were not made, or not at once, and what happened then:")?;
        if self.held.is_empty() {
            writeln!(f, "  (none)")?;
        }
        for held in &self.held {
            let HeldReport { at, incident, runbook, target, step, reason, .. } = held;
            write!(f, "  {at} #{incident} {runbook} {target}: {step} [{reason}]: ")?;
            match (held.changed_after_seconds, held.healthy_after_seconds) {
                (changed, Some(healthy)) if changed.is_none_or(|changed| healthy < changed) => {
                    writeln!(f, "healthy without a change after {}", seconds(healthy))?;
                }
                (Some(changed), Some(healthy)) => {
                    writeln!(f, "a change after {}, healthy after {}", seconds(changed), seconds(healthy))?;
                }
                (Some(changed), None) => writeln!(f, "a change after {}, not healthy since", seconds(changed))?,
                (None, _) => writeln!(f, "not healthy since")?,
            }
        }
        Ok(())
    }
}
