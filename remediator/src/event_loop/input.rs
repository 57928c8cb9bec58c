//! What the event loop is told, and what it answers.

use std::collections::BTreeSet;

use tokio::sync::oneshot;
use vvtv_incident::{Entry, Event, ReceiverName, Scope, Target, Timestamp};

use super::agenda::TaskInput;
use crate::alerts::reconcile;
use crate::alerts::webhook::AlertUpdate;
use crate::config::reload::Reload;
use crate::journal::outbox::MessageKey;
use crate::journal::{Delivery, RunKey, RunResult};
use crate::paging::delivery;
use crate::steps::{Output, Waiting};

/// Something that the event loop is told.
#[derive(Debug)]
pub(crate) enum Input {
    /// A webhook delivery; answered once durable.
    Alerts {
        /// Its alerts.
        updates: Vec<AlertUpdate>,
        /// Through which receiver of Alertmanager it came.
        receiver: Option<ReceiverName>,
        /// Where the answer goes.
        done: oneshot::Sender<Result<(), Unavailable>>,
    },
    /// Everything that stands in Alertmanager.
    Reconciled {
        /// The alerts.
        updates: Vec<AlertUpdate>,
        /// Whose they are.
        scope: Scope,
        /// When they were asked for.
        asked_at: Timestamp,
    },
    /// Every target that Prometheus knows.
    Targets {
        /// Their names.
        listed: BTreeSet<Target>,
        /// When they were asked for.
        asked_at: Timestamp,
    },
    /// The answer to a question, or a fact from outside.
    Event(Event),
    /// What a person did; answered with what was decided, once that is durable or cannot be made so.
    Operator {
        /// What the core is told of it.
        event: Event,
        /// Where the answer goes.
        done: oneshot::Sender<Result<Decided, Unavailable>>,
    },
    /// A step's process exists, and waits.
    Spawned {
        /// The attempt of a step.
        key: RunKey,
        /// How it is known again, and how it is let go.
        waiting: Waiting,
    },
    /// A running step has written something.
    Output {
        /// The attempt of a step.
        key: RunKey,
        /// All that it has written so far, its beginning and its end.
        output: Output,
    },
    /// A step is over.
    Finished {
        /// The attempt of a step.
        key: RunKey,
        /// How it ended.
        result: RunResult,
    },
    /// The configuration was read again and is good.
    Reload(Reload),
    /// A message was taken by its channel, or was not.
    Delivered {
        /// The message, by its subject, kind and channel.
        key: MessageKey,
        /// What became of it.
        delivery: Delivery,
    },
    /// Do you live? Answered once that is on disk.
    Pulse {
        /// Where the answer goes.
        done: oneshot::Sender<Result<(), Unavailable>>,
    },
    /// Something about a task of the agenda.
    Task(TaskInput),
}

/// How it stands with the loop, for whoever only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// How it stands with the journal.
    pub journal: JournalStatus,
    /// Whether all new actions are paused.
    pub paused: bool,
}

/// How it stands with the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JournalStatus {
    /// The last commit was written.
    Written,
    /// It was not; what waits for it is tried again.
    Failing,
    /// There is none: nothing is done, and people are called for every alert.
    PeopleOnly,
}

/// What was decided on a person's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The decision.
    pub entries: Vec<Entry>,
    /// Whether it is on disk. If not, it takes effect as soon as it is, and is lost if the program ends before.
    pub durable: bool,
}

/// The journal cannot be written just now; whoever asked should ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written")]
pub(crate) struct Unavailable;

impl From<delivery::Report> for Input {
    fn from(report: delivery::Report) -> Self {
        match report {
            delivery::Report::Delivered { key, delivery } => Self::Delivered { key, delivery },
            delivery::Report::Fails(channel) => Self::Event(Event::ChannelFails(channel)),
            delivery::Report::Works(channel) => Self::Event(Event::ChannelWorks(channel)),
        }
    }
}

impl From<reconcile::Report> for Input {
    fn from(report: reconcile::Report) -> Self {
        match report {
            reconcile::Report::Standing { updates, scope, asked_at } => Self::Reconciled { updates, scope, asked_at },
            reconcile::Report::Targets { listed, asked_at } => Self::Targets { listed, asked_at },
            reconcile::Report::Efficacy(table) => Self::Event(Event::Efficacy(table)),
            reconcile::Report::Alive(source) => Self::Event(Event::Alive(source)),
        }
    }
}

impl From<Reload> for Input {
    fn from(reload: Reload) -> Self {
        Self::Reload(reload)
    }
}
