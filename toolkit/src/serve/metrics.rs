//! What the server counts of itself: every limit that is reached has its name.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Counters of the connections; the default counts nothing.
#[derive(Clone, Debug, Default)]
pub struct ServeMetrics(Option<Registered>);

#[derive(Clone, Debug)]
struct Registered {
    open: IntGauge,
    limit_reached: IntCounter,
    closed: IntCounterVec,
    refused: IntCounterVec,
}

/// Why a connection ended otherwise than well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    Accept,
    HandshakeFailed,
    HandshakeTimeout,
    HeaderTimeout,
    BodyTimeout,
    WriteTimeout,
    IdleTimeout,
    Replaced,
    PeerLimit,
    Error,
    Drain,
}

impl Closed {
    const ALL: [Self; 11] = [
        Self::Accept,
        Self::HandshakeFailed,
        Self::HandshakeTimeout,
        Self::HeaderTimeout,
        Self::BodyTimeout,
        Self::WriteTimeout,
        Self::IdleTimeout,
        Self::Replaced,
        Self::PeerLimit,
        Self::Error,
        Self::Drain,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::HandshakeFailed => "handshake_failed",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::HeaderTimeout => "header_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::Replaced => "replaced",
            Self::PeerLimit => "peer_limit",
            Self::Error => "error",
            Self::Drain => "drain",
        }
    }
}

/// Why a request is answered by the server itself, or by a program that has no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The host that it asks for is not ours, or it names none.
    Host,
    /// The place of its connection is kept for other paths.
    Reserved,
    /// Its body is larger than any that is read.
    Size,
    /// All bodies together hold as much as they may.
    Bodies,
    /// As many streams of events are open as may be.
    Streams,
    /// As many large downloads are under way as may be.
    Downloads,
}

impl Refused {
    const ALL: [Self; 6] = [Self::Host, Self::Reserved, Self::Size, Self::Bodies, Self::Streams, Self::Downloads];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Reserved => "reserved",
            Self::Size => "size",
            Self::Bodies => "bodies",
            Self::Streams => "streams",
            Self::Downloads => "downloads",
        }
    }
}

impl ServeMetrics {
    /// Registers `NAMESPACE_http_open_connections`, `…_http_connection_limit_reached_total`, `…_http_closed_connections_total{reason}` and
    /// `…_http_refused_requests_total{reason}`. The namespace is empty if the registry has a prefix of its own.
    ///
    /// # Errors
    /// One of the names is registered already or is no metric name.
    pub fn register(registry: &Registry, namespace: &str) -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(name, help).namespace(namespace).subsystem("http");
        let open = IntGauge::with_opts(opts("open_connections", "Connections that are open."))?;
        let limit_reached = IntCounter::with_opts(opts(
            "connection_limit_reached_total",
            "Times that a new connection found all places taken.",
        ))?;
        let closed = IntCounterVec::new(
            opts("closed_connections_total", "Connections that ended otherwise than well, by reason."),
            &["reason"],
        )?;
        let refused = IntCounterVec::new(
            opts("refused_requests_total", "Requests that were refused, by reason: a limit, their host, or who asked."),
            &["reason"],
        )?;
        for reason in Closed::ALL {
            closed.with_label_values(&[reason.as_str()]);
        }
        for reason in Refused::ALL {
            refused.with_label_values(&[reason.as_str()]);
        }
        registry.register(Box::new(open.clone()))?;
        registry.register(Box::new(limit_reached.clone()))?;
        registry.register(Box::new(closed.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        Ok(Self(Some(Registered { open, limit_reached, closed, refused })))
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

    pub(super) fn closed(&self, reason: Closed) {
        if let Some(counters) = &self.0 {
            counters.closed.with_label_values(&[reason.as_str()]).inc();
        }
    }

    /// The counter of refused requests, for whoever refuses some for other reasons.
    pub(crate) fn refused_requests(&self) -> Option<&IntCounterVec> {
        self.0.as_ref().map(|counters| &counters.refused)
    }

    /// Counts a request that found no room.
    pub fn refused(&self, reason: Refused) {
        if let Some(counters) = &self.0 {
            counters.refused.with_label_values(&[reason.as_str()]).inc();
        }
    }
}
