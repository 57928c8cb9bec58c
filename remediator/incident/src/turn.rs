//! One incident's turn: the time, its runbook, the policy and what the rest of the fleet means for it, and where its decisions go.

use std::collections::BTreeMap;

use crate::budget::Budget;
use crate::channels::{Channels, People};
use crate::command::{Command, Entry, EntryKind};
use crate::efficacy::EfficacyTable;
use crate::ids::{IncidentId, LockName, RunbookId, Target};
use crate::policy::{Mode, Policy};
use crate::reason::Reason;
use crate::runbook::Runbook;
use crate::targets::Standing;
use crate::time::Timestamp;

/// Everything that a decision may depend on besides the incident itself, and what has been decided.
pub(crate) struct Turn<'a> {
    pub(crate) now: Timestamp,
    pub(crate) policy: &'a Policy,
    pub(crate) runbook: &'a Runbook,
    /// Whether the runbook only stands in for one that the configuration does not have any more.
    pub(crate) runbook_gone: bool,
    /// Whether the runbook is built in: there is nothing to do and nothing to ask, and it is over when its alerts are.
    pub(crate) for_people: bool,
    pub(crate) paused: bool,
    pub(crate) maintenance: bool,
    pub(crate) cause: Option<&'a RunbookId>,
    pub(crate) standing: Standing,
    pub(crate) systemic: Systemic,
    pub(crate) running: &'a RunningChanges,
    pub(crate) budget: &'a Budget,
    pub(crate) efficacy: &'a EfficacyTable,
    pub(crate) channels: &'a Channels,
    /// People were called within the hour because the budget for the incident's runbook and target was spent.
    pub(crate) budget_was_called: bool,
    /// Open incidents, this one included.
    pub(crate) open: usize,
    /// Where its decisions go.
    pub(crate) decided: &'a mut Decisions,
}

/// Whether an event still concerns the incident that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an event that is stale must be written down as such"]
pub(crate) enum Relevance {
    /// It does: the incident goes on with it.
    Current,
    /// It belongs to an attempt, a question or a page that is over.
    Stale,
}

/// Whether too many targets are sick at once, or too many alerts name targets that do not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Systemic {
    /// No.
    No,
    /// Yes, and this incident is the one that calls people about it.
    Caller,
    /// Yes, and another incident calls people about it.
    Follower,
}

impl Turn<'_> {
    /// The stricter of the policy's mode and the runbook's.
    pub(crate) fn mode(&self) -> Mode {
        self.policy.mode.max(self.runbook.mode)
    }

    pub(crate) const fn people(&self) -> People<'_> {
        People { policy: self.policy, channels: self.channels }
    }

    pub(crate) fn push(&mut self, command: Command) {
        self.decided.push(command);
    }
}

/// The changes that run now, and what they hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunningChanges(BTreeMap<IncidentId, (Target, Vec<LockName>)>);

impl RunningChanges {
    pub(crate) fn begin(&mut self, incident: IncidentId, target: Target, locks: Vec<LockName>) {
        self.0.insert(incident, (target, locks));
    }

    pub(crate) fn end(&mut self, incident: IncidentId) {
        self.0.remove(&incident);
    }

    /// Whether a change on `target` with `locks` would collide with another incident's, or exceed `limit` changes at a time.
    pub(crate) fn busy(&self, me: IncidentId, target: &Target, locks: &[LockName], limit: usize) -> bool {
        let others = || self.0.iter().filter(|(id, _)| **id != me).map(|(_, held)| held);
        others().count() >= limit
            || others().any(|(held, taken)| held == target || taken.iter().any(|lock| locks.contains(lock)))
    }
}

/// A lock's name with `$target` replaced, so that one runbook can name a lock of each target.
pub(crate) fn lock_for(lock: &LockName, target: &Target) -> LockName {
    LockName::new(lock.as_str().replace("$target", target.as_str()))
}

/// What one event has led to so far, in order.
pub(crate) struct Decisions {
    /// When the event happened, which is when everything is decided that follows from it.
    pub(crate) now: Timestamp,
    pub(crate) commands: Vec<Command>,
}

impl Decisions {
    pub(crate) const fn at(now: Timestamp) -> Self {
        Self { now, commands: Vec::new() }
    }

    pub(crate) fn push(&mut self, command: Command) {
        self.commands.push(command);
    }

    pub(crate) fn record(
        &mut self,
        incident: Option<IncidentId>,
        event: EntryKind,
        reason: Reason,
        detail: impl Into<String>,
    ) {
        self.push(Command::Record(Entry { incident, event, reason, detail: detail.into() }));
    }
}
