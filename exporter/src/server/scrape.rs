//! The scrape: a small one at once, a large one in pieces, which are sent while the next are written.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vvtv_toolkit::render::{Exposition, Format};
use vvtv_toolkit::serve::body::RETRY_AFTER;

use super::Site;
use crate::metrics;

/// Large scrapes at once; each holds a thread.
const LARGE_MAX: usize = 16;

/// More streams than these take longer to write than probes should be held up.
const SMALL_STREAMS_MAX: usize = 500;

/// Pieces that wait to be sent.
const WAITING_MAX: usize = 4;

/// A scraper that reads takes less over a piece, whatever it does besides.
const UNREAD_MIN: Duration = Duration::from_millis(500);

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
    let Some(room) = site.0.large_scrapes.enter() else {
        let again = [(header::RETRY_AFTER, RETRY_AFTER)];
        return (StatusCode::SERVICE_UNAVAILABLE, again, format!("{LARGE_MAX} scrapes go on already\n"))
            .into_response();
    };
    let (sender, body) = Channel::new(WAITING_MAX);
    let mut outlet = Outlet { runtime: Handle::current(), sender: Some(sender), room };
    let write = move || {
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

/// The large scrapes that go on. Those who do not read what they asked for must not keep Prometheus out: beyond the limit, the one that
/// has waited longest for its reader is ended.
#[derive(Clone, Debug, Default)]
pub(super) struct LargeScrapes(Arc<Mutex<Vec<Arc<Scrape>>>>);

#[derive(Debug, Default)]
struct Scrape {
    waits_since: Mutex<Option<Instant>>,
    end: CancellationToken,
}

/// One scrape's part of the limit.
struct Room {
    scrapes: LargeScrapes,
    scrape: Arc<Scrape>,
}

impl LargeScrapes {
    fn enter(&self) -> Option<Room> {
        let mut going_on = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if going_on.len() >= LARGE_MAX {
            let waiting = going_on.iter().enumerate().filter_map(|(at, scrape)| Some((scrape.waits_since()?, at)));
            let (since, at) = waiting.min()?;
            if since.elapsed() < UNREAD_MIN {
                return None;
            }
            going_on.swap_remove(at).end.cancel();
        }
        let scrape = Arc::new(Scrape::default());
        going_on.push(Arc::clone(&scrape));
        Some(Room { scrapes: self.clone(), scrape })
    }
}

impl Scrape {
    fn waits_since(&self) -> Option<Instant> {
        *self.waits_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits_from(&self, at: Option<Instant>) {
        *self.waits_since.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut going_on = self.scrapes.0.lock().unwrap_or_else(PoisonError::into_inner);
        going_on.retain(|scrape| !Arc::ptr_eq(scrape, &self.scrape));
    }
}

/// The way out of a body. A body that is not whole must not look as if it were: series would be missing without a word.
struct Outlet {
    runtime: Handle,
    sender: Option<Sender<Bytes, io::Error>>,
    room: Room,
}

impl Outlet {
    fn send(&mut self, piece: Bytes) {
        let Some(mut sender) = self.sender.take() else { return };
        if piece.is_empty() {
            return;
        }
        let scrape = &self.room.scrape;
        scrape.waits_from(Some(Instant::now()));
        let sending = scrape.end.run_until_cancelled(sender.send_data(piece));
        let sent = self.runtime.block_on(async { timeout(PIECE_TIMEOUT, sending).await });
        scrape.waits_from(None);
        // One that hung up, takes too long, or makes room for another gets no more.
        match sent {
            Ok(Some(Ok(()))) => self.sender = Some(sender),
            Ok(Some(Err(_)) | None) | Err(_) => sender.abort(io::ErrorKind::TimedOut.into()),
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
