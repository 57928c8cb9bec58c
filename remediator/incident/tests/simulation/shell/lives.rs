//! Deaths and new starts, and the peace in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use vvtv_incident::{
    Channels, ClockStep, Event, Fleet, Incident, IncidentId, Operation, Outcome, PastChange, Person, Saved, StepId,
    StepState, Target, Timestamp, Unreadable,
};

use super::{CLAIMED, Shell};
use crate::books::books;
use crate::maintenance::Besides;
use crate::process::Process;

impl Shell {
    /// Kill -9 and a new start: processes go on as orphans, everything else in memory is gone.
    pub(super) fn restart(&mut self) {
        self.mail.clear();
        self.lives += 1;
        self.pager.crash();
        self.failing = Channels::default();
        let stopped = self.now;
        // Long enough, now and then, that nobody counts the time.
        let longest = if self.dice.once_in(10) { 200 * 3_600_000 } else { 900_000 };
        self.now = self.now + Duration::from_millis(self.dice.below(longest));
        let mut incidents: Vec<Incident> = self.incidents.values().cloned().collect();
        let change = |(at, _, step, _): &(Timestamp, IncidentId, StepId, u32)| {
            self.changed_by(step).map(|book| PastChange { started_at: *at, runbook: book.id.clone() })
        };
        let changes = self.intents.iter().filter_map(change).collect();
        // Orphans that ended while the shell was down did their work unseen.
        for process in std::mem::take(&mut self.processes) {
            if process.ends_at > self.now {
                self.processes.push(Process { orphan: true, ..process });
            } else if process.heals {
                self.sick.insert(process.target, false);
            }
        }
        for incident in &incidents {
            for record in incident.steps().filter(|record| record.state == StepState::Running) {
                let alive = |process: &Process| process.incident == incident.id && process.step == record.id;
                if !self.processes.iter().any(alive) {
                    let key = (incident.id, record.id.clone(), record.attempts);
                    let ran = self.let_go.contains(&key);
                    self.intents.retain(|(_, incident, step, attempt)| {
                        ran || (*incident, step, *attempt) != (key.0, &key.1, key.2)
                    });
                    let outcome = if ran { Outcome::Unknown } else { Outcome::NotRun };
                    let event = Event::StepFinished { incident: key.0, step: key.1, attempt: key.2, outcome };
                    self.mail.push((self.now, event));
                }
            }
        }
        let unreadable = self.lose_a_state(&mut incidents);
        let pause = self.pause.clone();
        let (over, budget_calls) = (self.over.clone(), self.budget_calls.clone());
        let (last_id, named) = (self.last_id, self.named.clone());
        let mut saved = Saved { incidents, changes, over, budget_calls, pause, last_id, named };
        let clock_step = ClockStep::found(Some(stopped), self.now);
        self.maintenance.restart(self.now, clock_step);
        if let Some(step) = clock_step {
            step.apply(&mut saved);
            let written = saved.incidents.iter().map(|it| (it.id, it.clone()));
            self.incidents.extend(written);
        }
        self.fleet = Fleet::new(self.policy.clone(), books(), saved, self.now);
        self.vouched.clear();
        let targets = self.targets(None);
        // Sometimes nobody can be asked just then.
        if self.dice.once_in(4) {
            self.mail.push((self.now + Duration::from_millis(self.dice.below(300_000)), targets));
        } else {
            self.apply(targets, false);
        }
        if let Some(event) = unreadable {
            self.apply(event, false);
        }
        self.deliver(Event::Tick);
        self.reconcile();
        self.repeat_alerts();
    }

    /// Now and then what was kept of one cannot be read, and what other tables say of it is all that is known.
    fn lose_a_state(&mut self, incidents: &mut Vec<Incident>) -> Option<Event> {
        if incidents.is_empty() || !self.dice.once_in(10) {
            return None;
        }
        let index = usize::try_from(self.dice.below(incidents.len() as u64)).unwrap();
        let incident = incidents.remove(index);
        let steps = incident.steps().filter(|record| record.attempts > 0).cloned().collect();
        let Incident { id, runbook, target, opened_at, alerts, escalation, .. } = incident;
        Some(Event::Unreadable(Box::new(Unreadable {
            id,
            runbook,
            target,
            opened_at,
            alerts: if self.dice.once_in(2) { alerts } else { BTreeMap::new() },
            steps,
            pages: escalation.pages,
            text: String::new(),
        })))
    }

    /// What the agenda is told of the incidents.
    pub(super) fn besides(&self) -> Besides {
        Besides { incidents: self.fleet.incidents().count(), paused: self.fleet.pause().is_some() }
    }

    /// What the agenda does by itself until then, while nothing happens to incidents.
    pub(super) fn maintain_until(&mut self, end: Timestamp) {
        while let Some(at) = self.maintenance.next_at().filter(|at| *at <= end) {
            self.maintenance.turn(at.max(self.now), self.besides());
        }
    }

    /// Peace: everything heals, and every incident must close.
    pub(crate) fn settle(&mut self) {
        self.deliver(Event::Resume { by: Person::new("ana") });
        self.pager.mend();
        for _ in 0..200 {
            let open: Vec<_> = self.fleet.incidents().map(|incident| incident.id).collect();
            if open.is_empty() {
                self.check_pages();
                self.maintenance.settle(self.now);
                return;
            }
            let targets = self.targets(None);
            self.deliver(targets);
            for stream in CLAIMED {
                self.sick.insert(Target::new(stream), false);
            }
            for incident in open {
                let by = Person::new("ana");
                // Of some nobody else can tell that they are over.
                let unknown = self.fleet.incident(incident).is_some_and(|it| it.alerts.is_empty());
                let operation = if unknown { Operation::Abort } else { Operation::Release };
                self.deliver(Event::Operator { incident, by, operation });
            }
            self.firing.clear();
            self.reconcile();
            self.run_until(self.now + Duration::from_secs(300));
        }
        let open: Vec<_> = self.fleet.incidents().collect();
        assert!(open.is_empty(), "healthy for hours and still open: {open:#?}");
    }
}
