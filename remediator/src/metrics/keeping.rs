//! What the remediator tells of its journal's and its clock's state.

use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGauge, Registry};

use super::{counters, gauge, time, times};

/// Why nothing is deleted just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The program was started less than an hour ago.
    JustStarted,
    /// No other program's clock says the same as ours.
    ClockUnconfirmed,
    /// The day's share is deleted.
    ShareDeleted,
}

impl Held {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::JustStarted, Self::ClockUnconfirmed, Self::ShareDeleted];

    /// The reason's one spelling.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::JustStarted => "just_started",
            Self::ClockUnconfirmed => "clock_unconfirmed",
            Self::ShareDeleted => "share_deleted",
        }
    }
}

/// The metrics of what is kept, and of when it was.
#[derive(Clone, Debug)]
pub(crate) struct KeepingMetrics {
    /// Whether there is no journal, nothing is done, and people are called for every alert.
    pub people_only: IntGauge,
    /// Seconds that the clock is ahead of others', by whose.
    pub clock_ahead: GaugeVec,
    /// Seconds that the clock went back at the start.
    pub clock_stepped_back: Gauge,
    /// Bytes of the journal's file system.
    pub disk_size: IntGauge,
    /// Bytes of it that are left for us.
    pub disk_available: IntGauge,
    /// Looks at which retention deleted nothing, by why.
    pub retention_held: IntCounterVec,
}

impl KeepingMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            people_only: gauge(
                "people_only",
                "Whether the journal cannot be used, so that nothing is done and people are called for every alert.",
            )?,
            clock_ahead: times(
                "clock_ahead_seconds",
                "Seconds that the clock is ahead of this machine's, of Prometheus' and of Alertmanager's; negative if it is behind.",
                &["of"],
            )?,
            clock_stepped_back: time(
                "clock_stepped_back_seconds",
                "Seconds that the journal was ahead of the clock at the start, for an hour after it.",
            )?,
            disk_size: gauge("journal_filesystem_size_bytes", "Size of the file system that the journal is on.")?,
            disk_available: gauge(
                "journal_filesystem_available_bytes",
                "Bytes that the journal's file system has left for the remediator.",
            )?,
            retention_held: counters(
                "retention_held_total",
                "Looks at which retention was not allowed to delete anything.",
                &["reason"],
            )?,
        };
        registry.register(Box::new(metrics.people_only.clone()))?;
        registry.register(Box::new(metrics.clock_ahead.clone()))?;
        registry.register(Box::new(metrics.clock_stepped_back.clone()))?;
        registry.register(Box::new(metrics.disk_size.clone()))?;
        registry.register(Box::new(metrics.disk_available.clone()))?;
        registry.register(Box::new(metrics.retention_held.clone()))?;
        for reason in Held::ALL {
            metrics.retention_held.with_label_values(&[reason.as_str()]);
        }
        Ok(metrics)
    }
}
