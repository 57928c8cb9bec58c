//! What the remediator tells of what reaches nobody by itself: alerts without a runbook, its own signs of life.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Registry};
use vvtv_incident::Reason;

use super::{counters, gauge, gauges};

/// What became of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// The service took it.
    Sent,
    /// The service did not.
    Failed,
    /// The event loop or the journal does not live.
    Withheld,
}

impl Beat {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Sent, Self::Failed, Self::Withheld];

    /// The one spelling.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Withheld => "withheld",
        }
    }
}

/// The metrics of what people must hear of by others.
#[derive(Clone, Debug)]
pub(crate) struct PeopleMetrics {
    /// Alerts that no runbook answers, each time that they were heard of, by name and why. The shell bounds the names.
    pub unanswered: IntCounterVec,
    /// Unix time at which each was last heard of.
    pub unanswered_at: IntGaugeVec,
    /// Heartbeats, by what became of them.
    pub heartbeats: IntCounterVec,
    /// Unix time of the last heartbeat that was taken.
    pub heartbeat_at: IntGauge,
}

impl PeopleMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            unanswered: counters(
                "unanswered_alerts_total",
                "Alerts that no runbook answers, or without the label that names their target, each time that they were heard of.",
                &["alert", "reason"],
            )?,
            unanswered_at: gauges(
                "unanswered_alert_timestamp_seconds",
                "Unix time at which an alert that no runbook answers was last heard of.",
                &["alert", "reason"],
            )?,
            heartbeats: counters("heartbeats_total", "Signs of life for an outside service.", &["result"])?,
            heartbeat_at: gauge(
                "last_heartbeat_timestamp_seconds",
                "Unix time of the last sign of life that was taken.",
            )?,
        };
        registry.register(Box::new(metrics.unanswered.clone()))?;
        registry.register(Box::new(metrics.unanswered_at.clone()))?;
        registry.register(Box::new(metrics.heartbeats.clone()))?;
        registry.register(Box::new(metrics.heartbeat_at.clone()))?;
        for result in Beat::ALL {
            metrics.heartbeats.with_label_values(&[result.as_str()]);
        }
        Ok(metrics)
    }

    /// Counts an alert that no runbook answers.
    pub(crate) fn unanswered(&self, alert: &str, reason: Reason) {
        let labels = [alert, reason.as_str()];
        self.unanswered.with_label_values(&labels).inc();
        self.unanswered_at.with_label_values(&labels).set(jiff::Timestamp::now().as_second());
    }
}
