//! Trouble that comes back: what is remembered of incidents that are over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ids::{RunbookId, Target};
use crate::time::Timestamp;

/// The longest time for which anything is remembered here.
const HOUR: Duration = Duration::from_secs(3600);

/// What an incident is about.
pub(crate) type Key = (RunbookId, Target);

/// An incident whose trouble went away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastIncident {
    /// Whose it was.
    pub runbook: RunbookId,
    /// What it was about.
    pub target: Target,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// How often the trouble had come back by then.
    pub times_back: u32,
}

/// A call because the hour's changes were used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetCall {
    /// For which runbook.
    pub runbook: RunbookId,
    /// For which target.
    pub target: Target,
    /// When that call was made; it counts for an hour.
    pub called_at: Timestamp,
}

/// What is remembered for an hour, by runbook and target.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    over: Memory<u32>,
    budget_calls: Memory<()>,
}

impl Returns {
    pub(crate) fn new(mut over: Vec<PastIncident>, mut calls: Vec<BudgetCall>) -> Self {
        let mut returns = Self::default();
        over.sort_by_key(|it| it.closed_at);
        calls.sort_by_key(|it| it.called_at);
        for it in over {
            returns.over.note((it.runbook, it.target), it.closed_at, it.times_back);
        }
        for it in calls {
            returns.budget_calls.note((it.runbook, it.target), it.called_at, ());
        }
        returns
    }

    /// Remembers that an incident is over. Of more than so many the oldest is forgotten, and given.
    pub(crate) fn note_over(&mut self, key: Key, now: Timestamp, times_back: u32, limit: usize) -> Option<Key> {
        self.over.forget_before(now);
        self.over.note(key, now, times_back);
        self.over.forget_beyond(limit)
    }

    /// How often the trouble has come back by now, if this is such a time.
    pub(crate) fn times_back(&self, key: &Key, now: Timestamp, within: Duration) -> u32 {
        match self.over.last(key, now, within.min(HOUR)) {
            Some(times_back) => times_back.saturating_add(1),
            None => 0,
        }
    }

    /// Remembers a call about the budget.
    pub(crate) fn note_budget_call(&mut self, key: Key, now: Timestamp, limit: usize) -> Option<Key> {
        self.budget_calls.forget_before(now);
        self.budget_calls.note(key, now, ());
        self.budget_calls.forget_beyond(limit)
    }

    /// Whether people were called about the budget within the hour.
    pub(crate) fn budget_was_called(&self, key: impl FnOnce() -> Key, now: Timestamp) -> bool {
        !self.budget_calls.last.is_empty() && self.budget_calls.last(&key(), now, HOUR).is_some()
    }
}

/// The last time of each thing, and what belongs to it; the order of all times bounds what is looked at to forget the oldest.
#[derive(Debug)]
struct Memory<T> {
    last: BTreeMap<Key, (Timestamp, T)>,
    order: VecDeque<(Timestamp, Key)>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self { last: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<T: Copy> Memory<T> {
    fn note(&mut self, key: Key, at: Timestamp, what: T) {
        self.last.insert(key.clone(), (at, what));
        self.order.push_back((at, key));
    }

    fn last(&self, key: &Key, now: Timestamp, within: Duration) -> Option<T> {
        self.last.get(key).filter(|(at, _)| now.since(*at) < within).map(|(_, what)| *what)
    }

    fn forget_before(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(at, _)| now.since(*at) >= HOUR) {
            self.forget_oldest();
        }
    }

    /// The last thing that had to be forgotten before its time.
    fn forget_beyond(&mut self, limit: usize) -> Option<Key> {
        let mut forgotten = None;
        while self.order.len() > limit {
            forgotten = self.forget_oldest().or(forgotten);
        }
        forgotten
    }

    /// Gives what it was about, unless that was noted again since.
    fn forget_oldest(&mut self) -> Option<Key> {
        let (at, key) = self.order.pop_front()?;
        let is_last = self.last.get(&key).is_some_and(|(last, _)| *last == at);
        if is_last {
            self.last.remove(&key);
        }
        is_last.then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(target: &str) -> Key {
        (RunbookId::new("segment-age"), Target::new(target))
    }

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn a_quick_return_counts_on_and_a_late_one_from_the_beginning() {
        let within = Duration::from_secs(600);
        let mut returns = Returns::default();
        assert_eq!(returns.times_back(&key("a"), at(0), within), 0);
        returns.note_over(key("a"), at(0), 3, 10);
        let back = [1, 9, 10, 60].map(|minutes| returns.times_back(&key("a"), at(minutes), within));
        assert_eq!(back, [4, 4, 0, 0]);
        assert_eq!(returns.times_back(&key("b"), at(1), within), 0);
    }

    #[test]
    fn the_budget_calls_once_an_hour_and_a_restart_changes_nothing() {
        let mut returns = Returns::default();
        returns.note_budget_call(key("a"), at(0), 10);
        let call = BudgetCall { runbook: key("a").0, target: key("a").1, called_at: at(0) };
        let restored = Returns::new(Vec::new(), vec![call]);
        for returns in [returns, restored] {
            let called = [0, 59, 60].map(|minutes| returns.budget_was_called(|| key("a"), at(minutes)));
            assert_eq!(called, [true, true, false]);
        }
    }

    #[test]
    fn no_more_is_remembered_than_may_be_and_the_oldest_goes_first() {
        let mut returns = Returns::default();
        assert_eq!(returns.note_over(key("a"), at(0), 0, 2), None);
        assert_eq!(returns.note_over(key("b"), at(1), 0, 2), None);
        assert_eq!(returns.note_over(key("a"), at(2), 1, 2), None, "it was noted again");
        assert_eq!(returns.note_over(key("c"), at(3), 0, 2), Some(key("b")));
        let within = Duration::from_secs(600);
        assert_eq!(["a", "b", "c"].map(|target| returns.times_back(&key(target), at(4), within)), [2, 0, 1]);
    }
}
