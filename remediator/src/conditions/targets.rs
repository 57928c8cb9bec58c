//! Which targets exist: named in the configuration, told by Prometheus now, or told by it before.
//!
//! What alerts say of targets counts for nothing here. A name that Prometheus told once stays known for `KEPT`, also over a restart:
//! an outage takes series away, and is what the steps are for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vvtv_incident::{Target, Targets, Timestamp};

/// How long a name stays known after Prometheus told it last.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Names that are written down again after this time, even if they are the same: they were told again.
const WRITTEN_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Names that are known at a time; beyond it, those that were told longest ago are forgotten.
pub(crate) const NAMES_MAX: usize = 100_000;

/// When each name was told last.
pub(crate) type Told = BTreeMap<Target, Timestamp>;

/// Everything that vouches for targets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    inventory: BTreeSet<Target>,
    told: Told,
    /// The last answer's names.
    listed: BTreeSet<Target>,
    asked_at: Option<Timestamp>,
    written_at: Timestamp,
}

impl Known {
    /// What the configuration names, and what an earlier run was told.
    #[must_use]
    pub(crate) fn new(inventory: BTreeSet<Target>, told: Told) -> Self {
        let written_at = told.values().copied().max().unwrap_or_default();
        Self { inventory, told, written_at, ..Self::default() }
    }

    /// Puts another inventory in force.
    pub(crate) fn change(&mut self, inventory: BTreeSet<Target>) {
        self.inventory = inventory;
    }

    /// Takes an answer to the question that was asked at `asked_at`. Gives what is to be written down, if anything is.
    pub(crate) fn hear(&mut self, listed: BTreeSet<Target>, asked_at: Timestamp) -> Option<Told> {
        let new = listed.iter().any(|target| !self.told.contains_key(target));
        self.told.extend(listed.iter().map(|target| (target.clone(), asked_at)));
        self.told.retain(|_, at| asked_at.since(*at) <= KEPT);
        self.bound();
        self.listed = listed;
        self.asked_at = Some(asked_at);
        let due = new || asked_at.since(self.written_at) >= WRITTEN_EVERY;
        due.then(|| {
            self.written_at = asked_at;
            self.told.clone()
        })
    }

    fn bound(&mut self) {
        let excess = self.told.len().saturating_sub(NAMES_MAX);
        if excess == 0 {
            return;
        }
        let mut oldest: Vec<_> = self.told.iter().map(|(target, at)| (*at, target.clone())).collect();
        oldest.sort();
        for (_, target) in oldest.into_iter().take(excess) {
            self.told.remove(&target);
        }
        tracing::warn!(
            forgotten = excess,
            kept = NAMES_MAX,
            "too many targets are known: those told longest ago are forgotten"
        );
    }

    /// For the core.
    #[must_use]
    pub(crate) fn targets(&self) -> Targets {
        Targets {
            known: self.inventory.iter().chain(self.told.keys()).cloned().collect(),
            number: self.inventory.union(&self.listed).count(),
            asked_at: self.asked_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<Target> {
        names.iter().map(|name| Target::new(*name)).collect()
    }

    const fn day(number: u64) -> Timestamp {
        Timestamp::from_millis(number * 24 * 3_600_000)
    }

    #[test]
    fn the_inventory_counts_while_nobody_can_be_asked() {
        let known = Known::new(names(&["main"]), Told::new());
        assert_eq!(known.targets(), Targets { known: names(&["main"]), number: 1, asked_at: None });
    }

    #[test]
    fn a_name_that_is_gone_stays_known_and_is_counted_no_more() {
        let mut known = Known::new(names(&["main"]), Told::new());
        let told = known.hear(names(&["a", "b", "main"]), day(1)).unwrap();
        known.hear(names(&["a"]), day(2));
        let expected = Targets { known: names(&["a", "b", "main"]), number: 2, asked_at: Some(day(2)) };
        assert_eq!(known.targets(), expected);
        assert_eq!(Known::new(names(&[]), told).targets().known, names(&["a", "b", "main"]), "over a restart");
        known.hear(names(&["a"]), day(32));
        assert_eq!(known.targets().known, names(&["a", "main"]));
    }

    #[test]
    fn names_are_written_down_when_one_is_new_and_once_a_day() {
        let mut known = Known::default();
        let at = |hours: u64| Timestamp::from_millis(hours * 3_600_000);
        let answers = [(48, &["a"][..]), (49, &["a"]), (50, &["a", "b"]), (51, &["a"]), (74, &["b"])];
        let written: Vec<_> = answers
            .iter()
            .map(|(hours, listed)| known.hear(names(listed), at(*hours)).map(|told| told.len()))
            .collect();
        assert_eq!(written, [Some(1), None, Some(2), None, Some(2)]);
    }

    #[test]
    fn names_without_end_push_out_the_oldest() {
        let mut known = Known::default();
        known.hear((0..NAMES_MAX).map(|n| Target::new(format!("old-{n:06}"))).collect(), day(1));
        known.hear(names(&["new"]), day(2));
        let targets = known.targets();
        assert_eq!(targets.known.len(), NAMES_MAX);
        assert!(targets.known.contains(&Target::new("new")));
        assert!(!targets.known.contains(&Target::new("old-000000")));
    }
}
