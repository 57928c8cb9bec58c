//! What an incident remembers: alerts, phases, steps.

use std::collections::BTreeMap;

use crate::ids::{AlertName, LabelName, Person, StepId};
use crate::listed::Sender;
use crate::reason::Reason;
use crate::time::Timestamp;

/// An alert of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRecord {
    /// `alertname`.
    pub name: AlertName,
    /// All labels.
    pub labels: BTreeMap<LabelName, Box<str>>,
    /// When it began to fire; the epoch where the sender does not know.
    pub starts_at: Timestamp,
    /// When it was first heard of.
    pub heard_at: Timestamp,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// Whether it is silenced, inhibited or muted in Alertmanager: then nobody acts on it.
    pub suppressed: bool,
    /// Who told of it last.
    pub sender: Sender,
}

impl AlertRecord {
    /// Whether its end was not heard of.
    pub(crate) const fn fires(&self) -> bool {
        self.ends_at.is_none()
    }
}

/// A person's hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who.
    pub by: Person,
    /// Since when.
    pub at: Timestamp,
}

/// Where an incident stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The steps run.
    Working {
        /// The step that it is at; past the last one it looks whether they helped.
        cursor: usize,
        /// How far it is with that step.
        stage: Stage,
    },
    /// Nothing is left to try; people have it.
    Exhausted,
    /// Healthy, but not yet for long enough.
    Stabilising,
    /// Healthy for long enough: watched until then, and until no alert fires.
    Monitoring {
        /// Until when at least.
        until: Timestamp,
    },
    /// Temporary measures are taken back.
    Restoring {
        /// The step, as an index into all steps.
        step: usize,
        /// How far it is with that step.
        stage: Stage,
    },
    /// Over as soon as the steps that were told to end have ended: what they hold is free only then.
    Closing {
        /// Why it is over.
        reason: Reason,
        /// When it is over even if nobody reports their end.
        give_up_at: Timestamp,
    },
    /// Over.
    Closed {
        /// Since when.
        at: Timestamp,
    },
}

impl Phase {
    /// The step that the incident is at, as an index into all steps, and how far it is with it.
    pub(crate) const fn step(&self) -> Option<(usize, &Stage)> {
        match self {
            Self::Working { cursor: index, stage } | Self::Restoring { step: index, stage } => Some((*index, stage)),
            Self::Exhausted
            | Self::Stabilising
            | Self::Monitoring { .. }
            | Self::Closing { .. }
            | Self::Closed { .. } => None,
        }
    }
}

/// How far an incident is with a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not looked at it yet.
    Ready,
    /// It asked whether the condition holds.
    AskedCondition {
        /// The question's number.
        ticket: u64,
        /// When the shell must have answered.
        give_up_at: Timestamp,
    },
    /// It waits for an answer about health that was asked for at or after this time.
    Deciding {
        /// That time.
        since: Timestamp,
    },
    /// Something keeps the step from running.
    Blocked {
        /// What.
        by: Block,
        /// When to look again.
        retry_at: Timestamp,
    },
    /// It waits for a person.
    AwaitingApproval {
        /// Until when.
        until: Timestamp,
    },
    /// The step runs.
    Running {
        /// Which attempt.
        attempt: u32,
        /// When the shell must have reported the end.
        deadline: Timestamp,
    },
    /// The change is done and given time to work.
    Settling {
        /// Since when.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// How the step ended is not known; health tells whether it worked.
    Verifying {
        /// Since when.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
    },
}

/// What keeps a step from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// A person holds the incident.
    Held,
    /// A person paused everything.
    Paused,
    /// A maintenance window is open.
    Maintenance,
    /// Every alert that fires is silenced, inhibited or muted.
    Suppressed,
    /// Nothing that exists is called as its target.
    UnknownTarget,
    /// Whether its target exists cannot be told yet.
    TargetUnverified,
    /// An incident that can be the cause is open.
    CauseOpen,
    /// Too many targets are sick at once.
    Systemic,
    /// Health cannot be told.
    HealthUnknown,
    /// The last change is still given time.
    Settling,
    /// Another change is in the way.
    LockBusy,
    /// The hour's changes are used up.
    BudgetSpent,
    /// The runbook's own changes of the hour are used up.
    RunbookBudgetSpent,
}

impl Block {
    /// Whether it ends with what becomes known of targets.
    pub(crate) const fn is_about_the_target(self) -> bool {
        matches!(self, Self::UnknownTarget | Self::TargetUnverified)
    }

    /// The reason that stands for it.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Held => Reason::Held,
            Self::Paused => Reason::Paused,
            Self::UnknownTarget => Reason::UnknownTarget,
            Self::TargetUnverified => Reason::TargetUnverified,
            Self::Maintenance => Reason::Maintenance,
            Self::Suppressed => Reason::Suppressed,
            Self::CauseOpen => Reason::CauseOpen,
            Self::Systemic => Reason::Systemic,
            Self::HealthUnknown => Reason::HealthUnknown,
            Self::Settling => Reason::Settling,
            Self::LockBusy => Reason::LockBusy,
            Self::BudgetSpent => Reason::BudgetSpent,
            Self::RunbookBudgetSpent => Reason::RunbookBudgetSpent,
        }
    }
}

/// What became of a step in this incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// Which step.
    pub id: StepId,
    /// Whether it alters the system.
    pub change: bool,
    /// How it stands.
    pub state: StepState,
    /// Why.
    pub reason: Option<Reason>,
    /// How often it was started.
    pub attempts: u32,
    /// How many of those were never let go, so that nothing of them has run.
    pub not_run: u32,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub finished_at: Option<Timestamp>,
    /// Who approved its next start.
    pub approved_by: Option<Person>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepState {
    /// Not looked at yet.
    Pending,
    /// Left out.
    Skipped,
    /// Started.
    Running,
    /// Ended with exit code 0.
    Ok,
    /// Ended otherwise.
    Failed,
    /// Killed at its timeout.
    Timeout,
    /// Started, and nobody saw the end.
    Unknown,
}

impl StepState {
    /// The state's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Skipped => "skipped",
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Unknown => "unknown",
        }
    }
}

impl Stage {
    /// When the stage must be looked at again.
    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Ready | Self::Deciding { .. } => None,
            Self::AskedCondition { give_up_at, .. } => Some(*give_up_at),
            Self::Blocked { retry_at, .. } => Some(*retry_at),
            Self::AwaitingApproval { until } | Self::Settling { until, .. } | Self::Verifying { until, .. } => {
                Some(*until)
            }
            Self::Running { deadline, .. } => Some(*deadline),
        }
    }
}

impl Stage {
    /// The stage goes on with an answer about health that was asked for at or after this time.
    pub(crate) const fn wants_answer_since(&self) -> Option<Timestamp> {
        match self {
            Self::Deciding { since } | Self::Settling { since, .. } | Self::Verifying { since, .. } => Some(*since),
            Self::Ready
            | Self::AskedCondition { .. }
            | Self::Blocked { .. }
            | Self::AwaitingApproval { .. }
            | Self::Running { .. } => None,
        }
    }
}

impl StepRecord {
    /// How often it was let go.
    #[must_use]
    pub const fn runs(&self) -> u32 {
        self.attempts.saturating_sub(self.not_run)
    }

    pub(crate) const fn pending(id: StepId, change: bool) -> Self {
        Self {
            id,
            change,
            state: StepState::Pending,
            reason: None,
            attempts: 0,
            not_run: 0,
            started_at: None,
            finished_at: None,
            approved_by: None,
        }
    }
}

impl Stage {
    /// The stage waits for an answer that a restart loses.
    pub(crate) const fn asks_something(&self) -> bool {
        match self {
            Self::AskedCondition { .. } | Self::Deciding { .. } => true,
            Self::Ready
            | Self::Blocked { .. }
            | Self::AwaitingApproval { .. }
            | Self::Running { .. }
            | Self::Settling { .. }
            | Self::Verifying { .. } => false,
        }
    }
}
