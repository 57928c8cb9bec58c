//! HTTP serving with a limit on everything: connections and each address' share of them, time for a header, a body, an answer's way out
//! and idleness, bodies, names that are answered to, time to drain. Reaching one is counted under its name.
//!
//! hyper's accept loop is ours because `axum::serve` keeps a client that stalls in the middle of its header for ever.

pub mod body;
pub mod headers;
pub mod hosts;
mod listen;
mod metrics;
mod place;
mod places;
mod request;
mod server;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

pub use self::hosts::{HostName, Hosts};
pub use self::listen::{bind, listen};
use self::metrics::Closed;
pub use self::metrics::{Refused, ServeMetrics};
use self::places::Places;
use self::server::Server;
use crate::access::App;
pub use crate::flags::ListenAddress;
use crate::web_config::WebConfig;

/// How long, how many, and under which names.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For the TLS handshake, for the first request, for each header, for an idle connection's next request in HTTP/1, and for the next
    /// piece of a body.
    pub header_timeout: Duration,
    /// For a whole body: 16 MiB at 4.5 Mbit/s.
    pub body_timeout: Duration,
    /// How long a client may take no bytes of its answer. A network that loses packets recovers in less.
    pub write_timeout: Duration,
    /// How long a connection may be of no use: no request waits for us, and hardly anything goes out.
    pub idle_timeout: Duration,
    /// Connections at once. Beyond them, the one that has kept us waiting longest is ended; if all wait for us, the new one waits.
    pub connections: usize,
    /// Connections of one address (IPv6: of one /64). Beyond them, one of its own is ended.
    pub connections_per_peer: usize,
    /// How many of the connections answer only `reserved_paths`; they are used last.
    pub reserved: usize,
    /// The paths that must be answered however crowded it is.
    pub reserved_paths: Vec<String>,
    /// The largest body; a request that announces more is refused at once.
    pub body_bytes_max: u64,
    /// The paths whose handlers take larger ones: `body::read` looks at what they announce.
    pub large_body_paths: Vec<String>,
    /// The names that it is known under.
    pub hosts: Hosts,
    /// How long requests in flight may go on after the stop.
    pub drain: Duration,
    /// Where reaching a limit is counted.
    pub metrics: ServeMetrics,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            connections: 512,
            connections_per_peer: 128,
            reserved: 32,
            reserved_paths: Vec::new(),
            body_bytes_max: 64 << 10,
            large_body_paths: Vec::new(),
            hosts: Hosts::default(),
            drain: Duration::from_secs(10),
            metrics: ServeMetrics::default(),
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program listens there.
    #[error("cannot listen on {address}: port {} is taken", address.port())]
    Taken {
        /// What was asked for.
        address: ListenAddress,
    },
    /// The system refuses for another reason.
    #[error("cannot listen on {address}")]
    Bind {
        /// What was asked for.
        address: ListenAddress,
        /// Its reason.
        #[source]
        source: std::io::Error,
    },
    /// systemd passes nothing that can be listened on.
    #[error("systemd passes no listening TCP socket (--web.systemd-socket)")]
    NoSocket(#[source] Option<std::io::Error>),
    /// An acceptor ended by itself.
    #[error("the task that accepts connections died")]
    Acceptor(#[from] tokio::task::JoinError),
}

/// Serves `app` until `stop`, then closes the ports at once and lets requests in flight finish within `limits.drain`.
///
/// # Errors
/// An accepting task panicked.
pub async fn run(
    listeners: Vec<TcpListener>,
    app: App,
    web: WebConfig,
    limits: Limits,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let drain = limits.drain;
    let server = Arc::new(Server {
        app: web.protect(app.into_router()),
        http2: web.http2(),
        web,
        places: Arc::new(Places::new(&limits)),
        limits,
        stop,
        abandon: CancellationToken::new(),
        connections: TaskTracker::new(),
    });
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        acceptors.spawn(Arc::clone(&server).accept_until_stop(listener));
    }
    while let Some(ended) = acceptors.join_next().await {
        ended?;
    }
    server.connections.close();
    if timeout(drain, server.connections.wait()).await.is_err() {
        warn!(connections = server.connections.len(), "requests still in flight after {drain:?} are abandoned");
        server.limits.metrics.closed(Closed::Drain);
        server.abandon.cancel();
        server.connections.wait().await;
    }
    Ok(())
}
