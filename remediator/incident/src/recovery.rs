//! After the steps: stay healthy for long enough, watch, take temporary measures back, close.

use crate::context::{Context, Out};
use crate::event::Verdict;
use crate::health::Health;
use crate::incident::{Flow, Incident};
use crate::reason::Reason;
use crate::runbook::Step;
use crate::state::{Phase, Stage, StepState};
use crate::time::Timestamp;

impl Incident {
    pub(crate) fn exhausted(&mut self, cx: &Context<'_>, out: &mut Out) -> Flow {
        if self.aborted {
            // Of alerts that nobody knows nobody can say that they are over.
            let is_over = !self.firing() && !self.alerts.is_empty();
            let why = if self.reason == Reason::Unreadable { Reason::AlertResolved } else { Reason::Aborted };
            return if is_over { self.close(why, cx, out) } else { Flow::Wait };
        }
        if cx.for_people {
            return self.unclaimed(cx, out).unwrap_or(Flow::Wait);
        }
        match self.health.health() {
            Health::Healthy { .. } => self.enter(Phase::Stabilising, Reason::Healthy, out),
            Health::Sick { .. } | Health::Unknown { .. } => Flow::Wait,
        }
    }

    pub(crate) fn stabilising(&mut self, cx: &Context<'_>, out: &mut Out) -> Flow {
        match self.health.health() {
            Health::Unknown { .. } => Flow::Wait,
            // The last change was promised this much time; a wobble within it is no failure of the change.
            Health::Sick { .. } if self.settle_until.is_some_and(|until| cx.now < until) => Flow::Wait,
            Health::Sick { .. } => self.relapse(cx, out),
            Health::Healthy { since } if cx.now.since(since) >= cx.runbook.healthy_for => {
                self.hold_pages(cx);
                let until = cx.now + cx.runbook.recovery.monitor;
                self.enter(Phase::Monitoring { until }, Reason::Stabilised, out)
            }
            Health::Healthy { .. } => Flow::Wait,
        }
    }

    pub(crate) fn monitoring(&mut self, until: Timestamp, cx: &Context<'_>, out: &mut Out) -> Flow {
        let steady = match self.health.health() {
            Health::Unknown { .. } => return Flow::Wait,
            // A measure that was put in place again shows only after its time, and the alert may fire for what is over by then.
            Health::Sick { .. } if self.settle_until.is_some_and(|until| cx.now < until) => return Flow::Wait,
            Health::Sick { .. } if self.firing() => {
                // What returns while its pages are open joins them.
                if self.escalation.ends.take().is_none() {
                    self.escalation.restart(cx.now);
                }
                return self.relapse(cx, out);
            }
            Health::Sick { since } => {
                // No alert says so, and yet it is not healthy: whoever reads the page finds out which of the two is wrong.
                if cx.now.since(since) >= cx.runbook.respond_within {
                    self.trouble_lasts(Reason::Sick, cx, out);
                }
                return Flow::Wait;
            }
            Health::Healthy { since } => cx.now.since(since) >= cx.runbook.healthy_for,
        };
        if self.holds_pages(Reason::Stabilised, cx, out) || cx.now < until || !steady {
            return Flow::Wait;
        }
        if self.firing() {
            if cx.now >= until + cx.runbook.respond_within {
                self.trouble_lasts(Reason::AlertStillFiring, cx, out);
            }
            return Flow::Wait;
        }
        if self.restore_next < cx.runbook.recovery.restore.len() {
            let step = restore_index(self.restore_next, cx);
            return self.enter(Phase::Restoring { step, stage: Stage::Ready }, Reason::Restoring, out);
        }
        let watched = !cx.runbook.recovery.monitor.is_zero();
        self.close(if watched { Reason::Monitored } else { Reason::Stabilised }, cx, out)
    }

    /// The trouble came back: the ladder once more, from the top, with what may run again.
    fn relapse(&mut self, cx: &Context<'_>, out: &mut Out) -> Flow {
        self.relapses += 1;
        self.tell_of_return(cx, out);
        if self.relapses > cx.policy.relapses {
            let flow = self.enter(Phase::Exhausted, Reason::Flapping, out);
            self.trouble(Reason::Flapping, cx, out);
            return flow;
        }
        if !self.restoring_was_stopped(cx) {
            // The steps may put in place again what was taken back already.
            self.restore_next = 0;
        }
        for (record, step) in self.steps.iter_mut().zip(cx.runbook.all_steps()) {
            let ran = record.runs() > 0 && record.state != StepState::Skipped;
            record.approved_by = None;
            if record.state != StepState::Running && (!ran || step.repeatable()) {
                record.state = StepState::Pending;
            }
        }
        self.enter(Phase::Working { cursor: 0, stage: Stage::Ready }, Reason::Relapse, out)
    }

    /// Whether a measure could not be taken back: what is left of them is for people to decide.
    fn restoring_was_stopped(&self, cx: &Context<'_>) -> bool {
        let stages = self.steps.get(cx.runbook.steps.len()..).unwrap_or_default().chunks_exact(2);
        stages.into_iter().any(|stage| match stage {
            [apply, undo] => undo.runs() > 0 || matches!(apply.state, StepState::Failed | StepState::Timeout),
            _ => false,
        })
    }

    pub(crate) fn restoring(&mut self, index: usize, stage: Stage, cx: &Context<'_>, out: &mut Out) -> Flow {
        let waiting = matches!(stage, Stage::Ready | Stage::Blocked { .. } | Stage::AwaitingApproval { .. });
        if waiting && !is_undo(index, cx) && self.firing() && matches!(self.health.health(), Health::Sick { .. }) {
            self.escalation.restart(cx.now);
            return self.relapse(cx, out);
        }
        match cx.runbook.all_steps().nth(index) {
            Some(step) => self.attend(index, step, stage, cx, out),
            None => {
                self.restore_next = cx.runbook.recovery.restore.len();
                self.enter(Phase::Monitoring { until: cx.now }, Reason::Monitored, out)
            }
        }
    }

    /// A measure could be taken back: only from a target that is healthy.
    pub(crate) fn decide_restore(
        &mut self,
        index: usize,
        step: &Step,
        since: Timestamp,
        cx: &Context<'_>,
        out: &mut Out,
    ) -> Flow {
        match self.health.answer_since(since) {
            None | Some(Verdict::Unknown) => Flow::Wait,
            Some(Verdict::Sick) => {
                let until = cx.now + cx.runbook.recovery.monitor;
                self.enter(Phase::Monitoring { until }, Reason::Sick, out)
            }
            Some(Verdict::Healthy) => self.may_act(index, step, Reason::Restoring, cx, out),
        }
    }

    pub(crate) fn after_restore_step(
        &mut self,
        index: usize,
        state: StepState,
        reason: Reason,
        cx: &Context<'_>,
        out: &mut Out,
    ) {
        let settle = cx.runbook.all_steps().nth(index).map_or_else(Default::default, Step::settle);
        let until = cx.now + settle;
        if is_undo(index, cx) {
            self.settle_until = Some(until);
            self.trouble(Reason::RestoreHurt, cx, out);
            self.stop_restoring(Reason::RestoreHurt, cx, out);
            return;
        }
        match state {
            StepState::Ok => {
                self.at(index, Stage::Settling { since: cx.now, until });
            }
            StepState::Unknown => {
                self.at(index, Stage::Verifying { since: cx.now, until });
            }
            StepState::Failed | StepState::Timeout | StepState::Pending | StepState::Skipped | StepState::Running => {
                self.trouble(reason, cx, out);
                self.stop_restoring(reason, cx, out);
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
        cx: &Context<'_>,
        out: &mut Out,
    ) -> Flow {
        let asked_from = match cx.cause {
            None if cx.now < until => return Flow::Wait,
            Some(_) if cx.now < until => since,
            Some(_) | None => until,
        };
        match self.health.answer_since(asked_from) {
            Some(Verdict::Sick) => {
                self.enter(Phase::Restoring { step: index + 1, stage: Stage::Ready }, Reason::RestoreHurt, out)
            }
            Some(Verdict::Healthy) if cx.now >= until => self.next_restore(cx, out),
            Some(Verdict::Healthy | Verdict::Unknown) | None => Flow::Wait,
        }
    }

    pub(crate) fn next_restore(&mut self, cx: &Context<'_>, out: &mut Out) -> Flow {
        self.restore_next += 1;
        let phase = if self.restore_next < cx.runbook.recovery.restore.len() {
            Phase::Restoring { step: restore_index(self.restore_next, cx), stage: Stage::Ready }
        } else {
            Phase::Monitoring { until: cx.now }
        };
        self.enter(phase, Reason::Restoring, out)
    }

    fn stop_restoring(&mut self, reason: Reason, cx: &Context<'_>, out: &mut Out) {
        self.restore_next = cx.runbook.recovery.restore.len();
        let until = cx.now + cx.runbook.recovery.monitor;
        self.enter(Phase::Monitoring { until }, reason, out);
    }
}

/// Where a restore stands among all steps; its undo comes right after it.
const fn restore_index(restore: usize, cx: &Context<'_>) -> usize {
    cx.runbook.steps.len() + 2 * restore
}

pub(crate) const fn is_undo(index: usize, cx: &Context<'_>) -> bool {
    index >= cx.runbook.steps.len() && (index - cx.runbook.steps.len()) % 2 == 1
}
