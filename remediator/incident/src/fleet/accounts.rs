//! What incidents mean for each other: locks, the hour's budget, causes, and how many targets are sick.

use super::Fleet;
use crate::built_in::BuiltIn;
use crate::command::{Command, EntryKind};
use crate::ids::{IncidentId, LockName, RunbookId, StepId};
use crate::incident::Incident;
use crate::policy::Mode;
use crate::reason::Reason;
use crate::runbook::Runbook;
use crate::state::{BlockKind, Phase, Stage, StepState};
use crate::targets::{Standing, Targets};
use crate::time::Timestamp;
use crate::turn::{Decisions, Relevance, Systemic, Turn};

impl Fleet {
    /// Lets an incident look again at what it waits for.
    pub(super) fn evaluate(&mut self, id: IncidentId, out: &mut Decisions) {
        self.with(id, out, |_, _| Relevance::Current);
    }

    /// Applies an event to one incident, lets it go on as far as it can, and brings everything that depends on it up to date.
    pub(super) fn with(
        &mut self,
        id: IncidentId,
        out: &mut Decisions,
        apply: impl FnOnce(&mut Incident, &mut Turn<'_>) -> Relevance,
    ) {
        let Some(mut incident) = self.remove(id) else {
            out.record(None, EntryKind::Ignored, Reason::UnknownIncident, id.to_string());
            return;
        };
        let first = out.commands.len();
        let mut turn = self.turn(&incident, out);
        if turn.runbook_gone {
            incident.runbook_gone(&mut turn);
        } else if self.people_only {
            incident.people_only(&mut turn);
        }
        match apply(&mut incident, &mut turn) {
            Relevance::Current => incident.run_to_quiescence(&mut turn),
            Relevance::Stale => turn.decided.record(Some(id), EntryKind::Ignored, Reason::Stale, ""),
        }
        let deadline = incident.next_deadline(&turn);
        let calls = turn.systemic == Systemic::Caller && incident.in_trouble() && turn.mode() != Mode::Shadow;
        let standing = turn.standing;
        self.note_caller(id, calls, standing);
        self.update_indexes(&incident, out, first);
        self.remember(&incident, first, out);
        if matches!(incident.phase, Phase::Closed { .. }) {
            self.forget(&incident);
            for alert in self.after_closing.remove(&id).unwrap_or_default() {
                self.alert_firing(alert, out);
            }
        } else {
            self.insert(incident);
            self.set_deadline(id, deadline);
        }
    }

    /// What an incident that was taken out goes by.
    fn turn<'a>(&'a self, incident: &Incident, decided: &'a mut Decisions) -> Turn<'a> {
        let built_in = self.built_in.get(&incident.runbook);
        let known = self.runbooks.get(&incident.runbook).or(built_in);
        let runbook = known.unwrap_or(&self.gone);
        Turn {
            now: decided.now,
            policy: &self.policy,
            runbook,
            runbook_gone: known.is_none(),
            for_people: built_in.is_some(),
            paused: self.pause.is_some(),
            maintenance: self.maintenance,
            cause: self.cause_of(incident, runbook),
            standing: self.standing(incident),
            systemic: self.systemic(incident),
            running: &self.running,
            budget: &self.budget,
            efficacy: &self.efficacy,
            channels: &self.channels,
            budget_was_called: self.returns.budget_was_called(|| incident.key(), decided.now),
            open: self.incidents.len() + 1,
            decided,
        }
    }

    /// Which incident calls people about what many have in common.
    fn note_caller(&mut self, id: IncidentId, calls: bool, standing: Standing) {
        let stranger = standing == Standing::Unknown;
        for (caller, calls) in
            [(&mut self.systemic_caller, calls && !stranger), (&mut self.stranger_caller, calls && stranger)]
        {
            *caller = match *caller {
                _ if calls => Some(id),
                Some(caller) if caller == id => None,
                other => other,
            };
        }
    }

    pub(super) fn insert(&mut self, incident: Incident) {
        let phases = self.open_counts.entry(incident.runbook.clone()).or_default();
        *phases.entry(incident.phase_name()).or_default() += 1;
        self.incidents.insert(incident.id, incident);
    }

    fn remove(&mut self, id: IncidentId) -> Option<Incident> {
        let incident = self.incidents.remove(&id)?;
        let phases = self.open_counts.get_mut(&incident.runbook);
        if let Some(number) = phases.and_then(|phases| phases.get_mut(incident.phase_name())) {
            *number -= 1;
        }
        Some(incident)
    }

    /// Locks, budget and the number of sick targets follow what the incident has just done.
    fn update_indexes(&mut self, incident: &Incident, out: &Decisions, first: usize) {
        let runbook = self.runbooks.get(&incident.runbook);
        for command in out.commands.get(first..).unwrap_or_default() {
            if let Command::RunStep { step, .. } = command
                && let Some(spec) = runbook.and_then(|book| book.all_steps().find(|spec| spec.id == *step))
                && spec.is_change()
            {
                let locks: Vec<LockName> = incident.locks(spec);
                self.running.begin(incident.id, incident.target.clone(), locks);
                self.budget.spend(out.now, incident.runbook.clone());
            }
        }
        if !incident.steps().any(|record| record.is_change() && record.state == StepState::Running) {
            self.running.end(incident.id);
        }
        self.not_sick(incident);
        self.count(incident);
    }

    /// A change that was not let go spends nothing of the hour's budget.
    pub(super) fn give_back(&mut self, incident: IncidentId, step: &StepId, attempt: u32) {
        let Some(incident) = self.incidents.get(&incident) else { return };
        let record = incident.steps().find(|record| record.id == *step);
        if let Some(record) =
            record.filter(|it| it.is_change() && it.attempts == attempt && it.state == StepState::Running)
            && let Some(started_at) = record.started_at
        {
            self.budget.take_back(started_at, &incident.runbook);
        }
    }

    /// Counts an incident among the sick targets, or among those that only an alert knows: made-up names must not pass for a systemic
    /// fault of real ones.
    pub(super) fn count(&mut self, incident: &Incident) {
        if !self.counts_as_sick(incident) {
            return;
        }
        if self.standing(incident) == Standing::Unknown {
            self.strangers.insert(incident.id);
        } else {
            self.sick.entry(incident.target.clone()).or_default().insert(incident.id);
        }
    }

    fn standing(&self, incident: &Incident) -> Standing {
        self.targets.standing(&incident.target, incident.opened_at)
    }

    /// Takes in which targets exist; what waited for that is looked at again.
    pub(super) fn targets_known(&mut self, targets: Targets, out: &mut Decisions) {
        self.targets = targets;
        self.sick.clear();
        self.strangers.clear();
        let incidents = std::mem::take(&mut self.incidents);
        incidents.values().for_each(|incident| self.count(incident));
        self.incidents = incidents;
        let waits = |incident: &&Incident| {
            let stage = incident.phase.machine().map(|machine| &machine.stage);
            matches!(stage, Some(Stage::Blocked { by, .. }) if by.kind() == BlockKind::Target)
        };
        let waiting: Vec<_> = self.incidents.values().filter(waits).map(|incident| incident.id).collect();
        for id in waiting {
            self.with(id, out, |incident, turn| {
                incident.hurry(turn.now);
                Relevance::Current
            });
        }
    }

    /// An incident that only writes down what it would do must not keep others from doing it.
    pub(super) fn counts_as_sick(&self, incident: &Incident) -> bool {
        let acts = |book: &Runbook| self.policy.mode.max(book.mode) != Mode::Shadow;
        incident.in_trouble() && self.runbooks.get(&incident.runbook).is_some_and(acts)
    }

    fn not_sick(&mut self, incident: &Incident) {
        self.strangers.remove(&incident.id);
        if let Some(ids) = self.sick.get_mut(&incident.target) {
            ids.remove(&incident.id);
            if ids.is_empty() {
                self.sick.remove(&incident.target);
            }
        }
    }

    fn forget(&mut self, incident: &Incident) {
        self.not_sick(incident);
        self.running.end(incident.id);
        self.by_key.remove(&(incident.runbook.clone(), incident.target.clone()));
        for fingerprint in incident.alerts.keys() {
            // Another incident may have it by now.
            if self.by_alert.get(fingerprint) == Some(&incident.id) {
                self.by_alert.remove(fingerprint);
            }
        }
        for caller in [&mut self.systemic_caller, &mut self.stranger_caller] {
            *caller = caller.filter(|caller| *caller != incident.id);
        }
        self.set_deadline(incident.id, None);
    }

    pub(super) fn set_deadline(&mut self, id: IncidentId, deadline: Option<Timestamp>) {
        if let Some(old) = self.deadline_of.remove(&id) {
            self.deadlines.remove(&(old, id));
        }
        if let Some(at) = deadline {
            self.deadline_of.insert(id, at);
            self.deadlines.insert((at, id));
        }
    }

    fn cause_of<'a>(&self, incident: &Incident, runbook: &'a Runbook) -> Option<&'a RunbookId> {
        runbook.causes.iter().find(|cause| {
            let open = self.by_key.get(&((*cause).clone(), incident.target.clone()));
            open.and_then(|id| self.incidents.get(id)).is_some_and(|incident| self.counts_as_sick(incident))
        })
    }

    /// Many sick targets have one cause, which repairing them one by one does not reach. One incident calls people about it.
    fn systemic(&self, incident: &Incident) -> Systemic {
        let called = |caller: Option<IncidentId>| match caller {
            Some(caller) if caller != incident.id => Systemic::Follower,
            Some(_) | None => Systemic::Caller,
        };
        if BuiltIn::of(&incident.runbook).is_some() {
            return Systemic::No;
        }
        if self.standing(incident) == Standing::Unknown {
            let many = self.strangers.len() >= self.policy.systemic_from;
            return if many { called(self.stranger_caller) } else { Systemic::No };
        }
        let sick = self.sick.len();
        // Targets that nobody counted are at least those that are sick.
        let known = self.targets.number.max(sick);
        #[expect(clippy::cast_precision_loss, reason = "numbers of targets are far below 2^52")]
        let too_many =
            sick >= self.policy.systemic_from && sick as f64 > self.policy.max_unhealthy_ratio * known as f64;
        if too_many { called(self.systemic_caller) } else { Systemic::No }
    }
}
