//! Questions about the past: which changes were made, which were only decided, and when health came back.

use vvtv_incident::{IncidentId, RunbookId, StepId, Timestamp};

use super::JournalError;
use super::load::{incident_id, text, timestamp};
use super::read::{Reader, rows};

/// The most changes that are looked back at.
const CHANGES_MAX: i64 = 100_000;

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastChange {
    /// Whose step it is.
    pub runbook: RunbookId,
    /// The step.
    pub step: StepId,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended, if it did.
    pub finished_at: Option<Timestamp>,
    /// When the target was next found to have become healthy, unless another change was started before.
    pub healthy_at: Option<Timestamp>,
}

/// A change that was decided on and not made, or not at once: in shadow mode, or because it waited for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldChange {
    /// In which incident.
    pub incident: IncidentId,
    /// Whose step it is.
    pub runbook: RunbookId,
    /// On what.
    pub target: String,
    /// The step.
    pub step: String,
    /// Why it was not made: `shadow`, `approval_needed` or `efficacy_low`.
    pub reason: String,
    /// When it would have been made.
    pub at: Timestamp,
    /// When the target was next found to have become healthy.
    pub healthy_at: Option<Timestamp>,
    /// When the first change after it was started in the incident.
    pub changed_at: Option<Timestamp>,
}

impl Reader {
    /// Every change that was started since then, newest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn changes(&self, since: Timestamp) -> Result<Vec<PastChange>, JournalError> {
        const DOING: &str = "look back at changes";
        // A change is credited with health that came back before the next one was started.
        let sql = format!(
            "SELECT runbook, step, intent_at, finished_at,
                 (SELECT min(at) FROM timeline WHERE incident_id = run.incident_id AND event = 'health'
                      AND reason = 'healthy' AND at >= run.intent_at AND at <= coalesce(
                          (SELECT min(intent_at) FROM step_run AS later WHERE later.incident_id = run.incident_id
                               AND later.change = 1 AND later.state != 'not_run' AND later.intent_at > run.intent_at), 9e18))
             FROM step_run AS run JOIN incident ON incident.id = run.incident_id
             WHERE change = 1 AND run.state != 'not_run' AND intent_at >= ?1 ORDER BY intent_at DESC LIMIT {CHANGES_MAX}"
        );
        self.ask(DOING, move |connection| {
            rows(connection, DOING, &sql, number_of(since), |row| {
                Ok(PastChange {
                    runbook: RunbookId::new(row.get::<_, String>(0)?),
                    step: StepId::new(row.get::<_, String>(1)?),
                    started_at: timestamp(row.get(2)?),
                    finished_at: row.get::<_, Option<i64>>(3)?.map(timestamp),
                    healthy_at: row.get::<_, Option<i64>>(4)?.map(timestamp),
                })
            })
        })
        .await
    }

    /// Every change that was decided on since then and not made, or not at once, oldest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn held_changes(&self, since: Timestamp) -> Result<Vec<HeldChange>, JournalError> {
        const DOING: &str = "look back at changes that were not made";
        let sql = format!(
            "SELECT incident_id, runbook, target, detail, line.reason, at,
                 (SELECT min(at) FROM timeline WHERE incident_id = line.incident_id AND event = 'health'
                      AND reason = 'healthy' AND id > line.id),
                 (SELECT min(intent_at) FROM step_run WHERE incident_id = line.incident_id AND change = 1
                      AND state != 'not_run' AND intent_at >= line.at)
             FROM timeline AS line JOIN incident ON incident.id = line.incident_id
             WHERE line.at >= ?1 AND ((event = 'step_skipped' AND line.reason = 'shadow')
                 OR (event = 'blocked' AND line.reason IN ('approval_needed', 'efficacy_low')))
             ORDER BY line.id LIMIT {CHANGES_MAX}"
        );
        self.ask(DOING, move |connection| {
            rows(connection, DOING, &sql, number_of(since), |row| {
                let detail = text(row, 3)?;
                Ok(HeldChange {
                    incident: incident_id(row.get(0)?),
                    runbook: RunbookId::new(row.get::<_, String>(1)?),
                    target: row.get(2)?,
                    step: detail.split(':').next().unwrap_or_default().to_owned(),
                    reason: row.get(4)?,
                    at: timestamp(row.get(5)?),
                    healthy_at: row.get::<_, Option<i64>>(6)?.map(timestamp),
                    changed_at: row.get::<_, Option<i64>>(7)?.map(timestamp),
                })
            })
        })
        .await
    }
}

fn number_of(at: Timestamp) -> i64 {
    i64::try_from(at.millis()).unwrap_or(i64::MAX)
}
