//! What holds whatever happens.

use std::time::Duration;

use vvtv_incident::{Channels, Health, Incident, Phase, Reason, Runbook, Standing, StepId};

use super::listed::FOREIGN;
use super::{HOUR, Shell};

impl Shell {
    /// Whether as many changes run in an hour as may.
    pub(super) fn check_budget(&self) {
        let lately = || self.intents.iter().filter(|(at, ..)| self.now.since(*at) < HOUR).map(|(_, _, step, _)| step);
        let changes = lately().filter(|step| self.is_change(step)).count();
        let undone = lately().filter(|step| step.as_str() == "undo").count();
        assert!(changes <= self.policy.changes_per_hour + undone, "more changes in an hour than allowed");
        for book in &self.books {
            let own = lately().filter(|step| self.changed_by(step).is_some_and(|it| it.id == book.id)).count();
            let most = book.changes_per_hour.unwrap_or(usize::MAX);
            assert!(own <= most, "more changes of {} in an hour than it allows", book.id);
        }
    }

    /// The runbook whose change a step is, if it is one.
    pub(super) fn changed_by(&self, step: &StepId) -> Option<&Runbook> {
        self.books.iter().find(|book| book.all_steps().any(|known| known.id == *step && known.is_change()))
    }

    fn is_change(&self, step: &StepId) -> bool {
        self.changed_by(step).is_some()
    }

    /// What holds after every event.
    pub(super) fn check(&self) {
        assert!(
            self.fleet.next_deadline().is_none_or(|at| at >= self.now),
            "a deadline in the past is never looked at"
        );
        for incident in self.fleet.incidents() {
            self.check_outbox(incident);
            let foreign = incident.alerts.keys().find(|fingerprint| fingerprint.as_str().starts_with(FOREIGN));
            assert!(
                foreign.is_none() && (!incident.alerts.is_empty() || incident.reason == Reason::Unreadable),
                "opened by what was never delivered: {incident:?}"
            );
            let book = self.books.iter().find(|book| book.id == incident.runbook).unwrap();
            let sick = matches!(incident.health.health(), Health::Unhealthy { .. });
            if incident.in_trouble() && sick && book.causes.is_empty() && self.fleet.incidents().count() == 1 {
                // The time that its timers stand still, because others account for it, does not count.
                let still = incident.escalation.still_since.map_or(Duration::ZERO, |since| self.now.since(since));
                let next = incident.escalation.next_call(book, &self.policy, &self.failing);
                let overdue = next.is_some_and(|(_, at, _)| self.now.since(at + still) > Duration::from_secs(1));
                assert!(!overdue, "a page more than a second late: {incident:?} at {}", self.now);
            }
            if incident.aborted {
                let people = incident.escalation.next_call(book, &self.policy, &Channels::default());
                let may_be_over = !incident.firing() && !incident.alerts.is_empty();
                assert!(!may_be_over && people.is_some(), "aborted, and nobody's: {incident:?}");
            } else if matches!(incident.phase, Phase::Exhausted) {
                let called = !incident.escalation.pages.is_empty() || self.paged.contains(&incident.id);
                let in_hand = matches!(incident.escalation.standing, Standing::InHand { .. });
                assert!(called || in_hand || book.causes.iter().any(|_| true), "exhausted and nobody called");
            }
        }
    }
}

/// Whether everything that fires is silenced.
pub(super) fn silenced(incident: &Incident) -> bool {
    let mut firing = incident.alerts.values().filter(|alert| alert.ends_at.is_none()).peekable();
    firing.peek().is_some() && firing.all(|alert| alert.suppressed)
}
