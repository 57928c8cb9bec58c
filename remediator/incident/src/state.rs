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
    /// The person who holds it; anybody may release it.
    pub by: Person,
    /// When that was said.
    pub at: Timestamp,
}

/// Where an incident stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The steps run, in order; past the last one it looks whether they helped.
    Working(StepMachine),
    /// Nothing is left to try; people have it.
    Exhausted,
    /// Healthy, but not yet for long enough.
    Stabilising,
    /// Healthy for long enough: watched until then, and until no alert fires.
    Monitoring {
        /// Until when at least.
        until: Timestamp,
    },
    /// Temporary measures are taken back, in order; past the last one it goes back to watching.
    Restoring(StepMachine),
    /// Over as soon as the steps that were told to end have ended: what they hold is free only then.
    Closing {
        /// Why it is over.
        reason: Reason,
        /// When it is over even if nobody reports their end.
        give_up_at: Timestamp,
    },
    /// Over.
    Closed {
        /// When the last of its steps had ended, and nothing was left to wait for.
        at: Timestamp,
    },
}

impl Phase {
    /// The step that the incident is at, and how far it is with it.
    #[must_use]
    pub const fn machine(&self) -> Option<&StepMachine> {
        match self {
            Self::Working(machine) | Self::Restoring(machine) => Some(machine),
            Self::Exhausted
            | Self::Stabilising
            | Self::Monitoring { .. }
            | Self::Closing { .. }
            | Self::Closed { .. } => None,
        }
    }

    pub(crate) const fn machine_mut(&mut self) -> Option<&mut StepMachine> {
        match self {
            Self::Working(machine) | Self::Restoring(machine) => Some(machine),
            Self::Exhausted
            | Self::Stabilising
            | Self::Monitoring { .. }
            | Self::Closing { .. }
            | Self::Closed { .. } => None,
        }
    }
}

/// A step by its place in the runbook, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepRef {
    /// The ladder's step of this number.
    Step(usize),
    /// What takes the measure of this number back.
    Apply(usize),
    /// What puts the measure of this number in place again.
    Undo(usize),
}

/// The step that an incident is at, and how far it is with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepMachine {
    /// Which step; one past the last when none is left.
    pub at: StepRef,
    /// How far it is.
    pub stage: Stage,
}

impl StepMachine {
    /// At the beginning of a step.
    pub(crate) const fn ready(at: StepRef) -> Self {
        Self { at, stage: Stage::Ready }
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
        /// The earliest time of a question whose answer counts.
        since: Timestamp,
    },
    /// Something keeps the step from running.
    Blocked {
        /// What must end before the step is looked at again.
        by: Block,
        /// When to look again.
        retry_at: Timestamp,
    },
    /// It waits for a person.
    AwaitingApproval {
        /// When the approval expires, and the step is left out.
        until: Timestamp,
    },
    /// The step runs.
    Running {
        /// The attempt's number, counted from 1.
        attempt: u32,
        /// When the shell must have reported the end.
        deadline: Timestamp,
    },
    /// The change is done and given time to work.
    Settling {
        /// When the step ended; earlier answers about health do not count.
        since: Timestamp,
        /// When it is taken not to have worked.
        until: Timestamp,
    },
    /// How the step ended is not known; health tells whether it worked.
    Verifying {
        /// When the step was given up on; earlier answers about health do not count.
        since: Timestamp,
        /// When it is taken not to have worked.
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

/// What ends a block, and so how often to look for that and what there is to do meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// A person, a plan, or another incident.
    Others,
    /// What becomes known of targets.
    Target,
    /// Fewer sick targets; people must look for what they have in common.
    Systemic,
    /// The hour's end, or a healthy target; people must know.
    Budget,
    /// An answer about health.
    Health,
    /// A moment, or a healthy target.
    Moment,
}

impl Block {
    /// Every block in one place: what it is written down as, and what ends it.
    const fn row(self) -> (Reason, BlockKind) {
        match self {
            Self::Held => (Reason::Held, BlockKind::Others),
            Self::Paused => (Reason::Paused, BlockKind::Others),
            Self::Maintenance => (Reason::Maintenance, BlockKind::Others),
            Self::Suppressed => (Reason::Suppressed, BlockKind::Others),
            Self::CauseOpen => (Reason::CauseOpen, BlockKind::Others),
            Self::UnknownTarget => (Reason::UnknownTarget, BlockKind::Target),
            Self::TargetUnverified => (Reason::TargetUnverified, BlockKind::Target),
            Self::Systemic => (Reason::Systemic, BlockKind::Systemic),
            Self::BudgetSpent => (Reason::BudgetSpent, BlockKind::Budget),
            Self::RunbookBudgetSpent => (Reason::RunbookBudgetSpent, BlockKind::Budget),
            Self::HealthUnknown => (Reason::HealthUnknown, BlockKind::Health),
            Self::Settling => (Reason::Settling, BlockKind::Moment),
            Self::LockBusy => (Reason::LockBusy, BlockKind::Moment),
        }
    }

    /// The reason that stands for it.
    #[must_use]
    pub const fn reason(self) -> Reason {
        self.row().0
    }

    /// What ends it.
    pub(crate) const fn kind(self) -> BlockKind {
        self.row().1
    }
}

/// What became of a measure that is to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreRecord {
    /// Of the step that takes it back.
    pub apply: StepRecord,
    /// Of the step that puts it in place again.
    pub undo: StepRecord,
}

/// What became of a step in this incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// Its id, unique within the runbook.
    pub id: StepId,
    /// What kind of step it is.
    pub kind: StepKind,
    /// How it stands.
    pub state: StepState,
    /// Why it stands so; nothing while it was not looked at.
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

/// What an incident remembers of a step's [`crate::Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// It reads.
    Diagnose,
    /// It alters the system.
    Change,
}

impl StepKind {
    /// The kind's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Diagnose => "diagnose",
            Self::Change => "change",
        }
    }
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
    /// Whether answers about health are worth asking for often.
    pub(crate) const fn waits_for_health(&self) -> bool {
        match self {
            Self::Blocked { by, .. } => match by.kind() {
                BlockKind::Health | BlockKind::Moment => true,
                BlockKind::Others | BlockKind::Target | BlockKind::Systemic | BlockKind::Budget => false,
            },
            Self::AwaitingApproval { .. } => false,
            Self::Ready
            | Self::AskedCondition { .. }
            | Self::Deciding { .. }
            | Self::Running { .. }
            | Self::Settling { .. }
            | Self::Verifying { .. } => true,
        }
    }

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
    /// Whether it alters the system.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        match self.kind {
            StepKind::Change => true,
            StepKind::Diagnose => false,
        }
    }

    /// How often it was let go.
    #[must_use]
    pub const fn runs(&self) -> u32 {
        self.attempts.saturating_sub(self.not_run)
    }

    pub(crate) const fn pending(id: StepId, kind: StepKind) -> Self {
        Self {
            id,
            kind,
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
