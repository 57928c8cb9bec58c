//! The limits and people that hold for all runbooks.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::built_in::Unanswered;
use crate::ids::{ChannelName, Level};
use crate::silence::Watch;

/// What may be done at all, and who is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Whether changes run, wait for a person, or are only written down.
    pub mode: Mode,
    /// Changes that may run at the same time.
    pub concurrent_changes: usize,
    /// Changes that may start within any hour.
    pub changes_per_hour: usize,
    /// From [`Self::systemic_from`] sick targets up: the share of all known targets above which nothing is repaired one by one.
    pub max_unhealthy_ratio: f64,
    /// How many sick targets it takes before the ratio counts.
    pub systemic_from: usize,
    /// Attempts of one step within one incident.
    pub attempts_per_step: u32,
    /// Runs of a step that it takes before its `efficacy_floor` counts.
    pub efficacy_min_runs: u32,
    /// How often the trouble may come back within one incident before people take over.
    pub relapses: u32,
    /// Time between two questions for health while something waits for the answer.
    pub health_interval: Duration,
    /// Time between two questions for health while nothing does.
    pub health_interval_idle: Duration,
    /// Questions for health in a second, over all incidents: with many open ones each is asked about less often.
    pub health_questions_per_second: u32,
    /// After this time a question for health counts as not answered.
    pub health_timeout: Duration,
    /// A person is called when health stays unknown for this long.
    pub health_unknown_for: Duration,
    /// How long a change may wait for approval.
    pub approval_expires: Duration,
    /// How long an acknowledgement or a hold keeps the next level from being called.
    pub ack_expires: Duration,
    /// How long after its trouble is over a page is taken back, so that what returns at once joins it.
    pub page_hold: Duration,
    /// Trouble that comes back within this time after its incident was closed is the same trouble, and its pages are held for as long.
    pub returns_within: Duration,
    /// Incidents that may be open at the same time.
    pub open_incidents: usize,
    /// Alerts that one incident remembers.
    pub alerts_per_incident: usize,
    /// Pages that one incident may send.
    pub pages_per_incident: u32,
    /// Which of the alerts that no runbook answers call people.
    pub unanswered: Unanswered,
    /// By whom faults are heard of; `None`: nobody is missed.
    pub watch: Option<Watch>,
    /// Who is called, first level first, without gaps.
    pub contacts: Vec<Contact>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Act,
            concurrent_changes: 1,
            changes_per_hour: 12,
            max_unhealthy_ratio: 0.4,
            systemic_from: 3,
            attempts_per_step: 3,
            efficacy_min_runs: 5,
            relapses: 3,
            health_interval: Duration::from_secs(1),
            health_interval_idle: Duration::from_secs(5),
            health_questions_per_second: 100,
            health_timeout: Duration::from_secs(10),
            health_unknown_for: Duration::from_secs(30),
            approval_expires: Duration::from_secs(15 * 60),
            ack_expires: Duration::from_secs(30 * 60),
            page_hold: Duration::from_secs(20),
            returns_within: Duration::from_secs(10 * 60),
            open_incidents: 20_000,
            alerts_per_incident: 100,
            pages_per_incident: 50,
            unanswered: Unanswered::default(),
            watch: None,
            contacts: Vec::new(),
        }
    }
}

/// One rung of the escalation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Which rung.
    pub level: Level,
    /// Without an acknowledgement within this time the next rung is called; the last rung is called again.
    pub respond_within: Duration,
    /// The channels that lead there.
    pub channels: BTreeSet<ChannelName>,
}

/// What happens to changes, from the freest to the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// They run.
    #[default]
    Act,
    /// Each waits for a person.
    Approve,
    /// They are decided and written down, and none runs. Nobody is paged. Diagnoses run, since later decisions read them.
    Shadow,
}

impl Policy {
    /// The contact of a level, if there is one.
    #[must_use]
    pub fn contact(&self, level: Level) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.level == level)
    }

    /// The level after `level`, or `level` itself if it is the last.
    #[must_use]
    pub fn level_after(&self, level: Level) -> Level {
        let next = Level::new(level.get().saturating_add(1));
        if self.contact(next).is_some() { next } else { level }
    }
}
