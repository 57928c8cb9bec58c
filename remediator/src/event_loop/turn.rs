//! From inputs to decisions: what one transaction must hold, and what follows once it is written.

use std::collections::BTreeSet;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use vvtv_incident::{
    Command, Entry, EntryKind, Event, IncidentId, Level, Outcome, PageOrder, Reason, Scope, Timestamp,
};

use super::effects::Effect;
use super::{Decided, EventLoop, Input, Unavailable};
use crate::alerts::webhook::AlertUpdate;
use crate::clock::rfc3339;
use crate::conditions::facts::StepFact;
use crate::config::reload::Reload;
use crate::journal::outbox::{Message, MessageKey, MessageKind, Subject};
use crate::journal::{Batch, Delivery, PauseChange, RunKey, RunResult};

/// A turn that is not yet durable.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) batch: Batch,
    /// Incidents whose state the batch takes in when it is written.
    pub(super) changed: BTreeSet<IncidentId>,
    pub(super) effects: Vec<Effect>,
    deliveries: Vec<oneshot::Sender<Result<(), Unavailable>>>,
    pub(super) operators: Vec<(Asked, Vec<Entry>)>,
    /// Steps whose processes are made, to wait, while the batch is written.
    pub(super) ahead: Vec<Ahead>,
}

/// A step whose process may be there before the step is on disk. It waits: see `executor/gate.rs`.
pub(super) struct Ahead {
    pub(super) key: RunKey,
    pub(super) decided_at: Timestamp,
    pub(super) process: AbortHandle,
}

/// Where an operator waits for what was decided.
pub(super) type Asked = oneshot::Sender<Result<Decided, Unavailable>>;

impl Turn {
    /// Whoever waits for this turn to be durable.
    pub(super) fn answer_later(&mut self, done: oneshot::Sender<Result<(), Unavailable>>) {
        self.deliveries.push(done);
    }

    /// Answers everyone: it is durable.
    pub(super) fn answer(&mut self) {
        // Whoever gave up waiting needs no answer.
        for done in self.deliveries.drain(..) {
            let _gone = done.send(Ok(()));
        }
        for (done, entries) in self.operators.drain(..) {
            drop(done.send(Ok(Decided { entries, durable: true })));
        }
    }

    /// Answers everyone: not now. What a person asked for is decided and cannot be taken back: it is said that it will be done.
    pub(super) fn refuse(&mut self) {
        for done in self.deliveries.drain(..) {
            let _gone = done.send(Err(Unavailable));
        }
        for (done, entries) in self.operators.drain(..) {
            drop(done.send(Ok(Decided { entries, durable: false })));
        }
    }
}

impl EventLoop {
    pub(super) fn absorb(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Alerts { done, .. } if self.journal_failing => {
                let _gone = done.send(Err(Unavailable));
            }
            Input::Operator { done, .. } if self.journal_failing => drop(done.send(Err(Unavailable))),
            Input::Alerts { updates, receiver, done } => {
                self.note_watchdog(now, &updates);
                if let Some(heard) = receiver.and_then(|name| self.receivers.hear(&name)) {
                    self.pending.batch.listed.receivers = Some(heard);
                }
                self.alerts(now, updates);
                self.pending.deliveries.push(done);
            }
            // The next look tells the same again; kept until the journal is back, they would only grow.
            Input::Reconciled { .. } if self.journal_failing => {}
            Input::Reconciled { updates, scope, asked_at } => self.reconciled(now, updates, scope, asked_at),
            Input::Targets { listed, asked_at } => {
                if let Some(told) = self.targets.hear(listed, asked_at) {
                    self.pending.batch.targets = Some(told);
                }
                self.apply(now, Event::TargetsKnown(self.targets.targets()));
            }
            Input::Event(event) => {
                self.apply(now, event);
            }
            Input::Operator { event, done } => {
                let before = self.pending.batch.timeline.len();
                let pauses = matches!(event, Event::Pause { .. } | Event::Resume { .. });
                self.apply(now, event);
                let entries = self.pending.batch.timeline.iter().skip(before).map(|(_, entry)| entry.clone()).collect();
                if pauses {
                    self.note_pause();
                }
                self.pending.operators.push((done, entries));
            }
            Input::Reload(Reload { live, done }) => {
                self.reload(now, live);
                // Whoever gave up waiting finds it in the log.
                let _gone = done.send(());
            }
            Input::Output { key, output } => drop(self.pending.batch.outputs.insert(key, output)),
            // What was taken back meanwhile has no process any more.
            Input::Spawned { waiting, .. } if waiting.go.is_moot() => {}
            Input::Spawned { key, waiting } => {
                self.pending.batch.spawned.push((key, waiting.identity));
                self.pending.effects.push(Effect::LetGo(waiting.go));
            }
            Input::Finished { key, result } => {
                self.finished(&key, &result);
                let event = Event::StepFinished {
                    incident: key.incident,
                    step: key.step.clone(),
                    attempt: key.attempt,
                    outcome: result.outcome.clone(),
                };
                self.pending.batch.results.push((key, result));
                self.apply(now, event);
            }
            Input::Delivered { key, delivery } => self.delivered(now, key, delivery),
            Input::Pulse { done } => self.pulse(now, done),
            Input::Task(input) => self.task(now, input),
        }
    }

    fn alerts(&mut self, now: Timestamp, updates: Vec<AlertUpdate>) {
        for update in updates {
            let event = match update {
                AlertUpdate::Firing(alert) => Event::AlertFiring(alert),
                AlertUpdate::Listed(alert, muting) => Event::AlertListed { alert, muting },
                AlertUpdate::Suppressed(alert) => Event::AlertSuppressed(alert),
                AlertUpdate::Resolved { fingerprint, starts_at, ends_at } => {
                    Event::AlertResolved { fingerprint, starts_at, ends_at }
                }
            };
            self.apply(now, event);
        }
    }

    fn reconciled(&mut self, now: Timestamp, updates: Vec<AlertUpdate>, scope: Scope, asked_at: Timestamp) {
        let active = updates
            .iter()
            .map(|update| match update {
                AlertUpdate::Firing(alert) | AlertUpdate::Listed(alert, _) | AlertUpdate::Suppressed(alert) => {
                    alert.fingerprint.clone()
                }
                AlertUpdate::Resolved { fingerprint, .. } => fingerprint.clone(),
            })
            .collect();
        self.alerts(now, updates);
        self.apply(now, Event::Reconciled { active, scope, asked_at });
    }

    fn note_pause(&mut self) {
        self.pending.batch.pause = Some(self.fleet.pause().cloned().map_or(PauseChange::Resumed, PauseChange::Paused));
    }

    fn finished(&mut self, key: &RunKey, result: &RunResult) {
        self.running.remove(key);
        let ok = result.outcome == Outcome::Ok;
        let fact = StepFact { exit_code: result.exit_code, stdout: result.stdout.as_str().into(), ok };
        if let Some(incident) = self.fleet.incident(key.incident) {
            let labels = [incident.runbook.as_str(), key.step.as_str(), result.outcome.as_str()];
            self.metrics.steps.with_label_values(&labels).inc();
            let record = incident.steps().find(|record| record.id == key.step);
            if let Some(started_at) = record.and_then(|record| record.started_at) {
                self.metrics.step_duration.observe(result.finished_at.since(started_at).as_secs_f64());
            }
            if result.outcome != Outcome::NotRun {
                self.facts.entry(key.incident).or_default().note(key.step.clone(), fact);
            }
        }
    }

    /// What became of a message. The core hears of a page that was taken; of channels that take nothing it hears as such.
    fn delivered(&mut self, now: Timestamp, key: MessageKey, delivery: Delivery) {
        let state = match &delivery {
            Delivery::Sent { .. } => "sent",
            Delivery::Moot { .. } => "moot",
            Delivery::Failed { .. } => "failed",
        };
        self.metrics.messages.with_label_values(&[&key.channel, key.kind.as_str(), state]).inc();
        let taken = matches!(delivery, Delivery::Sent { .. }) && key.kind == MessageKind::Trigger;
        let subject = key.subject;
        self.pending.batch.deliveries.push((key, delivery));
        if let Subject::Incident { incident, page } = subject
            && taken
            && self.fleet.incident(incident).is_some()
        {
            self.apply(now, Event::PageDelivered { incident, page });
        }
    }

    /// Lets the core decide and notes everything that follows.
    pub(super) fn apply(&mut self, now: Timestamp, event: Event) {
        let commands = self.fleet.step(now, event);
        for command in &commands {
            // Its last records and messages need the state of an incident that the core has forgotten by now.
            if let Command::Close(incident) = command {
                self.facts.remove(&incident.id);
                self.pending.batch.incidents.insert(incident.id, (**incident).clone());
            }
        }
        for command in commands {
            match command {
                Command::Record(entry) => self.record(now, entry),
                Command::AskHealth { incident, ticket } => {
                    self.pending.effects.push(Effect::AskHealth { incident, ticket });
                }
                Command::AskTargets => self.pending.effects.push(Effect::AskTargets),
                Command::AskCondition { incident, step, ticket } => {
                    self.pending.effects.push(Effect::AskCondition { incident, step, ticket });
                }
                Command::RunStep { incident, step, attempt } => {
                    let key = RunKey { incident, step, attempt };
                    self.pending.batch.intents.push((now, key.clone()));
                    self.start(now, key);
                }
                Command::KillStep { incident, step, attempt } => {
                    self.pending.effects.push(Effect::Kill(RunKey { incident, step, attempt }));
                }
                Command::Page(order) => self.page(now, &order),
                Command::UpdatePage { incident, page, reason } => self.update(now, incident, page, reason),
                Command::ResolvePage { incident, page } => self.resolve(now, incident, page),
                Command::NoteNamed { fingerprint, at } => drop(self.pending.batch.listed.named.insert(fingerprint, at)),
                Command::Close(_) => {}
            }
        }
    }

    /// The first entry of a run whose clock is elsewhere than the last one's. Everything that was moved by it is written with it: a start
    /// after this one finds nothing to move.
    pub(super) fn note_clock_step(&mut self, now: Timestamp) {
        let Some(step) = self.clock_step.take() else { return };
        let detail = format!("from {} to {}", rfc3339(step.from), rfc3339(step.to));
        tracing::warn!(reason = step.reason().as_str(), detail, "the journal's last entry is of another time");
        self.record(now, Entry { incident: None, event: EntryKind::Clock, reason: step.reason(), detail });
        self.pending.changed.extend(self.fleet.incidents().map(|incident| incident.id));
        self.pending.batch.agenda.tasks.extend(self.agenda.open().cloned());
        self.pending.batch.agenda.not_after = step.back().map(|_| step.to);
        if self.fleet.pause().is_some() {
            self.note_pause();
        }
    }

    pub(super) fn record(&mut self, now: Timestamp, entry: Entry) {
        self.metrics.decided(&entry);
        self.note_unanswered(now, &entry);
        let incident = entry.incident.map(IncidentId::get);
        let (event, reason, detail) = (entry.event.as_str(), entry.reason.as_str(), entry.detail.as_str());
        if entry.event == EntryKind::Ignored {
            tracing::debug!(incident, event, reason, detail, "decided");
        } else {
            tracing::info!(incident, event, reason, detail, "decided");
        }
        if entry.reason == Reason::Duplicate {
            // Nothing changes, and what it repeats is on disk by the time that this turn is answered.
            return;
        }
        self.pending.changed.extend(entry.incident);
        self.pending.batch.timeline.push((now, entry));
    }

    fn page(&mut self, now: Timestamp, order: &PageOrder) {
        let due_at = self
            .fleet
            .incident(order.incident)
            .and_then(|incident| incident.escalation.pages.iter().find(|page| page.page == order.page))
            .map_or(now, |page| page.due_at);
        let messages = self.messages(order.incident, order.page, order.level, MessageKind::Trigger);
        for (key, contact) in messages {
            let message = Message { key, contact, level: order.level, reason: order.reason, due_at };
            self.pending.batch.messages.push(message.clone());
            self.pending.effects.push(Effect::Send(message));
        }
    }

    fn update(&mut self, now: Timestamp, incident: IncidentId, page: u32, reason: Reason) {
        if let Some((level, _)) = self.called(incident, page) {
            self.tell_more(now, (incident, page, level), MessageKind::Update, reason);
        }
    }

    fn resolve(&mut self, now: Timestamp, incident: IncidentId, page: u32) {
        if let Some((level, reason)) = self.called(incident, page) {
            self.tell_more(now, (incident, page, level), MessageKind::Resolve, reason);
        }
    }

    /// Who was called by a page, and why.
    fn called(&self, incident: IncidentId, page: u32) -> Option<(Level, Reason)> {
        let state = self.fleet.incident(incident).or_else(|| self.pending.batch.incidents.get(&incident))?;
        let called = state.escalation.pages.iter().find(|called| called.page == page)?;
        Some((called.level, called.reason))
    }

    fn tell_more(
        &mut self,
        now: Timestamp,
        (incident, page, level): (IncidentId, u32, Level),
        kind: MessageKind,
        reason: Reason,
    ) {
        for (key, contact) in self.messages(incident, page, level, kind) {
            let message = Message { key, contact, level, reason, due_at: now };
            self.pending.batch.messages.push(message.clone());
            self.pending.effects.push(Effect::Send(message));
        }
    }

    fn messages(&self, incident: IncidentId, page: u32, level: Level, kind: MessageKind) -> Vec<(MessageKey, String)> {
        let subject = Subject::Incident { incident, page };
        let key = |(channel, contact)| (MessageKey { subject, kind, channel }, contact);
        self.ways_to(level).into_iter().map(key).collect()
    }

    /// The channels on which a level is reached, each with the contact's name.
    pub(super) fn ways_to(&self, level: Level) -> Vec<(String, String)> {
        let Some(contact) = self.contacts.iter().find(|contact| contact.level == level) else { return Vec::new() };
        contact.notify.iter().map(|channel| (channel.to_string(), contact.name.clone())).collect()
    }
}
