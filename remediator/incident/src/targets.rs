//! Which targets exist. An alert only claims that its target does: nothing is run for one that nobody else knows.

use std::collections::BTreeSet;

use crate::ids::Target;
use crate::time::Timestamp;

/// What the shell was told of targets, by others than alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Every target that is vouched for, also while nobody can be asked.
    pub known: BTreeSet<Target>,
    /// How many exist now, sick or not: the denominator of the systemic limit.
    pub number: usize,
    /// When the list was asked for that holds all of them; `None` while nobody has answered.
    pub asked_at: Option<Timestamp>,
}

/// Whether an incident's target exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Somebody vouches for it.
    Known,
    /// Nobody has been asked since the incident began.
    Unverified,
    /// Who was asked since then does not know it.
    Unknown,
}

impl Targets {
    /// What is known of the target of an incident that began at `opened_at`.
    pub(crate) fn standing(&self, target: &Target, opened_at: Timestamp) -> Standing {
        if self.known.contains(target) {
            Standing::Known
        } else if self.asked_at.is_some_and(|asked_at| asked_at >= opened_at) {
            Standing::Unknown
        } else {
            Standing::Unverified
        }
    }
}
