//! An incident's alerts: heard of, heard of again, gone.

use crate::command::Happening;
use crate::context::Out;
use crate::event::Alert;
use crate::ids::Fingerprint;
use crate::incident::Incident;
use crate::reason::Reason;
use crate::state::AlertRecord;
use crate::time::Timestamp;

impl Incident {
    pub(crate) fn alert_firing(&mut self, alert: &Alert, limit: usize, now: Timestamp, out: &mut Out) {
        let full = self.alerts.len() >= limit;
        let reason = match self.alerts.get_mut(&alert.fingerprint) {
            Some(record) if record.ends_at.is_none() => {
                record.heard_at = now;
                Reason::Duplicate
            }
            Some(record) => {
                record.ends_at = None;
                record.starts_at = alert.starts_at;
                record.heard_at = now;
                Reason::AlertFiring
            }
            None if full => Reason::LimitReached,
            None => {
                let record = AlertRecord {
                    name: alert.name.clone(),
                    labels: alert.labels.clone(),
                    starts_at: alert.starts_at,
                    heard_at: now,
                    ends_at: None,
                };
                self.alerts.insert(alert.fingerprint.clone(), record);
                Reason::AlertFiring
            }
        };
        let event = if reason == Reason::AlertFiring { Happening::Alert } else { Happening::Ignored };
        self.record(out, event, reason, alert.name.as_str());
    }

    pub(crate) fn alert_resolved(
        &mut self,
        fingerprint: &Fingerprint,
        ends_at: Timestamp,
        reason: Reason,
        out: &mut Out,
    ) -> bool {
        let Some(record) = self.alerts.get_mut(fingerprint).filter(|record| record.ends_at.is_none()) else {
            return false;
        };
        record.ends_at = Some(ends_at);
        let name = record.name.to_string();
        self.record(out, Happening::Alert, reason, name);
        true
    }
}
