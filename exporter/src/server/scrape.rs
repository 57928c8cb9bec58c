//! The scrape: a small one at once, a large one in pieces, which are sent while the next are written.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use tokio::runtime::Handle;
use tokio::time::timeout;
use vvtv_toolkit::render::{Exposition, Format};

use super::Site;
use crate::metrics;

/// Large scrapes at once; each holds a thread.
pub(super) const LARGE_MAX: usize = 16;

/// More streams than these take longer to write than probes should be held up.
const SMALL_STREAMS_MAX: usize = 500;

/// Pieces that wait to be sent.
const WAITING_MAX: usize = 4;

/// How long a scraper may take over a piece.
const PIECE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn scrape(State(site): State<Site>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::negotiate(accept);
    let content_type = [(header::CONTENT_TYPE, format.content_type())];
    let watched = Arc::clone(&site.0.watched.borrow());
    let now = site.0.tools.clock.now();
    let streams = watched.streams.len();
    if streams <= SMALL_STREAMS_MAX {
        let body = metrics::body_of(streams, format);
        return (content_type, metrics::scrape(now, &watched, &site.0.registry, body)).into_response();
    }
    let Ok(permit) = Arc::clone(&site.0.large_scrapes).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{LARGE_MAX} scrapes go on already\n")).into_response();
    };
    let (sender, body) = Channel::new(WAITING_MAX);
    let mut outlet = Outlet { runtime: Handle::current(), sender: Some(sender) };
    let write = move || {
        let _held = permit;
        let pieces = Box::new(move |piece| outlet.send(piece));
        // All of it was handed on.
        let _: Bytes = metrics::scrape(now, &watched, &site.0.registry, Exposition::in_pieces(format, pieces));
    };
    // Of its own: those of the runtime may all wait for files on a filesystem that hangs, which the scrape has to tell.
    match thread::Builder::new().name("scrape".to_owned()).spawn(write) {
        Ok(_) => (content_type, Body::new(body)).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("start a thread: {error}\n")).into_response(),
    }
}

/// The way out of a body. A body that is not whole must not look as if it were: series would be missing without a word.
struct Outlet {
    runtime: Handle,
    sender: Option<Sender<Bytes, io::Error>>,
}

impl Outlet {
    fn send(&mut self, piece: Bytes) {
        let Some(mut sender) = self.sender.take() else { return };
        if piece.is_empty() {
            return;
        }
        let sent = self.runtime.block_on(async { timeout(PIECE_TIMEOUT, sender.send_data(piece)).await });
        // One that hung up or takes too long gets no more.
        match sent {
            Ok(Ok(())) => self.sender = Some(sender),
            Ok(Err(_)) | Err(_) => sender.abort(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.abort(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
