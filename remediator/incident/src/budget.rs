//! How many changes were made lately.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::RunbookId;
use crate::time::Timestamp;

/// The window in which changes are counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// Starts of changes within the last hour, and whose they were. It holds no more entries than the limit it is asked about, so it
/// cannot grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    starts: VecDeque<(Timestamp, RunbookId)>,
}

impl Budget {
    /// A budget that has seen these starts.
    #[must_use]
    pub fn from_starts(starts: impl IntoIterator<Item = (Timestamp, RunbookId)>) -> Self {
        let mut starts: Vec<_> = starts.into_iter().collect();
        starts.sort();
        Self { starts: starts.into() }
    }

    /// Counts a start of a runbook's change.
    pub fn spend(&mut self, now: Timestamp, runbook: RunbookId) {
        self.forget(now);
        self.starts.push_back((now, runbook));
    }

    /// Counts a start no more: nothing has run.
    pub fn take_back(&mut self, at: Timestamp, runbook: &RunbookId) {
        if let Some(index) = self.starts.iter().rposition(|(start, whose)| *start == at && whose == runbook) {
            self.starts.remove(index);
        }
    }

    /// Whether another change may start.
    #[must_use]
    pub fn allows(&self, now: Timestamp, limit: usize) -> bool {
        self.lately(now).count() < limit
    }

    /// Whether a runbook, which has a limit of its own, may start another change.
    #[must_use]
    pub fn allows_runbook(&self, now: Timestamp, runbook: &RunbookId, limit: usize) -> bool {
        self.lately(now).filter(|whose| *whose == runbook).count() < limit
    }

    fn lately(&self, now: Timestamp) -> impl Iterator<Item = &RunbookId> {
        self.starts.iter().filter(move |(start, _)| now.since(*start) < WINDOW).map(|(_, whose)| whose)
    }

    fn forget(&mut self, now: Timestamp) {
        while self.starts.front().is_some_and(|(start, _)| now.since(*start) >= WINDOW) {
            self.starts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_later_there_is_room_again() {
        let at = |minutes: u64| Timestamp::from_millis(minutes * 60_000);
        let [a, b] = ["a", "b"].map(RunbookId::new);
        let mut budget = Budget::default();
        budget.spend(at(0), a.clone());
        budget.spend(at(30), b.clone());
        assert!(!budget.allows(at(59), 2));
        assert!(budget.allows(at(60), 2));
        budget.spend(at(60), b.clone());
        assert!(!budget.allows(at(61), 2));
        assert!(budget.allows_runbook(at(61), &a, 1));
        assert!(!budget.allows_runbook(at(61), &b, 2));
        assert_eq!(budget, Budget::from_starts([(at(60), b.clone()), (at(30), b.clone())]));
        budget.take_back(at(30), &a);
        budget.take_back(at(60), &b);
        assert_eq!(budget, Budget::from_starts([(at(30), b)]));
    }
}
