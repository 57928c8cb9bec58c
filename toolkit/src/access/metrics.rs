//! What the gate counts.

use prometheus::IntCounterVec;

use super::gate::Reason;
use crate::serve::ServeMetrics;

/// Counters of refused requests; the default counts nothing.
#[derive(Clone, Debug, Default)]
pub struct AccessMetrics(Option<IntCounterVec>);

impl AccessMetrics {
    /// Counts beside what the server itself refuses, in the same counter under reasons of its own.
    #[must_use]
    pub fn beside(server: &ServeMetrics) -> Self {
        let refused = server.refused_requests().cloned();
        if let Some(refused) = &refused {
            for reason in Reason::ALL {
                refused.with_label_values(&[reason.as_str()]);
            }
        }
        Self(refused)
    }

    pub(super) fn refused(&self, reason: Reason) {
        if let Some(counter) = &self.0 {
            counter.with_label_values(&[reason.as_str()]).inc();
        }
    }
}
