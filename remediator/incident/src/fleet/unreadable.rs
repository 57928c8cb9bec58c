//! Incidents of which the shell cannot read what it kept: people's, with what is still known of them.

use std::collections::BTreeMap;

use super::Fleet;
use crate::command::EntryKind;
use crate::escalation::{Escalation, PageRecord};
use crate::health::HealthWatch;
use crate::ids::{Fingerprint, IncidentId, RunbookId, Target};
use crate::incident::Incident;
use crate::reason::Reason;
use crate::state::{AlertRecord, Phase, StepRecord};
use crate::time::Timestamp;
use crate::turn::{Decisions, Relevance, Turn};

/// What is still known of an open incident whose state cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its number.
    pub id: IncidentId,
    /// Which runbook was at work.
    pub runbook: RunbookId,
    /// What it acted on.
    pub target: Target,
    /// When it began.
    pub opened_at: Timestamp,
    /// Its alerts; none if they cannot be read either, and then nobody but a person can tell that they are over.
    pub alerts: BTreeMap<Fingerprint, AlertRecord>,
    /// The steps that were started, each as it was last.
    pub steps: Vec<StepRecord>,
    /// Every page, counted up from 1 without gaps.
    pub pages: Vec<PageRecord>,
    /// The state as it stands in the journal: text, never markup.
    pub text: String,
}

impl Fleet {
    /// Takes such an incident up. Nothing is run for it any more: what ran already, and how it was meant to go on, nobody can say.
    pub(super) fn take_up_unreadable(&mut self, found: Unreadable, out: &mut Decisions) {
        let (id, text, now) = (found.id, found.text.clone(), out.now);
        let mut incident = Incident::from(found);
        if self.incidents.contains_key(&id) || self.by_key.contains_key(&incident.key()) {
            return out.record(None, EntryKind::Ignored, Reason::Duplicate, id.to_string());
        }
        // A clock that was ahead may have written it.
        incident.opened_at = incident.opened_at.min(now);
        incident.escalation.since = now;
        incident.health = HealthWatch::new(now);
        self.take_up(incident, now);
        out.record(Some(id), EntryKind::Journal, Reason::Unreadable, text);
        self.with(id, out, |it, turn| it.left_unreadable(turn));
    }
}

/// As it stands before anybody is called: with people, and with nothing that is not known.
impl From<Unreadable> for Incident {
    fn from(found: Unreadable) -> Self {
        let Unreadable { id, runbook, target, opened_at, alerts, steps, pages, text: _ } = found;
        Self {
            id,
            runbook,
            target,
            opened_at,
            healthy_at: None,
            alerts,
            phase: Phase::Exhausted,
            reason: Reason::Unreadable,
            ladder: steps,
            restores: Vec::new(),
            retired: Vec::new(),
            settle_until: None,
            changes_stopped_by: None,
            relapses: 0,
            returned: 0,
            restore_next: 0,
            hold: None,
            aborted: true,
            escalation: Escalation { pages, ..Escalation::new(opened_at) },
            health: HealthWatch::new(opened_at),
            ticket: 0,
        }
    }
}

impl Incident {
    fn left_unreadable(&mut self, turn: &mut Turn<'_>) -> Relevance {
        self.kill_running(turn);
        self.enter(Phase::Exhausted, Reason::Unreadable, turn);
        if !self.resting(turn) && !self.waits_for_others(turn) {
            self.page_first_level(Reason::Unreadable, turn);
        }
        Relevance::Current
    }
}
