//! What the gate counts.

use prometheus::{IntCounterVec, Opts, Registry};

use super::gate::Reason;

/// Counters of refused requests; the default counts nothing.
#[derive(Clone, Debug, Default)]
pub struct AccessMetrics(Option<IntCounterVec>);

impl AccessMetrics {
    /// Registers `NAME{reason}`.
    ///
    /// # Errors
    /// The name is registered already or is no metric name.
    pub fn register(registry: &Registry, name: &str) -> Result<Self, prometheus::Error> {
        let help = "Requests that were refused because of who asked, or because that could not be found out.";
        let refused = IntCounterVec::new(Opts::new(name, help), &["reason"])?;
        registry.register(Box::new(refused.clone()))?;
        for reason in Reason::ALL {
            refused.with_label_values(&[reason.as_str()]);
        }
        Ok(Self(Some(refused)))
    }

    pub(super) fn refused(&self, reason: Reason) {
        if let Some(counter) = &self.0 {
            counter.with_label_values(&[reason.as_str()]).inc();
        }
    }
}
