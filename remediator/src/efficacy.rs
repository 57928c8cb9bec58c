//! How often each change helped, by what the journal knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use vvtv_incident::{Efficacy, EfficacyTable, Policy, RunbookId, Step, StepId, Timestamp};
use vvtv_toolkit::duration::PromDuration;

use crate::journal::PastChange;
use crate::runbook::LoadedRunbook;

/// How far back the running program looks: 90 days.
const WINDOW_MILLIS: u64 = 90 * 24 * 3_600_000;

/// From when on changes count.
#[must_use]
pub(crate) const fn since(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis().saturating_sub(WINDOW_MILLIS))
}

/// What one step's runs came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// How often it was run.
    pub runs: u32,
    /// The times from its start to health, of the runs after which the target became healthy within `settle`; shortest first.
    pub healthy_after: Vec<Duration>,
}

impl Record {
    /// Runs after which the target became healthy.
    #[must_use]
    pub(crate) fn helped(&self) -> u32 {
        u32::try_from(self.healthy_after.len()).unwrap_or(u32::MAX)
    }

    /// The median time to health.
    #[must_use]
    pub(crate) fn median(&self) -> Option<Duration> {
        self.healthy_after.get(self.healthy_after.len() / 2).copied()
    }
}

/// What the changes of the present runbooks' ladders came to; every step that has run is there.
#[must_use]
pub(crate) fn records(changes: &[PastChange], books: &[Arc<LoadedRunbook>]) -> BTreeMap<(RunbookId, StepId), Record> {
    let mut records: BTreeMap<_, Record> = BTreeMap::new();
    for change in changes {
        let book = books.iter().find(|book| book.plan.id == change.runbook);
        // What takes a measure back is to change nothing for the target.
        let Some(step) = book.and_then(|book| book.plan.steps.iter().find(|step| step.id == change.step)) else {
            continue;
        };
        let record = records.entry((change.runbook.clone(), change.step.clone())).or_default();
        record.runs += 1;
        if let (Some(healthy), Some(finished)) = (change.healthy_at, change.finished_at)
            && healthy <= finished + step.settle()
        {
            record.healthy_after.push(healthy.since(change.started_at));
        }
    }
    records.values_mut().for_each(|record| record.healthy_after.sort_unstable());
    records
}

impl Record {
    /// The same as the core takes it.
    #[must_use]
    pub(crate) fn efficacy(&self) -> Efficacy {
        Efficacy { runs: self.runs, helped: self.helped() }
    }

    /// What it means for the step.
    #[must_use]
    pub(crate) fn words(&self, step: &Step, policy: &Policy) -> String {
        let helped = format!("helped {} of {} times", self.helped(), self.runs);
        let median =
            self.median().map(|it| format!(", median {}", PromDuration::new(Duration::from_secs(it.as_secs()))));
        let distrust = if step.is_distrusted(self.efficacy(), policy) {
            "; below its `efficacy_floor`, so it waits for a person's approval"
        } else {
            ""
        };
        format!("{helped}{}{distrust}", median.unwrap_or_default())
    }
}

/// The same as the core takes it.
#[must_use]
pub(crate) fn table(records: &BTreeMap<(RunbookId, StepId), Record>) -> EfficacyTable {
    records.iter().map(|(key, record)| (key.clone(), record.efficacy())).collect()
}
