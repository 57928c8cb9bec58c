//! What the remediator tells of maintenance.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Registry};
use vvtv_incident::{Reason, Task, TaskName, Timestamp};

use super::{counters, gauge, gauges};

/// What is counted of tasks.
const RESULTS: [Reason; 9] = [
    Reason::StepOk,
    Reason::StepFailed,
    Reason::StepTimeout,
    Reason::OutcomeUnknown,
    Reason::TaskBlocked,
    Reason::Missed,
    Reason::StillOpen,
    Reason::Overdue,
    Reason::Done,
];

/// The metrics of tasks.
#[derive(Clone, Debug)]
pub(crate) struct TaskMetrics {
    results: IntCounterVec,
    open: IntGauge,
    overdue: IntGauge,
    succeeded_at: IntGaugeVec,
}

impl TaskMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            results: counters("tasks_total", "What became of tasks.", &["task", "result"])?,
            open: gauge("open_tasks", "Tasks that are not done.")?,
            overdue: gauge("overdue_tasks", "Tasks that a person should have done by now.")?,
            succeeded_at: gauges(
                "task_last_success_timestamp_seconds",
                "Unix time at which a task of this name was last done.",
                &["task"],
            )?,
        };
        registry.register(Box::new(metrics.results.clone()))?;
        registry.register(Box::new(metrics.open.clone()))?;
        registry.register(Box::new(metrics.overdue.clone()))?;
        registry.register(Box::new(metrics.succeeded_at.clone()))?;
        Ok(metrics)
    }

    /// Shows every duty's results, before there are any.
    pub(crate) fn duties<'a>(&self, names: impl Iterator<Item = &'a TaskName>) {
        for name in names {
            for result in RESULTS {
                self.results.with_label_values(&[name.as_str(), result.as_str()]);
            }
        }
    }

    /// Counts what became of a task.
    pub(crate) fn decided(&self, name: &TaskName, reason: Reason) {
        if RESULTS.contains(&reason) {
            self.results.with_label_values(&[name.as_str(), reason.as_str()]).inc();
        }
    }

    /// Notes when a duty was last done.
    pub(crate) fn succeeded(&self, name: &TaskName, at: Timestamp) {
        let seconds = i64::try_from(at.millis() / 1000).unwrap_or(i64::MAX);
        self.succeeded_at.with_label_values(&[name.as_str()]).set(seconds);
    }

    /// Shows how many tasks are not done.
    pub(crate) fn agenda<'a>(&self, open: impl Iterator<Item = &'a Task>, now: Timestamp) {
        let (mut all, mut overdue) = (0, 0);
        for task in open {
            all += 1;
            overdue += i64::from(task.is_overdue(now));
        }
        self.open.set(all);
        self.overdue.set(overdue);
    }
}
