//! Everything the core can ask of the shell: one closed list.

use crate::ids::{Fingerprint, IncidentId, Level, StepId};
use crate::incident::Incident;
use crate::reason::Reason;
use crate::time::Timestamp;

/// Something to do. Records come before the effects that they explain, and must be durable before those are performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Write a decision down. Every change of an incident's durable state comes with at least one.
    Record(Entry),
    /// Ask whether the incident's target is healthy.
    AskHealth {
        /// The incident that asks.
        incident: IncidentId,
        /// To be given back with the answer.
        ticket: u64,
    },
    /// Ask which targets exist: an alert names one that is not known.
    AskTargets,
    /// Ask whether a step's condition holds.
    AskCondition {
        /// The incident that asks.
        incident: IncidentId,
        /// The step whose condition it is.
        step: StepId,
        /// To be given back with the answer.
        ticket: u64,
    },
    /// Start a step.
    RunStep {
        /// The incident that runs it.
        incident: IncidentId,
        /// Its id in the incident's runbook.
        step: StepId,
        /// To be given back with the result, counted from 1.
        attempt: u32,
    },
    /// End a running step at once.
    KillStep {
        /// The incident that runs it.
        incident: IncidentId,
        /// Its id in the incident's runbook.
        step: StepId,
        /// The attempt to end; a later one goes on.
        attempt: u32,
    },
    /// Call a level.
    Page(PageOrder),
    /// Tell everyone who got this page something more about the trouble. It calls nobody anew.
    UpdatePage {
        /// The incident that paged.
        incident: IncidentId,
        /// The page's number within the incident.
        page: u32,
        /// What there is to tell.
        reason: Reason,
    },
    /// Tell everyone who got this page that the trouble is over.
    ResolvePage {
        /// The incident that paged.
        incident: IncidentId,
        /// The page's number within the incident.
        page: u32,
    },
    /// Keep that the last delivery about an alert said that it fires, or forget it. Durable like a record.
    NoteNamed {
        /// The alert, by Alertmanager's name for its labels.
        fingerprint: Fingerprint,
        /// Since when that is kept; `None` to forget it.
        at: Option<Timestamp>,
    },
    /// The incident is over and the core has forgotten it: this is its last state.
    Close(Box<Incident>),
}

/// A page to send, at least once, under a key that does not change when it is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOrder {
    /// The incident that pages.
    pub incident: IncidentId,
    /// Number within the incident, from 1.
    pub page: u32,
    /// Who is called.
    pub level: Level,
    /// What led to the call: the page's subject line says it.
    pub reason: Reason,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The incident, if one is concerned.
    pub incident: Option<IncidentId>,
    /// What happened.
    pub event: EntryKind,
    /// Why it happened, or why nothing did.
    pub reason: Reason,
    /// Particulars, possibly from alert data: text, never markup.
    pub detail: String,
}

/// Kinds of timeline lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// An incident began.
    Opened,
    /// An alert was heard of.
    Alert,
    /// Something was left alone.
    Ignored,
    /// A step was started.
    StepStarted,
    /// A step is over.
    StepFinished,
    /// A step was left out.
    StepSkipped,
    /// The steps wait.
    Blocked,
    /// Health changed.
    Health,
    /// The incident went into another phase.
    Phase,
    /// A level was called.
    Paged,
    /// A page was delivered, or not.
    PageDelivered,
    /// Whoever was called, or has the incident in hand, is told more.
    Told,
    /// A level was due, and was not called.
    NotCalled,
    /// A page was taken back.
    PageResolved,
    /// A channel began to fail, or takes messages again.
    Channel,
    /// A task of the agenda went on.
    Task,
    /// Time goes on elsewhere than where it stopped.
    Clock,
    /// The journal goes on in another file, or something in it cannot be read.
    Journal,
    /// A person did something.
    Operator,
    /// The incident is over.
    Closed,
}

impl EntryKind {
    /// The kind's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Alert => "alert",
            Self::Ignored => "ignored",
            Self::StepStarted => "step_started",
            Self::StepFinished => "step_finished",
            Self::StepSkipped => "step_skipped",
            Self::Blocked => "blocked",
            Self::Health => "health",
            Self::Phase => "phase",
            Self::Paged => "paged",
            Self::PageDelivered => "page_delivered",
            Self::Told => "told",
            Self::NotCalled => "not_called",
            Self::PageResolved => "page_resolved",
            Self::Channel => "channel",
            Self::Task => "task",
            Self::Clock => "clock",
            Self::Journal => "journal",
            Self::Operator => "operator",
            Self::Closed => "closed",
        }
    }
}
