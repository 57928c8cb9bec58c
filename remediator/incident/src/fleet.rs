//! All incidents, and which event concerns which.

mod accounts;
mod listed;
mod people;
mod reach;
mod unreadable;

pub use self::unreadable::Unreadable;

use std::collections::{BTreeMap, BTreeSet};

use crate::align::align;
use crate::budget::Budget;
use crate::built_in::BuiltIn;
use crate::channels::Channels;
use crate::command::{Command, EntryKind};
use crate::efficacy::EfficacyTable;
use crate::event::{Alert, Event, Outcome};
use crate::health::HealthWatch;
use crate::ids::{AlertName, Fingerprint, IncidentId, Person, RunbookId, Target};
use crate::incident::Incident;
use crate::listed::Named;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::returns::{BudgetCall, PastIncident, Returns};
use crate::runbook::Runbook;
use crate::silence::Source;
use crate::state::StepState;
use crate::targets::Targets;
use crate::time::Timestamp;
use crate::turn::{Decisions, Relevance, RunningChanges};

/// The whole state of the core, with its one entrance: [`Fleet::step`].
#[derive(Debug)]
pub struct Fleet {
    /// Limits and people in force.
    policy: Policy,
    /// Runbooks in force.
    runbooks: BTreeMap<RunbookId, Runbook>,
    /// Which of them answers an alert: an index of `runbooks`.
    answers: BTreeMap<AlertName, RunbookId>,
    /// The open incidents. One that is at work is taken out for its turn.
    incidents: BTreeMap<IncidentId, Incident>,
    /// How many are open: kept beside `incidents` because it is asked for after every turn.
    open_counts: OpenCounts,
    /// The open incident for a runbook and target; there is one at most.
    by_key: BTreeMap<(RunbookId, Target), IncidentId>,
    /// The open incident that has an alert: an index of the incidents' own alerts.
    by_alert: BTreeMap<Fingerprint, IncidentId>,
    /// Alerts that fire by their last delivery, whoever has them.
    named: Named,
    /// When which incident is to be looked at again, soonest first.
    deadlines: BTreeSet<(Timestamp, IncidentId)>,
    /// The same by incident, to find its entry in `deadlines`.
    deadline_of: BTreeMap<IncidentId, Timestamp>,
    /// Targets with trouble that exist, and the incidents that say so: what the systemic limit counts.
    sick: BTreeMap<Target, BTreeSet<IncidentId>>,
    /// The changes that run, and what they hold.
    running: RunningChanges,
    /// The changes of the last hour.
    budget: Budget,
    /// How often steps helped lately, as the shell counted it last.
    efficacy: EfficacyTable,
    /// The ways to people that fail.
    channels: Channels,
    /// What is remembered for an hour of incidents that are over, and of calls about the budget.
    returns: Returns,
    /// Which targets exist, as the shell was told last.
    targets: Targets,
    /// The incident that calls people because too many targets are sick.
    systemic_caller: Option<IncidentId>,
    /// Incidents in trouble whose target does not exist.
    strangers: BTreeSet<IncidentId>,
    /// The one of them that calls people when there are many.
    stranger_caller: Option<IncidentId>,
    /// A person's stop of all new actions.
    pause: Option<Pause>,
    /// Whether a maintenance window is open.
    maintenance: bool,
    /// New alerts of incidents that are being closed: each opens an incident of its own after that.
    after_closing: BTreeMap<IncidentId, Vec<Alert>>,
    /// What incidents go on by that are people's from their beginning.
    built_in: BTreeMap<RunbookId, Runbook>,
    /// When those were last heard of by whom faults are heard of.
    heard: BTreeMap<Source, Timestamp>,
    /// What an incident goes on by whose runbook is gone: nothing to do, somebody to call.
    gone: Runbook,
    /// Nothing is done, and somebody is called for every incident.
    people_only: bool,
    /// The highest incident number that was ever used.
    last_id: u64,
}

/// Numbers of open incidents, by runbook and [phase name](Incident::phase_name).
pub type OpenCounts = BTreeMap<RunbookId, BTreeMap<&'static str, usize>>;

/// A person's stop of all new actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The person who stopped them.
    pub by: Person,
    /// When that was said.
    pub at: Timestamp,
}

/// A change that was started before a restart: it counts against the hour's budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastChange {
    /// Whose it was.
    pub runbook: RunbookId,
    /// When it was started.
    pub started_at: Timestamp,
}

/// What the shell kept: everything that a new [`Fleet`] needs to go on where the old one stopped.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// The open incidents.
    pub incidents: Vec<Incident>,
    /// The changes of the last hour.
    pub changes: Vec<PastChange>,
    /// Incidents that were closed within the last hour because their trouble had gone away.
    pub over: Vec<PastIncident>,
    /// Calls of the last hour because the budget was spent.
    pub budget_calls: Vec<BudgetCall>,
    /// A pause that was in force.
    pub pause: Option<Pause>,
    /// The highest incident number ever used.
    pub last_id: u64,
    /// Alerts that fire by their last delivery, with the times at which that was noted.
    pub named: BTreeMap<Fingerprint, Timestamp>,
}

impl Fleet {
    /// A core with these limits and runbooks, going on from what was saved.
    ///
    /// Steps that ran are still taken to run: the shell must find out what became of each and report it with
    /// [`Event::StepFinished`].
    #[must_use]
    pub fn new(policy: Policy, runbooks: Vec<Runbook>, saved: Saved, now: Timestamp) -> Self {
        let mut fleet = Self {
            built_in: people::built_in(&policy),
            heard: BTreeMap::new(),
            policy,
            runbooks: BTreeMap::new(),
            answers: BTreeMap::new(),
            incidents: BTreeMap::new(),
            open_counts: OpenCounts::new(),
            by_key: BTreeMap::new(),
            by_alert: BTreeMap::new(),
            named: Named::from_saved(saved.named),
            deadlines: BTreeSet::new(),
            deadline_of: BTreeMap::new(),
            sick: BTreeMap::new(),
            running: RunningChanges::default(),
            budget: Budget::from_starts(saved.changes.into_iter().map(|change| (change.started_at, change.runbook))),
            efficacy: EfficacyTable::new(),
            channels: Channels::default(),
            returns: Returns::new(saved.over, saved.budget_calls),
            targets: Targets::default(),
            systemic_caller: None,
            strangers: BTreeSet::new(),
            stranger_caller: None,
            pause: saved.pause,
            maintenance: false,
            after_closing: BTreeMap::new(),
            gone: Runbook::gone(),
            people_only: false,
            last_id: saved.last_id,
        };
        fleet.set_runbooks(runbooks);
        fleet.begin_to_listen(now);
        for mut incident in saved.incidents {
            incident.health = HealthWatch::new(now);
            fleet.take_up(incident, now);
        }
        fleet
    }

    /// Leaves every incident to people from its beginning: no step is run, and the first level is called at once.
    #[must_use]
    pub fn for_people_only(mut self) -> Self {
        self.people_only = true;
        let runbooks = std::mem::take(&mut self.runbooks);
        self.set_runbooks(runbooks.into_values().collect());
        self
    }

    /// Puts new limits and runbooks in force. Open incidents keep what was done and go on by the new text; what is known of their
    /// health stays known unless another test asks for it.
    pub fn reconfigure(&mut self, policy: Policy, runbooks: Vec<Runbook>, now: Timestamp) {
        self.built_in = people::built_in(&policy);
        self.policy = policy;
        self.begin_to_listen(now);
        self.channels.keep_those_of(&self.policy);
        let old = std::mem::take(&mut self.runbooks);
        self.set_runbooks(runbooks);
        let incidents = std::mem::take(&mut self.incidents);
        self.open_counts.clear();
        self.by_key.clear();
        self.by_alert.clear();
        self.sick.clear();
        self.strangers.clear();
        self.running = RunningChanges::default();
        for (_, mut incident) in incidents {
            let [was, is] = [&old, &self.runbooks].map(|books| books.get(&incident.runbook).map(|book| &book.healthy));
            if was != is {
                incident.health.forget(now);
            }
            self.take_up(incident, now);
        }
    }

    fn set_runbooks(&mut self, runbooks: Vec<Runbook>) {
        let answers = runbooks.iter().flat_map(|book| book.alerts.iter().map(|alert| (alert.clone(), book.id.clone())));
        self.answers = answers.collect();
        let kept = |book: Runbook| if self.people_only { book.without_steps() } else { book };
        self.runbooks = runbooks.into_iter().map(|book| (book.id.clone(), kept(book))).collect();
    }

    fn take_up(&mut self, mut incident: Incident, now: Timestamp) {
        if !self.runbooks.contains_key(&incident.runbook) {
            // What its changes hold is not known any more, but their target is.
            if incident.steps().any(|record| record.is_change() && record.state == StepState::Running) {
                self.running.begin(incident.id, incident.target.clone(), Vec::new());
            }
        } else if let Some(runbook) = self.runbooks.get(&incident.runbook) {
            align(&mut incident, runbook);
            for (record, step) in incident.steps().zip(runbook.all_steps()) {
                if record.state == StepState::Running && record.is_change() {
                    self.running.begin(incident.id, incident.target.clone(), incident.locks(step));
                }
            }
        }
        let id = incident.id;
        self.by_key.insert((incident.runbook.clone(), incident.target.clone()), id);
        if incident.runbook != BuiltIn::SilentMonitoring.id() {
            self.by_alert.extend(incident.alerts.keys().map(|fingerprint| (fingerprint.clone(), id)));
        }
        self.count(&incident);
        self.last_id = self.last_id.max(id.get());
        self.insert(incident);
        self.set_deadline(id, Some(now));
    }

    /// When [`Event::Tick`] is due if nothing happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [self.deadlines.first().map(|(at, _)| *at), self.next_silence()].into_iter().flatten().min()
    }

    /// An open incident.
    #[must_use]
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id)
    }

    /// All open incidents, oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// How many incidents are open, by runbook and phase.
    #[must_use]
    pub const fn open_counts(&self) -> &OpenCounts {
        &self.open_counts
    }

    /// A person's pause, if one is in force.
    #[must_use]
    pub const fn pause(&self) -> Option<&Pause> {
        self.pause.as_ref()
    }

    /// Takes one event and gives what is to be done about it, in order.
    #[must_use]
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        let mut out = Decisions::at(now);
        self.take(event, &mut out);
        out.commands
    }

    fn take(&mut self, event: Event, out: &mut Decisions) {
        match event {
            Event::AlertFiring(alert) => {
                self.note_named(&alert, out);
                self.alert_firing(alert, out);
            }
            Event::AlertListed { alert, muting } => self.alert_listed(alert, muting, out),
            Event::AlertSuppressed(alert) => match self.by_alert.get(&alert.fingerprint).copied() {
                Some(id) => self.with(id, out, |it, turn| it.alert_suppressed(&alert, turn)),
                None => out.record(None, EntryKind::Ignored, Reason::Suppressed, alert.name.to_string()),
            },
            Event::AlertResolved { fingerprint, starts_at, ends_at } => {
                self.told_resolved(&fingerprint, starts_at, ends_at, out);
            }
            Event::Reconciled { active, scope, asked_at } => self.reconciled(&active, &scope, asked_at, out),
            Event::HealthSample { incident, ticket, verdict } => {
                self.with(incident, out, |it, turn| it.health_answered(ticket, verdict, turn));
            }
            Event::ConditionAnswered { incident, step, ticket, answer } => {
                self.with(incident, out, |it, turn| it.condition_answered(&step, ticket, answer, turn));
            }
            Event::StepFinished { incident, step, attempt, outcome } => {
                if outcome == Outcome::NotRun {
                    self.give_back(incident, &step, attempt);
                }
                self.with(incident, out, |it, turn| it.step_finished(&step, attempt, &outcome, turn));
            }
            Event::PageDelivered { incident, page } => {
                self.with(incident, out, |it, turn| it.page_arrived(page, turn));
            }
            Event::ChannelFails(channel) => self.channel_fails(channel, out),
            Event::ChannelWorks(channel) => self.channel_works(&channel, out),
            Event::Operator { incident, by, operation } => {
                self.with(incident, out, |it, turn| it.operate(&by, operation, turn));
            }
            Event::Pause { by } => {
                out.record(None, EntryKind::Operator, Reason::Paused, by.to_string());
                self.pause = Some(Pause { by, at: out.now });
            }
            Event::Resume { by } => {
                self.pause = None;
                out.record(None, EntryKind::Operator, Reason::Resumed, by.to_string());
                self.evaluate_all(out);
            }
            Event::Maintenance(open) => {
                self.maintenance = open;
                self.evaluate_all(out);
            }
            Event::Unreadable(found) => self.take_up_unreadable(*found, out),
            Event::TargetsKnown(targets) => self.targets_known(targets, out),
            Event::Alive(source) => self.alive(source, out),
            Event::Efficacy(table) => self.efficacy = table,
            Event::Tick => self.tick(out),
        }
    }

    fn tick(&mut self, out: &mut Decisions) {
        // Looking at an incident gives it a deadline in the future, so this many turns are enough for all that are due.
        for _ in 0..self.incidents.len() {
            let Some((at, id)) = self.deadlines.first().copied() else { break };
            if at > out.now {
                break;
            }
            self.evaluate(id, out);
        }
        self.listen(out);
    }

    fn evaluate_all(&mut self, out: &mut Decisions) {
        let ids: Vec<_> = self.incidents.keys().copied().collect();
        for id in ids {
            self.evaluate(id, out);
        }
    }

    fn alert_firing(&mut self, alert: Alert, out: &mut Decisions) {
        if self.is_watchdog(&alert.name) {
            out.record(None, EntryKind::Ignored, Reason::Alive, alert.name.to_string());
            return;
        }
        let (key, why) = match self.place_of(&alert) {
            Ok(key) => (key, Reason::AlertFiring),
            Err(why) => match self.place_with_people(&alert) {
                Some(key) => (key, why),
                None => return out.record(None, EntryKind::Ignored, why, alert.name.to_string()),
            },
        };
        let id = match self.by_key.get(&key) {
            Some(id) => *id,
            None if self.incidents.len() >= self.policy.open_incidents => {
                out.record(None, EntryKind::Ignored, Reason::LimitReached, format!("{}: {}", key.0, key.1));
                return;
            }
            None => self.open(key, why, out),
        };
        let limit = self.policy.alerts_per_incident;
        if self.incidents.get(&id).is_some_and(|incident| incident.is_too_late_for(&alert)) {
            let waiting = self.after_closing.entry(id).or_default();
            waiting.retain(|known| known.fingerprint != alert.fingerprint);
            out.record(Some(id), EntryKind::Ignored, Reason::Closing, alert.name.to_string());
            if waiting.len() < limit {
                waiting.push(alert);
            }
            return;
        }
        self.with(id, out, |it, turn| it.alert_firing(&alert, why, turn));
        if self.incidents.get(&id).is_some_and(|incident| incident.alerts.contains_key(&alert.fingerprint)) {
            let before = self.by_alert.insert(alert.fingerprint.clone(), id);
            if let Some(before) = before.filter(|before| *before != id) {
                // A runbook that was not there answers it by now.
                self.with(before, out, |it, turn| {
                    // Whether it had ended there already makes no difference.
                    let _: Relevance = it.alert_resolved(&alert.fingerprint, turn.now, Reason::AnsweredElsewhere, turn);
                    Relevance::Current
                });
            }
        }
    }

    fn open(&mut self, key: (RunbookId, Target), why: Reason, out: &mut Decisions) -> IncidentId {
        self.last_id += 1;
        let id = IncidentId::new(self.last_id);
        let returned = self.returns.times_back(&key, out.now, self.policy.returns_within);
        let incident = match (self.runbooks.get(&key.0), self.built_in.get(&key.0)) {
            (Some(runbook), _) => Some(Incident::open(id, runbook, key.1.clone(), returned, out.now)),
            (None, Some(runbook)) => {
                Some(Incident::open_for_people(id, runbook, key.1.clone(), (why, returned), out.now))
            }
            (None, None) => None,
        };
        if let Some(incident) = incident {
            let reason = if returned == 0 { why } else { Reason::Returned };
            out.record(Some(id), EntryKind::Opened, reason, format!("{}: {}", key.0, key.1));
            self.count(&incident);
            self.insert(incident);
            self.by_key.insert(key, id);
        }
        id
    }

    fn alert_resolved(&mut self, fingerprint: &Fingerprint, ends_at: Timestamp, reason: Reason, out: &mut Decisions) {
        for waiting in self.after_closing.values_mut() {
            waiting.retain(|alert| alert.fingerprint != *fingerprint);
        }
        let Some(id) = self.by_alert.get(fingerprint).copied() else {
            out.record(None, EntryKind::Ignored, Reason::UnknownIncident, fingerprint.to_string());
            return;
        };
        self.with(id, out, |it, turn| it.alert_resolved(fingerprint, ends_at, reason, turn));
    }
}
