//! What people must hear of though no runbook does anything about it: alerts by name, and signs of life, others' and our own.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;
use vvtv_incident::{Entry, EntryKind, Event, Reason, Source, Timestamp};

use super::{EventLoop, Unavailable};
use crate::alerts::webhook::AlertUpdate;

/// Names of alerts that are told apart; those of all others are one. An alert's name is anybody's text.
const NAMES_MAX: usize = 100;
/// What stands for all others.
const OTHERS: &str = "other";
/// Between two lines of the log about the same.
const SAY_AGAIN: Duration = Duration::from_secs(3600);

/// The alerts that no runbook answered, and when each was last told of.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    said_at: BTreeMap<(Box<str>, Reason), Timestamp>,
}

/// The name under which an alert is counted, and whether it is to be told of now.
#[derive(Debug, PartialEq, Eq)]
struct Noted<'a> {
    name: &'a str,
    say: bool,
}

impl Unanswered {
    fn note<'a>(&mut self, name: &'a str, reason: Reason, now: Timestamp) -> Noted<'a> {
        let known = self.said_at.contains_key(&(name.into(), reason));
        let name = if known || self.said_at.len() < NAMES_MAX { name } else { OTHERS };
        let key = (name.into(), reason);
        let say = self.said_at.get(&key).is_none_or(|at| now.since(*at) >= SAY_AGAIN);
        if say {
            self.said_at.insert(key, now);
        }
        Noted { name, say }
    }
}

impl EventLoop {
    /// Names an alert that no runbook answers, in the log and in the metrics.
    pub(super) fn note_unanswered(&mut self, now: Timestamp, entry: &Entry) {
        let is_alert = matches!(entry.event, EntryKind::Alert | EntryKind::Ignored);
        if !is_alert || !matches!(entry.reason, Reason::NoRunbook | Reason::TargetMissing) {
            return;
        }
        let noted = self.unanswered.note(&entry.detail, entry.reason, now);
        self.metrics.people.unanswered(noted.name, entry.reason);
        if noted.say {
            let (alert, reason) = (entry.detail.as_str(), entry.reason.as_str());
            let incident = entry.incident.map(vvtv_incident::IncidentId::get);
            if incident.is_some() {
                tracing::warn!(alert, reason, incident, "no runbook answers this alert: it is people's");
            } else {
                tracing::warn!(alert, reason, "no runbook answers this alert, and nobody is called");
            }
        }
    }

    /// A delivery with the alert that always fires shows that the whole way here is open. A list of alerts that we ask for does not.
    pub(super) fn note_watchdog(&mut self, now: Timestamp, delivered: &[AlertUpdate]) {
        let is_watchdog = |update: &AlertUpdate| match update {
            AlertUpdate::Firing(alert) => self.fleet.is_watchdog(&alert.name),
            AlertUpdate::Listed(..) | AlertUpdate::Suppressed(_) | AlertUpdate::Resolved { .. } => false,
        };
        if delivered.iter().any(is_watchdog) {
            self.apply(now, Event::Alive(Source::Watchdog));
        }
    }

    /// Answered once it is on disk that we live; in memory nobody does.
    pub(super) fn pulse(&mut self, now: Timestamp, done: oneshot::Sender<Result<(), Unavailable>>) {
        if self.journal_failing || !self.journal.is_durable() {
            // Whoever gave up waiting needs no answer.
            let _gone = done.send(Err(Unavailable));
            return;
        }
        self.pending.batch.pulse = Some(now);
        self.pending.answer_later(done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_said_once_an_hour() {
        let mut unanswered = Unanswered::default();
        let at = |minutes: u64| Timestamp::from_millis(60_000 * minutes);
        let mut note = |name: &str, minutes| {
            let noted = unanswered.note(name, Reason::NoRunbook, at(minutes));
            (noted.name.to_owned(), noted.say)
        };
        assert_eq!([note("A", 0), note("A", 59), note("A", 60)], [true, false, true].map(|say| ("A".to_owned(), say)));
        for number in 0..NAMES_MAX - 1 {
            assert!(note(&number.to_string(), 60).1);
        }
        assert_eq!([note("one too many", 60), note("another", 61)], [true, false].map(|say| (OTHERS.to_owned(), say)));
        assert_eq!(note("A", 61), ("A".to_owned(), false), "who has a name keeps it");
    }
}
