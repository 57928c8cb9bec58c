//! How many changes were made lately.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Timestamp;

/// The window in which changes are counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// Starts of changes within the last hour. It holds no more entries than the limit it is asked about, so it cannot grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    starts: VecDeque<Timestamp>,
}

impl Budget {
    /// A budget that has seen these starts.
    #[must_use]
    pub fn from_starts(starts: impl IntoIterator<Item = Timestamp>) -> Self {
        let mut starts: Vec<_> = starts.into_iter().collect();
        starts.sort_unstable();
        Self { starts: starts.into() }
    }

    /// Counts a start.
    pub fn spend(&mut self, now: Timestamp) {
        self.forget(now);
        self.starts.push_back(now);
    }

    /// Whether another change may start.
    #[must_use]
    pub fn allows(&self, now: Timestamp, limit: usize) -> bool {
        self.starts.iter().filter(|start| now.since(**start) < WINDOW).count() < limit
    }

    fn forget(&mut self, now: Timestamp) {
        while self.starts.front().is_some_and(|start| now.since(*start) >= WINDOW) {
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
        let mut budget = Budget::default();
        budget.spend(at(0));
        budget.spend(at(30));
        assert!(!budget.allows(at(59), 2));
        assert!(budget.allows(at(60), 2));
        budget.spend(at(60));
        assert!(!budget.allows(at(61), 2));
        assert_eq!(budget, Budget::from_starts([at(60), at(30)]));
    }
}
