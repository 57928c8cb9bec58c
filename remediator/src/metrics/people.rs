//! What the remediator tells of what reaches nobody by itself: alerts without a runbook, its own signs of life.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Registry};
use vvtv_incident::Reason;

use super::{counters, gauge, gauges};
use crate::event_loop::heartbeat::Beat;

/// The metrics of what people must hear of by others.
#[derive(Clone, Debug)]
pub struct PeopleMetrics {
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
    pub fn unanswered(&self, alert: &str, reason: Reason) {
        let labels = [alert, reason.as_str()];
        self.unanswered.with_label_values(&labels).inc();
        self.unanswered_at.with_label_values(&labels).set(jiff::Timestamp::now().as_second());
    }
}
