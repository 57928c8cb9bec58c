//! An incident as the API and the console show it. Conversions only, no decisions.

use std::collections::BTreeMap;

use serde::Serialize;
use vvtv_incident::{Channels, Incident, IncidentId, Policy, Runbook, Standing, StepState, Timestamp};

use crate::clock::rfc3339;
use crate::journal::{DeliveryRow, ExitCodes, IncidentRow, JournalError, Reader, TimelineRow};

/// An incident, as `GET /api/v1/incidents/ID` gives it.
#[derive(Debug, Serialize)]
pub(crate) struct IncidentView {
    pub(crate) id: u64,
    pub(crate) runbook: String,
    pub(crate) target: String,
    pub(crate) phase: String,
    pub(crate) reason: &'static str,
    pub(crate) opened_at: String,
    pub(crate) healthy_at: Option<String>,
    pub(crate) closed_at: Option<String>,
    pub(crate) level: Option<u8>,
    pub(crate) acked_by: Option<String>,
    pub(crate) held_by: Option<String>,
    pub(crate) awaits_approval: Option<String>,
    pub(crate) alerts: Vec<AlertView>,
    pub(crate) steps: Vec<StepView>,
    pub(crate) pages: Vec<PageView>,
    pub(crate) timeline: Vec<TimelineView>,
}

#[derive(Debug, Serialize)]
pub(crate) struct AlertView {
    pub(crate) fingerprint: String,
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// Absent where its sender did not know.
    pub(crate) starts_at: Option<String>,
    pub(crate) ends_at: Option<String>,
    pub(crate) suppressed: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct StepView {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) state: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) attempt: u32,
    pub(crate) started_at: Option<String>,
    pub(crate) finished_at: Option<String>,
    pub(crate) exit_code: Option<i32>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PageView {
    pub(crate) page: u32,
    pub(crate) level: u8,
    pub(crate) contact: String,
    pub(crate) channel: String,
    pub(crate) kind: String,
    pub(crate) due_at: String,
    pub(crate) sent_at: Option<String>,
    pub(crate) state: String,
    pub(crate) error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct TimelineView {
    pub(crate) at: String,
    pub(crate) event: String,
    pub(crate) reason: String,
    pub(crate) detail: String,
}

/// The next call of people, if nothing changes before.
#[derive(Debug)]
pub(crate) struct NextCall {
    pub(crate) level: u8,
    pub(crate) at: String,
    pub(crate) reason: &'static str,
}

pub(crate) fn next_call(incident: &Incident, plan: &Runbook, policy: &Policy, channels: &Channels) -> Option<NextCall> {
    if !incident.in_trouble() || incident.healthy_at.is_some() {
        return None;
    }
    let (level, at, reason) = incident.escalation.next_call(plan, policy, channels)?;
    Some(NextCall { level: level.get(), at: rfc3339(at), reason: reason.as_str() })
}

impl IncidentView {
    /// The step that runs, or the last one that did.
    pub(crate) fn current_step(&self) -> &str {
        let running = self.steps.iter().rfind(|step| step.state == "running");
        running.or_else(|| self.steps.iter().rfind(|step| step.finished_at.is_some())).map_or("–", |step| &step.id)
    }

    /// Who has it.
    pub(crate) fn in_hand_of(&self) -> &str {
        self.held_by.as_deref().or(self.acked_by.as_deref()).unwrap_or("nobody")
    }
}

/// Everything that is known of one incident.
pub(crate) async fn whole(reader: &Reader, id: IncidentId) -> Result<Option<IncidentView>, JournalError> {
    let Some(row) = reader.incident(id).await? else { return Ok(None) };
    let exits = reader.exit_codes(vec![id]).await?;
    let deliveries = reader.deliveries(id).await?;
    let timeline = reader.timeline(id).await?;
    Ok(Some(IncidentView {
        pages: deliveries.into_iter().map(page).collect(),
        timeline: timeline.into_iter().map(line).collect(),
        ..summary(&row, &exits)
    }))
}

/// What a list shows of an incident: all but its pages and its timeline.
pub(crate) fn summary(row: &IncidentRow, exits: &ExitCodes) -> IncidentView {
    let incident = &row.incident;
    let time = |at: Option<Timestamp>| at.map(rfc3339);
    IncidentView {
        id: incident.id.get(),
        runbook: incident.runbook.to_string(),
        target: incident.target.to_string(),
        phase: row.phase.clone(),
        reason: incident.reason.as_str(),
        opened_at: rfc3339(incident.opened_at),
        healthy_at: time(incident.healthy_at),
        closed_at: time(row.closed_at),
        level: incident.level().map(vvtv_incident::Level::get),
        acked_by: match &incident.escalation.standing {
            Standing::Open => None,
            Standing::InHand { by, .. } => Some(by.to_string()),
        },
        awaits_approval: incident.awaits_approval().map(ToString::to_string),
        held_by: incident.hold.as_ref().map(|hold| hold.by.to_string()),
        alerts: incident
            .alerts
            .iter()
            .map(|(fingerprint, alert)| AlertView {
                fingerprint: fingerprint.to_string(),
                name: alert.name.to_string(),
                labels: alert.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
                starts_at: time(Some(alert.starts_at).filter(|at| *at != Timestamp::default())),
                ends_at: time(alert.ends_at),
                suppressed: alert.suppressed,
            })
            .collect(),
        steps: incident
            .steps()
            .map(|record| {
                let last = exits.get(&(incident.id, record.id.clone(), record.attempts)).copied();
                StepView {
                    id: record.id.to_string(),
                    kind: record.kind.as_str(),
                    state: record.state.as_str(),
                    reason: record.reason.map(vvtv_incident::Reason::as_str),
                    attempt: record.attempts,
                    started_at: time(record.started_at),
                    finished_at: time(record.finished_at),
                    exit_code: last.filter(|_| record.state != StepState::Running),
                }
            })
            .collect(),
        pages: Vec::new(),
        timeline: Vec::new(),
    }
}

fn page(row: DeliveryRow) -> PageView {
    PageView {
        page: row.page,
        level: row.level,
        contact: row.contact,
        channel: row.channel,
        kind: row.kind,
        due_at: rfc3339(row.due_at),
        sent_at: row.sent_at.map(rfc3339),
        state: row.state,
        error: row.error,
    }
}

fn line(row: TimelineRow) -> TimelineView {
    TimelineView { at: rfc3339(row.at), event: row.event, reason: row.reason, detail: row.detail }
}
