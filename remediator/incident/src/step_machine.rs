//! One step's machine: asked about, decided, blocked, approved, run, given up on.
//!
//! It knows neither the ladder nor recovery: it reports what a step has come to ([`StepOutcome`]), and whoever the step belongs to decides
//! what follows from that (`ladder`, `recovery`).

use std::time::Duration;

use crate::command::{Command, EntryKind};
use crate::efficacy::Efficacy;
use crate::event::{Answer, Outcome, Verdict};
use crate::ids::StepId;
use crate::incident::{Flow, Incident};
use crate::policy::Mode;
use crate::reason::Reason;
use crate::runbook::{Kind, Step};
use crate::state::{Block, Stage, StepMachine, StepRecord, StepRef, StepState};
use crate::time::Timestamp;
use crate::turn::{Relevance, Turn};

/// How long after a step's timeout the shell may take to report its end.
const REPORT_GRACE: Duration = Duration::from_secs(30);
/// Time between two looks at something that blocks.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// What a step has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what follows is for the ladder or for recovery to decide"]
pub(crate) enum StepOutcome {
    /// Nothing, until something happens.
    Waiting,
    /// It is in another stage.
    Moved,
    /// It is its turn.
    Due,
    /// Its condition holds, if it has one.
    Cleared,
    /// The answer about health that it waited for.
    Judged(Verdict),
    /// This kept it from running, and it is time to look again.
    BlockedBy(Block),
    /// Something begins to keep it from running.
    Blocked,
    /// A person is asked to approve it, and why.
    AsksApproval(Reason),
    /// It runs, and nobody waits for its end.
    RunsBeside,
    /// It does not run.
    LeftOut,
    /// It ran out of its time, and nobody has said that it ended.
    Overran,
    /// An attempt is over.
    Ended {
        /// How the step stands by that.
        state: StepState,
        /// Why it stands so.
        reason: Reason,
        /// Whether the steps waited for it.
        awaited: bool,
    },
    /// It ran, and is given time to work.
    Settling {
        /// When the step ended.
        since: Timestamp,
        /// When it is taken not to have worked.
        until: Timestamp,
    },
    /// It was started and nobody saw the end; health tells whether it worked.
    Verifying {
        /// When the step was given up on.
        since: Timestamp,
        /// When it is taken not to have worked.
        until: Timestamp,
    },
}

impl Incident {
    /// Goes on with the step that the incident is at, and with what follows from it.
    pub(crate) fn advance_step(&mut self, machine: &StepMachine, step: &Step, turn: &mut Turn<'_>) -> Flow {
        if self.waits_for_its_target()
            && self.steps().all(|record| record.runs() == 0)
            && let Some(flow) = self.unclaimed(turn)
        {
            return flow;
        }
        let outcome = self.outcome(machine, turn);
        self.follow(machine.at, step, outcome, turn)
    }

    /// What the step has come to by now.
    fn outcome(&mut self, machine: &StepMachine, turn: &mut Turn<'_>) -> StepOutcome {
        match machine.stage {
            Stage::AskedCondition { give_up_at: until, .. }
            | Stage::Blocked { retry_at: until, .. }
            | Stage::AwaitingApproval { until }
            | Stage::Running { deadline: until, .. }
                if turn.now < until =>
            {
                StepOutcome::Waiting
            }
            Stage::Ready => StepOutcome::Due,
            Stage::AskedCondition { .. } => self.leave_out(machine.at, Reason::ConditionError, "no answer", turn),
            Stage::Deciding { since } => {
                self.health.answer_since(since).map_or(StepOutcome::Waiting, StepOutcome::Judged)
            }
            Stage::Blocked { by, .. } => StepOutcome::BlockedBy(by),
            Stage::AwaitingApproval { .. } => self.leave_out(machine.at, Reason::ApprovalExpired, "", turn),
            Stage::Running { .. } => StepOutcome::Overran,
            Stage::Settling { since, until } => StepOutcome::Settling { since, until },
            Stage::Verifying { since, until } => StepOutcome::Verifying { since, until },
        }
    }

    /// What follows is decided by whom the step belongs to.
    fn follow(&mut self, at: StepRef, step: &Step, outcome: StepOutcome, turn: &mut Turn<'_>) -> Flow {
        if outcome == StepOutcome::Overran {
            let attempt = self.step(at).map_or(0, |record| record.attempts);
            turn.push(Command::KillStep { incident: self.id, step: step.id.clone(), attempt });
            self.attempt_is_over(at, &Outcome::Unknown, turn);
            return Flow::Again;
        }
        match at {
            StepRef::Step(number) => self.follow_ladder(number, step, outcome, turn),
            StepRef::Apply(_) | StepRef::Undo(_) => self.follow_restore(at, step, outcome, turn),
        }
    }

    /// Goes into another stage of the same step.
    pub(crate) fn enter_stage(&mut self, stage: Stage) -> StepOutcome {
        self.set_stage(stage);
        StepOutcome::Moved
    }

    /// The same where that is not all that there is to report.
    pub(crate) const fn set_stage(&mut self, stage: Stage) {
        if let Some(machine) = self.phase.machine_mut() {
            machine.stage = stage;
        }
    }

    /// It is the step's turn and nothing blocks it: may it run again, and does its condition hold? `refused` is why its owner would not
    /// have it run.
    pub(crate) fn prepare(
        &mut self,
        at: StepRef,
        step: &Step,
        refused: Option<Reason>,
        turn: &mut Turn<'_>,
    ) -> StepOutcome {
        let Some(record) = self.step(at) else { return StepOutcome::LeftOut };
        let reason = match record.state {
            StepState::Pending if record.runs() >= step.attempts_max(turn.policy) => Some(Reason::AttemptsUsed),
            StepState::Pending => refused,
            StepState::Skipped
            | StepState::Running
            | StepState::Ok
            | StepState::Failed
            | StepState::Timeout
            | StepState::Unknown => Some(Reason::AlreadyRan),
        };
        if let Some(reason) = reason {
            return self.leave_out(at, reason, "", turn);
        }
        if !step.conditional {
            return StepOutcome::Cleared;
        }
        self.ticket += 1;
        let ticket = self.ticket;
        turn.push(Command::AskCondition { incident: self.id, step: step.id.clone(), ticket });
        // The shell has a shorter limit of its own; this one only keeps a lost answer from stopping the steps.
        let give_up_at = turn.now + turn.policy.health_timeout * 3;
        self.enter_stage(Stage::AskedCondition { ticket, give_up_at })
    }

    /// Takes the answer to a question about a condition.
    pub(crate) fn condition_answered(
        &mut self,
        step: &StepId,
        ticket: u64,
        answer: Answer,
        turn: &mut Turn<'_>,
    ) -> Relevance {
        let at = match self.phase.machine() {
            Some(StepMachine { at, stage: Stage::AskedCondition { ticket: open, .. } }) if *open == ticket => *at,
            Some(_) | None => return Relevance::Stale,
        };
        let Some(spec) = turn.runbook.step(at).filter(|spec| spec.id == *step) else { return Relevance::Stale };
        let outcome = match answer {
            Answer::Yes => StepOutcome::Cleared,
            Answer::No => self.leave_out(at, Reason::ConditionFalse, "", turn),
            Answer::Error(message) => self.leave_out(at, Reason::ConditionError, &message, turn),
        };
        self.follow(at, spec, outcome, turn);
        Relevance::Current
    }

    /// Health allows a change and nothing blocks it: does it run, wait for a person, or stay on paper?
    pub(crate) fn act(&mut self, at: StepRef, step: &Step, reason: Reason, turn: &mut Turn<'_>) -> StepOutcome {
        let approved = self.step(at).is_some_and(|record| record.approved_by.is_some());
        match (turn.mode(), turn.helped_too_seldom(step)) {
            (Mode::Shadow, _) => self.leave_out(at, Reason::Shadow, "", turn),
            (Mode::Act, Some(Efficacy { runs, helped })) if !approved => {
                self.ask_approval(at, Reason::EfficacyLow, &format!(": helped {helped} of {runs}"), turn)
            }
            (Mode::Approve, _) if !approved => self.ask_approval(at, Reason::ApprovalNeeded, "", turn),
            (Mode::Act | Mode::Approve, _) => self.start(at, step, reason, turn),
        }
    }

    fn ask_approval(&mut self, at: StepRef, reason: Reason, why: &str, turn: &mut Turn<'_>) -> StepOutcome {
        self.set_stage(Stage::AwaitingApproval { until: turn.now + turn.policy.approval_expires });
        let step = self.step_name(at);
        self.reason = reason;
        self.record(turn, EntryKind::Blocked, reason, format!("{step}{why}"));
        StepOutcome::AsksApproval(reason)
    }

    pub(crate) fn start(&mut self, at: StepRef, step: &Step, reason: Reason, turn: &mut Turn<'_>) -> StepOutcome {
        let id = self.id;
        let Some(record) = self.step_mut(at) else { return StepOutcome::LeftOut };
        record.attempts += 1;
        record.state = StepState::Running;
        record.reason = Some(reason);
        record.started_at = Some(turn.now);
        record.finished_at = None;
        record.approved_by = None;
        let attempt = record.attempts;
        self.reason = reason;
        self.record(turn, EntryKind::StepStarted, reason, format!("{} (attempt {attempt})", step.id));
        turn.push(Command::RunStep { incident: id, step: step.id.clone(), attempt });
        if matches!(step.kind, Kind::Diagnose { background: true, .. }) {
            return StepOutcome::RunsBeside;
        }
        self.enter_stage(Stage::Running { attempt, deadline: turn.now + step.timeout + REPORT_GRACE })
    }

    /// Leaves a step out, and says why in more words if there are any.
    pub(crate) fn leave_out(&mut self, at: StepRef, reason: Reason, why: &str, turn: &mut Turn<'_>) -> StepOutcome {
        let mut detail = self.step_name(at);
        if let Some(record) = self.step_mut(at)
            && record.state == StepState::Pending
        {
            record.state = StepState::Skipped;
            record.reason = Some(reason);
            record.approved_by = None;
        }
        if !why.is_empty() {
            detail = format!("{detail}: {why}");
        }
        self.record(turn, EntryKind::StepSkipped, reason, detail);
        StepOutcome::LeftOut
    }

    pub(crate) fn step_name(&self, at: StepRef) -> String {
        self.step(at).map_or_else(String::new, |record| record.id.to_string())
    }

    /// Takes a step's end, if the attempt is the one that runs.
    pub(crate) fn step_finished(
        &mut self,
        step: &StepId,
        attempt: u32,
        outcome: &Outcome,
        turn: &mut Turn<'_>,
    ) -> Relevance {
        let runs = |record: &StepRecord| record.attempts == attempt && record.state == StepState::Running;
        let Some(at) = self.place_of(step).filter(|at| self.step(*at).is_some_and(runs)) else {
            return Relevance::Stale;
        };
        self.attempt_is_over(at, outcome, turn);
        Relevance::Current
    }

    /// The attempt that runs is over: takes it down, goes on, and tells of a failure what that has not told.
    fn attempt_is_over(&mut self, at: StepRef, outcome: &Outcome, turn: &mut Turn<'_>) {
        let ended = match outcome {
            Outcome::NotRun => self.not_run(at, turn),
            Outcome::Ok | Outcome::Failed(_) | Outcome::Timeout | Outcome::Unknown => self.ran(at, outcome, turn),
        };
        let first = turn.decided.commands.len();
        if let Some(step) = turn.runbook.step(at) {
            self.follow(at, step, ended, turn);
        }
        if let StepOutcome::Ended { state: StepState::Failed | StepState::Timeout | StepState::Unknown, reason, .. } =
            ended
            && let Some(step) = self.step(at).map(|record| record.id.clone())
        {
            self.tell_of_failure(&step, reason, first, turn);
        }
    }

    fn is_awaited(&self, at: StepRef) -> bool {
        let machine = self.phase.machine();
        machine.is_some_and(|machine| machine.at == at && matches!(machine.stage, Stage::Running { .. }))
    }

    fn ran(&mut self, at: StepRef, outcome: &Outcome, turn: &mut Turn<'_>) -> StepOutcome {
        let awaited = self.is_awaited(at);
        let (state, reason, detail) = describe(outcome);
        if let Some(record) = self.step_mut(at) {
            record.state = state;
            record.reason = Some(reason);
            record.finished_at = Some(turn.now);
        }
        let step = self.step_name(at);
        let detail = if detail.is_empty() { step } else { format!("{step}: {detail}") };
        self.record(turn, EntryKind::StepFinished, reason, detail);
        if awaited {
            self.reason = reason;
        }
        StepOutcome::Ended { state, reason, awaited }
    }

    /// The attempt counts for nothing, and where the steps wait for it they are where they were before it.
    fn not_run(&mut self, at: StepRef, turn: &mut Turn<'_>) -> StepOutcome {
        let awaited = self.is_awaited(at);
        if let Some(record) = self.step_mut(at) {
            record.not_run += 1;
            record.state = if awaited { StepState::Pending } else { StepState::Skipped };
            record.reason = Some(Reason::NotRun);
            record.finished_at = Some(turn.now);
        }
        self.record(turn, EntryKind::StepFinished, Reason::NotRun, self.step_name(at));
        if awaited {
            self.reason = Reason::NotRun;
            self.enter_stage(Stage::Ready)
        } else {
            StepOutcome::Waiting
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
