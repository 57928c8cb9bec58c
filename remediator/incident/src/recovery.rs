//! After the steps: stay healthy for long enough, watch, take temporary measures back, close.

use crate::event::Verdict;
use crate::health::Health;
use crate::incident::{Flow, Incident};
use crate::reason::Reason;
use crate::runbook::Step;
use crate::state::{Phase, Stage, StepState};
use crate::time::Timestamp;
use crate::turn::Turn;

impl Incident {
    pub(crate) fn exhausted(&mut self, turn: &mut Turn<'_>) -> Flow {
        if self.aborted {
            return if self.firing() { Flow::Wait } else { self.close(Reason::Aborted, turn) };
        }
        if turn.for_people {
            return self.unclaimed(turn).unwrap_or(Flow::Wait);
        }
        match self.health.health() {
            Health::Healthy { .. } => self.enter(Phase::Stabilising, Reason::Healthy, turn),
            Health::Sick { .. } | Health::Unknown { .. } => Flow::Wait,
        }
    }

    pub(crate) fn stabilising(&mut self, turn: &mut Turn<'_>) -> Flow {
        match self.health.health() {
            Health::Unknown { .. } => Flow::Wait,
            // The last change was promised this much time; a wobble within it is no failure of the change.
            Health::Sick { .. } if self.settle_until.is_some_and(|until| turn.now < until) => Flow::Wait,
            Health::Sick { .. } => self.relapse(turn),
            Health::Healthy { since } if turn.now.since(since) >= turn.runbook.healthy_for => {
                self.hold_pages(turn);
                let until = turn.now + turn.runbook.recovery.monitor;
                self.enter(Phase::Monitoring { until }, Reason::Stabilised, turn)
            }
            Health::Healthy { .. } => Flow::Wait,
        }
    }

    pub(crate) fn monitoring(&mut self, until: Timestamp, turn: &mut Turn<'_>) -> Flow {
        let steady = match self.health.health() {
            Health::Unknown { .. } => return Flow::Wait,
            // A measure that was put in place again shows only after its time, and the alert may fire for what is over by then.
            Health::Sick { .. } if self.settle_until.is_some_and(|until| turn.now < until) => return Flow::Wait,
            Health::Sick { .. } if self.firing() => {
                // What returns while its pages are open joins them.
                if self.escalation.ends.take().is_none() {
                    self.escalation.restart(turn.now);
                }
                return self.relapse(turn);
            }
            Health::Sick { since } => {
                // No alert says so, and yet it is not healthy: whoever reads the page finds out which of the two is wrong.
                if turn.now.since(since) >= turn.runbook.respond_within {
                    self.trouble_lasts(Reason::Sick, turn);
                }
                return Flow::Wait;
            }
            Health::Healthy { since } => turn.now.since(since) >= turn.runbook.healthy_for,
        };
        if self.holds_pages(Reason::Stabilised, turn) || turn.now < until || !steady {
            return Flow::Wait;
        }
        if self.firing() {
            if turn.now >= until + turn.runbook.respond_within {
                self.trouble_lasts(Reason::AlertStillFiring, turn);
            }
            return Flow::Wait;
        }
        if self.restore_next < turn.runbook.recovery.restore.len() {
            let step = restore_index(self.restore_next, turn);
            return self.enter(Phase::Restoring { step, stage: Stage::Ready }, Reason::Restoring, turn);
        }
        let watched = !turn.runbook.recovery.monitor.is_zero();
        self.close(if watched { Reason::Monitored } else { Reason::Stabilised }, turn)
    }

    /// The trouble came back: the ladder once more, from the top, with what may run again.
    fn relapse(&mut self, turn: &mut Turn<'_>) -> Flow {
        self.relapses += 1;
        self.tell_of_return(turn);
        if self.relapses > turn.policy.relapses {
            let flow = self.enter(Phase::Exhausted, Reason::Flapping, turn);
            self.trouble(Reason::Flapping, turn);
            return flow;
        }
        if !self.restoring_was_stopped(turn) {
            // The steps may put in place again what was taken back already.
            self.restore_next = 0;
        }
        for (record, step) in self.steps.iter_mut().zip(turn.runbook.all_steps()) {
            let ran = record.runs() > 0 && record.state != StepState::Skipped;
            record.approved_by = None;
            if record.state != StepState::Running && (!ran || step.repeatable()) {
                record.state = StepState::Pending;
            }
        }
        self.enter(Phase::Working { cursor: 0, stage: Stage::Ready }, Reason::Relapse, turn)
    }

    /// Whether a measure could not be taken back: what is left of them is for people to decide.
    fn restoring_was_stopped(&self, turn: &Turn<'_>) -> bool {
        let stages = self.steps.get(turn.runbook.steps.len()..).unwrap_or_default().chunks_exact(2);
        stages.into_iter().any(|stage| match stage {
            [apply, undo] => undo.runs() > 0 || matches!(apply.state, StepState::Failed | StepState::Timeout),
            _ => false,
        })
    }

    pub(crate) fn restoring(&mut self, index: usize, stage: Stage, turn: &mut Turn<'_>) -> Flow {
        let waiting = matches!(stage, Stage::Ready | Stage::Blocked { .. } | Stage::AwaitingApproval { .. });
        if waiting && !is_undo(index, turn) && self.firing() && matches!(self.health.health(), Health::Sick { .. }) {
            self.escalation.restart(turn.now);
            return self.relapse(turn);
        }
        match turn.runbook.all_steps().nth(index) {
            Some(step) => self.attend(index, step, stage, turn),
            None => {
                self.restore_next = turn.runbook.recovery.restore.len();
                self.enter(Phase::Monitoring { until: turn.now }, Reason::Monitored, turn)
            }
        }
    }

    /// A measure could be taken back: only from a target that is healthy.
    pub(crate) fn decide_restore(&mut self, index: usize, step: &Step, since: Timestamp, turn: &mut Turn<'_>) -> Flow {
        match self.health.answer_since(since) {
            None | Some(Verdict::Unknown) => Flow::Wait,
            Some(Verdict::Sick) => {
                let until = turn.now + turn.runbook.recovery.monitor;
                self.enter(Phase::Monitoring { until }, Reason::Sick, turn)
            }
            Some(Verdict::Healthy) => self.may_act(index, step, Reason::Restoring, turn),
        }
    }

    pub(crate) fn after_restore_step(&mut self, index: usize, state: StepState, reason: Reason, turn: &mut Turn<'_>) {
        let settle = turn.runbook.all_steps().nth(index).map_or_else(Default::default, Step::settle);
        let until = turn.now + settle;
        if is_undo(index, turn) {
            self.settle_until = Some(until);
            self.trouble(Reason::RestoreHurt, turn);
            self.stop_restoring(Reason::RestoreHurt, turn);
            return;
        }
        match state {
            StepState::Ok => {
                self.at(index, Stage::Settling { since: turn.now, until });
            }
            StepState::Unknown => {
                self.at(index, Stage::Verifying { since: turn.now, until });
            }
            StepState::Failed | StepState::Timeout | StepState::Pending | StepState::Skipped | StepState::Running => {
                self.trouble(reason, turn);
                self.stop_restoring(reason, turn);
            }
        }
    }

    /// A measure was taken back: the target must be healthy once `settle` is over.
    ///
    /// Until then its health is measured over a time in which the measure was still in place, and tells nothing; unless a cause of
    /// this trouble begins meanwhile, which no measurement over both explains.
    pub(crate) fn watch_restore(
        &mut self,
        index: usize,
        (since, until): (Timestamp, Timestamp),
        turn: &mut Turn<'_>,
    ) -> Flow {
        let asked_from = match turn.cause {
            None if turn.now < until => return Flow::Wait,
            Some(_) if turn.now < until => since,
            Some(_) | None => until,
        };
        match self.health.answer_since(asked_from) {
            Some(Verdict::Sick) => {
                self.enter(Phase::Restoring { step: index + 1, stage: Stage::Ready }, Reason::RestoreHurt, turn)
            }
            Some(Verdict::Healthy) if turn.now >= until => self.next_restore(turn),
            Some(Verdict::Healthy | Verdict::Unknown) | None => Flow::Wait,
        }
    }

    pub(crate) fn next_restore(&mut self, turn: &mut Turn<'_>) -> Flow {
        self.restore_next += 1;
        let phase = if self.restore_next < turn.runbook.recovery.restore.len() {
            Phase::Restoring { step: restore_index(self.restore_next, turn), stage: Stage::Ready }
        } else {
            Phase::Monitoring { until: turn.now }
        };
        self.enter(phase, Reason::Restoring, turn)
    }

    fn stop_restoring(&mut self, reason: Reason, turn: &mut Turn<'_>) {
        self.restore_next = turn.runbook.recovery.restore.len();
        let until = turn.now + turn.runbook.recovery.monitor;
        self.enter(Phase::Monitoring { until }, reason, turn);
    }
}

/// Where a restore stands among all steps; its undo comes right after it.
const fn restore_index(restore: usize, turn: &Turn<'_>) -> usize {
    turn.runbook.steps.len() + 2 * restore
}

pub(crate) const fn is_undo(index: usize, turn: &Turn<'_>) -> bool {
    index >= turn.runbook.steps.len() && (index - turn.runbook.steps.len()) % 2 == 1
}
