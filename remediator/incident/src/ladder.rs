//! The ladder: steps in order until the target is healthy or nothing is left to try.

use crate::event::Verdict;
use crate::incident::{Flow, Incident};
use crate::reason::Reason;
use crate::runbook::{Kind, OnFailure, Step};
use crate::state::{Block, Phase, Stage, StepState};
use crate::time::Timestamp;
use crate::turn::Turn;

impl Incident {
    /// Goes on with the ladder.
    pub(crate) fn work(&mut self, cursor: usize, stage: Stage, turn: &mut Turn<'_>) -> Flow {
        let running = matches!(stage, Stage::Running { .. });
        if !running
            && !self.firing()
            && self.health.healthy_for(turn.now).is_some_and(|time| time >= turn.runbook.healthy_for)
        {
            return self.leave_alone(cursor, turn);
        }
        match turn.runbook.steps.get(cursor) {
            Some(step) => self.attend(cursor, step, stage, turn),
            None => self.conclude(cursor, &stage, turn),
        }
    }

    /// The target became healthy while the steps waited: what is left of them is not needed.
    fn leave_alone(&mut self, cursor: usize, turn: &mut Turn<'_>) -> Flow {
        for index in cursor..turn.runbook.steps.len() {
            self.skip(index, Reason::Healthy, turn);
        }
        self.enter(Phase::Stabilising, Reason::Healthy, turn)
    }

    /// A change is due: it needs a fresh "sick".
    pub(crate) fn decide(&mut self, cursor: usize, step: &Step, since: Timestamp, turn: &mut Turn<'_>) -> Flow {
        match self.health.answer_since(since) {
            None => Flow::Wait,
            Some(Verdict::Healthy) => self.skip(cursor, Reason::Healthy, turn),
            Some(Verdict::Unknown) => self.block(cursor, Block::HealthUnknown, turn),
            Some(Verdict::Sick) => self.may_act(cursor, step, Reason::NextStep, turn),
        }
    }

    pub(crate) fn settle(&mut self, cursor: usize, since: Timestamp, until: Timestamp, turn: &Turn<'_>) -> Flow {
        match self.health.answer_since(since) {
            Some(Verdict::Healthy) => self.at(cursor + 1, Stage::Ready),
            Some(Verdict::Sick | Verdict::Unknown) | None if turn.now < until => Flow::Wait,
            Some(Verdict::Sick | Verdict::Unknown) | None => self.at(cursor + 1, Stage::Ready),
        }
    }

    pub(crate) fn verify(
        &mut self,
        cursor: usize,
        step: &Step,
        (since, until): (Timestamp, Timestamp),
        turn: &mut Turn<'_>,
    ) -> Flow {
        match self.health.answer_since(since) {
            Some(Verdict::Healthy) => return self.at(cursor + 1, Stage::Ready),
            Some(Verdict::Sick) if turn.now >= until => {}
            // Rerunning without knowing would be acting on a guess; people are called when health stays unknown.
            Some(Verdict::Sick | Verdict::Unknown) | None => return Flow::Wait,
        }
        let used = self.steps.get(cursor).is_none_or(|record| record.runs() >= step.attempts_max(turn.policy));
        if step.repeatable() && !used {
            if let Some(record) = self.steps.get_mut(cursor) {
                record.state = StepState::Pending;
            }
            return self.at(cursor, Stage::Ready);
        }
        self.changes_stopped_by = Some(step.id.clone());
        self.trouble(Reason::OutcomeUnknown, turn);
        self.at(cursor + 1, Stage::Ready)
    }

    /// Past the last step: did they help?
    fn conclude(&mut self, cursor: usize, stage: &Stage, turn: &mut Turn<'_>) -> Flow {
        let Stage::Deciding { since } = *stage else {
            return self.at(cursor, Stage::Deciding { since: turn.now });
        };
        match self.health.answer_since(since) {
            Some(Verdict::Healthy) => self.enter(Phase::Stabilising, Reason::Healthy, turn),
            Some(Verdict::Sick) if self.settle_until.is_none_or(|until| turn.now >= until) => {
                let flow = self.enter(Phase::Exhausted, Reason::Exhausted, turn);
                self.trouble(Reason::Exhausted, turn);
                flow
            }
            Some(Verdict::Sick | Verdict::Unknown) | None => Flow::Wait,
        }
    }

    pub(crate) fn after_step(&mut self, cursor: usize, state: StepState, reason: Reason, turn: &mut Turn<'_>) {
        let Some(step) = turn.runbook.steps.get(cursor) else { return };
        let next = Phase::Working { cursor: cursor + 1, stage: Stage::Ready };
        let until = turn.now + step.settle();
        self.phase = match (&step.kind, state) {
            (Kind::Diagnose { .. }, StepState::Unknown) => {
                if let Some(record) = self.steps.get_mut(cursor) {
                    record.state = StepState::Pending;
                }
                Phase::Working { cursor, stage: Stage::Ready }
            }
            (Kind::Diagnose { settle, .. }, _) if settle.is_zero() => next,
            (Kind::Diagnose { .. }, _) => Phase::Working { cursor, stage: Stage::Settling { since: turn.now, until } },
            (Kind::Change { .. }, StepState::Unknown) => {
                Phase::Working { cursor, stage: Stage::Verifying { since: turn.now, until } }
            }
            (Kind::Change { .. }, StepState::Ok) => {
                self.settle_until = Some(until);
                Phase::Working { cursor, stage: Stage::Settling { since: turn.now, until } }
            }
            (Kind::Change { on_failure, .. }, _) => {
                if *on_failure == OnFailure::Stop {
                    self.changes_stopped_by = Some(step.id.clone());
                }
                self.trouble(reason, turn);
                next
            }
        };
    }
}
