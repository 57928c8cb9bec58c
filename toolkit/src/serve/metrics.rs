//! What the server counts of itself.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Counters of the connections; the default counts nothing.
#[derive(Clone, Debug, Default)]
pub struct ServeMetrics(Option<Registered>);

#[derive(Clone, Debug)]
struct Registered {
    open: IntGauge,
    limit_reached: IntCounter,
    closed: IntCounterVec,
}

impl ServeMetrics {
    /// Registers `PREFIX_http_open_connections`, `PREFIX_http_connection_limit_reached_total` and
    /// `PREFIX_http_closed_connections_total{reason}`.
    ///
    /// # Errors
    /// One of the names is registered already or is no metric name.
    pub fn register(registry: &Registry, prefix: &str) -> Result<Self, prometheus::Error> {
        let open = IntGauge::new(format!("{prefix}_http_open_connections"), "Connections that are open.")?;
        let limit_reached = IntCounter::new(
            format!("{prefix}_http_connection_limit_reached_total"),
            "Times that a new connection had to wait because the limit was reached.",
        )?;
        let closed = IntCounterVec::new(
            Opts::new(
                format!("{prefix}_http_closed_connections_total"),
                "Connections that ended otherwise than well, by reason.",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(open.clone()))?;
        registry.register(Box::new(limit_reached.clone()))?;
        registry.register(Box::new(closed.clone()))?;
        Ok(Self(Some(Registered { open, limit_reached, closed })))
    }

    pub(super) fn opened(&self) {
        if let Some(counters) = &self.0 {
            counters.open.inc();
        }
    }

    pub(super) fn ended(&self) {
        if let Some(counters) = &self.0 {
            counters.open.dec();
        }
    }

    pub(super) fn limit_reached(&self) {
        if let Some(counters) = &self.0 {
            counters.limit_reached.inc();
        }
    }

    pub(super) fn closed(&self, reason: &'static str) {
        if let Some(counters) = &self.0 {
            counters.closed.with_label_values(&[reason]).inc();
        }
    }
}
