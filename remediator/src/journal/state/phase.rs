//! Where an incident stands, and what keeps a step from running.

use serde::{Deserialize, Serialize};
use vvtv_incident::{Block, Phase, Stage};

use super::word::{MillisV1, ReasonV1, at};

/// Where an incident stands.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PhaseV1 {
    Working { cursor: usize, stage: StageV1 },
    Exhausted,
    Stabilising,
    Monitoring { until: MillisV1 },
    Restoring { step: usize, stage: StageV1 },
    Closing { reason: ReasonV1, give_up_at: MillisV1 },
    Closed { at: MillisV1 },
}

/// How far it is with a step.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StageV1 {
    Ready,
    AskedCondition { ticket: u64, give_up_at: MillisV1 },
    Deciding { since: MillisV1 },
    Blocked { by: BlockV1, retry_at: MillisV1 },
    AwaitingApproval { until: MillisV1 },
    Running { attempt: u32, deadline: MillisV1 },
    Settling { since: MillisV1, until: MillisV1 },
    Verifying { since: MillisV1, until: MillisV1 },
}

/// What keeps a step from running.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BlockV1 {
    Held,
    Paused,
    Maintenance,
    Suppressed,
    UnknownTarget,
    TargetUnverified,
    CauseOpen,
    Systemic,
    HealthUnknown,
    Settling,
    LockBusy,
    BudgetSpent,
    RunbookBudgetSpent,
}

impl From<&Phase> for PhaseV1 {
    fn from(phase: &Phase) -> Self {
        match phase {
            Phase::Working { cursor, stage } => Self::Working { cursor: *cursor, stage: stage.into() },
            Phase::Exhausted => Self::Exhausted,
            Phase::Stabilising => Self::Stabilising,
            Phase::Monitoring { until } => Self::Monitoring { until: until.millis() },
            Phase::Restoring { step, stage } => Self::Restoring { step: *step, stage: stage.into() },
            Phase::Closing { reason, give_up_at } => {
                Self::Closing { reason: ReasonV1(*reason), give_up_at: give_up_at.millis() }
            }
            Phase::Closed { at } => Self::Closed { at: at.millis() },
        }
    }
}

impl From<PhaseV1> for Phase {
    fn from(phase: PhaseV1) -> Self {
        match phase {
            PhaseV1::Working { cursor, stage } => Self::Working { cursor, stage: stage.into() },
            PhaseV1::Exhausted => Self::Exhausted,
            PhaseV1::Stabilising => Self::Stabilising,
            PhaseV1::Monitoring { until } => Self::Monitoring { until: at(until) },
            PhaseV1::Restoring { step, stage } => Self::Restoring { step, stage: stage.into() },
            PhaseV1::Closing { reason: ReasonV1(reason), give_up_at } => {
                Self::Closing { reason, give_up_at: at(give_up_at) }
            }
            PhaseV1::Closed { at: since } => Self::Closed { at: at(since) },
        }
    }
}

impl From<&Stage> for StageV1 {
    fn from(stage: &Stage) -> Self {
        match stage {
            Stage::Ready => Self::Ready,
            Stage::AskedCondition { ticket, give_up_at } => {
                Self::AskedCondition { ticket: *ticket, give_up_at: give_up_at.millis() }
            }
            Stage::Deciding { since } => Self::Deciding { since: since.millis() },
            Stage::Blocked { by, retry_at } => Self::Blocked { by: (*by).into(), retry_at: retry_at.millis() },
            Stage::AwaitingApproval { until } => Self::AwaitingApproval { until: until.millis() },
            Stage::Running { attempt, deadline } => Self::Running { attempt: *attempt, deadline: deadline.millis() },
            Stage::Settling { since, until } => Self::Settling { since: since.millis(), until: until.millis() },
            Stage::Verifying { since, until } => Self::Verifying { since: since.millis(), until: until.millis() },
        }
    }
}

impl From<StageV1> for Stage {
    fn from(stage: StageV1) -> Self {
        match stage {
            StageV1::Ready => Self::Ready,
            StageV1::AskedCondition { ticket, give_up_at } => {
                Self::AskedCondition { ticket, give_up_at: at(give_up_at) }
            }
            StageV1::Deciding { since } => Self::Deciding { since: at(since) },
            StageV1::Blocked { by, retry_at } => Self::Blocked { by: by.into(), retry_at: at(retry_at) },
            StageV1::AwaitingApproval { until } => Self::AwaitingApproval { until: at(until) },
            StageV1::Running { attempt, deadline } => Self::Running { attempt, deadline: at(deadline) },
            StageV1::Settling { since, until } => Self::Settling { since: at(since), until: at(until) },
            StageV1::Verifying { since, until } => Self::Verifying { since: at(since), until: at(until) },
        }
    }
}

impl From<Block> for BlockV1 {
    fn from(block: Block) -> Self {
        match block {
            Block::Held => Self::Held,
            Block::Paused => Self::Paused,
            Block::Maintenance => Self::Maintenance,
            Block::Suppressed => Self::Suppressed,
            Block::UnknownTarget => Self::UnknownTarget,
            Block::TargetUnverified => Self::TargetUnverified,
            Block::CauseOpen => Self::CauseOpen,
            Block::Systemic => Self::Systemic,
            Block::HealthUnknown => Self::HealthUnknown,
            Block::Settling => Self::Settling,
            Block::LockBusy => Self::LockBusy,
            Block::BudgetSpent => Self::BudgetSpent,
            Block::RunbookBudgetSpent => Self::RunbookBudgetSpent,
        }
    }
}

impl From<BlockV1> for Block {
    fn from(block: BlockV1) -> Self {
        match block {
            BlockV1::Held => Self::Held,
            BlockV1::Paused => Self::Paused,
            BlockV1::Maintenance => Self::Maintenance,
            BlockV1::Suppressed => Self::Suppressed,
            BlockV1::UnknownTarget => Self::UnknownTarget,
            BlockV1::TargetUnverified => Self::TargetUnverified,
            BlockV1::CauseOpen => Self::CauseOpen,
            BlockV1::Systemic => Self::Systemic,
            BlockV1::HealthUnknown => Self::HealthUnknown,
            BlockV1::Settling => Self::Settling,
            BlockV1::LockBusy => Self::LockBusy,
            BlockV1::BudgetSpent => Self::BudgetSpent,
            BlockV1::RunbookBudgetSpent => Self::RunbookBudgetSpent,
        }
    }
}
