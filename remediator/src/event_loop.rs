//! The event loop: sole owner of the core. Takes what happened, lets the core decide, makes it durable, then acts.
//!
//! Invariant: nothing takes effect, and nobody is answered, before the transaction that explains it is on disk. When the journal
//! cannot be written, effects wait, deliveries are refused with 503, and the same transaction is tried again.

mod effects;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::{Entry, Event, Fleet, IncidentId, Outcome, RunbookId, Timestamp};

pub use self::effects::Surroundings;
use self::turn::Turn;
use crate::clock::Clock;
use crate::config::Contact;
use crate::executor::Identity;
use crate::facts::{Said, StepFact};
use crate::journal::{Delivery, Journal, RunKey, RunResult};
use crate::metrics::Metrics;
use crate::outbox::MessageKey;
use crate::runbook::Book;
use crate::webhook::AlertUpdate;

/// Inputs that one transaction may carry.
const BATCH_MAX: usize = 1024;
/// Inputs that may wait. Beyond it, deliveries are refused.
pub const QUEUE_MAX: usize = 4096;
/// Time between two tries to write a transaction that could not be written.
const COMMIT_RETRY: Duration = Duration::from_secs(1);
/// How long running steps may go on after the stop before they are left to the next start.
const DRAIN: Duration = Duration::from_secs(60);

/// Something that the event loop is told.
#[derive(Debug)]
pub enum Input {
    /// A webhook delivery; answered once durable.
    Alerts {
        /// Its alerts.
        updates: Vec<AlertUpdate>,
        /// Where the answer goes.
        done: oneshot::Sender<Result<(), Unavailable>>,
    },
    /// Everything that stands in Alertmanager.
    Reconciled {
        /// The alerts.
        updates: Vec<AlertUpdate>,
        /// When they were asked for.
        asked_at: Timestamp,
    },
    /// The answer to a question, or a fact from outside.
    Event(Event),
    /// What a person did; answered once durable, with what was decided.
    Operator {
        /// What.
        event: Event,
        /// Where the answer goes.
        done: oneshot::Sender<Result<Vec<Entry>, Unavailable>>,
    },
    /// A step's process exists.
    Spawned {
        /// Which.
        key: RunKey,
        /// How it is known again.
        mark: Identity,
    },
    /// A step is over.
    Finished {
        /// Which.
        key: RunKey,
        /// For the core.
        outcome: Outcome,
        /// For the journal.
        result: RunResult,
    },
    /// A message was taken by its channel, or was not.
    Delivered {
        /// Which.
        key: MessageKey,
        /// What became of it.
        delivery: Delivery,
    },
}

/// The journal cannot be written just now; whoever asked should ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written")]
pub struct Unavailable;

/// The loop's whole state.
pub struct EventLoop {
    fleet: Fleet,
    journal: Journal,
    clock: Clock,
    books: BTreeMap<RunbookId, Arc<Book>>,
    contacts: Vec<Contact>,
    facts: BTreeMap<IncidentId, Said>,
    running: BTreeMap<RunKey, CancellationToken>,
    undelivered: BTreeMap<(IncidentId, u32), BTreeSet<String>>,
    surroundings: Surroundings,
    metrics: Metrics,
    inputs: mpsc::Receiver<Input>,
    tasks: TaskTracker,
    pending: Turn,
    journal_failing: bool,
    journal_closed: bool,
    changes: watch::Sender<u64>,
    unheard: Vec<Event>,
}

/// What the loop starts with.
pub struct Parts {
    /// The core.
    pub fleet: Fleet,
    /// The journal.
    pub journal: Journal,
    /// The clock.
    pub clock: Clock,
    /// The runbooks' commands and queries.
    pub books: Vec<Arc<Book>>,
    /// Who is called on which channels.
    pub contacts: Vec<Contact>,
    /// What steps of open incidents said before a restart.
    pub facts: Vec<(RunKey, StepFact)>,
    /// Messages that are still to be sent, of pages that no channel has taken.
    pub undelivered: Vec<MessageKey>,
    /// Ends of steps that a journal has and the core was stopped before it heard of.
    pub unheard: Vec<Event>,
    /// Steps that an earlier run left behind, and how to end each.
    pub orphans: BTreeMap<RunKey, CancellationToken>,
    /// Everything that effects need.
    pub surroundings: Surroundings,
    /// Where it counts.
    pub metrics: Metrics,
    /// What it is told.
    pub inputs: mpsc::Receiver<Input>,
    /// Where it says that something was committed.
    pub changes: watch::Sender<u64>,
}

impl EventLoop {
    /// Puts the parts together; nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let mut facts: BTreeMap<IncidentId, Said> = BTreeMap::new();
        for (key, fact) in parts.facts {
            facts.entry(key.incident).or_default().note(key.step, fact);
        }
        let mut undelivered: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for key in parts.undelivered {
            undelivered.entry((key.incident, key.page)).or_default().insert(key.channel);
        }
        Self {
            fleet: parts.fleet,
            journal: parts.journal,
            clock: parts.clock,
            books: parts.books.into_iter().map(|book| (book.plan.id.clone(), book)).collect(),
            contacts: parts.contacts,
            facts,
            running: parts.orphans,
            undelivered,
            surroundings: parts.surroundings,
            metrics: parts.metrics,
            inputs: parts.inputs,
            tasks: TaskTracker::new(),
            pending: Turn::default(),
            journal_failing: false,
            journal_closed: false,
            changes: parts.changes,
            unheard: parts.unheard,
        }
    }

    /// Runs until `stop`, then lets running steps end for a while.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut received: Vec<Input> = self.unheard.drain(..).map(Input::Event).collect();
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
        while !self.running.is_empty() {
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
            Input::Finished { key, result, .. } => {
                self.running.remove(&key);
                self.pending.batch.results.push((key, result));
            }
            Input::Spawned { key, mark } => self.pending.batch.spawned.push((key, mark)),
            Input::Delivered { key, delivery } => self.pending.batch.deliveries.push((key, delivery)),
            Input::Alerts { .. } | Input::Reconciled { .. } | Input::Event(_) | Input::Operator { .. } => {}
        }
    }

    fn wake_in(&self) -> Duration {
        let deadline = self.fleet.next_deadline().map_or(Duration::from_secs(3600), |at| self.clock.until(at));
        if self.journal_failing { deadline.min(COMMIT_RETRY) } else { deadline }
    }

    /// One turn: everything that was received, what is due, one transaction, then the effects.
    async fn turn(&mut self, received: &mut Vec<Input>) {
        let now = self.clock.now();
        for input in received.drain(..) {
            self.absorb(now, input);
        }
        if self.fleet.next_deadline().is_some_and(|at| at <= now) {
            self.apply(now, Event::Tick);
        }
        self.commit().await;
        self.show();
    }

    async fn commit(&mut self) {
        let mut turn = std::mem::take(&mut self.pending);
        if !turn.batch.is_empty() {
            let timer = self.metrics.commit_duration.start_timer();
            let (batch, result) = self.journal.commit(turn.batch).await;
            timer.observe_duration();
            turn.batch = batch;
            if let Err(error) = result {
                self.journal_closed |= matches!(error, crate::journal::JournalError::Closed);
                if !self.journal_failing {
                    tracing::error!(error = &error as &dyn std::error::Error, "journal failed: effects wait");
                }
                self.journal_failing = true;
                self.metrics.journal_up.set(0);
                turn.refuse();
                self.pending = turn;
                return;
            }
        }
        if self.journal_failing {
            tracing::info!("journal is written again");
        }
        self.journal_failing = false;
        self.metrics.journal_up.set(1);
        if !turn.batch.is_empty() {
            self.changes.send_modify(|number| *number += 1);
        }
        turn.batch = crate::journal::Batch::default();
        turn.answer();
        for effect in turn.effects {
            self.perform(effect);
        }
    }

    fn show(&self) {
        self.metrics.queue_length.set(i64::try_from(self.inputs.len()).unwrap_or(i64::MAX));
        self.metrics.paused.set(i64::from(self.fleet.pause().is_some()));
        self.metrics.incidents.reset();
        for incident in self.fleet.incidents() {
            self.metrics.incidents.with_label_values(&[incident.runbook.as_str(), incident.phase_name()]).inc();
        }
    }
}
