//! Where an incident stands, and what keeps a step from running.

use serde::{Deserialize, Serialize};
use vvtv_incident::{Block, Phase, Stage, StepMachine, StepRef};

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

/// How many of the steps that are kept in one row are the ladder's; after those each measure has two, its way back and its way in again.
#[derive(Clone, Copy)]
pub(super) struct Ladder(pub(super) usize);

impl Ladder {
    /// A step's place in that row.
    const fn index(self, at: StepRef) -> usize {
        match at {
            StepRef::Step(number) => number,
            StepRef::Apply(number) => self.0 + 2 * number,
            StepRef::Undo(number) => self.0 + 2 * number + 1,
        }
    }

    /// The place of a row's index among the measures.
    const fn measure(self, index: usize) -> StepRef {
        let after = index.saturating_sub(self.0);
        if after.is_multiple_of(2) { StepRef::Apply(after / 2) } else { StepRef::Undo(after / 2) }
    }
}

impl PhaseV1 {
    pub(super) fn of(phase: &Phase, ladder: Ladder) -> Self {
        match phase {
            Phase::Working(StepMachine { at, stage }) => {
                Self::Working { cursor: ladder.index(*at), stage: stage.into() }
            }
            Phase::Exhausted => Self::Exhausted,
            Phase::Stabilising => Self::Stabilising,
            Phase::Monitoring { until } => Self::Monitoring { until: until.millis() },
            Phase::Restoring(StepMachine { at, stage }) => {
                Self::Restoring { step: ladder.index(*at), stage: stage.into() }
            }
            Phase::Closing { reason, give_up_at } => {
                Self::Closing { reason: ReasonV1(*reason), give_up_at: give_up_at.millis() }
            }
            Phase::Closed { at } => Self::Closed { at: at.millis() },
        }
    }

    /// How many of the steps in a row are the ladder's.
    ///
    /// The row does not say where it ends. Only while measures are taken back does it matter before the runbook has been asked, and then the
    /// measure that is next tells it: whether its step is the way back or the way in again shows in how many steps come after it.
    pub(super) fn ladder(&self, steps: usize, restore_next: usize) -> Ladder {
        let Self::Restoring { step, .. } = self else { return Ladder(steps) };
        let is_undo = steps.saturating_sub(*step) % 2;
        match step.checked_sub(is_undo) {
            Some(apply) if *step < steps => Ladder(apply - 2 * restore_next.min(apply / 2)),
            Some(_) | None => Ladder(steps),
        }
    }

    pub(super) fn into_phase(self, ladder: Ladder) -> Phase {
        match self {
            Self::Working { cursor, stage } => {
                Phase::Working(StepMachine { at: StepRef::Step(cursor), stage: stage.into() })
            }
            Self::Exhausted => Phase::Exhausted,
            Self::Stabilising => Phase::Stabilising,
            Self::Monitoring { until } => Phase::Monitoring { until: at(until) },
            Self::Restoring { step, stage } => {
                Phase::Restoring(StepMachine { at: ladder.measure(step), stage: stage.into() })
            }
            Self::Closing { reason: ReasonV1(reason), give_up_at } => {
                Phase::Closing { reason, give_up_at: at(give_up_at) }
            }
            Self::Closed { at: since } => Phase::Closed { at: at(since) },
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
