//! After the steps: stay healthy for long enough, watch, take temporary measures back, close.

use crate::event::Verdict;
use crate::health::Health;
use crate::incident::{Flow, Incident};
use crate::reason::Reason;
use crate::runbook::{Kind, Step};
use crate::state::{Block, Phase, Stage, StepMachine, StepRecord, StepRef, StepState};
use crate::step_machine::StepOutcome;
use crate::time::Timestamp;
use crate::turn::Turn;

impl Incident {
    pub(crate) fn exhausted(&mut self, turn: &mut Turn<'_>) -> Flow {
        if self.aborted {
            // Of alerts that nobody knows nobody can say that they are over.
            let is_over = !self.firing() && !self.alerts.is_empty();
            let why = if self.reason == Reason::Unreadable { Reason::AlertResolved } else { Reason::Aborted };
            return if is_over { self.close(why, turn) } else { Flow::Wait };
        }
        if turn.for_people {
            return self.unclaimed(turn).unwrap_or(Flow::Wait);
        }
        match self.health.health() {
            Health::Healthy { .. } => self.enter(Phase::Stabilising, Reason::Healthy, turn),
            Health::Unhealthy { .. } | Health::Unknown { .. } => Flow::Wait,
        }
    }

    pub(crate) fn stabilising(&mut self, turn: &mut Turn<'_>) -> Flow {
        match self.health.health() {
            Health::Unknown { .. } => Flow::Wait,
            // The last change was promised this much time; a wobble within it is no failure of the change.
            Health::Unhealthy { .. } if self.settle_until.is_some_and(|until| turn.now < until) => Flow::Wait,
            Health::Unhealthy { .. } => self.relapse(turn),
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
            Health::Unhealthy { .. } if self.settle_until.is_some_and(|until| turn.now < until) => return Flow::Wait,
            Health::Unhealthy { .. } if self.firing() => {
                // What returns while its pages are open joins them.
                if self.escalation.ends.take().is_none() {
                    self.escalation.restart(turn.now);
                }
                return self.relapse(turn);
            }
            Health::Unhealthy { since } => {
                // No alert says so, and yet it is not healthy: whoever reads the page finds out which of the two is wrong.
                if turn.now.since(since) >= turn.runbook.respond_within {
                    self.page_first_level_once(Reason::Unhealthy, turn);
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
                self.page_first_level_once(Reason::AlertStillFiring, turn);
            }
            return Flow::Wait;
        }
        if self.restore_next < turn.runbook.recovery.restore.len() {
            return self.enter(self.next_measure(), Reason::Restoring, turn);
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
            self.page_first_level(Reason::Flapping, turn);
            return flow;
        }
        if !self.restoring_was_stopped() {
            // The steps may put in place again what was taken back already.
            self.restore_next = 0;
        }
        for (record, step) in self.steps_mut().zip(turn.runbook.all_steps()) {
            let ran = record.runs() > 0 && record.state != StepState::Skipped;
            record.approved_by = None;
            if record.state != StepState::Running && (!ran || step.repeatable()) {
                record.state = StepState::Pending;
            }
        }
        self.enter(Phase::Working(StepMachine::ready(StepRef::Step(0))), Reason::Relapse, turn)
    }

    /// Whether a measure could not be taken back: what is left of them is for people to decide.
    fn restoring_was_stopped(&self) -> bool {
        let failed = |record: &StepRecord| matches!(record.state, StepState::Failed | StepState::Timeout);
        self.restores.iter().any(|it| it.undo.runs() > 0 || failed(&it.apply))
    }

    /// Goes on with taking measures back.
    pub(crate) fn advance_restore(&mut self, machine: &StepMachine, turn: &mut Turn<'_>) -> Flow {
        let waiting = matches!(machine.stage, Stage::Ready | Stage::Blocked { .. } | Stage::AwaitingApproval { .. });
        let puts_back = matches!(machine.at, StepRef::Undo(_));
        if waiting && !puts_back && self.firing() && matches!(self.health.health(), Health::Unhealthy { .. }) {
            self.escalation.restart(turn.now);
            return self.relapse(turn);
        }
        match turn.runbook.step(machine.at) {
            Some(step) => self.advance_step(machine, step, turn),
            None => {
                self.restore_next = turn.runbook.recovery.restore.len();
                self.enter(Phase::Monitoring { until: turn.now }, Reason::Monitored, turn)
            }
        }
    }

    /// What follows from what a step has come to that takes a measure back or puts it in place again.
    pub(crate) fn follow_restore(
        &mut self,
        at: StepRef,
        step: &Step,
        outcome: StepOutcome,
        turn: &mut Turn<'_>,
    ) -> Flow {
        let next = match outcome {
            StepOutcome::Due => match self.blocks_restore(at, step, turn) {
                Some(by) => self.block(at, by, turn),
                None => self.prepare(at, step, None, turn),
            },
            StepOutcome::Cleared => match (at, &step.kind) {
                (_, Kind::Diagnose { known_to_read: true, .. }) => self.start(at, step, Reason::NextStep, turn),
                // What hurts is put right without asking again.
                (StepRef::Undo(_), Kind::Change { .. }) => self.start(at, step, Reason::RestoreHurt, turn),
                (_, Kind::Diagnose { known_to_read: false, .. } | Kind::Change { .. }) => {
                    self.enter_stage(Stage::Deciding { since: turn.now })
                }
            },
            // A measure is taken back only from a target that is healthy.
            StepOutcome::Judged(Verdict::Unknown) => return Flow::Wait,
            StepOutcome::Judged(Verdict::Unhealthy) => {
                let until = turn.now + turn.runbook.recovery.monitor;
                return self.enter(Phase::Monitoring { until }, Reason::Unhealthy, turn);
            }
            StepOutcome::Judged(Verdict::Healthy) => match self.blocks_restore(at, step, turn) {
                Some(by) => self.block(at, by, turn),
                None => self.act(at, step, Reason::Restoring, turn),
            },
            StepOutcome::BlockedBy(by) => {
                let now = self.blocks_restore(at, step, turn);
                self.look_again(by, now, true, turn)
            }
            StepOutcome::Blocked => {
                if matches!(at, StepRef::Undo(_)) {
                    self.page_first_level_once(Reason::RestoreHurt, turn);
                }
                return Flow::Wait;
            }
            StepOutcome::LeftOut | StepOutcome::RunsBeside => return self.next_restore(turn),
            StepOutcome::Ended { state, reason, awaited: true } => {
                return self.restore_ended(at, step, state, reason, turn);
            }
            StepOutcome::Settling { since, until } | StepOutcome::Verifying { since, until } => {
                return self.watch_restore(at, since, until, turn);
            }
            StepOutcome::Moved => return Flow::Again,
            // A measure that could be taken back is no trouble, though it waits for a person: the target is healthy.
            StepOutcome::AsksApproval(_)
            | StepOutcome::Waiting
            | StepOutcome::Overran
            | StepOutcome::Ended { awaited: false, .. } => return Flow::Wait,
        };
        self.follow_restore(at, step, next, turn)
    }

    /// What keeps a measure where it is. Undoing a hurt waits neither for budgets nor for a cause that the hurt may be, yet never collides
    /// with another change.
    fn blocks_restore(&self, at: StepRef, step: &Step, turn: &Turn<'_>) -> Option<Block> {
        match (at, self.blocked_by_others(turn)) {
            (StepRef::Undo(_), None | Some(Block::CauseOpen)) => self.busy(step, turn).then_some(Block::LockBusy),
            (_, other) => other.or_else(|| self.blocked_by_limits(step, turn)),
        }
    }

    fn restore_ended(
        &mut self,
        at: StepRef,
        step: &Step,
        state: StepState,
        reason: Reason,
        turn: &mut Turn<'_>,
    ) -> Flow {
        let (since, until) = (turn.now, turn.now + step.settle());
        if matches!(at, StepRef::Undo(_)) {
            self.settle_until = Some(until);
            self.page_first_level(Reason::RestoreHurt, turn);
            return self.stop_restoring(Reason::RestoreHurt, turn);
        }
        let stage = match state {
            StepState::Ok => Stage::Settling { since, until },
            StepState::Unknown => Stage::Verifying { since, until },
            StepState::Failed | StepState::Timeout | StepState::Pending | StepState::Skipped | StepState::Running => {
                self.page_first_level(reason, turn);
                return self.stop_restoring(reason, turn);
            }
        };
        self.set_stage(stage);
        Flow::Again
    }

    /// A measure was taken back: the target must be healthy once `settle` is over.
    ///
    /// Until then its health is measured over a time in which the measure was still in place, and tells nothing; unless a cause of
    /// this trouble begins meanwhile, which no measurement over both explains.
    fn watch_restore(&mut self, at: StepRef, since: Timestamp, until: Timestamp, turn: &mut Turn<'_>) -> Flow {
        let asked_from = match turn.cause {
            None if turn.now < until => return Flow::Wait,
            Some(_) if turn.now < until => since,
            Some(_) | None => until,
        };
        match self.health.answer_since(asked_from) {
            Some(Verdict::Unhealthy) => {
                let undo = match at {
                    StepRef::Apply(number) | StepRef::Undo(number) | StepRef::Step(number) => StepRef::Undo(number),
                };
                self.enter(Phase::Restoring(StepMachine::ready(undo)), Reason::RestoreHurt, turn)
            }
            Some(Verdict::Healthy) if turn.now >= until => self.next_restore(turn),
            Some(Verdict::Healthy | Verdict::Unknown) | None => Flow::Wait,
        }
    }

    const fn next_measure(&self) -> Phase {
        Phase::Restoring(StepMachine::ready(StepRef::Apply(self.restore_next)))
    }

    fn next_restore(&mut self, turn: &mut Turn<'_>) -> Flow {
        self.restore_next += 1;
        let phase = if self.restore_next < turn.runbook.recovery.restore.len() {
            self.next_measure()
        } else {
            Phase::Monitoring { until: turn.now }
        };
        self.enter(phase, Reason::Restoring, turn)
    }

    fn stop_restoring(&mut self, reason: Reason, turn: &mut Turn<'_>) -> Flow {
        self.restore_next = turn.runbook.recovery.restore.len();
        let until = turn.now + turn.runbook.recovery.monitor;
        self.enter(Phase::Monitoring { until }, reason, turn)
    }
}
