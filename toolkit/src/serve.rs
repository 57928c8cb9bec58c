//! HTTP serving with a limit on everything: time to the first request, time for a header, connections, time to drain.
//!
//! hyper's accept loop is ours because `axum::serve` keeps a client that stalls in the middle of its header for ever.

mod metrics;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use listenfd::ListenFd;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, warn};

pub use self::metrics::ServeMetrics;
use crate::access::App;
pub use crate::flags::ListenAddress;
use crate::flags::WebArgs;
use crate::web_config::WebConfig;

/// How long and how many.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For the TLS handshake, for the first request, for each header, and for an idle connection's next request.
    pub header_timeout: Duration,
    /// Connections at once; further ones wait in the kernel's queue, which is counted.
    pub connections: usize,
    /// How long requests in flight may go on after the stop.
    pub drain: Duration,
    /// Where reaching a limit is counted.
    pub metrics: ServeMetrics,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            connections: 512,
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

/// Opens what the flags ask for: the sockets that systemd passes, or addresses.
///
/// # Errors
/// An address cannot be opened, or systemd passes no TCP socket.
pub async fn listen(args: &WebArgs, default: &ListenAddress) -> Result<Vec<TcpListener>, ServeError> {
    if args.systemd_socket { inherited() } else { bind(&args.listen_or(default)).await }
}

/// The sockets of sd_listen_fds(3).
fn inherited() -> Result<Vec<TcpListener>, ServeError> {
    let failed = |error| ServeError::NoSocket(Some(error));
    let mut passed = ListenFd::from_env();
    let mut listeners = Vec::with_capacity(passed.len());
    for index in 0..passed.len() {
        if let Some(listener) = passed.take_tcp_listener(index).map_err(failed)? {
            listener.set_nonblocking(true).map_err(failed)?;
            listeners.push(TcpListener::from_std(listener).map_err(failed)?);
        }
    }
    if listeners.is_empty() { Err(ServeError::NoSocket(None)) } else { Ok(listeners) }
}

/// Opens every address, or none.
///
/// # Errors
/// An address cannot be opened; the error names the port.
pub async fn bind(addresses: &[ListenAddress]) -> Result<Vec<TcpListener>, ServeError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let opened = match address.host() {
            "" => match TcpListener::bind(("::", address.port())).await {
                Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                    // A machine without IPv6.
                    TcpListener::bind(("0.0.0.0", address.port())).await
                }
                other => other,
            },
            host => TcpListener::bind((host, address.port())).await,
        };
        listeners.push(opened.map_err(|source| {
            let address = address.clone();
            if source.kind() == std::io::ErrorKind::AddrInUse {
                ServeError::Taken { address }
            } else {
                ServeError::Bind { address, source }
            }
        })?);
    }
    Ok(listeners)
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
        permits: Arc::new(Semaphore::new(limits.connections)),
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
        server.limits.metrics.closed("drain");
        server.abandon.cancel();
        server.connections.wait().await;
    }
    Ok(())
}

struct Server {
    app: Router,
    web: WebConfig,
    http2: bool,
    limits: Limits,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    abandon: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    async fn accept_until_stop(self: Arc<Self>, listener: TcpListener) {
        let stop = self.stop.clone();
        let _: Option<Infallible> = stop.run_until_cancelled(self.accept(listener)).await;
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) -> Infallible {
        loop {
            if self.permits.available_permits() == 0 {
                self.limits.metrics.limit_reached();
                debug!(limit = self.limits.connections, "connection limit reached, new connections wait");
            }
            // The semaphore is never closed; were it, an unlimited server is the lesser evil.
            let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let server = Arc::clone(&self);
                    self.connections.spawn(async move {
                        server.limits.metrics.opened();
                        server.handshake_and_serve(stream, peer).await;
                        server.limits.metrics.ended();
                        drop(permit);
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    self.limits.metrics.closed("accept");
                    // Out of file descriptors: a busy loop would only make it worse.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn handshake_and_serve(&self, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = self.web.tls().map(TlsAcceptor::from) else {
            return self.serve(stream, peer).await;
        };
        tokio::select! {
            accepted = timeout(self.limits.header_timeout, tls.accept(stream)) => match accepted {
                Ok(Ok(stream)) => self.serve(stream, peer).await,
                Ok(Err(error)) => {
                    debug!(%peer, %error, "TLS handshake failed");
                    self.limits.metrics.closed("handshake_failed");
                }
                Err(_) => self.limits.metrics.closed("handshake_timeout"),
            },
            () = self.stop.cancelled() => {}
        }
    }

    async fn serve<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, io: I, peer: SocketAddr) {
        let begun = CancellationToken::new();
        let on_request = begun.clone();
        let service = service_fn(|request: Request<Incoming>| {
            on_request.cancel();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            self.app.clone().oneshot(request)
        });
        let builder = self.builder();
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), service));
        // The auto builder waits without limit for the bytes that tell HTTP/1 from HTTP/2; this limit covers them.
        let first_request = timeout(self.limits.header_timeout, begun.cancelled());
        let mut first_request = std::pin::pin!(first_request);
        let (mut waiting, mut draining) = (true, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        debug!(%peer, %error, "connection ended");
                        self.limits.metrics.closed("error");
                    }
                    return;
                }
                answered = first_request.as_mut(), if waiting => {
                    if answered.is_err() {
                        self.limits.metrics.closed("header_timeout");
                        return;
                    }
                    waiting = false;
                }
                () = self.stop.cancelled(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.abandon.cancelled() => return,
            }
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.limits.header_timeout);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.limits.header_timeout)
            .keep_alive_timeout(self.limits.header_timeout);
        if self.http2 { builder } else { builder.http1_only() }
    }
}
