//! What keeps steps from running: gates that hold for every step, limits that hold for changes, and the wait for their end.

use crate::command::{Command, EntryKind};
use crate::health::Health;
use crate::ids::LockName;
use crate::incident::Incident;
use crate::runbook::{Kind, Step};
use crate::state::{Block, BlockKind, Phase, Stage, StepRef};
use crate::step_machine::{RETRY, StepOutcome};
use crate::targets::Standing;
use crate::time::Timestamp;
use crate::turn::{Systemic, Turn, lock_for};

impl Incident {
    /// What keeps every step, reading ones too, from running.
    pub(crate) fn blocked_by_others(&self, turn: &Turn<'_>) -> Option<Block> {
        if self.hold.is_some() {
            Some(Block::Held)
        } else if turn.paused {
            Some(Block::Paused)
        } else if turn.maintenance {
            Some(Block::Maintenance)
        } else if self.suppressed() {
            Some(Block::Suppressed)
        } else if turn.standing == Standing::Unknown {
            Some(Block::UnknownTarget)
        } else if turn.standing == Standing::Unverified {
            Some(Block::TargetUnverified)
        } else if turn.cause.is_some() {
            Some(Block::CauseOpen)
        } else {
            None
        }
    }

    /// What keeps a change from running although the target needs it.
    pub(crate) fn blocked_by_limits(&self, step: &Step, turn: &Turn<'_>) -> Option<Block> {
        if turn.systemic != Systemic::No {
            Some(Block::Systemic)
        } else if self.settle_until.is_some_and(|until| turn.now < until) {
            Some(Block::Settling)
        } else if self.busy(step, turn) {
            Some(Block::LockBusy)
        } else if !turn.budget.allows(turn.now, turn.policy.changes_per_hour) {
            Some(Block::BudgetSpent)
        } else if turn
            .runbook
            .changes_per_hour
            .is_some_and(|most| !turn.budget.allows_runbook(turn.now, &self.runbook, most))
        {
            Some(Block::RunbookBudgetSpent)
        } else {
            None
        }
    }

    pub(crate) fn busy(&self, step: &Step, turn: &Turn<'_>) -> bool {
        turn.running.busy(self.id, &self.target, &self.locks(step), turn.policy.concurrent_changes)
    }

    pub(crate) fn locks(&self, step: &Step) -> Vec<LockName> {
        match &step.kind {
            Kind::Diagnose { .. } => Vec::new(),
            Kind::Change { locks, .. } => locks.iter().map(|lock| lock_for(lock, &self.target)).collect(),
        }
    }

    /// Waits for the end of something that keeps the step from running.
    pub(crate) fn block(&mut self, at: StepRef, by: Block, turn: &mut Turn<'_>) -> StepOutcome {
        self.set_stage(Stage::Blocked { by, retry_at: turn.now + RETRY });
        if let Some(record) = self.step_mut(at) {
            // An approval is for what the person saw; what waits longer is asked about again.
            record.approved_by = None;
        }
        let reason = by.reason();
        self.reason = reason;
        let mut detail = self.step_name(at);
        if let (Block::CauseOpen, Some(cause)) = (by, turn.cause) {
            detail = format!("{detail}: {cause}");
        }
        self.record(turn, EntryKind::Blocked, reason, detail);
        match by.kind() {
            BlockKind::Target if by == Block::TargetUnverified => turn.push(Command::AskTargets),
            BlockKind::Systemic if turn.systemic == Systemic::Caller => self.page_first_level_once(reason, turn),
            // A measure that cannot be taken back yet is no trouble: the target is healthy.
            BlockKind::Budget if self.in_trouble() => self.budget_is_spent(reason, turn),
            BlockKind::Others
            | BlockKind::Target
            | BlockKind::Systemic
            | BlockKind::Budget
            | BlockKind::Health
            | BlockKind::Moment => {}
        }
        StepOutcome::Blocked
    }

    /// Looks again at what blocks, given what would block now and whether the step is needed whatever health says; only a change of the
    /// cause is written down.
    pub(crate) fn look_again(&mut self, by: Block, now: Option<Block>, needed: bool, turn: &Turn<'_>) -> StepOutcome {
        let health = self.health.health();
        let still = match by.kind() {
            BlockKind::Health => matches!(health, Health::Unknown { .. }),
            BlockKind::Others | BlockKind::Target => now == Some(by),
            BlockKind::Systemic | BlockKind::Budget | BlockKind::Moment => {
                now == Some(by) && (needed || !matches!(health, Health::Healthy { .. }))
            }
        };
        if still {
            self.set_stage(Stage::Blocked { by, retry_at: turn.now + RETRY });
            return StepOutcome::Waiting;
        }
        // Facts may have changed while it waited, so the step is looked at from the beginning.
        self.enter_stage(Stage::Ready)
    }

    /// Makes the next look at what blocks due now.
    pub(crate) const fn hurry(&mut self, now: Timestamp) {
        if let Phase::Working(machine) | Phase::Restoring(machine) = &mut self.phase
            && let Stage::Blocked { retry_at, .. } = &mut machine.stage
        {
            *retry_at = now;
        }
    }
}
