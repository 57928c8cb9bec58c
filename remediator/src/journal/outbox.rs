//! Messages to people: written with the decision that they belong to, sent afterwards, at least once.

use std::fmt;
use std::str::FromStr;

use vvtv_incident::{IncidentId, Level, Reason, TaskId, Timestamp};

/// One message on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The message, by its subject, kind and channel.
    pub key: MessageKey,
    /// To whom.
    pub contact: String,
    /// The contact's level.
    pub level: Level,
    /// The core's reason, from its closed list.
    pub reason: Reason,
    /// When it was due.
    pub due_at: Timestamp,
}

/// What a message is known by. Sending it again uses the same key, so that receivers can tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageKey {
    /// What it is about.
    pub subject: Subject,
    /// Whether it calls, tells more, or takes the call back.
    pub kind: MessageKind,
    /// The channel's name.
    pub channel: String,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A page of an incident.
    Incident {
        /// The incident that pages.
        incident: IncidentId,
        /// The page's number within the incident.
        page: u32,
    },
    /// A task that is overdue.
    Task(TaskId),
}

impl Subject {
    /// The incident's number.
    #[must_use]
    pub const fn incident(self) -> Option<u64> {
        match self {
            Self::Incident { incident, .. } => Some(incident.get()),
            Self::Task(_) => None,
        }
    }

    /// The task's number.
    #[must_use]
    pub const fn task(self) -> Option<u32> {
        match self {
            Self::Incident { .. } => None,
            Self::Task(task) => Some(task.get()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident { incident, page } => write!(f, "incident-{incident}-page-{page}"),
            Self::Task(task) => write!(f, "task-{task}"),
        }
    }
}

/// Whether a message calls, tells more, or takes the call back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    /// It calls.
    Trigger,
    /// It tells whoever was called that there is more to know. Each tells everything, so a later one takes the place of an earlier.
    Update,
    /// It takes the call back.
    Resolve,
}

impl MessageKind {
    /// The kind's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Update => "update",
            Self::Resolve => "resolve",
        }
    }
}

/// The text is no kind of message.
#[derive(Debug, thiserror::Error)]
#[error("no kind of message")]
pub struct UnknownKind;

impl FromStr for MessageKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "trigger" => Ok(Self::Trigger),
            "update" => Ok(Self::Update),
            "resolve" => Ok(Self::Resolve),
            _ => Err(UnknownKind),
        }
    }
}
