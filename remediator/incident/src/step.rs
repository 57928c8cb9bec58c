//! One step's machine, the same for the ladder and for recovery: asked about, decided, blocked, approved, run, given up on.
//!
//! What a step's end means, and what comes after it, is the business of `ladder` and `recovery`.

use std::time::Duration;

use crate::command::{Command, Happening};
use crate::efficacy::Efficacy;
use crate::event::{Answer, Outcome};
use crate::health::Health;
use crate::ids::{LockName, StepId};
use crate::incident::{Flow, Incident};
use crate::policy::Mode;
use crate::reason::Reason;
use crate::recovery::is_undo;
use crate::runbook::{Kind, Step};
use crate::state::{Block, Phase, Stage, StepState};
use crate::targets::Standing;
use crate::time::Timestamp;
use crate::turn::{Relevance, Systemic, Turn, lock_for};

/// How long after a step's timeout the shell may take to report its end.
const REPORT_GRACE: Duration = Duration::from_secs(30);
/// Time between two looks at something that blocks.
const RETRY: Duration = Duration::from_secs(1);

impl Incident {
    /// Goes on with the step that the incident is at.
    pub(crate) fn attend(&mut self, index: usize, step: &Step, stage: Stage, turn: &mut Turn<'_>) -> Flow {
        if self.waits_for_its_target()
            && self.steps.iter().all(|record| record.runs() == 0)
            && let Some(flow) = self.unclaimed(turn)
        {
            return flow;
        }
        match stage {
            Stage::AskedCondition { give_up_at: until, .. }
            | Stage::Blocked { retry_at: until, .. }
            | Stage::AwaitingApproval { until }
            | Stage::Running { deadline: until, .. }
                if turn.now < until =>
            {
                Flow::Wait
            }
            Stage::Ready => self.look_at(index, step, turn),
            Stage::AskedCondition { ticket, .. } => {
                let _: Relevance =
                    self.condition_answered(&step.id, ticket, Answer::Error("no answer".to_owned()), turn);
                Flow::Again
            }
            Stage::Deciding { since } if self.restores() => self.decide_restore(index, step, since, turn),
            Stage::Deciding { since } => self.decide(index, step, since, turn),
            Stage::Blocked { by, .. } => self.blocked(index, step, by, turn),
            Stage::AwaitingApproval { .. } => self.skip(index, Reason::ApprovalExpired, turn),
            Stage::Running { attempt, .. } => {
                turn.push(Command::KillStep { incident: self.id, step: step.id.clone(), attempt });
                let _: Relevance = self.step_finished(&step.id, attempt, &Outcome::Unknown, turn);
                Flow::Again
            }
            Stage::Settling { since, until } | Stage::Verifying { since, until } if self.restores() => {
                self.watch_restore(index, (since, until), turn)
            }
            Stage::Settling { since, until } => self.settle(index, since, until, turn),
            Stage::Verifying { since, until } => self.verify(index, step, (since, until), turn),
        }
    }

    /// Whether the step that it is at takes a measure back, or puts one in place again.
    const fn restores(&self) -> bool {
        matches!(self.phase, Phase::Restoring { .. })
    }

    /// Is at a step of the same phase.
    pub(crate) fn at(&mut self, index: usize, stage: Stage) -> Flow {
        self.phase = if self.restores() {
            Phase::Restoring { step: index, stage }
        } else {
            Phase::Working { cursor: index, stage }
        };
        Flow::Again
    }

    fn look_at(&mut self, index: usize, step: &Step, turn: &mut Turn<'_>) -> Flow {
        let block = if self.restores() { self.blocked_by(index, step, turn) } else { self.blocked_by_others(turn) };
        if let Some(block) = block {
            return self.block(index, block, turn);
        }
        let Some(record) = self.steps.get(index) else { return self.at(index + 1, Stage::Ready) };
        let stopped = !self.restores() && step.is_change() && self.changes_stopped_by.is_some();
        let reason = match record.state {
            StepState::Pending if record.runs() >= step.attempts_max(turn.policy) => Some(Reason::AttemptsUsed),
            StepState::Pending if stopped => Some(Reason::EarlierFailed),
            StepState::Pending => None,
            StepState::Skipped
            | StepState::Running
            | StepState::Ok
            | StepState::Failed
            | StepState::Timeout
            | StepState::Unknown => Some(Reason::AlreadyRan),
        };
        if let Some(reason) = reason {
            return self.skip(index, reason, turn);
        }
        if step.conditional {
            self.ticket += 1;
            let ticket = self.ticket;
            turn.push(Command::AskCondition { incident: self.id, step: step.id.clone(), ticket });
            // The shell has a shorter limit of its own; this one only keeps a lost answer from stopping the steps.
            let give_up_at = turn.now + turn.policy.health_timeout * 3;
            return self.at(index, Stage::AskedCondition { ticket, give_up_at });
        }
        self.condition_holds(index, step, turn)
    }

    fn condition_holds(&mut self, index: usize, step: &Step, turn: &mut Turn<'_>) -> Flow {
        match step.kind {
            Kind::Diagnose { known_to_read: true, .. } => self.start(index, step, Reason::NextStep, turn),
            // What hurts is put right without asking again.
            Kind::Change { .. } if is_undo(index, turn) => self.start(index, step, Reason::RestoreHurt, turn),
            Kind::Diagnose { known_to_read: false, .. } | Kind::Change { .. } => {
                self.at(index, Stage::Deciding { since: turn.now })
            }
        }
    }

    /// Takes the answer to a question about a condition.
    pub(crate) fn condition_answered(
        &mut self,
        step: &StepId,
        ticket: u64,
        answer: Answer,
        turn: &mut Turn<'_>,
    ) -> Relevance {
        let index = match self.phase.step() {
            Some((index, Stage::AskedCondition { ticket: open, .. })) if *open == ticket => index,
            Some(_) | None => return Relevance::Stale,
        };
        let Some(spec) = turn.runbook.all_steps().nth(index).filter(|spec| spec.id == *step) else {
            return Relevance::Stale;
        };
        match answer {
            Answer::Yes => self.condition_holds(index, spec, turn),
            Answer::No => self.skip(index, Reason::ConditionFalse, turn),
            Answer::Error(message) => self.skip_with(index, Reason::ConditionError, &message, turn),
        };
        Relevance::Current
    }

    /// Health allows a change and nothing blocks it: does it run, wait for a person, or stay on paper?
    pub(crate) fn may_act(&mut self, index: usize, step: &Step, reason: Reason, turn: &mut Turn<'_>) -> Flow {
        if let Some(block) = self.blocked_by(index, step, turn) {
            return self.block(index, block, turn);
        }
        let approved = self.steps.get(index).is_some_and(|record| record.approved_by.is_some());
        match (turn.mode(), turn.helped_too_seldom(step)) {
            (Mode::Shadow, _) => self.skip(index, Reason::Shadow, turn),
            (Mode::Act, Some(Efficacy { runs, helped })) if !approved => {
                let why = format!(": helped {helped} of {runs}");
                self.ask_approval(index, (Reason::EfficacyLow, &why), turn)
            }
            (Mode::Approve, _) if !approved => self.ask_approval(index, (Reason::ApprovalNeeded, ""), turn),
            (Mode::Act | Mode::Approve, _) => self.start(index, step, reason, turn),
        }
    }

    fn ask_approval(&mut self, index: usize, (reason, why): (Reason, &str), turn: &mut Turn<'_>) -> Flow {
        let until = turn.now + turn.policy.approval_expires;
        self.at(index, Stage::AwaitingApproval { until });
        let step = self.step_name(index);
        self.reason = reason;
        self.record(turn, Happening::Blocked, reason, format!("{step}{why}"));
        // A measure that could be taken back is no trouble: the target is healthy.
        if !self.restores() {
            self.trouble(reason, turn);
        }
        Flow::Wait
    }

    /// What keeps every step, reading ones too, from running.
    fn blocked_by_others(&self, turn: &Turn<'_>) -> Option<Block> {
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
    fn blocked_by_limits(&self, step: &Step, turn: &Turn<'_>) -> Option<Block> {
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

    fn busy(&self, step: &Step, turn: &Turn<'_>) -> bool {
        turn.running.busy(self.id, &self.target, &self.locks(step), turn.policy.concurrent_changes)
    }

    /// What keeps a change from running. Undoing a hurt waits neither for budgets nor for a cause that the hurt may be, yet never
    /// collides with another change.
    fn blocked_by(&self, index: usize, step: &Step, turn: &Turn<'_>) -> Option<Block> {
        match self.blocked_by_others(turn) {
            None | Some(Block::CauseOpen) if is_undo(index, turn) => self.busy(step, turn).then_some(Block::LockBusy),
            other => other.or_else(|| self.blocked_by_limits(step, turn)),
        }
    }

    pub(crate) fn locks(&self, step: &Step) -> Vec<LockName> {
        match &step.kind {
            Kind::Diagnose { .. } => Vec::new(),
            Kind::Change { locks, .. } => locks.iter().map(|lock| lock_for(lock, &self.target)).collect(),
        }
    }

    pub(crate) fn block(&mut self, index: usize, by: Block, turn: &mut Turn<'_>) -> Flow {
        self.at(index, Stage::Blocked { by, retry_at: turn.now + RETRY });
        if let Some(record) = self.steps.get_mut(index) {
            // An approval is for what the person saw; what waits longer is asked about again.
            record.approved_by = None;
        }
        let reason = by.reason();
        self.reason = reason;
        let mut detail = self.step_name(index);
        if let (Block::CauseOpen, Some(cause)) = (by, turn.cause) {
            detail = format!("{detail}: {cause}");
        }
        self.record(turn, Happening::Blocked, reason, detail);
        match by {
            Block::TargetUnverified => turn.push(Command::AskTargets),
            Block::Systemic if turn.systemic == Systemic::Caller => self.trouble_lasts(reason, turn),
            // A measure that cannot be taken back yet is no trouble: the target is healthy.
            Block::BudgetSpent | Block::RunbookBudgetSpent if self.in_trouble() => {
                self.budget_is_spent(reason, turn);
            }
            Block::Systemic
            | Block::BudgetSpent
            | Block::RunbookBudgetSpent
            | Block::Held
            | Block::Paused
            | Block::Maintenance
            | Block::Suppressed
            | Block::UnknownTarget
            | Block::CauseOpen
            | Block::HealthUnknown
            | Block::Settling
            | Block::LockBusy => {}
        }
        if is_undo(index, turn) {
            self.trouble_lasts(Reason::RestoreHurt, turn);
        }
        Flow::Wait
    }

    /// Makes the next look at what blocks due now.
    pub(crate) const fn look_again(&mut self, now: Timestamp) {
        if let Phase::Working { stage: Stage::Blocked { retry_at, .. }, .. }
        | Phase::Restoring { stage: Stage::Blocked { retry_at, .. }, .. } = &mut self.phase
        {
            *retry_at = now;
        }
    }

    /// Looks again at what blocks; only a change of the cause is written down.
    fn blocked(&mut self, index: usize, step: &Step, by: Block, turn: &Turn<'_>) -> Flow {
        let health = self.health.health();
        let not_needed = !self.restores() && matches!(health, Health::Healthy { .. });
        let still = match by {
            Block::HealthUnknown => matches!(health, Health::Unknown { .. }),
            Block::Held
            | Block::Paused
            | Block::Maintenance
            | Block::Suppressed
            | Block::UnknownTarget
            | Block::TargetUnverified
            | Block::CauseOpen => self.blocked_by(index, step, turn) == Some(by),
            Block::Systemic | Block::Settling | Block::LockBusy | Block::BudgetSpent | Block::RunbookBudgetSpent => {
                self.blocked_by(index, step, turn) == Some(by) && !not_needed
            }
        };
        if still {
            self.at(index, Stage::Blocked { by, retry_at: turn.now + RETRY });
            return Flow::Wait;
        }
        // Facts may have changed while it waited, so the step is looked at from the beginning.
        self.at(index, Stage::Ready)
    }

    fn start(&mut self, index: usize, step: &Step, reason: Reason, turn: &mut Turn<'_>) -> Flow {
        let id = self.id;
        let Some(record) = self.steps.get_mut(index) else { return self.at(index + 1, Stage::Ready) };
        record.attempts += 1;
        record.state = StepState::Running;
        record.reason = Some(reason);
        record.started_at = Some(turn.now);
        record.finished_at = None;
        record.approved_by = None;
        let attempt = record.attempts;
        self.reason = reason;
        self.record(turn, Happening::StepStarted, reason, format!("{} (attempt {attempt})", step.id));
        turn.push(Command::RunStep { incident: id, step: step.id.clone(), attempt });
        if matches!(step.kind, Kind::Diagnose { background: true, .. }) {
            return self.at(index + 1, Stage::Ready);
        }
        self.at(index, Stage::Running { attempt, deadline: turn.now + step.timeout + REPORT_GRACE })
    }

    /// Leaves a step out and goes on to the next.
    pub(crate) fn skip(&mut self, index: usize, reason: Reason, turn: &mut Turn<'_>) -> Flow {
        self.skip_with(index, reason, "", turn)
    }

    fn skip_with(&mut self, index: usize, reason: Reason, why: &str, turn: &mut Turn<'_>) -> Flow {
        let mut detail = self.step_name(index);
        if let Some(record) = self.steps.get_mut(index)
            && record.state == StepState::Pending
        {
            record.state = StepState::Skipped;
            record.reason = Some(reason);
            record.approved_by = None;
        }
        if !why.is_empty() {
            detail = format!("{detail}: {why}");
        }
        self.record(turn, Happening::StepSkipped, reason, detail);
        if self.restores() { self.next_restore(turn) } else { self.at(index + 1, Stage::Ready) }
    }

    pub(crate) fn step_name(&self, index: usize) -> String {
        self.steps.get(index).map_or_else(String::new, |record| record.id.to_string())
    }

    /// Takes a step's end, if the attempt is the one that runs.
    pub(crate) fn step_finished(
        &mut self,
        step: &StepId,
        attempt: u32,
        outcome: &Outcome,
        turn: &mut Turn<'_>,
    ) -> Relevance {
        let Some(index) = self.steps.iter().position(|record| record.id == *step) else { return Relevance::Stale };
        let Some(record) = self.steps.get_mut(index) else { return Relevance::Stale };
        if record.attempts != attempt || record.state != StepState::Running {
            return Relevance::Stale;
        }
        if *outcome == Outcome::NotRun {
            self.not_run(index, turn);
            return Relevance::Current;
        }
        let (state, reason, detail) = describe(outcome);
        record.state = state;
        record.reason = Some(reason);
        record.finished_at = Some(turn.now);
        let detail = if detail.is_empty() { step.to_string() } else { format!("{step}: {detail}") };
        self.record(turn, Happening::StepFinished, reason, detail);
        let first = turn.decided.commands.len();
        if matches!(self.phase.step(), Some((at, Stage::Running { .. })) if at == index) {
            self.reason = reason;
            if self.restores() {
                self.after_restore_step(index, state, reason, turn);
            } else {
                self.after_step(index, state, reason, turn);
            }
        }
        if matches!(state, StepState::Failed | StepState::Timeout | StepState::Unknown) {
            self.tell_of_failure(step, reason, first, turn);
        }
        Relevance::Current
    }

    /// The attempt counts for nothing, and where the steps wait for it they are where they were before it.
    fn not_run(&mut self, index: usize, turn: &mut Turn<'_>) {
        let waited_for = matches!(self.phase.step(), Some((at, Stage::Running { .. })) if at == index);
        if let Some(record) = self.steps.get_mut(index) {
            record.not_run += 1;
            record.state = if waited_for { StepState::Pending } else { StepState::Skipped };
            record.reason = Some(Reason::NotRun);
            record.finished_at = Some(turn.now);
        }
        self.record(turn, Happening::StepFinished, Reason::NotRun, self.step_name(index));
        if waited_for {
            self.reason = Reason::NotRun;
            self.at(index, Stage::Ready);
        }
    }
}

fn describe(outcome: &Outcome) -> (StepState, Reason, &str) {
    match outcome {
        Outcome::Ok => (StepState::Ok, Reason::StepOk, ""),
        Outcome::Failed(how) => (StepState::Failed, Reason::StepFailed, how),
        Outcome::Timeout => (StepState::Timeout, Reason::StepTimeout, ""),
        Outcome::Unknown => (StepState::Unknown, Reason::OutcomeUnknown, ""),
        Outcome::NotRun => (StepState::Pending, Reason::NotRun, ""),
    }
}
