//! Messages to people: written with the decision that they belong to, sent afterwards, at least once.

use std::str::FromStr;

use vvtv_incident::{IncidentId, Level, Reason, Timestamp};

/// One message on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which.
    pub key: MessageKey,
    /// To whom.
    pub contact: String,
    /// The contact's level.
    pub level: Level,
    /// Why.
    pub reason: Reason,
    /// When it was due.
    pub due_at: Timestamp,
}

/// What a message is known by. Sending it again uses the same key, so that receivers can tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageKey {
    /// The incident that pages.
    pub incident: IncidentId,
    /// The page's number within the incident.
    pub page: u32,
    /// Whether it calls or takes the call back.
    pub kind: MessageKind,
    /// The channel's name.
    pub channel: String,
}

/// Whether a message calls or takes the call back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    /// It calls.
    Trigger,
    /// It takes the call back.
    Resolve,
}

impl MessageKind {
    /// The kind's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
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
            "resolve" => Ok(Self::Resolve),
            _ => Err(UnknownKind),
        }
    }
}
