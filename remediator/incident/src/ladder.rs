//! The ladder: steps in order, each with its gates, until the target is healthy or nothing is left to try.

use std::time::Duration;

use crate::command::{Command, Happening};
use crate::context::{Context, Out, Systemic, lock_for};
use crate::event::{Answer, Outcome, Verdict};
use crate::health::Health;
use crate::ids::{LockName, StepId};
use crate::incident::{Flow, Incident};
use crate::policy::Mode;
use crate::reason::Reason;
use crate::runbook::{Kind, OnFailure, Step};
use crate::state::{Block, Phase, Stage, StepState};
use crate::time::Timestamp;

/// How long after a step's timeout the shell may take to report its end.
const REPORT_GRACE: Duration = Duration::from_secs(30);
/// Time between two looks at something that blocks.
const RETRY: Duration = Duration::from_secs(1);

impl Incident {
    pub(crate) fn work(&mut self, cursor: usize, stage: Stage, cx: &Context<'_>, out: &mut Out) -> Flow {
        let running = matches!(stage, Stage::Running { .. });
        if !running
            && !self.firing()
            && self.health.healthy_for(cx.now).is_some_and(|time| time >= cx.runbook.healthy_for)
        {
            return self.leave_alone(cursor, cx, out);
        }
        let Some(step) = cx.runbook.steps.get(cursor) else { return self.conclude(cursor, &stage, cx, out) };
        match stage {
            Stage::Ready => self.look_at(cursor, step, cx, out),
            Stage::AskedCondition { ticket, give_up_at } => {
                if cx.now < give_up_at {
                    return Flow::Wait;
                }
                self.condition_answered(&step.id, ticket, Answer::Error("no answer".to_owned()), cx, out);
                Flow::Again
            }
            Stage::Deciding { since } => self.decide(cursor, step, since, cx, out),
            Stage::Blocked { retry_at, .. } if cx.now < retry_at => Flow::Wait,
            Stage::Blocked { by, .. } => self.blocked(cursor, step, by, cx),
            Stage::AwaitingApproval { until } => {
                if cx.now < until {
                    return Flow::Wait;
                }
                self.skip(cursor, Reason::ApprovalExpired, out)
            }
            Stage::Running { attempt, deadline } => {
                if cx.now < deadline {
                    return Flow::Wait;
                }
                out.push(Command::KillStep { incident: self.id, step: step.id.clone(), attempt });
                self.step_finished(&step.id, attempt, &Outcome::Unknown, cx, out);
                Flow::Again
            }
            Stage::Settling { since, until } => self.settle(cursor, since, until, cx),
            Stage::Verifying { since, until } => self.verify(cursor, step, (since, until), cx, out),
        }
    }

    /// The target became healthy while the steps waited: what is left of them is not needed.
    fn leave_alone(&mut self, cursor: usize, cx: &Context<'_>, out: &mut Out) -> Flow {
        for index in cursor..cx.runbook.steps.len() {
            self.skip(index, Reason::Healthy, out);
        }
        self.enter(Phase::Stabilising, Reason::Healthy, out)
    }

    fn at(&mut self, cursor: usize, stage: Stage) -> Flow {
        self.phase = Phase::Working { cursor, stage };
        Flow::Again
    }

    fn look_at(&mut self, cursor: usize, step: &Step, cx: &Context<'_>, out: &mut Out) -> Flow {
        if let Some(block) = self.blocked_by_others(cx) {
            return self.block(cursor, block, cx, out);
        }
        let Some(record) = self.steps.get(cursor) else { return self.at(cursor + 1, Stage::Ready) };
        let reason = match record.state {
            StepState::Pending if record.attempts >= step.attempts_max(cx.policy) => Some(Reason::AttemptsUsed),
            StepState::Pending if step.is_change() && self.changes_stopped_by.is_some() => Some(Reason::EarlierFailed),
            StepState::Pending => None,
            StepState::Skipped
            | StepState::Running
            | StepState::Ok
            | StepState::Failed
            | StepState::Timeout
            | StepState::Unknown => Some(Reason::AlreadyRan),
        };
        if let Some(reason) = reason {
            return self.skip(cursor, reason, out);
        }
        if step.conditional {
            self.ticket += 1;
            let ticket = self.ticket;
            out.push(Command::AskCondition { incident: self.id, step: step.id.clone(), ticket });
            // The shell has a shorter limit of its own; this one only keeps a lost answer from stopping the ladder.
            let give_up_at = cx.now + cx.policy.health_timeout * 3;
            return self.at(cursor, Stage::AskedCondition { ticket, give_up_at });
        }
        self.condition_holds(cursor, step, cx, out)
    }

    fn condition_holds(&mut self, cursor: usize, step: &Step, cx: &Context<'_>, out: &mut Out) -> Flow {
        match step.kind {
            Kind::Diagnose { .. } => self.start(cursor, step, cx, out),
            Kind::Change { .. } => self.at(cursor, Stage::Deciding { since: cx.now }),
        }
    }

    /// Takes the answer to a question about a condition; `false` if nobody waits for it.
    pub(crate) fn condition_answered(
        &mut self,
        step: &StepId,
        ticket: u64,
        answer: Answer,
        cx: &Context<'_>,
        out: &mut Out,
    ) -> bool {
        let (cursor, restoring) = match self.phase {
            Phase::Working { cursor, stage: Stage::AskedCondition { ticket: open, .. } } if open == ticket => {
                (cursor, false)
            }
            Phase::Restoring { step, stage: Stage::AskedCondition { ticket: open, .. } } if open == ticket => {
                (step, true)
            }
            Phase::Working { .. }
            | Phase::Restoring { .. }
            | Phase::Exhausted
            | Phase::Stabilising
            | Phase::Monitoring { .. }
            | Phase::Closing { .. }
            | Phase::Closed { .. } => return false,
        };
        let Some(spec) = cx.runbook.all_steps().nth(cursor).filter(|spec| spec.id == *step) else { return false };
        let reason = match answer {
            Answer::Yes if restoring => {
                self.phase = Phase::Restoring { step: cursor, stage: Stage::Deciding { since: cx.now } };
                return true;
            }
            Answer::Yes => {
                self.condition_holds(cursor, spec, cx, out);
                return true;
            }
            Answer::No => (Reason::ConditionFalse, String::new()),
            Answer::Error(message) => (Reason::ConditionError, message),
        };
        self.skip_with(cursor, reason.0, &reason.1, out);
        if restoring {
            self.next_restore(cx, out);
        }
        true
    }

    /// A change is due: it needs a fresh "sick", free resources, and leave to act.
    fn decide(&mut self, cursor: usize, step: &Step, since: Timestamp, cx: &Context<'_>, out: &mut Out) -> Flow {
        match self.health.answer_since(since) {
            None => Flow::Wait,
            Some(Verdict::Healthy) => self.skip(cursor, Reason::Healthy, out),
            Some(Verdict::Unknown) => self.block(cursor, Block::HealthUnknown, cx, out),
            Some(Verdict::Sick) => {
                if let Some(block) = self.blocked_by_others(cx).or_else(|| self.blocked_by_limits(step, cx)) {
                    return self.block(cursor, block, cx, out);
                }
                let approved = self.steps.get(cursor).is_some_and(|record| record.approved_by.is_some());
                match cx.mode() {
                    Mode::Shadow => self.skip(cursor, Reason::Shadow, out),
                    Mode::Approve if !approved => self.ask_approval(cursor, cx, out),
                    Mode::Act | Mode::Approve => self.start(cursor, step, cx, out),
                }
            }
        }
    }

    fn ask_approval(&mut self, cursor: usize, cx: &Context<'_>, out: &mut Out) -> Flow {
        let until = cx.now + cx.policy.approval_expires;
        self.phase = Phase::Working { cursor, stage: Stage::AwaitingApproval { until } };
        let step = self.step_name(cursor);
        self.reason = Reason::ApprovalNeeded;
        self.record(out, Happening::Blocked, Reason::ApprovalNeeded, step);
        self.trouble(Reason::ApprovalNeeded, cx, out);
        Flow::Wait
    }

    /// What keeps every step, reading ones too, from running.
    pub(crate) fn blocked_by_others(&self, cx: &Context<'_>) -> Option<Block> {
        if self.hold.is_some() {
            Some(Block::Held)
        } else if cx.paused {
            Some(Block::Paused)
        } else if cx.maintenance {
            Some(Block::Maintenance)
        } else if cx.cause.is_some() {
            Some(Block::CauseOpen)
        } else {
            None
        }
    }

    /// What keeps a change from running although the target needs it.
    pub(crate) fn blocked_by_limits(&self, step: &Step, cx: &Context<'_>) -> Option<Block> {
        if cx.systemic != Systemic::No {
            Some(Block::Systemic)
        } else if self.settle_until.is_some_and(|until| cx.now < until) {
            Some(Block::Settling)
        } else if cx.running.busy(self.id, &self.target, &self.locks(step), cx.policy.concurrent_changes) {
            Some(Block::LockBusy)
        } else if !cx.budget.allows(cx.now, cx.policy.changes_per_hour) {
            Some(Block::BudgetSpent)
        } else {
            None
        }
    }

    pub(crate) fn locks(&self, step: &Step) -> Vec<LockName> {
        match &step.kind {
            Kind::Diagnose { .. } => Vec::new(),
            Kind::Change { locks, .. } => locks.iter().map(|lock| lock_for(lock, &self.target)).collect(),
        }
    }

    fn block(&mut self, cursor: usize, by: Block, cx: &Context<'_>, out: &mut Out) -> Flow {
        self.phase = Phase::Working { cursor, stage: Stage::Blocked { by, retry_at: cx.now + RETRY } };
        if let Some(record) = self.steps.get_mut(cursor) {
            // An approval is for what the person saw; what waits longer is asked about again.
            record.approved_by = None;
        }
        self.note_block(cursor, by, cx, out);
        Flow::Wait
    }

    pub(crate) fn note_block(&mut self, cursor: usize, by: Block, cx: &Context<'_>, out: &mut Out) {
        let reason = by.reason();
        self.reason = reason;
        let mut detail = self.step_name(cursor);
        if let (Block::CauseOpen, Some(cause)) = (by, cx.cause) {
            detail = format!("{detail}: {cause}");
        }
        self.record(out, Happening::Blocked, reason, detail);
        match by {
            Block::Systemic if cx.systemic == Systemic::Caller => self.trouble(reason, cx, out),
            // A measure that cannot be taken back yet is no trouble: the target is healthy.
            Block::BudgetSpent if self.in_trouble() => self.trouble(reason, cx, out),
            Block::Systemic
            | Block::BudgetSpent
            | Block::Held
            | Block::Paused
            | Block::Maintenance
            | Block::CauseOpen
            | Block::HealthUnknown
            | Block::Settling
            | Block::LockBusy => {}
        }
    }

    /// Looks again at what blocks; only a change of the cause is written down.
    fn blocked(&mut self, cursor: usize, step: &Step, by: Block, cx: &Context<'_>) -> Flow {
        let unknown = matches!(self.health.health(), Health::Unknown { .. });
        let still = match by {
            Block::HealthUnknown => unknown,
            Block::Held | Block::Paused | Block::Maintenance | Block::CauseOpen => {
                self.blocked_by_others(cx) == Some(by)
            }
            Block::Systemic | Block::Settling | Block::LockBusy | Block::BudgetSpent => {
                self.blocked_by_limits(step, cx) == Some(by) && !matches!(self.health.health(), Health::Healthy { .. })
            }
        };
        if still {
            self.phase = Phase::Working { cursor, stage: Stage::Blocked { by, retry_at: cx.now + RETRY } };
            return Flow::Wait;
        }
        // Facts may have changed while it waited, so the step is looked at from the beginning.
        self.at(cursor, Stage::Ready)
    }

    fn start(&mut self, cursor: usize, step: &Step, cx: &Context<'_>, out: &mut Out) -> Flow {
        let attempt = self.begin(cursor, Reason::NextStep, cx, out);
        let waits = !matches!(step.kind, Kind::Diagnose { background: true, .. });
        if waits {
            let deadline = cx.now + step.timeout + REPORT_GRACE;
            self.at(cursor, Stage::Running { attempt, deadline })
        } else {
            self.at(cursor + 1, Stage::Ready)
        }
    }

    /// Notes that a step starts and gives the attempt's number.
    pub(crate) fn begin(&mut self, index: usize, reason: Reason, cx: &Context<'_>, out: &mut Out) -> u32 {
        let id = self.id;
        let Some(record) = self.steps.get_mut(index) else { return 0 };
        record.attempts += 1;
        record.state = StepState::Running;
        record.reason = Some(reason);
        record.started_at = Some(cx.now);
        record.finished_at = None;
        record.approved_by = None;
        let (step, attempt) = (record.id.clone(), record.attempts);
        self.reason = reason;
        self.record(out, Happening::StepStarted, reason, format!("{step} (attempt {attempt})"));
        out.push(Command::RunStep { incident: id, step, attempt });
        attempt
    }

    fn settle(&mut self, cursor: usize, since: Timestamp, until: Timestamp, cx: &Context<'_>) -> Flow {
        match self.health.answer_since(since) {
            Some(Verdict::Healthy) => self.at(cursor + 1, Stage::Ready),
            Some(Verdict::Sick | Verdict::Unknown) | None if cx.now < until => Flow::Wait,
            Some(Verdict::Sick | Verdict::Unknown) | None => self.at(cursor + 1, Stage::Ready),
        }
    }

    fn verify(
        &mut self,
        cursor: usize,
        step: &Step,
        (since, until): (Timestamp, Timestamp),
        cx: &Context<'_>,
        out: &mut Out,
    ) -> Flow {
        match self.health.answer_since(since) {
            Some(Verdict::Healthy) => return self.at(cursor + 1, Stage::Ready),
            Some(Verdict::Sick) if cx.now >= until => {}
            // Rerunning without knowing would be acting on a guess; people are called when health stays unknown.
            Some(Verdict::Sick | Verdict::Unknown) | None => return Flow::Wait,
        }
        let used = self.steps.get(cursor).is_none_or(|record| record.attempts >= step.attempts_max(cx.policy));
        if step.repeatable() && !used {
            if let Some(record) = self.steps.get_mut(cursor) {
                record.state = StepState::Pending;
            }
            return self.at(cursor, Stage::Ready);
        }
        self.changes_stopped_by = Some(step.id.clone());
        self.trouble(Reason::OutcomeUnknown, cx, out);
        self.at(cursor + 1, Stage::Ready)
    }

    /// Past the last step: did they help?
    fn conclude(&mut self, cursor: usize, stage: &Stage, cx: &Context<'_>, out: &mut Out) -> Flow {
        let Stage::Deciding { since } = *stage else {
            return self.at(cursor, Stage::Deciding { since: cx.now });
        };
        match self.health.answer_since(since) {
            Some(Verdict::Healthy) => self.enter(Phase::Stabilising, Reason::Healthy, out),
            Some(Verdict::Sick) if self.settle_until.is_none_or(|until| cx.now >= until) => {
                let flow = self.enter(Phase::Exhausted, Reason::Exhausted, out);
                self.trouble(Reason::Exhausted, cx, out);
                flow
            }
            Some(Verdict::Sick | Verdict::Unknown) | None => Flow::Wait,
        }
    }

    pub(crate) fn skip(&mut self, index: usize, reason: Reason, out: &mut Out) -> Flow {
        self.skip_with(index, reason, "", out)
    }

    fn skip_with(&mut self, index: usize, reason: Reason, why: &str, out: &mut Out) -> Flow {
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
        self.record(out, Happening::StepSkipped, reason, detail);
        if matches!(self.phase, Phase::Working { .. }) {
            return self.at(index + 1, Stage::Ready);
        }
        Flow::Again
    }

    pub(crate) fn step_name(&self, index: usize) -> String {
        self.steps.get(index).map_or_else(String::new, |record| record.id.to_string())
    }

    /// Takes a step's end; `false` if the attempt is not the one that runs.
    pub(crate) fn step_finished(
        &mut self,
        step: &StepId,
        attempt: u32,
        outcome: &Outcome,
        cx: &Context<'_>,
        out: &mut Out,
    ) -> bool {
        let Some(index) = self.steps.iter().position(|record| record.id == *step) else { return false };
        let Some(record) = self.steps.get_mut(index) else { return false };
        if record.attempts != attempt || record.state != StepState::Running {
            return false;
        }
        let (state, reason, detail) = describe(outcome);
        record.state = state;
        record.reason = Some(reason);
        record.finished_at = Some(cx.now);
        let detail = if detail.is_empty() { step.to_string() } else { format!("{step}: {detail}") };
        self.record(out, Happening::StepFinished, reason, detail);
        match self.phase {
            Phase::Working { cursor, stage: Stage::Running { .. } } if cursor == index => {
                self.reason = reason;
                self.after_step(index, state, reason, cx, out);
            }
            Phase::Restoring { step, stage: Stage::Running { .. } } if step == index => {
                self.reason = reason;
                self.after_restore_step(index, state, reason, cx, out);
            }
            Phase::Working { .. }
            | Phase::Restoring { .. }
            | Phase::Exhausted
            | Phase::Stabilising
            | Phase::Monitoring { .. }
            | Phase::Closing { .. }
            | Phase::Closed { .. } => {}
        }
        true
    }

    fn after_step(&mut self, cursor: usize, state: StepState, reason: Reason, cx: &Context<'_>, out: &mut Out) {
        let Some(step) = cx.runbook.steps.get(cursor) else { return };
        let next = Phase::Working { cursor: cursor + 1, stage: Stage::Ready };
        let until = cx.now + step.settle();
        self.phase = match (&step.kind, state) {
            (Kind::Diagnose { .. }, StepState::Unknown) => {
                if let Some(record) = self.steps.get_mut(cursor) {
                    record.state = StepState::Pending;
                }
                Phase::Working { cursor, stage: Stage::Ready }
            }
            (Kind::Diagnose { settle, .. }, _) if settle.is_zero() => next,
            (Kind::Diagnose { .. }, _) => Phase::Working { cursor, stage: Stage::Settling { since: cx.now, until } },
            (Kind::Change { .. }, StepState::Unknown) => {
                Phase::Working { cursor, stage: Stage::Verifying { since: cx.now, until } }
            }
            (Kind::Change { .. }, StepState::Ok) => {
                self.settle_until = Some(until);
                Phase::Working { cursor, stage: Stage::Settling { since: cx.now, until } }
            }
            (Kind::Change { on_failure, .. }, _) => {
                if *on_failure == OnFailure::Stop {
                    self.changes_stopped_by = Some(step.id.clone());
                }
                self.trouble(reason, cx, out);
                next
            }
        };
    }
}

fn describe(outcome: &Outcome) -> (StepState, Reason, &str) {
    match outcome {
        Outcome::Ok => (StepState::Ok, Reason::StepOk, ""),
        Outcome::Failed(how) => (StepState::Failed, Reason::StepFailed, how),
        Outcome::Timeout => (StepState::Timeout, Reason::StepTimeout, ""),
        Outcome::Unknown => (StepState::Unknown, Reason::OutcomeUnknown, ""),
    }
}
