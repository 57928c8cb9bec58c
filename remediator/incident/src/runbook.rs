//! What the core needs to know of a runbook. Commands, queries and texts stay with the shell.

use std::time::Duration;

use crate::efficacy::EfficacyFloor;
use crate::ids::{AlertName, HealthTest, LabelName, Level, LockName, RunbookId, StepId};
use crate::policy::{Mode, Policy};
use crate::state::{StepKind, StepRef};

/// A runbook's shape: which alerts it answers, its steps in order, and its timers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runbook {
    /// Its name.
    pub id: RunbookId,
    /// How bad its alerts are.
    pub severity: Severity,
    /// The alerts that it answers.
    pub alerts: Vec<AlertName>,
    /// The alert label whose value is the target.
    pub target: LabelName,
    /// Runbooks whose open incident for the same target is the cause of this one's trouble.
    pub causes: Vec<RunbookId>,
    /// What asks whether the target is healthy.
    pub healthy: HealthTest,
    /// How long the target must be healthy without a break before the incident is over.
    pub healthy_for: Duration,
    /// The first level is called after this time of trouble.
    pub respond_within: Duration,
    /// The runbook's own escalation timer.
    pub escalate: Option<EscalateAt>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What happens once the target is healthy.
    pub recovery: Recovery,
    /// Whether its changes run, wait for a person, or are only written down. The stricter of this and the policy's mode counts.
    pub mode: Mode,
    /// Changes of this runbook that may start within any hour, if fewer than the policy allows.
    pub changes_per_hour: Option<usize>,
}

/// How bad an alert is, in the runbook page's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Warning,
    /// Viewers notice.
    Major,
    /// The channel is down or about to be.
    Critical,
}

impl Severity {
    /// The severity's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

/// "Level 2 after 10 minutes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EscalateAt {
    /// Who is called.
    pub level: Level,
    /// After how much trouble, counted from its beginning.
    pub after: Duration,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// Whether it only reads.
    pub kind: Kind,
    /// Whether it has a condition that the shell must be asked about.
    pub conditional: bool,
    /// The longest it may run.
    pub timeout: Duration,
    /// Attempts within one incident, if fewer than the policy allows.
    pub attempts: Option<u32>,
    /// Below this share of helpful runs it waits for a person.
    pub efficacy_floor: Option<EfficacyFloor>,
}

/// Whether a step reads or alters the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads.
    Diagnose {
        /// The steps after it do not wait for its end.
        background: bool,
        /// How long the target may take to become healthy after it, before the next step: for one that waits for something.
        settle: Duration,
        /// Whether it is known to read. Of one that only its name says so of, it is decided as of a change: by mode, health and approval.
        known_to_read: bool,
    },
    /// Alters the system.
    Change {
        /// What no other change may hold meanwhile.
        locks: Vec<LockName>,
        /// How long the target may take to become healthy before the next step.
        settle: Duration,
        /// Whether it may run again: after an unknown outcome, or when the trouble comes back.
        repeatable: bool,
        /// What its failure means for the changes after it.
        on_failure: OnFailure,
    },
}

/// What a failed change means for the changes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// No further change; a person is called.
    Stop,
    /// A person is called, and the steps go on.
    Continue,
}

/// After the target is healthy: watch, then take temporary measures back one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// How long to watch before the first restore, or before closing.
    pub monitor: Duration,
    /// What is taken back, in order.
    pub restore: Vec<Restore>,
}

/// One temporary measure and its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// Takes the measure back; its `settle` is how long the measurement of health goes on seeing the time before.
    pub apply: Step,
    /// Puts the measure in place again if that hurt.
    pub undo: Step,
}

impl Runbook {
    /// Stands in for a text that is not there any more.
    pub(crate) fn gone() -> Self {
        Self {
            id: RunbookId::new(""),
            severity: Severity::Critical,
            alerts: Vec::new(),
            target: LabelName::new(""),
            causes: Vec::new(),
            healthy: HealthTest::new(""),
            healthy_for: Duration::ZERO,
            respond_within: Duration::ZERO,
            escalate: None,
            steps: Vec::new(),
            recovery: Recovery::default(),
            mode: Mode::Act,
            changes_per_hour: None,
        }
    }

    /// What is left where nothing may be done: alerts, health, and people.
    pub(crate) fn without_steps(self) -> Self {
        Self { steps: Vec::new(), recovery: Recovery::default(), ..self }
    }

    /// The step of this place, if there is one.
    #[must_use]
    pub fn step(&self, at: StepRef) -> Option<&Step> {
        match at {
            StepRef::Step(number) => self.steps.get(number),
            StepRef::Apply(number) => self.recovery.restore.get(number).map(|restore| &restore.apply),
            StepRef::Undo(number) => self.recovery.restore.get(number).map(|restore| &restore.undo),
        }
    }

    /// Every step that can run, the ladder's first, then each restore with its undo.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(self.recovery.restore.iter().flat_map(|restore| [&restore.apply, &restore.undo]))
    }
}

impl Step {
    /// What an incident remembers of the step's kind.
    #[must_use]
    pub const fn remembered_kind(&self) -> StepKind {
        match self.kind {
            Kind::Diagnose { .. } => StepKind::Diagnose,
            Kind::Change { .. } => StepKind::Change,
        }
    }

    /// Whether the step alters the system.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(self.kind, Kind::Change { .. })
    }

    /// How often the step may be started within one incident.
    #[must_use]
    pub fn attempts_max(&self, policy: &Policy) -> u32 {
        self.attempts.map_or(policy.attempts_per_step, |own| own.min(policy.attempts_per_step))
    }

    /// How long the target may take to become healthy after the step.
    #[must_use]
    pub const fn settle(&self) -> Duration {
        match self.kind {
            Kind::Diagnose { settle, .. } | Kind::Change { settle, .. } => settle,
        }
    }

    /// Whether the step may run again after an unknown outcome. Reading again never hurts.
    #[must_use]
    pub const fn repeatable(&self) -> bool {
        match self.kind {
            Kind::Diagnose { .. } => true,
            Kind::Change { repeatable, .. } => repeatable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_s_own_attempts_count_only_if_they_are_fewer() {
        let policy = Policy { attempts_per_step: 3, ..Policy::default() };
        let kind = Kind::Diagnose { background: false, settle: Duration::ZERO, known_to_read: true };
        let step = |attempts| Step {
            id: StepId::new("a"),
            kind: kind.clone(),
            conditional: false,
            timeout: Duration::from_secs(1),
            attempts,
            efficacy_floor: None,
        };
        assert_eq!([None, Some(1), Some(9)].map(|attempts| step(attempts).attempts_max(&policy)), [3, 1, 3]);
    }
}
