//! What a step runs, as the world sees it.

use vvtv_incident::{IncidentId, Outcome, StepId, Target, Timestamp};

/// A process in the world: it goes on when the shell dies.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) incident: IncidentId,
    pub(crate) step: StepId,
    pub(crate) attempt: u32,
    pub(crate) target: Target,
    pub(crate) change: bool,
    pub(crate) locks: Vec<String>,
    pub(crate) ends_at: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) heals: bool,
    pub(crate) orphan: bool,
}
