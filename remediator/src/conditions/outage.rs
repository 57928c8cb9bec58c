//! A Prometheus that cannot be reached: asked less often, and complained about once in a while rather than at every question.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After a failure, for how long questions are answered without being asked. With thousands of incidents open, asking for each would
/// take the processor from what still works.
const REST: Duration = Duration::from_millis(250);
/// Between two complaints.
const COMPLAIN: Duration = Duration::from_secs(30);

/// What is known of an outage. Times are milliseconds since the start, 0 for none.
#[derive(Debug)]
pub(super) struct Outage {
    start: Instant,
    rests_until: AtomicU64,
    complained_at: AtomicU64,
    unsaid: AtomicU64,
}

impl Outage {
    pub(super) fn none() -> Self {
        Self {
            start: Instant::now(),
            rests_until: AtomicU64::new(0),
            complained_at: AtomicU64::new(0),
            unsaid: AtomicU64::new(0),
        }
    }

    pub(super) fn rests(&self, now: Instant) -> bool {
        self.millis(now) < self.rests_until.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self, now: Instant) {
        self.rests_until.store(self.millis(now + REST), Ordering::Relaxed);
    }

    /// It answered: whether it had not before.
    pub(super) fn answered(&self) -> bool {
        self.complained_at.store(0, Ordering::Relaxed);
        self.unsaid.store(0, Ordering::Relaxed);
        self.rests_until.swap(0, Ordering::Relaxed) > 0
    }

    /// How many failures were not complained about, if this one is to be.
    pub(super) fn complains(&self, now: Instant) -> Option<u64> {
        let now = self.millis(now);
        let before = self.complained_at.load(Ordering::Relaxed);
        let due = before == 0 || now.saturating_sub(before) >= COMPLAIN.as_millis() as u64;
        let mine = || self.complained_at.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if due && mine() {
            return Some(self.unsaid.swap(0, Ordering::Relaxed));
        }
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Never 0.
    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_complained_about_at_once_and_then_every_half_minute() {
        let outage = Outage::none();
        let at = |seconds| outage.start + Duration::from_secs(seconds);
        let told: Vec<Option<u64>> = [0, 1, 29, 30, 31].map(|seconds| outage.complains(at(seconds))).to_vec();
        assert_eq!(told, [Some(0), None, None, Some(2), None]);
        outage.answered();
        assert_eq!(outage.complains(at(32)), Some(0), "the next outage is a new one");
    }

    #[test]
    fn it_is_left_alone_for_a_moment_after_a_failure() {
        let outage = Outage::none();
        let at = |millis| outage.start + Duration::from_millis(millis);
        assert!(!outage.rests(at(0)));
        assert!(!outage.answered(), "nothing was wrong");
        outage.failed(at(1000));
        assert_eq!([1000, 1249, 1250].map(|millis| outage.rests(at(millis))), [true, true, false]);
        assert!(outage.answered(), "it is back");
        assert!(!outage.rests(at(1001)));
    }
}
