//! An incident's alerts: heard of, heard of again, gone.

use crate::command::EntryKind;
use crate::event::Alert;
use crate::ids::Fingerprint;
use crate::incident::Incident;
use crate::reason::Reason;
use crate::state::{AlertRecord, Phase};
use crate::time::Timestamp;
use crate::turn::{Relevance, Turn};

impl Incident {
    /// Whether the incident is on its way out and the alert is none that it ends with.
    pub(crate) fn is_too_late_for(&self, alert: &Alert) -> bool {
        let known = self.alerts.get(&alert.fingerprint);
        let same = known.is_some_and(|known| known.ends_at.is_none() && known.starts_at == alert.starts_at);
        matches!(self.phase, Phase::Closing { .. }) && !same
    }

    /// Takes in an alert that fires, and why it belongs here.
    pub(crate) fn alert_firing(&mut self, alert: &Alert, why: Reason, turn: &mut Turn<'_>) -> Relevance {
        let now = turn.now;
        let full = self.alerts.len() >= turn.policy.alerts_per_incident;
        let (event, reason) = match self.alerts.get_mut(&alert.fingerprint) {
            // Of one that began later nobody told the end in between: its late end must not be taken for the end of this one.
            Some(record) if record.fires() && !record.suppressed && alert.starts_at <= record.starts_at => {
                record.heard_at = now;
                record.sender.clone_from(&alert.sender);
                (EntryKind::Ignored, Reason::Duplicate)
            }
            Some(record) => {
                record.ends_at = None;
                record.suppressed = false;
                record.starts_at = alert.starts_at;
                record.heard_at = now;
                record.sender.clone_from(&alert.sender);
                (EntryKind::Alert, why)
            }
            None if full => (EntryKind::Ignored, Reason::LimitReached),
            None => {
                let record = AlertRecord {
                    name: alert.name.clone(),
                    labels: alert.labels.clone(),
                    starts_at: alert.starts_at,
                    heard_at: now,
                    ends_at: None,
                    suppressed: false,
                    sender: alert.sender.clone(),
                };
                self.alerts.insert(alert.fingerprint.clone(), record);
                (EntryKind::Alert, why)
            }
        };
        if event == EntryKind::Alert {
            self.escalation.fired_again(now);
        }
        self.record(turn, event, reason, alert.name.as_str());
        Relevance::Current
    }

    /// Notes that an alert is silenced, inhibited or muted by now.
    pub(crate) fn alert_suppressed(&mut self, alert: &Alert, turn: &mut Turn<'_>) -> Relevance {
        let Some(record) = self.alerts.get_mut(&alert.fingerprint) else { return Relevance::Current };
        let known = std::mem::replace(&mut record.suppressed, true) && record.ends_at.is_none();
        record.ends_at = None;
        record.heard_at = turn.now;
        let event = if known { EntryKind::Ignored } else { EntryKind::Alert };
        self.record(turn, event, Reason::Suppressed, alert.name.as_str());
        Relevance::Current
    }

    /// Whether an alert fires again since the firing that began and ended at these times.
    pub(crate) fn has_begun_again(&self, fingerprint: &Fingerprint, starts_at: Timestamp, ends_at: Timestamp) -> bool {
        let present = self.alerts.get(fingerprint).filter(|record| record.fires());
        present.is_some_and(|record| starts_at < record.starts_at && ends_at < record.starts_at)
    }

    /// Whether alerts fire and Alertmanager keeps every one of them back.
    pub(crate) fn suppressed(&self) -> bool {
        let mut firing = self.alerts.values().filter(|alert| alert.ends_at.is_none()).peekable();
        firing.peek().is_some() && firing.all(|alert| alert.suppressed)
    }

    pub(crate) fn alert_resolved(
        &mut self,
        fingerprint: &Fingerprint,
        ends_at: Timestamp,
        reason: Reason,
        turn: &mut Turn<'_>,
    ) -> Relevance {
        let Some(record) = self.alerts.get_mut(fingerprint).filter(|record| record.ends_at.is_none()) else {
            return Relevance::Stale;
        };
        record.ends_at = Some(ends_at);
        let name = record.name.to_string();
        self.record(turn, EntryKind::Alert, reason, name);
        Relevance::Current
    }
}
