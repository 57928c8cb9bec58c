//! Alertmanager's own list of alerts: whom it can know, and what it may bring about.
//!
//! The list holds what is routed to others and what is muted by a time interval, and before 0.28 does not say which. A delivery is never of
//! those. So the list goes on with, ends and suppresses what deliveries have named, and begins only what it can vouch for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::{Fingerprint, ReceiverName};
use crate::reason::Reason;
use crate::time::Timestamp;

/// Alerts that are remembered as named by a delivery.
pub const NAMED_MAX: usize = 20_000;
/// For how long one is: so long Alertmanager remembers what it has sent (`--data.retention`), and sends anew after that.
const KEPT: Duration = Duration::from_secs(120 * 3600);
/// A delivery that repeats another is noted again after this time.
const NOTED_EVERY: Duration = Duration::from_secs(12 * 3600);
/// Alertmanager looks whether a group is muted when it first notifies, a `group_wait` after its first alert began: 30 s unless it is
/// configured, and this is twice that. Until then it calls none muted.
const FLUSHED_AFTER: Duration = Duration::from_secs(60);

/// Who told of an alert, and so whose list can know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sender {
    /// Alertmanager, through a receiver that is not known.
    #[default]
    Alertmanager,
    /// Alertmanager, through this receiver.
    Receiver(ReceiverName),
    /// Somebody else: no list of Alertmanager has it.
    Other,
}

/// Whose alerts a list was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all receivers: nobody has said yet which one is ours.
    All,
    /// Those of these receivers.
    Receivers(BTreeSet<ReceiverName>),
}

impl Scope {
    /// Whether an alert of this sender would be in the list if it stood.
    #[must_use]
    pub fn covers(&self, sender: &Sender) -> bool {
        match (self, sender) {
            (_, Sender::Other) => false,
            (Self::All, _) | (Self::Receivers(_), Sender::Alertmanager) => true,
            (Self::Receivers(asked), Sender::Receiver(name)) => asked.contains(name),
        }
    }
}

/// What is known of whether Alertmanager delivers a listed alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Muting {
    /// Nothing: it is of a version before 0.28, or was not asked for our receiver alone.
    Unknown,
    /// No time interval mutes its group, as far as Alertmanager has looked.
    NotMuted,
    /// A delivery of its group has just said that it left alerts out.
    LeftOut,
}

impl Muting {
    /// Why an alert that no delivery has named must not begin anything.
    pub(crate) fn forbids(self, starts_at: Timestamp, now: Timestamp) -> Option<Reason> {
        match self {
            Self::LeftOut => None,
            Self::NotMuted if now.since(starts_at) >= FLUSHED_AFTER => None,
            Self::NotMuted | Self::Unknown => Some(Reason::NotDelivered),
        }
    }
}

/// The alerts that fire by the last delivery about each, with the time at which that was noted.
///
/// One that a delivery has ended is not among them: Alertmanager would deliver it anew. One that is only missing from its list is: it tells
/// nobody of an alert that ends and fires again within a `group_interval`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    noted_at: BTreeMap<Fingerprint, Timestamp>,
    oldest: BTreeSet<(Timestamp, Fingerprint)>,
}

impl Named {
    pub(crate) fn from_saved(noted_at: BTreeMap<Fingerprint, Timestamp>) -> Self {
        let oldest = noted_at.iter().map(|(fingerprint, at)| (*at, fingerprint.clone())).collect();
        Self { noted_at, oldest }
    }

    /// Whether its last delivery said that it fires.
    pub(crate) fn holds(&self, fingerprint: &Fingerprint, now: Timestamp) -> bool {
        self.noted_at.get(fingerprint).is_some_and(|at| now.since(*at) <= KEPT)
    }

    /// A delivery says that it fires: whether that is to be noted.
    pub(crate) fn fires(&mut self, fingerprint: &Fingerprint, now: Timestamp) -> bool {
        if self.noted_at.get(fingerprint).is_some_and(|at| now.since(*at) < NOTED_EVERY) {
            return false;
        }
        self.ends(fingerprint);
        self.noted_at.insert(fingerprint.clone(), now);
        self.oldest.insert((now, fingerprint.clone()));
        true
    }

    /// A delivery says that it does not: whether it was among them.
    pub(crate) fn ends(&mut self, fingerprint: &Fingerprint) -> bool {
        let Some(at) = self.noted_at.remove(fingerprint) else { return false };
        self.oldest.remove(&(at, fingerprint.clone()));
        true
    }

    /// Forgets one that is too old or too many, and says whether it is the latter.
    pub(crate) fn forget_one(&mut self, now: Timestamp) -> Option<(Fingerprint, bool)> {
        let (at, fingerprint) = self.oldest.first().cloned()?;
        let too_many = self.noted_at.len() > NAMED_MAX;
        if !too_many && now.since(at) <= KEPT {
            return None;
        }
        self.ends(&fingerprint);
        Some((fingerprint, too_many))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(number: u64) -> Timestamp {
        Timestamp::from_millis(3_600_000 * number)
    }

    fn name(text: &str) -> Fingerprint {
        Fingerprint::new(text)
    }

    #[test]
    fn what_a_delivery_named_is_noted_twice_a_day_and_forgotten_when_alertmanager_does() {
        let mut named = Named::default();
        let noted = [0, 11, 12, 23, 24].map(|at| named.fires(&name("a"), hours(at)));
        assert_eq!(noted, [true, false, true, false, true]);
        assert_eq!([24, 144, 145].map(|at| named.holds(&name("a"), hours(at))), [true, true, false]);
        assert_eq!(named.forget_one(hours(144)), None);
        assert_eq!(named.forget_one(hours(145)), Some((name("a"), false)));
        assert!(named.fires(&name("a"), hours(146)) && named.ends(&name("a")) && !named.ends(&name("a")));
        assert!(!named.holds(&name("a"), hours(146)));
    }

    #[test]
    fn of_too_many_the_one_that_was_noted_first_is_forgotten() {
        let all = (0..=NAMED_MAX as u64).map(|n| (name(&format!("{n:05}")), hours(1) + Duration::from_millis(n)));
        let mut named = Named::from_saved(all.collect());
        assert_eq!(named.forget_one(hours(2)), Some((name("00000"), true)));
        assert_eq!(named.forget_one(hours(2)), None);
    }

    #[test]
    fn a_list_can_know_what_came_through_a_receiver_that_it_was_asked_for() {
        let [ours, other] = ["ours", "other"].map(ReceiverName::new);
        let senders = [Sender::Alertmanager, Sender::Receiver(ours.clone()), Sender::Receiver(other), Sender::Other];
        let covered = |scope: &Scope| senders.each_ref().map(|sender| scope.covers(sender));
        assert_eq!(covered(&Scope::All), [true, true, true, false]);
        assert_eq!(covered(&Scope::Receivers([ours].into())), [true, true, false, false]);
    }
}
