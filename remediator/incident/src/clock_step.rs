//! Time that did not pass: a program that starts again finds that its clock says something else than what was written last.
//!
//! Where the newest entry lies in the future, the clock was ahead when it was written (or is behind now): time goes on from the clock,
//! and what lies after that is brought back by as much. Where it lies far in the past, the program was stopped for long, or the clock
//! is ahead now, and nobody can tell which: what was measured then goes on as if the time between had not been. Either way as much is
//! left of every timer as when the last entry was written, and nobody is called for time that came in one jump.

use std::time::Duration;

use crate::agenda::{SavedAgenda, Task, TaskState};
use crate::escalation::{Arrival, Escalation, Standing};
use crate::fleet::Saved;
use crate::incident::Incident;
use crate::reason::Reason;
use crate::state::{Phase, Stage, StepRecord};
use crate::time::Timestamp;

/// So far ahead of the clock the newest entry may be: two machines, or one before and after its clock was set right.
const AHEAD_MAX: Duration = Duration::from_secs(300);
/// Time for which a program may be stopped and its timers go on.
const STOPPED_MAX: Duration = Duration::from_secs(3600);

/// From the newest entry's time to the clock's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// The newest entry's time.
    pub from: Timestamp,
    /// Where time goes on.
    pub to: Timestamp,
}

impl ClockStep {
    /// What a program finds that starts at `now` on the clock and whose newest entry has the time `newest`, if it is more than the
    /// ordinary passing of time. Nothing is found where nothing was written.
    #[must_use]
    pub fn found(newest: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        let newest = newest?;
        let is_step = newest.since(now) > AHEAD_MAX || now.since(newest) > STOPPED_MAX;
        is_step.then_some(Self { from: newest, to: now })
    }

    /// How far time goes back; nothing if it goes forward.
    #[must_use]
    pub const fn back(self) -> Option<Duration> {
        let back = self.from.since(self.to);
        if back.is_zero() { None } else { Some(back) }
    }

    /// Why the timeline goes on elsewhere.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self.back() {
            Some(_) => Reason::ClockSteppedBack,
            None => Reason::TimeNotCounted,
        }
    }

    /// Brings everything to where time goes on.
    pub fn apply(self, saved: &mut Saved) {
        for incident in &mut saved.incidents {
            self.incident(incident);
        }
        for change in &mut saved.changes {
            self.past(&mut change.started_at);
        }
        saved.over.iter_mut().for_each(|it| self.past(&mut it.closed_at));
        saved.budget_calls.iter_mut().for_each(|it| self.past(&mut it.called_at));
        if let Some(pause) = &mut saved.pause {
            self.past(&mut pause.at);
        }
        saved.named.values_mut().for_each(|at| self.past(at));
    }

    /// The same for the agenda. Schedules that were dealt with up to a time that has not come are so up to now.
    pub fn apply_to_agenda(self, saved: &mut SavedAgenda) {
        for handled in saved.handled.values_mut() {
            *handled = if self.back().is_some() { (*handled).min(self.to) } else { *handled };
        }
        for task in &mut saved.open {
            self.task(task);
        }
    }

    /// Brings a time to where time goes on that something is measured from or waited for.
    pub fn timer(self, at: &mut Timestamp) {
        match self.back() {
            None => *at = *at + self.to.since(self.from),
            Some(_) => self.past(at),
        }
    }

    /// What happened. It is not moved but for what cannot have happened yet.
    fn past(self, at: &mut Timestamp) {
        if let Some(back) = self.back()
            && *at > self.to
        {
            *at = at.before(back);
        }
    }

    fn incident(self, it: &mut Incident) {
        self.past(&mut it.opened_at);
        it.healthy_at.iter_mut().for_each(|at| self.past(at));
        it.alerts.values_mut().for_each(|alert| self.past(&mut alert.heard_at));
        it.steps_mut().for_each(|record| self.step(record));
        it.retired.iter_mut().for_each(|record| self.step(record));
        it.settle_until.iter_mut().for_each(|at| self.timer(at));
        it.hold.iter_mut().for_each(|hold| self.past(&mut hold.at));
        self.escalation(&mut it.escalation);
        match &mut it.phase {
            Phase::Working(machine) | Phase::Restoring(machine) => self.stage(&mut machine.stage),
            Phase::Monitoring { until } => self.timer(until),
            Phase::Closing { give_up_at, .. } => self.timer(give_up_at),
            Phase::Closed { at } => self.past(at),
            Phase::Exhausted | Phase::Stabilising => {}
        }
    }

    fn step(self, record: &mut StepRecord) {
        for at in [&mut record.started_at, &mut record.finished_at].into_iter().flatten() {
            self.past(at);
        }
    }

    fn stage(self, stage: &mut Stage) {
        match stage {
            Stage::Ready => {}
            Stage::AskedCondition { give_up_at: at, .. }
            | Stage::Deciding { since: at }
            | Stage::Blocked { retry_at: at, .. }
            | Stage::AwaitingApproval { until: at }
            | Stage::Running { deadline: at, .. } => self.timer(at),
            Stage::Settling { since, until } | Stage::Verifying { since, until } => {
                self.timer(since);
                self.timer(until);
            }
        }
    }

    fn escalation(self, it: &mut Escalation) {
        self.timer(&mut it.since);
        it.still_since.iter_mut().for_each(|at| self.timer(at));
        if let Some((_, called_at)) = &mut it.reached {
            self.timer(called_at);
        }
        if let Standing::InHand { until, .. } = &mut it.standing {
            self.timer(until);
        }
        it.ends.iter_mut().for_each(|ends| self.timer(&mut ends.at));
        for page in &mut it.pages {
            self.past(&mut page.due_at);
            if let Arrival::Taken { at } = &mut page.arrival {
                self.past(at);
            }
        }
    }

    fn task(self, task: &mut Task) {
        self.timer(&mut task.due_at);
        match &mut task.state {
            TaskState::Running { since: at }
            | TaskState::Person { paged_at: Some(at) }
            | TaskState::Done { at, .. } => {
                self.past(at);
            }
            TaskState::Waiting | TaskState::Person { paged_at: None } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_time_is_no_step() {
        let at = |minutes: u64| Timestamp::from_millis(60_000 * minutes);
        let found = |newest, now| ClockStep::found(Some(at(newest)), at(now)).map(ClockStep::reason);
        assert_eq!(ClockStep::found(None, at(1_000_000)), None);
        assert_eq!([found(100, 95), found(100, 100), found(100, 160)], [None; 3]);
        assert_eq!(found(100, 94), Some(Reason::ClockSteppedBack));
        assert_eq!(found(100, 161), Some(Reason::TimeNotCounted));
    }
}
