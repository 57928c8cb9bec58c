//! What deliveries and Alertmanager's own list mean for each other.

use std::collections::BTreeSet;

use super::Fleet;
use crate::command::{Command, EntryKind};
use crate::event::Alert;
use crate::ids::Fingerprint;
use crate::listed::{Muting, Scope, Sender};
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::turn::Decisions;

impl Fleet {
    /// Remembers what a delivery names, before anything is decided about it: the list may go on with it.
    pub(super) fn note_named(&mut self, alert: &Alert, out: &mut Decisions) {
        if alert.sender == Sender::Other || !self.named.fires(&alert.fingerprint, out.now) {
            return;
        }
        out.push(Command::NoteNamed { fingerprint: alert.fingerprint.clone(), at: Some(out.now) });
        while let Some((fingerprint, too_many)) = self.named.forget_one(out.now) {
            if too_many {
                let detail = format!("alerts that deliveries have named: {fingerprint} is forgotten");
                out.record(None, EntryKind::Ignored, Reason::LimitReached, detail);
            }
            out.push(Command::NoteNamed { fingerprint, at: None });
        }
    }

    /// An alert that Alertmanager lists and does not keep back.
    pub(super) fn alert_listed(&mut self, alert: Alert, muting: Muting, out: &mut Decisions) {
        let forbidden = match muting.forbids(alert.starts_at, out.now) {
            Some(_) if self.goes_on(&alert.fingerprint) || self.named.holds(&alert.fingerprint, out.now) => None,
            forbidden => forbidden,
        };
        match forbidden {
            None => self.alert_firing(alert, out),
            Some(reason) => out.record(None, EntryKind::Ignored, reason, alert.name.to_string()),
        }
    }

    /// Whether an open incident has it and has not heard of its end.
    fn goes_on(&self, fingerprint: &Fingerprint) -> bool {
        let incident = self.by_alert.get(fingerprint).and_then(|id| self.incidents.get(id));
        incident.and_then(|it| it.alerts.get(fingerprint)).is_some_and(|alert| alert.ends_at.is_none())
    }

    /// A message says that an alert is over. One about an earlier firing, late as it may be, says nothing about the present one.
    pub(super) fn told_resolved(
        &mut self,
        fingerprint: &Fingerprint,
        starts_at: Timestamp,
        ends_at: Option<Timestamp>,
        out: &mut Decisions,
    ) {
        let ends_at = ends_at.unwrap_or(out.now);
        let id = self.by_alert.get(fingerprint).copied();
        let earlier = id
            .and_then(|id| self.incidents.get(&id))
            .is_some_and(|it| it.has_begun_again(fingerprint, starts_at, ends_at));
        if earlier {
            out.record(id, EntryKind::Ignored, Reason::EarlierEpisode, fingerprint.to_string());
            return;
        }
        if self.named.ends(fingerprint) {
            out.push(Command::NoteNamed { fingerprint: fingerprint.clone(), at: None });
        }
        self.alert_resolved(fingerprint, ends_at, Reason::AlertResolved, out);
    }

    /// Alerts that a list would have if they stood, and has not, are over.
    pub(super) fn reconciled(
        &mut self,
        active: &[Fingerprint],
        scope: &Scope,
        asked_at: Timestamp,
        out: &mut Decisions,
    ) {
        let active: BTreeSet<_> = active.iter().collect();
        let missing: Vec<_> = self
            .incidents
            .values()
            .flat_map(|incident| &incident.alerts)
            .filter(|(fingerprint, alert)| {
                alert.ends_at.is_none()
                    && alert.heard_at < asked_at
                    && scope.covers(&alert.sender)
                    && !active.contains(fingerprint)
            })
            .map(|(fingerprint, _)| fingerprint.clone())
            .collect();
        for fingerprint in missing {
            self.alert_resolved(&fingerprint, out.now, Reason::ResolvedUnheard, out);
        }
    }
}
