//! What the remediator tells of those whom it hears alerts from.

use prometheus::{IntCounter, IntGaugeVec, Registry};

use super::{counter, gauges};

/// The metrics of deliveries and of Alertmanager's own list.
#[derive(Clone, Debug)]
pub(crate) struct SenderMetrics {
    /// Alerts of deliveries that hold more than are taken at once.
    pub left_out: IntCounter,
    /// Whether each Alertmanager answered when it was asked last.
    pub alertmanager_up: IntGaugeVec,
}

impl SenderMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            left_out: counter("alerts_left_out_total", "Alerts of deliveries that held more than are taken at once.")?,
            alertmanager_up: gauges(
                "alertmanager_up",
                "Whether an Alertmanager answered with its list of alerts when it was asked last.",
                &["alertmanager"],
            )?,
        };
        registry.register(Box::new(metrics.left_out.clone()))?;
        registry.register(Box::new(metrics.alertmanager_up.clone()))?;
        Ok(metrics)
    }
}
