//! What the remediator tells of the ways to people.

use prometheus::{GaugeVec, IntGaugeVec, Registry};
use vvtv_incident::Timestamp;

use super::{gauges, times};

/// The metrics of the channels.
#[derive(Clone, Debug)]
pub(crate) struct ChannelMetrics {
    /// Whether a channel fails, by its name.
    failing: IntGaugeVec,
    /// Since when; 0 while it takes messages.
    failing_since: GaugeVec,
}

impl ChannelMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            failing: gauges(
                "channel_failing",
                "Whether a channel takes no messages, so that nobody is called over it.",
                &["channel"],
            )?,
            failing_since: times(
                "channel_failing_since_timestamp_seconds",
                "Unix time since which a channel takes no messages; 0 while it does.",
                &["channel"],
            )?,
        };
        registry.register(Box::new(metrics.failing.clone()))?;
        registry.register(Box::new(metrics.failing_since.clone()))?;
        Ok(metrics)
    }

    /// Shows how a channel stands.
    pub(crate) fn show(&self, channel: &str, failing_since: Option<Timestamp>) {
        self.failing.with_label_values(&[channel]).set(i64::from(failing_since.is_some()));
        let since = failing_since.map_or(0.0, |at| at.since(Timestamp::default()).as_secs_f64());
        self.failing_since.with_label_values(&[channel]).set(since);
    }

    /// Shows nothing more of a channel that is gone.
    pub(crate) fn forget(&self, channel: &str) {
        // One that was never shown is gone already.
        drop(self.failing.remove_label_values(&[channel]));
        drop(self.failing_since.remove_label_values(&[channel]));
    }
}
