//! The ladder: steps in order until the target is healthy or nothing is left to try.

use crate::event::Verdict;
use crate::incident::{Flow, Incident};
use crate::reason::Reason;
use crate::runbook::{Kind, OnFailure, Step};
use crate::state::{Block, Phase, Stage, StepMachine, StepRef, StepState};
use crate::step_machine::StepOutcome;
use crate::time::Timestamp;
use crate::turn::Turn;

impl Incident {
    /// Goes on with the ladder.
    pub(crate) fn advance_ladder(&mut self, machine: &StepMachine, turn: &mut Turn<'_>) -> Flow {
        let running = matches!(machine.stage, Stage::Running { .. });
        if !running
            && !self.firing()
            && self.health.healthy_for(turn.now).is_some_and(|time| time >= turn.runbook.healthy_for)
        {
            return self.leave_alone(machine.at, turn);
        }
        match turn.runbook.step(machine.at) {
            Some(step) => self.advance_step(machine, step, turn),
            None => self.conclude(&machine.stage, turn),
        }
    }

    /// The target became healthy while the steps waited: what is left of them is not needed.
    fn leave_alone(&mut self, from: StepRef, turn: &mut Turn<'_>) -> Flow {
        for at in (0..turn.runbook.steps.len()).map(StepRef::Step).filter(|at| *at >= from) {
            let _: StepOutcome = self.leave_out(at, Reason::Healthy, "", turn);
        }
        self.enter(Phase::Stabilising, Reason::Healthy, turn)
    }

    /// What follows from what a step of the ladder has come to.
    pub(crate) fn follow_ladder(
        &mut self,
        number: usize,
        step: &Step,
        outcome: StepOutcome,
        turn: &mut Turn<'_>,
    ) -> Flow {
        let at = StepRef::Step(number);
        let next = match outcome {
            StepOutcome::Due => match self.blocked_by_others(turn) {
                Some(by) => self.block(at, by, turn),
                None => {
                    let stopped = step.is_change() && self.changes_stopped_by.is_some();
                    self.prepare(at, step, stopped.then_some(Reason::EarlierFailed), turn)
                }
            },
            StepOutcome::Cleared => match step.kind {
                Kind::Diagnose { known_to_read: true, .. } => self.start(at, step, Reason::NextStep, turn),
                Kind::Diagnose { known_to_read: false, .. } | Kind::Change { .. } => {
                    self.enter_stage(Stage::Deciding { since: turn.now })
                }
            },
            // A change needs a fresh "sick".
            StepOutcome::Judged(Verdict::Healthy) => self.leave_out(at, Reason::Healthy, "", turn),
            StepOutcome::Judged(Verdict::Unknown) => self.block(at, Block::HealthUnknown, turn),
            StepOutcome::Judged(Verdict::Unhealthy) => match self.blocks_change(step, turn) {
                Some(by) => self.block(at, by, turn),
                None => self.act(at, step, Reason::NextStep, turn),
            },
            StepOutcome::BlockedBy(by) => {
                let now = self.blocks_change(step, turn);
                self.look_again(by, now, false, turn)
            }
            StepOutcome::AsksApproval(reason) => {
                self.page_first_level(reason, turn);
                return Flow::Wait;
            }
            StepOutcome::LeftOut | StepOutcome::RunsBeside => return self.next_step(number),
            StepOutcome::Ended { state, reason, awaited: true } => {
                return self.step_ended(number, step, state, reason, turn);
            }
            StepOutcome::Settling { since, until } => return self.settle(number, since, until, turn),
            StepOutcome::Verifying { since, until } => return self.verify(number, step, since, until, turn),
            StepOutcome::Moved => return Flow::Again,
            StepOutcome::Waiting
            | StepOutcome::Blocked
            | StepOutcome::Overran
            | StepOutcome::Ended { awaited: false, .. } => return Flow::Wait,
        };
        self.follow_ladder(number, step, next, turn)
    }

    /// What keeps a change of the ladder from running.
    fn blocks_change(&self, step: &Step, turn: &Turn<'_>) -> Option<Block> {
        self.blocked_by_others(turn).or_else(|| self.blocked_by_limits(step, turn))
    }

    fn next_step(&mut self, number: usize) -> Flow {
        self.phase = Phase::Working(StepMachine::ready(StepRef::Step(number + 1)));
        Flow::Again
    }

    fn again(&mut self, number: usize) -> Flow {
        if let Some(record) = self.step_mut(StepRef::Step(number)) {
            record.state = StepState::Pending;
        }
        self.phase = Phase::Working(StepMachine::ready(StepRef::Step(number)));
        Flow::Again
    }

    fn settle(&mut self, number: usize, since: Timestamp, until: Timestamp, turn: &Turn<'_>) -> Flow {
        match self.health.answer_since(since) {
            Some(Verdict::Healthy) => self.next_step(number),
            Some(Verdict::Unhealthy | Verdict::Unknown) | None if turn.now < until => Flow::Wait,
            Some(Verdict::Unhealthy | Verdict::Unknown) | None => self.next_step(number),
        }
    }

    fn verify(&mut self, number: usize, step: &Step, since: Timestamp, until: Timestamp, turn: &mut Turn<'_>) -> Flow {
        match self.health.answer_since(since) {
            Some(Verdict::Healthy) => return self.next_step(number),
            Some(Verdict::Unhealthy) if turn.now >= until => {}
            // Rerunning without knowing would be acting on a guess; people are called when health stays unknown.
            Some(Verdict::Unhealthy | Verdict::Unknown) | None => return Flow::Wait,
        }
        let record = self.step(StepRef::Step(number));
        let used = record.is_none_or(|record| record.runs() >= step.attempts_max(turn.policy));
        if step.repeatable() && !used {
            return self.again(number);
        }
        self.changes_stopped_by = Some(step.id.clone());
        self.page_first_level(Reason::OutcomeUnknown, turn);
        self.next_step(number)
    }

    /// Past the last step: did they help?
    fn conclude(&mut self, stage: &Stage, turn: &mut Turn<'_>) -> Flow {
        let Stage::Deciding { since } = *stage else {
            self.set_stage(Stage::Deciding { since: turn.now });
            return Flow::Again;
        };
        match self.health.answer_since(since) {
            Some(Verdict::Healthy) => self.enter(Phase::Stabilising, Reason::Healthy, turn),
            Some(Verdict::Unhealthy) if self.settle_until.is_none_or(|until| turn.now >= until) => {
                let flow = self.enter(Phase::Exhausted, Reason::Exhausted, turn);
                self.page_first_level(Reason::Exhausted, turn);
                flow
            }
            Some(Verdict::Unhealthy | Verdict::Unknown) | None => Flow::Wait,
        }
    }

    fn step_ended(
        &mut self,
        number: usize,
        step: &Step,
        state: StepState,
        reason: Reason,
        turn: &mut Turn<'_>,
    ) -> Flow {
        let (since, until) = (turn.now, turn.now + step.settle());
        let next = match (&step.kind, state) {
            (Kind::Diagnose { .. }, StepState::Unknown) => return self.again(number),
            (Kind::Diagnose { settle, .. }, _) if settle.is_zero() => return self.next_step(number),
            (Kind::Diagnose { .. }, _) => Stage::Settling { since, until },
            (Kind::Change { .. }, StepState::Unknown) => Stage::Verifying { since, until },
            (Kind::Change { .. }, StepState::Ok) => {
                self.settle_until = Some(until);
                Stage::Settling { since, until }
            }
            (Kind::Change { on_failure, .. }, _) => {
                if *on_failure == OnFailure::Stop {
                    self.changes_stopped_by = Some(step.id.clone());
                }
                self.page_first_level(reason, turn);
                return self.next_step(number);
            }
        };
        self.set_stage(next);
        Flow::Again
    }
}
