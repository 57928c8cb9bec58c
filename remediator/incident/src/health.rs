//! What is known of one target's health, and when to ask again.

use std::time::Duration;

use crate::event::Verdict;
use crate::policy::Policy;
use crate::time::Timestamp;

/// A target's health, with the time since which it has been so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It cannot be told.
    Unknown {
        /// When the first answer of that kind came, or none did any more.
        since: Timestamp,
    },
    /// The test says it is not healthy.
    Unhealthy {
        /// When the first answer of that kind came; only a gap or a healthy answer ends it.
        since: Timestamp,
    },
    /// The test says it is healthy.
    Healthy {
        /// Since when, without a break.
        since: Timestamp,
    },
}

/// Keeps the last answers, and at most one open question. Nothing of it survives a restart: health is asked anew then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthWatch {
    health: Health,
    open: Option<Question>,
    answered: Option<(Timestamp, Verdict)>,
    ticket: u64,
    last_asked: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    ticket: u64,
    asked_at: Timestamp,
}

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SampleEffect {
    /// It answers a question that is over.
    Stale,
    /// Health is what it was.
    Same,
    /// Health changed.
    Changed,
}

impl Default for HealthWatch {
    fn default() -> Self {
        Self::new(Timestamp::default())
    }
}

impl HealthWatch {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self { health: Health::Unknown { since: now }, open: None, answered: None, ticket: 0, last_asked: None }
    }

    /// Begins anew: another test asks from now on. Answers to the old one are stale.
    pub(crate) const fn forget(&mut self, now: Timestamp) {
        *self = Self { ticket: self.ticket, ..Self::new(now) };
    }

    /// What is known now.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// The answer to a question that was asked at or after `since`.
    pub(crate) fn answer_since(&self, since: Timestamp) -> Option<Verdict> {
        self.answered.filter(|(asked_at, _)| *asked_at >= since).map(|(_, verdict)| verdict)
    }

    /// How long the target has been healthy without a break.
    pub(crate) fn healthy_for(&self, now: Timestamp) -> Option<Duration> {
        match self.health {
            Health::Healthy { since } => Some(now.since(since)),
            Health::Unhealthy { .. } | Health::Unknown { .. } => None,
        }
    }

    /// How long health has been unknown.
    pub(crate) fn unknown_for(&self, now: Timestamp) -> Option<Duration> {
        match self.health {
            Health::Unknown { since } => Some(now.since(since)),
            Health::Unhealthy { .. } | Health::Healthy { .. } => None,
        }
    }

    /// When the next question is due, given how often to ask; a question that nobody answers is given up first.
    ///
    /// Where an answer to a question of `fresh_since` or later is waited for, that question is due at once.
    pub(crate) fn next_question_at(
        &self,
        fresh_since: Option<Timestamp>,
        interval: Duration,
        policy: &Policy,
    ) -> Timestamp {
        match (self.open, self.last_asked) {
            (Some(open), _) => open.asked_at + policy.health_timeout,
            (None, Some(last)) if fresh_since.is_some_and(|since| last < since) => last,
            (None, Some(last)) => last + interval,
            (None, None) => Timestamp::default(),
        }
    }

    /// Opens a question. An earlier one that is still open was not answered in time and counts as "unknown".
    pub(crate) fn ask(&mut self, now: Timestamp) -> (u64, SampleEffect) {
        let effect = match self.open {
            Some(open) => self.hear(open.ticket, now, Verdict::Unknown),
            None => SampleEffect::Same,
        };
        self.ticket += 1;
        self.open = Some(Question { ticket: self.ticket, asked_at: now });
        self.last_asked = Some(now);
        (self.ticket, effect)
    }

    pub(crate) fn hear(&mut self, ticket: u64, now: Timestamp, verdict: Verdict) -> SampleEffect {
        let Some(open) = self.open.filter(|open| open.ticket == ticket) else { return SampleEffect::Stale };
        self.open = None;
        self.answered = Some((open.asked_at, verdict));
        let next = match (verdict, self.health) {
            (Verdict::Healthy, Health::Healthy { .. })
            | (Verdict::Unhealthy, Health::Unhealthy { .. })
            | (Verdict::Unknown, Health::Unknown { .. }) => return SampleEffect::Same,
            (Verdict::Healthy, Health::Unhealthy { .. } | Health::Unknown { .. }) => Health::Healthy { since: now },
            (Verdict::Unhealthy, Health::Healthy { .. } | Health::Unknown { .. }) => Health::Unhealthy { since: now },
            (Verdict::Unknown, Health::Healthy { .. } | Health::Unhealthy { .. }) => Health::Unknown { since: now },
        };
        self.health = next;
        SampleEffect::Changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unanswered_question_counts_as_unknown_and_its_late_answer_is_stale() {
        let policy = Policy::default();
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        let mut watch = HealthWatch::new(at(0));
        let (first, _) = watch.ask(at(0));
        assert_eq!(watch.hear(first, at(1), Verdict::Healthy), SampleEffect::Changed);
        let (second, _) = watch.ask(at(2));
        assert_eq!(watch.next_question_at(None, policy.health_interval, &policy), at(12));
        let (_, heard) = watch.ask(at(12));
        assert_eq!(heard, SampleEffect::Changed);
        assert_eq!(watch.health(), Health::Unknown { since: at(12) });
        assert_eq!(watch.hear(second, at(13), Verdict::Healthy), SampleEffect::Stale);
    }

    #[test]
    fn an_answer_counts_from_the_time_of_its_question() {
        let at = Timestamp::from_millis;
        let mut watch = HealthWatch::new(at(0));
        let (ticket, _) = watch.ask(at(10));
        watch.hear(ticket, at(30), Verdict::Unhealthy);
        assert_eq!(watch.answer_since(at(20)), None);
        assert_eq!(watch.answer_since(at(10)), Some(Verdict::Unhealthy));
    }
}
