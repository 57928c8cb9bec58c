//! What became of steps.

use serde::{Deserialize, Serialize};
use vvtv_incident::{Person, StepId, StepKind, StepRecord, StepState, Timestamp};

use super::word::{MillisV1, ReasonV1, at};

/// What became of a step.
#[derive(Serialize, Deserialize)]
pub(super) struct StepV1 {
    id: String,
    change: bool,
    state: StepStateV1,
    reason: Option<ReasonV1>,
    attempts: u32,
    #[serde(default)]
    not_run: u32,
    started_at: Option<MillisV1>,
    finished_at: Option<MillisV1>,
    approved_by: Option<String>,
}

/// How a step stands.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StepStateV1 {
    Pending,
    Skipped,
    Running,
    Ok,
    Failed,
    Timeout,
    Unknown,
}

impl From<&StepRecord> for StepV1 {
    fn from(record: &StepRecord) -> Self {
        let StepRecord { id, kind, state, reason, attempts, not_run, started_at, finished_at, approved_by } = record;
        Self {
            id: id.to_string(),
            change: is_change(*kind),
            state: (*state).into(),
            reason: reason.map(ReasonV1),
            attempts: *attempts,
            not_run: *not_run,
            started_at: started_at.map(Timestamp::millis),
            finished_at: finished_at.map(Timestamp::millis),
            approved_by: approved_by.as_ref().map(Person::to_string),
        }
    }
}

impl From<StepV1> for StepRecord {
    fn from(step: StepV1) -> Self {
        let StepV1 { id, change, state, reason, attempts, not_run, started_at, finished_at, approved_by } = step;
        Self {
            id: StepId::new(id),
            kind: if change { StepKind::Change } else { StepKind::Diagnose },
            state: state.into(),
            reason: reason.map(|ReasonV1(reason)| reason),
            attempts,
            not_run,
            started_at: started_at.map(at),
            finished_at: finished_at.map(at),
            approved_by: approved_by.map(Person::new),
        }
    }
}

/// A kind beside these two needs a field of its own.
const fn is_change(kind: StepKind) -> bool {
    match kind {
        StepKind::Change => true,
        StepKind::Diagnose => false,
    }
}

impl From<StepState> for StepStateV1 {
    fn from(state: StepState) -> Self {
        match state {
            StepState::Pending => Self::Pending,
            StepState::Skipped => Self::Skipped,
            StepState::Running => Self::Running,
            StepState::Ok => Self::Ok,
            StepState::Failed => Self::Failed,
            StepState::Timeout => Self::Timeout,
            StepState::Unknown => Self::Unknown,
        }
    }
}

impl From<StepStateV1> for StepState {
    fn from(state: StepStateV1) -> Self {
        match state {
            StepStateV1::Pending => Self::Pending,
            StepStateV1::Skipped => Self::Skipped,
            StepStateV1::Running => Self::Running,
            StepStateV1::Ok => Self::Ok,
            StepStateV1::Failed => Self::Failed,
            StepStateV1::Timeout => Self::Timeout,
            StepStateV1::Unknown => Self::Unknown,
        }
    }
}
