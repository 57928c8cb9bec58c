//! By whom faults are heard of, and how long they may be silent.
//!
//! Who hears nothing does not know whether nothing is wrong. An alert that always fires comes all the way from Prometheus through
//! Alertmanager's routes; Prometheus and Alertmanager answer when they are asked. Whichever of them stays away calls people.

use std::time::Duration;

use crate::command::EntryKind;
use crate::ids::{AlertName, Fingerprint};
use crate::incident::Incident;
use crate::listed::Sender;
use crate::reason::Reason;
use crate::state::AlertRecord;
use crate::turn::{Relevance, Turn};

/// Somebody by whom faults are heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The deliveries of the alert that always fires.
    Watchdog,
    /// Prometheus' answers.
    Prometheus,
    /// Alertmanager's answers.
    Alertmanager,
}

/// How silence is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The alert that always fires.
    pub alert: AlertName,
    /// Whether it is waited for from the start; otherwise from its first delivery on.
    pub expected: bool,
    /// People are called when one of them has been silent for so long.
    pub silent_after: Duration,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Watchdog, Self::Prometheus, Self::Alertmanager];

    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Watchdog => "watchdog",
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
        }
    }

    /// The reason that stands for its silence.
    pub(crate) const fn silent(self) -> Reason {
        match self {
            Self::Watchdog => Reason::WatchdogSilent,
            Self::Prometheus => Reason::PrometheusSilent,
            Self::Alertmanager => Reason::AlertmanagerSilent,
        }
    }

    const fn alert(self) -> &'static str {
        match self {
            Self::Watchdog => "WatchdogSilent",
            Self::Prometheus => "PrometheusSilent",
            Self::Alertmanager => "AlertmanagerSilent",
        }
    }

    /// Under what its silence is known in the incident. No message from outside gets there.
    pub(crate) fn fingerprint(self) -> Fingerprint {
        Fingerprint::new(self.as_str())
    }
}

impl Incident {
    /// Whether the source's silence is told and not over.
    pub(crate) fn tells_of(&self, source: Source) -> bool {
        self.alerts.get(&source.fingerprint()).is_some_and(|alert| alert.ends_at.is_none())
    }

    /// The source has been silent for too long: the first level is called at once, unless somebody has been called or a plan accounts for
    /// it.
    pub(crate) fn silent(&mut self, source: Source, turn: &mut Turn<'_>) -> Relevance {
        let record = AlertRecord {
            name: AlertName::new(source.alert()),
            labels: std::collections::BTreeMap::new(),
            starts_at: turn.now,
            heard_at: turn.now,
            ends_at: None,
            suppressed: false,
            // Alertmanager's list does not know of its own silence.
            sender: Sender::Other,
        };
        self.alerts.insert(source.fingerprint(), record);
        self.record(turn, EntryKind::Alert, source.silent(), source.alert());
        if !self.waits_for_others(turn) {
            self.page_first_level(source.silent(), turn);
        }
        Relevance::Current
    }

    /// The source is heard of again.
    pub(crate) fn heard_again(&mut self, source: Source, turn: &mut Turn<'_>) -> Relevance {
        self.alert_resolved(&source.fingerprint(), turn.now, Reason::Alive, turn)
    }
}
