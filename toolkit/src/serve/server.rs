//! Accepts connections, finds each its place, and keeps it to its times.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::Limits;
use super::metrics::Closed;
use super::place::Place;
use super::places::{Admission, Places, Seat};
use super::wire::Wire;
use crate::web_config::WebConfig;

/// How often it is looked again for a place, when nobody could be asked to leave.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How often each connection's times are looked at, at the least.
const TICK_MAX: Duration = Duration::from_secs(1);

/// What a connection may have sent that nobody has read yet: a header, and in HTTP/2 a stream's body. All connections together hold as much
/// as that many times this.
const BUFFER_BYTES: u32 = 64 << 10;

/// What the kernel may hold of a connection's answers, so that one that is not read is noticed soon and holds little: 10 Mbit/s at a round
/// trip of 100 ms.
const SENDING_BYTES: usize = 128 << 10;

pub(super) struct Server {
    pub(super) app: Router,
    pub(super) web: WebConfig,
    pub(super) http2: bool,
    pub(super) limits: Limits,
    pub(super) places: Arc<Places>,
    pub(super) stop: CancellationToken,
    pub(super) abandon: CancellationToken,
    pub(super) connections: TaskTracker,
}

impl Server {
    pub(super) async fn accept_until_stop(self: Arc<Self>, listener: TcpListener) {
        let stop = self.stop.clone();
        let _: Option<Infallible> = stop.run_until_cancelled(self.accept(listener)).await;
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let seat = self.seat(peer).await;
                    let server = Arc::clone(&self);
                    self.connections.spawn(async move {
                        server.limits.metrics.opened();
                        server.handshake_and_serve(stream, peer, &seat.place).await;
                        server.limits.metrics.ended();
                        drop(seat);
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    self.limits.metrics.closed(Closed::Accept);
                    // Out of file descriptors: a busy loop would only make it worse.
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// A place for a new connection, if need be that of another. Further ones wait in the kernel's queue meanwhile.
    async fn seat(&self, peer: SocketAddr) -> Seat {
        let mut counted = false;
        loop {
            let admission = self.places.admit(peer.ip(), Instant::now());
            if !counted && !matches!(admission, Admission::Seated(_)) {
                counted = true;
                self.limits.metrics.limit_reached();
            }
            match admission {
                Admission::Seated(seat) => return seat,
                Admission::Replaces(place, why) => {
                    debug!(%peer, ?why, "another connection makes room");
                    self.limits.metrics.closed(why);
                    place.end.cancel();
                    place.gone.cancelled().await;
                }
                Admission::Full => sleep(LOOK_AGAIN).await,
            }
        }
    }

    async fn handshake_and_serve(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, place: &Arc<Place>) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        if let Err(error) = set_socket_send_buffer_size(&stream, SENDING_BYTES) {
            debug!(%peer, %error, "cannot set SO_SNDBUF");
        }
        let Some(tls) = self.web.tls().map(TlsAcceptor::from) else {
            return self.serve(stream, peer, place, false).await;
        };
        tokio::select! {
            accepted = timeout(self.limits.header_timeout, tls.accept(stream)) => match accepted {
                Ok(Ok(stream)) => self.serve(stream, peer, place, true).await,
                Ok(Err(error)) => {
                    debug!(%peer, %error, "TLS handshake failed");
                    self.limits.metrics.closed(Closed::HandshakeFailed);
                }
                Err(_) => self.limits.metrics.closed(Closed::HandshakeTimeout),
            },
            () = place.end.cancelled() => {}
            () = self.stop.cancelled() => {}
        }
    }

    async fn serve<I>(self: &Arc<Self>, io: I, peer: SocketAddr, place: &Arc<Place>, encrypted: bool)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begun = CancellationToken::new();
        let on_request = begun.clone();
        let service = service_fn(|request| {
            on_request.cancel();
            let (server, place) = (Arc::clone(self), Arc::clone(place));
            async move { server.answer(request, peer, &place, encrypted).await }
        });
        let builder = self.builder();
        let wire = Wire { io, place: Arc::clone(place) };
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(wire), service));
        // The auto builder waits without limit for the bytes that tell HTTP/1 from HTTP/2; this limit covers them.
        let first_request = timeout(self.limits.header_timeout, begun.cancelled());
        let mut first_request = std::pin::pin!(first_request);
        let (mut waiting, mut draining) = (true, false);
        let mut ticks = interval((self.limits.write_timeout.min(self.limits.idle_timeout) / 4).min(TICK_MAX));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        debug!(%peer, %error, "connection ended");
                        self.limits.metrics.closed(Closed::Error);
                    }
                    return;
                }
                answered = first_request.as_mut(), if waiting => {
                    if answered.is_err() {
                        self.limits.metrics.closed(Closed::HeaderTimeout);
                        return;
                    }
                    waiting = false;
                }
                _ = ticks.tick() => if let Some(limit) = place.overdue(&self.limits, Instant::now()) {
                    debug!(%peer, ?limit, "connection ended by a limit");
                    self.limits.metrics.closed(limit);
                    return;
                },
                () = self.stop.cancelled(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = place.end.cancelled() => return,
                () = self.abandon.cancelled() => return,
            }
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .max_buf_size(BUFFER_BYTES as usize)
            .header_read_timeout(self.limits.header_timeout);
        builder
            .http2()
            .timer(TokioTimer::new())
            .initial_connection_window_size(2 * BUFFER_BYTES)
            .initial_stream_window_size(BUFFER_BYTES)
            .keep_alive_interval(self.limits.header_timeout)
            .keep_alive_timeout(self.limits.header_timeout);
        if self.http2 { builder } else { builder.http1_only() }
    }
}
