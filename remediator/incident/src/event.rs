//! Everything that can happen to the core: one closed list.

use std::collections::BTreeMap;

use crate::efficacy::EfficacyTable;
use crate::fleet::Unreadable;
use crate::ids::{AlertName, ChannelName, Fingerprint, IncidentId, LabelName, Person, StepId};
use crate::listed::{Muting, Scope, Sender};
use crate::silence::Source;
use crate::targets::Targets;
use crate::time::Timestamp;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An alert fires, by a delivery.
    AlertFiring(Alert),
    /// An alert stands in Alertmanager's own list, and is not kept back there.
    AlertListed {
        /// The alert as the list has it.
        alert: Alert,
        /// What is known of whether it is delivered.
        muting: Muting,
    },
    /// An alert fires but is silenced, inhibited or muted.
    AlertSuppressed(Alert),
    /// An alert was resolved.
    AlertResolved {
        /// The alert, by Alertmanager's name for its labels.
        fingerprint: Fingerprint,
        /// When the firing began that is over; the epoch where the sender does not know.
        starts_at: Timestamp,
        /// When it ended, if the sender knows.
        ends_at: Option<Timestamp>,
    },
    /// All alerts that stand in Alertmanager: known ones that are missing were resolved without a message.
    Reconciled {
        /// Fingerprints of all active alerts, suppressed ones included.
        active: Vec<Fingerprint>,
        /// Whose alerts they are; others are not judged by it.
        scope: Scope,
        /// When the answer was asked for; alerts that became known later are not judged by it.
        asked_at: Timestamp,
    },
    /// Answer to [`crate::Command::AskHealth`].
    HealthSample {
        /// The incident that asked.
        incident: IncidentId,
        /// The question's number.
        ticket: u64,
        /// What the test for health says; unknown where it could not be asked.
        verdict: Verdict,
    },
    /// Answer to [`crate::Command::AskCondition`].
    ConditionAnswered {
        /// The incident that asked.
        incident: IncidentId,
        /// The step whose condition it is.
        step: StepId,
        /// The question's number.
        ticket: u64,
        /// Whether the condition holds.
        answer: Answer,
    },
    /// A step is over.
    StepFinished {
        /// The incident that ran it.
        incident: IncidentId,
        /// Its id in the incident's runbook.
        step: StepId,
        /// The attempt's number; the end of an earlier one is stale.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// A channel took a page.
    PageDelivered {
        /// The incident that paged.
        incident: IncidentId,
        /// The page's number within the incident.
        page: u32,
    },
    /// A channel takes no messages: whatever is sent over it waits until it does.
    ChannelFails(ChannelName),
    /// A channel that failed takes messages again.
    ChannelWorks(ChannelName),
    /// A person did something with one incident.
    Operator {
        /// The incident's number; of one that is over it is ignored.
        incident: IncidentId,
        /// The person, as the shell knows them.
        by: Person,
        /// What that person did.
        operation: Operation,
    },
    /// The state of an open incident cannot be read. To be told before anything else is.
    Unreadable(Box<Unreadable>),
    /// A person stopped all new actions.
    Pause {
        /// The person, as the shell knows them.
        by: Person,
    },
    /// A person let new actions run again.
    Resume {
        /// The person, as the shell knows them.
        by: Person,
    },
    /// A maintenance window opened (`true`) or closed (`false`).
    Maintenance(bool),
    /// Which targets exist; it takes the place of what was told before. The answer to [`crate::Command::AskTargets`], too.
    TargetsKnown(Targets),
    /// What the steps' runs came to lately; it takes the place of what was told before.
    Efficacy(EfficacyTable),
    /// A sign of life of somebody by whom faults are heard of.
    Alive(Source),
    /// Time has passed.
    Tick,
}

/// An alert as Alertmanager tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Alertmanager's fingerprint of the labels.
    pub fingerprint: Fingerprint,
    /// `alertname`.
    pub name: AlertName,
    /// All labels.
    pub labels: BTreeMap<LabelName, Box<str>>,
    /// When it began to fire; the epoch where the sender does not know.
    pub starts_at: Timestamp,
    /// Who tells of it.
    pub sender: Sender,
}

/// Whether a target is healthy: three-valued, because "cannot tell" must never pass for either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The test says 1.
    Healthy,
    /// The test says 0.
    Unhealthy,
    /// No sample, a stale one, an error, or no Prometheus.
    Unknown,
}

/// Whether a step's condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It could not be decided, and why.
    Error(String),
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Ok,
    /// Another exit code, a signal, or it could not be started; the text says which.
    Failed(String),
    /// Killed at its timeout.
    Timeout,
    /// Started, and nobody saw the end.
    Unknown,
    /// Its process was not let go, so that nothing of it has run.
    NotRun,
}

impl Outcome {
    /// The outcome's one spelling.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(_) => "failed",
            Self::Timeout => "timeout",
            Self::Unknown => "unknown",
            Self::NotRun => "not_run",
        }
    }
}

/// What a person can do with one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// "I have it": nobody else is called for a while.
    Ack,
    /// No further action in this incident until released.
    Hold,
    /// Actions may go on.
    Release,
    /// This change may run, if it is the one that waits.
    Approve(StepId),
    /// End the incident now; a running step is killed.
    Abort,
    /// Write something down.
    Note(String),
}
