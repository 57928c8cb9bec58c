//! The event loop: sole owner of the core. Takes what happened, lets the core decide, makes it durable, then acts.
//!
//! Invariant: nothing takes effect, and nobody is answered, before the transaction that explains it is on disk. When the journal
//! cannot be written, effects wait, deliveries are refused with 503, and the same transaction is tried again.

mod agenda;
mod effects;
pub(crate) mod heartbeat;
mod input;
pub(crate) mod orphans;
mod people;
mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::{Agenda, ClockStep, Event, Fleet, IncidentId, Phase, RunbookId, Timestamp};
use vvtv_toolkit::logging;

pub(crate) use self::agenda::TaskInput;
pub(crate) use self::effects::EffectContext;
pub(crate) use self::input::{Decided, Input, JournalStatus, Status, Unavailable};
use self::people::Unanswered;
use self::turn::Turn;
use crate::alerts::receivers::Receivers;
use crate::clock::Clock;
use crate::conditions::facts::{StepFact, StepOutputs};
use crate::conditions::targets::Known;
use crate::config::live::Live;
use crate::contacts::Contact;
use crate::journal::{Batch, Head, Journal, JournalError, RunKey};
use crate::maintenance::task::TaskSpecs;
use crate::maintenance::windows::Windows;
use crate::metrics::Metrics;
use crate::runbook::LoadedRunbook;
use crate::steps::Spare;

/// Inputs that one transaction may carry.
const BATCH_MAX: usize = 1024;
/// Inputs that may wait. Beyond it, deliveries are refused.
pub(crate) const QUEUE_MAX: usize = 4096;
/// Time between two tries to write a transaction that could not be written.
const COMMIT_RETRY: Duration = Duration::from_secs(1);
/// Between two looks whether the journal is where it was.
const LOOK: Duration = Duration::from_secs(1);
/// Between two complaints about a journal that fails.
const COMPLAIN: Duration = Duration::from_secs(30);
/// How long running steps may go on after the stop before they are left to the next start.
const DRAIN: Duration = Duration::from_secs(60);

/// The loop's whole state. What [`Parts`] has too is explained there.
pub(crate) struct EventLoop {
    fleet: Fleet,
    agenda: Agenda,
    journal: Journal,
    clock: Clock,
    /// Told to the core with the first turn, then empty.
    clock_step: Option<ClockStep>,
    /// The runbooks in force, by id; the same as in `live`, for steps and questions to be found by.
    books: BTreeMap<RunbookId, Arc<LoadedRunbook>>,
    /// Who is called in force, first level first; the same as in `live`.
    contacts: Vec<Contact>,
    /// What the steps of each open incident have said. An incident that is closed has none.
    facts: BTreeMap<IncidentId, StepOutputs>,
    /// Every step that runs or is about to, those that an earlier run left included, and how to end it.
    running: BTreeMap<RunKey, CancellationToken>,
    effect_context: Arc<EffectContext>,
    spares: mpsc::Receiver<Spare>,
    metrics: Metrics,
    inputs: mpsc::Receiver<Input>,
    /// Effects that are under way; nobody waits for them.
    background: TaskTracker,
    /// What was decided and is not on disk yet: of this turn, and of all since the journal began to fail.
    pending: Turn,
    /// Whether the last commit was not written.
    journal_failing: bool,
    /// When it was last said that the journal fails; none while it does not.
    complained_at: Option<tokio::time::Instant>,
    /// The journal's writer has ended: nothing can be written any more in this run.
    journal_closed: bool,
    /// When the journal was last written, or looked for where it was.
    looked_at: tokio::time::Instant,
    changes: watch::Sender<u64>,
    status: watch::Sender<Status>,
    unheard: Vec<Event>,
    /// The maintenance windows in force, and which is open.
    windows: Windows,
    targets: Known,
    receivers: Receivers,
    /// What maintenance is configured: the steps of a task, and when it is due.
    task_specs: TaskSpecs,
    /// Alerts that no runbook answers, as far as they were counted.
    unanswered: Unanswered,
    live: watch::Sender<Arc<Live>>,
}

/// What the loop starts with.
pub(crate) struct Parts {
    /// The core.
    pub fleet: Fleet,
    /// The core of the tasks.
    pub agenda: Agenda,
    /// The journal.
    pub journal: Journal,
    /// The clock.
    pub clock: Clock,
    /// How it came from the journal's last entry to where it is, if not by the passing of time; the core's state has been moved.
    pub clock_step: Option<ClockStep>,
    /// The runbooks' commands and queries, the people, the windows: in force until the first [`Input::Reload`].
    pub live: watch::Sender<Arc<Live>>,
    /// What steps of open incidents said before a restart.
    pub facts: Vec<(RunKey, StepFact)>,
    /// Ends of steps that a journal has and the core was stopped before it heard of.
    pub unheard: Vec<Event>,
    /// Steps that an earlier run left behind, and how to end each.
    pub orphans: BTreeMap<RunKey, CancellationToken>,
    /// The targets that are known so far.
    pub targets: Known,
    /// Which of Alertmanager's receivers are ours.
    pub receivers: Receivers,
    /// Everything that effects need.
    pub effect_context: Arc<EffectContext>,
    /// Processes that are ready for the next step.
    pub spares: mpsc::Receiver<Spare>,
    /// Where it counts.
    pub metrics: Metrics,
    /// What it is told.
    pub inputs: mpsc::Receiver<Input>,
    /// Where it says that something was committed.
    pub changes: watch::Sender<u64>,
    /// Where it shows how it stands.
    pub status: watch::Sender<Status>,
}

impl EventLoop {
    /// Puts the parts together; nothing runs yet.
    #[must_use]
    pub(crate) fn new(parts: Parts) -> Self {
        let mut facts: BTreeMap<IncidentId, StepOutputs> = BTreeMap::new();
        for (key, fact) in parts.facts {
            facts.entry(key.incident).or_default().note(key.step, fact);
        }
        let live = parts.live.borrow().clone();
        parts.metrics.foresee_channels(live.channels.keys());
        Self {
            fleet: parts.fleet,
            journal: parts.journal,
            clock: parts.clock,
            books: by_id(&live),
            contacts: live.contacts.clone(),
            facts,
            running: parts.orphans,
            effect_context: parts.effect_context,
            spares: parts.spares,
            metrics: parts.metrics,
            inputs: parts.inputs,
            background: TaskTracker::new(),
            pending: Turn::default(),
            journal_failing: false,
            complained_at: None,
            journal_closed: false,
            looked_at: tokio::time::Instant::now(),
            clock_step: parts.clock_step,
            changes: parts.changes,
            status: parts.status,
            unheard: parts.unheard,
            windows: live.windows.clone(),
            targets: parts.targets,
            receivers: parts.receivers,
            agenda: parts.agenda,
            task_specs: live.task_specs.clone(),
            unanswered: Unanswered::default(),
            live: parts.live,
        }
    }

    /// Runs until `stop`, then lets running steps end for a while.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        self.note_clock_step(self.clock.now());
        self.configure_agenda(self.clock.now());
        // First, or what goes on would wait for an answer that is there already.
        let targets = Event::TargetsKnown(self.targets.targets());
        let mut received: Vec<Input> =
            std::iter::once(targets).chain(self.unheard.drain(..)).map(Input::Event).collect();
        self.turn(&mut received).await;
        loop {
            let wake = self.wake_in();
            tokio::select! {
                () = stop.cancelled() => break,
                _ = self.inputs.recv_many(&mut received, BATCH_MAX) => {}
                () = tokio::time::sleep(wake) => {}
            }
            self.turn(&mut received).await;
            if self.journal_closed {
                // Without its writer nothing may take effect any more; a service manager starts the program anew.
                tracing::error!("the journal's writer has ended");
                return;
            }
        }
        self.drain(received).await;
    }

    /// Takes the ends of running steps down for a while; what runs longer is found again by the next start.
    async fn drain(&mut self, mut received: Vec<Input>) {
        let deadline = tokio::time::Instant::now() + DRAIN;
        while !self.running.is_empty() || self.agenda.running().is_some() {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => break,
                _ = self.inputs.recv_many(&mut received, BATCH_MAX) => {}
            }
            for input in received.drain(..) {
                self.note_end(input);
            }
        }
        self.commit().await;
    }

    /// Writes facts down without letting the core act on them: the next start tells it.
    fn note_end(&mut self, input: Input) {
        match input {
            Input::Finished { key, result } => {
                self.running.remove(&key);
                self.pending.batch.results.push((key, result));
            }
            // Nothing is begun any more: what waits ends without having run.
            Input::Spawned { waiting, .. } | Input::Task(TaskInput::Spawned { waiting, .. }) => drop(waiting),
            Input::Delivered { key, delivery } => self.pending.batch.deliveries.push((key, delivery)),
            Input::Output { key, output } => drop(self.pending.batch.outputs.insert(key, output)),
            Input::Task(input) => self.note_task(self.clock.now(), input),
            Input::Alerts { .. }
            | Input::Reconciled { .. }
            | Input::Targets { .. }
            | Input::Event(_)
            | Input::Operator { .. }
            | Input::Pulse { .. }
            | Input::Reload(_) => {}
        }
    }

    fn wake_in(&self) -> Duration {
        let look_at = self.windows.look_at();
        let deadline = self.clock.until(self.fleet.next_deadline().map_or(look_at, |at| at.min(look_at)));
        // Nobody looks at the agenda while the journal fails.
        deadline.min(LOOK).min(if self.journal_failing { COMMIT_RETRY } else { self.agenda_wakes_in() })
    }

    /// One turn: everything that was received, what is due, one transaction, then the effects.
    async fn turn(&mut self, received: &mut Vec<Input>) {
        let now = self.clock.now();
        // Before anything is decided: no step is started in a window, whatever was planned before it opened.
        self.look_at_windows(now);
        for input in received.drain(..) {
            self.absorb(now, input);
        }
        if self.fleet.next_deadline().is_some_and(|at| at <= now) {
            self.apply(now, Event::Tick);
        }
        self.look_at_agenda(now);
        self.commit().await;
        self.show();
    }

    fn look_at_windows(&mut self, now: Timestamp) {
        if let Some(open) = self.windows.look(now) {
            tracing::info!(
                open,
                window = self.windows.open(now).map(|(window, _)| &*window.name),
                "maintenance window"
            );
            self.apply(now, Event::Maintenance(open));
        }
    }

    /// Open incidents go on by the new text at once; what runs is not ended by it, unless its runbook is gone.
    fn reload(&mut self, now: Timestamp, live: Arc<Live>) {
        self.fleet.reconfigure(live.policy.clone(), live.plans(), now);
        self.books = by_id(&live);
        self.contacts.clone_from(&live.contacts);
        self.windows.change(live.windows.clone());
        self.targets.change(live.inventory.clone());
        self.apply(now, Event::TargetsKnown(self.targets.targets()));
        let context = Arc::make_mut(&mut self.effect_context);
        context.site = live.site.clone();
        context.redaction = live.redaction.clone();
        logging::redact_with(&live.redaction);
        self.metrics.foresee_channels(live.channels.keys());
        context.outgoing.change(live.channels.clone());
        self.task_specs = live.task_specs.clone();
        self.live.send_replace(live);
        self.look_at_windows(now);
        self.configure_agenda(now);
    }

    async fn commit(&mut self) {
        let mut turn = std::mem::take(&mut self.pending);
        for id in std::mem::take(&mut turn.changed) {
            // A closed one is there already: the core has forgotten it.
            if let Some(incident) = self.fleet.incident(id) {
                turn.batch.incidents.insert(id, incident.clone());
            }
        }
        if !turn.batch.is_empty() {
            let timer = self.metrics.commit_duration.start_timer();
            let (batch, result) = self.journal.commit(turn.batch).await;
            timer.observe_duration();
            turn.batch = batch;
            if let Ok(head) = &result {
                anchor(&turn.batch, head);
            }
            if let Err(error) = result {
                turn.refuse();
                self.pending = turn;
                self.take_back();
                self.journal_failed(&error);
                return;
            }
            self.looked_at = tokio::time::Instant::now();
        } else if self.journal_failing || self.looked_at.elapsed() >= LOOK {
            self.looked_at = tokio::time::Instant::now();
            if let Err(error) = self.journal.look().await {
                turn.refuse();
                self.pending = turn;
                self.take_back();
                self.journal_failed(&error);
                return;
            }
        }
        if self.journal_failing {
            tracing::info!("journal is written again");
            self.metrics.waiting_messages.set(0);
        }
        self.journal_failing = false;
        self.complained_at = None;
        self.metrics.journal_up.set(i64::from(self.journal.is_durable()));
        self.show_journal(if self.journal.is_durable() { JournalStatus::Written } else { JournalStatus::PeopleOnly });
        if !turn.batch.is_empty() {
            self.changes.send_modify(|number| *number += 1);
        }
        turn.batch = Batch::default();
        turn.answer();
        for effect in turn.effects {
            self.perform(effect);
        }
    }

    /// Says so at once and then from time to time. Nobody is called from here: a call that the journal does not know could neither be
    /// repeated, nor acknowledged, nor taken back, and the alert RemediatorJournalDown calls people without us.
    fn journal_failed(&mut self, error: &JournalError) {
        self.journal_closed |= matches!(error, JournalError::Closed);
        self.journal_failing = true;
        self.metrics.journal_up.set(0);
        if self.journal.is_durable() {
            self.show_journal(JournalStatus::Failing);
        }
        let waiting = self.pending.batch.messages.len();
        self.metrics.waiting_messages.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        if self.complained_at.is_none_or(|at| at.elapsed() >= COMPLAIN) {
            let error = error as &dyn std::error::Error;
            tracing::error!(error, messages_waiting = waiting, "journal failed: effects wait, and nobody is called");
            self.complained_at = Some(tokio::time::Instant::now());
        }
    }

    fn show_journal(&self, journal: JournalStatus) {
        self.status.send_if_modified(|status| std::mem::replace(&mut status.journal, journal) != journal);
    }

    fn show(&self) {
        self.metrics.queue_length.set(i64::try_from(self.inputs.len()).unwrap_or(i64::MAX));
        let paused = self.fleet.pause().is_some();
        self.metrics.paused.set(i64::from(paused));
        self.status.send_if_modified(|status| std::mem::replace(&mut status.paused, paused) != paused);
        for (runbook, phases) in self.fleet.open_counts() {
            for (phase, number) in phases {
                let number = i64::try_from(*number).unwrap_or(i64::MAX);
                self.metrics.incidents.with_label_values(&[runbook.as_str(), phase]).set(number);
            }
        }
    }
}

fn by_id(live: &Live) -> BTreeMap<RunbookId, Arc<LoadedRunbook>> {
    live.books.iter().map(|book| (book.plan.id.clone(), Arc::clone(book))).collect()
}

/// Every closed incident leaves the timeline's end in the log, where whoever alters the journal does not reach: see `audit verify`.
fn anchor(batch: &Batch, head: &Head) {
    for incident in batch.incidents.values().filter(|incident| matches!(incident.phase, Phase::Closed { .. })) {
        tracing::info!(incident = incident.id.get(), row = head.row, hash = head.hash, "timeline written");
    }
}
