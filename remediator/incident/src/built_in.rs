//! Incidents that are people's from their beginning: no steps are for them, no test says whether they are over, and so they are over when
//! their alerts are.
//!
//! Each stands under a runbook that is built in, beside those of the files, and goes by the same escalation.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::event::Alert;
use crate::ids::{HealthTest, LabelName, Level, RunbookId};
use crate::policy::{Mode, Policy};
use crate::runbook::{Recovery, Runbook, Severity};

/// The label of an alert that says how bad it is.
const SEVERITY: &str = "severity";
/// Incidents of alerts that no runbook answers. Whatever else comes meanwhile is one more: names are anybody's text, and a page for each would
/// drown those that matter.
pub(crate) const UNANSWERED_MAX: usize = 20;
/// What stands for whatever else comes.
pub(crate) const MANY_OTHERS: &str = "many other alerts";

/// A runbook that no file has. Its id has a character that no file's id may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuiltIn {
    /// For alerts that no runbook answers, or that do not say for which target.
    UnansweredAlert,
    /// For the silence of those by whom faults are heard of.
    SilentMonitoring,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::UnansweredAlert, Self::SilentMonitoring];

    /// The id's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnansweredAlert => "unanswered_alert",
            Self::SilentMonitoring => "silent_monitoring",
        }
    }

    /// The runbook's id.
    #[must_use]
    pub fn id(self) -> RunbookId {
        RunbookId::new(self.as_str())
    }

    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::UnansweredAlert => "Alert without a runbook",
            Self::SilentMonitoring => "Silent monitoring",
        }
    }

    /// The one that an id names.
    #[must_use]
    pub fn of(runbook: &RunbookId) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == runbook.as_str())
    }

    /// What the core goes by.
    #[must_use]
    pub fn runbook(self, policy: &Policy) -> Runbook {
        let respond_within = match self {
            Self::UnansweredAlert => policy.unanswered.respond_within(policy),
            Self::SilentMonitoring => Duration::ZERO,
        };
        Runbook {
            id: self.id(),
            severity: Severity::Critical,
            alerts: Vec::new(),
            target: LabelName::new(""),
            causes: Vec::new(),
            healthy: HealthTest::new(""),
            healthy_for: Duration::ZERO,
            respond_within,
            escalate: None,
            steps: Vec::new(),
            recovery: Recovery::default(),
            mode: Mode::Act,
            changes_per_hour: None,
        }
    }
}

/// Which of the alerts that no runbook answers call people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Those whose label `severity` has one of these values.
    pub severities: BTreeSet<Box<str>>,
    /// The first level is called after this time; `None`: after its own time to respond.
    pub respond_within: Option<Duration>,
}

impl Default for Unanswered {
    fn default() -> Self {
        Self { severities: BTreeSet::from([Severity::Critical.as_str().into()]), respond_within: None }
    }
}

impl Unanswered {
    /// Whether people are called about it.
    pub(crate) fn calls(&self, alert: &Alert) -> bool {
        alert.labels.get(&LabelName::new(SEVERITY)).is_some_and(|severity| self.severities.contains(severity))
    }

    fn respond_within(&self, policy: &Policy) -> Duration {
        let first = || policy.contact(Level::FIRST).map(|contact| contact.respond_within);
        self.respond_within.or_else(first).unwrap_or_default()
    }
}
