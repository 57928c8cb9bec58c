//! Incidents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vvtv_incident::{
    AlertRecord, Fingerprint, HealthWatch, Hold, Incident, IncidentId, Person, RestoreRecord, RunbookId, StepId,
    StepRecord, Target, Timestamp,
};

use super::Kept;
use super::alert::AlertV1;
use super::escalation::EscalationV1;
use super::phase::{Ladder, PhaseV1};
use super::step::StepV1;
use super::word::{MillisV1, ReasonV1, at};

/// An incident. What is known of health is not kept: it is asked anew after a restart.
#[derive(Serialize, Deserialize)]
pub(in crate::journal) struct IncidentV1 {
    id: u64,
    runbook: String,
    target: String,
    opened_at: MillisV1,
    healthy_at: Option<MillisV1>,
    alerts: BTreeMap<String, AlertV1>,
    phase: PhaseV1,
    reason: ReasonV1,
    steps: Vec<StepV1>,
    #[serde(default)]
    retired: Vec<StepV1>,
    settle_until: Option<MillisV1>,
    changes_stopped_by: Option<String>,
    relapses: u32,
    #[serde(default)]
    returned: u32,
    restore_next: usize,
    hold: Option<HoldV1>,
    #[serde(default)]
    aborted: bool,
    escalation: EscalationV1,
}

/// A person's hold.
#[derive(Serialize, Deserialize)]
struct HoldV1 {
    by: String,
    at: MillisV1,
}

/// The alerts alone, of a state of which something else cannot be read.
#[derive(Deserialize)]
struct AlertsV1 {
    alerts: BTreeMap<String, AlertV1>,
}

/// The alerts of an incident whose state cannot be read; none if they cannot be read either.
pub(in crate::journal) fn alerts_of(text: &str) -> BTreeMap<Fingerprint, AlertRecord> {
    let alerts = serde_json::from_str(text).map_or_else(|_| BTreeMap::new(), |AlertsV1 { alerts }| alerts);
    alerts.into_iter().map(|(of, alert)| (Fingerprint::new(of), alert.into())).collect()
}

impl Kept for Incident {
    type Wire = IncidentV1;
}

impl From<&Incident> for IncidentV1 {
    fn from(incident: &Incident) -> Self {
        let Incident {
            id,
            runbook,
            target,
            opened_at,
            healthy_at,
            alerts,
            phase,
            reason,
            ladder,
            restores: _,
            retired,
            settle_until,
            changes_stopped_by,
            relapses,
            returned,
            restore_next,
            hold,
            aborted,
            escalation,
            health: _,
            ticket: _,
        } = incident;
        Self {
            id: id.get(),
            runbook: runbook.to_string(),
            target: target.to_string(),
            opened_at: opened_at.millis(),
            healthy_at: healthy_at.map(Timestamp::millis),
            alerts: alerts.iter().map(|(fingerprint, alert)| (fingerprint.to_string(), alert.into())).collect(),
            phase: PhaseV1::of(phase, Ladder(ladder.len())),
            reason: ReasonV1(*reason),
            steps: incident.steps().map(Into::into).collect(),
            retired: retired.iter().map(Into::into).collect(),
            settle_until: settle_until.map(Timestamp::millis),
            changes_stopped_by: changes_stopped_by.as_ref().map(StepId::to_string),
            relapses: *relapses,
            returned: *returned,
            restore_next: *restore_next,
            hold: hold.as_ref().map(|Hold { by, at }| HoldV1 { by: by.to_string(), at: at.millis() }),
            aborted: *aborted,
            escalation: escalation.into(),
        }
    }
}

impl From<IncidentV1> for Incident {
    fn from(incident: IncidentV1) -> Self {
        let IncidentV1 {
            id,
            runbook,
            target,
            opened_at,
            healthy_at,
            alerts,
            phase,
            reason: ReasonV1(reason),
            steps,
            retired,
            settle_until,
            changes_stopped_by,
            relapses,
            returned,
            restore_next,
            hold,
            aborted,
            escalation,
        } = incident;
        let places = phase.ladder(steps.len(), restore_next);
        let mut ladder: Vec<StepRecord> = steps.into_iter().map(Into::into).collect();
        let restores = restores(ladder.split_off(places.0));
        Self {
            id: IncidentId::new(id),
            runbook: RunbookId::new(runbook),
            target: Target::new(target),
            opened_at: at(opened_at),
            healthy_at: healthy_at.map(at),
            alerts: alerts.into_iter().map(|(of, alert)| (Fingerprint::new(of), alert.into())).collect(),
            phase: phase.into_phase(places),
            reason,
            ladder,
            restores,
            retired: retired.into_iter().map(Into::into).collect(),
            settle_until: settle_until.map(at),
            changes_stopped_by: changes_stopped_by.map(StepId::new),
            relapses,
            returned,
            restore_next,
            hold: hold.map(|HoldV1 { by, at: since }| Hold { by: Person::new(by), at: at(since) }),
            aborted,
            escalation: escalation.into(),
            health: HealthWatch::default(),
            ticket: 0,
        }
    }
}

/// Each measure's way back and its way in again.
fn restores(steps: Vec<StepRecord>) -> Vec<RestoreRecord> {
    let mut steps = steps.into_iter();
    std::iter::from_fn(|| Some(RestoreRecord { apply: steps.next()?, undo: steps.next()? })).collect()
}
