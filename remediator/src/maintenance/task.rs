//! What comes round by the calendar, as `maintenance` in the configuration says it: when, whose, and what a machine runs for it.
//!
//! Boundary: which times have come; what follows from that is [`vvtv_incident::Agenda`]'s decision.

use std::sync::Arc;
use std::time::Duration;

use vvtv_incident::{TaskName, Timestamp};

use crate::maintenance::schedule::Schedule;
use crate::runbook::TaskStep;

/// How often to look again where no time comes any more.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// One entry of `maintenance`.
#[derive(Clone, Debug)]
pub struct TaskSpec {
    /// What the core needs of it.
    pub plan: vvtv_incident::Duty,
    /// When it comes round.
    pub schedule: Schedule,
    /// What a machine runs, in order; nothing if it is a person's.
    pub steps: Arc<[TaskStep]>,
}

/// All of them, and when to look at them next.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskSpecs {
    all: Arc<[TaskSpec]>,
    look_at: Timestamp,
}

impl TaskSpecs {
    /// These; the first look finds their latest times.
    #[must_use]
    pub(crate) fn new(all: Vec<TaskSpec>) -> Self {
        Self { all: all.into(), look_at: Timestamp::default() }
    }

    /// Every one.
    #[must_use]
    pub(crate) fn all(&self) -> &[TaskSpec] {
        &self.all
    }

    /// One by its name.
    #[must_use]
    pub(crate) fn get(&self, name: &TaskName) -> Option<&TaskSpec> {
        self.all.iter().find(|task| task.plan.name == *name)
    }

    /// The latest time of each, if any may have come since the last look.
    pub(crate) fn look(&mut self, now: Timestamp) -> Vec<(TaskName, Timestamp)> {
        if now < self.look_at {
            return Vec::new();
        }
        self.look_at = self.all.iter().filter_map(|task| task.schedule.next(now)).min().unwrap_or(now + LOOK_AGAIN);
        self.all.iter().filter_map(|task| Some((task.plan.name.clone(), task.schedule.latest(now)?))).collect()
    }

    /// When to look again.
    #[must_use]
    pub(crate) const fn look_at(&self) -> Timestamp {
        self.look_at
    }
}
