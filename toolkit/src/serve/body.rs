//! Bodies: a time limit for what comes, a budget for what is held, and whose turn it is while they go either way.

use std::error::Error;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;
use super::metrics::{Closed, Refused, ServeMetrics};
use super::place::Turn;

/// When somebody whom there was no room for may come again, in seconds.
pub const RETRY_AFTER: &str = "5";

/// Bytes of each body that do not count: what is small gets through whatever the large ones hold.
const UNCOUNTED: usize = 64 << 10;

/// The client was too slow.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct TooSlow;

/// A request's body, which may not keep its reader waiting for ever.
pub(super) struct Received {
    body: Incoming,
    turn: Turn,
    metrics: ServeMetrics,
    /// For the next piece.
    idle_max: Duration,
    /// For all of it.
    whole_until: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Received {
    pub(super) fn new(body: Incoming, turn: Turn, limits: &Limits) -> Self {
        let whole_until = Instant::now() + limits.body_timeout;
        let metrics = limits.metrics.clone();
        Self { body, turn, metrics, idle_max: limits.header_timeout, whole_until, alarm: None }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.alarm = None;
                if frame.is_none() || this.body.is_end_stream() {
                    this.turn.ours();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                this.turn.theirs();
                let until = (Instant::now() + this.idle_max).min(this.whole_until);
                let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
                if alarm.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.metrics.closed(Closed::BodyTimeout);
                this.turn.ours();
                Poll::Ready(Some(Err(TooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, which knows whether its next piece is asked for.
pub(super) struct Sent {
    body: Body,
    turn: Turn,
}

impl Sent {
    pub(super) fn new(body: Body, turn: Turn) -> Self {
        turn.theirs();
        Self { body, turn }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.turn.ours();
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.turn.theirs();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How many bytes all bodies that are read into memory may hold together.
#[derive(Clone, Debug)]
pub struct Budget {
    bytes: Arc<Semaphore>,
    metrics: ServeMetrics,
}

impl Budget {
    /// At most `bytes`, besides 64 KiB of each body; what finds no room is counted.
    #[must_use]
    pub fn new(bytes: usize, metrics: ServeMetrics) -> Self {
        Self { bytes: Arc::new(Semaphore::new(bytes)), metrics }
    }
}

/// Why a body is not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than is read, or says that it will be.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// All bodies together hold as much as they may.
    #[error("too many bodies are being read")]
    NoRoom,
    /// It stalls, or takes too long as a whole.
    #[error("the body came too slowly")]
    TooSlow,
    /// The connection ended.
    #[error("the body broke off: {0}")]
    Broken(axum::Error),
}

impl BodyError {
    fn of(error: axum::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(one) = cause {
            if one.is::<TooSlow>() {
                return Self::TooSlow;
            }
            cause = one.source();
        }
        Self::Broken(error)
    }

    /// The status that tells it.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if matches!(self, Self::NoRoom) {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

/// A body in memory. Its part of the budget is given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    bytes: Vec<u8>,
    _share: Option<OwnedSemaphorePermit>,
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of at most `bytes_max`; one that says it is larger is not waited for.
///
/// # Errors
/// It is too large or too slow, breaks off, or there is no room for it.
pub async fn read(mut body: Body, bytes_max: usize, budget: &Budget) -> Result<Held, BodyError> {
    let announced = usize::try_from(HttpBody::size_hint(&body).lower()).unwrap_or(usize::MAX);
    if announced > bytes_max {
        budget.metrics.refused(Refused::Size);
        return Err(BodyError::TooLarge(bytes_max));
    }
    let mut bytes = Vec::with_capacity(announced);
    let mut share: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(BodyError::of)?.into_data() else { continue };
        let length = bytes.len() + piece.len();
        if length > bytes_max {
            budget.metrics.refused(Refused::Size);
            return Err(BodyError::TooLarge(bytes_max));
        }
        let has = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = length.saturating_sub(UNCOUNTED).saturating_sub(has);
        if more > 0 {
            let taken =
                u32::try_from(more).ok().and_then(|more| Arc::clone(&budget.bytes).try_acquire_many_owned(more).ok());
            let Some(taken) = taken else {
                budget.metrics.refused(Refused::Bodies);
                return Err(BodyError::NoRoom);
            };
            match &mut share {
                Some(share) => share.merge(taken),
                None => share = Some(taken),
            }
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Held { bytes, _share: share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;

    fn pieces(count: usize, bytes: usize) -> Body {
        let piece = Bytes::from(vec![b'x'; bytes]);
        let frames = (0..count).map(move |_| Ok::<_, BoxError>(Frame::data(piece.clone())));
        Body::new(StreamBody::new(futures_util::stream::iter(frames)))
    }

    #[tokio::test]
    async fn all_bodies_together_have_a_budget_and_small_ones_always_pass() {
        let budget = Budget::new(1 << 20, ServeMetrics::default());
        let large = read(pieces(17, UNCOUNTED), 2 << 20, &budget).await.unwrap();
        assert_eq!(large.len(), 17 * UNCOUNTED);
        assert!(matches!(read(pieces(2, UNCOUNTED), 2 << 20, &budget).await, Err(BodyError::NoRoom)));
        assert_eq!(read(pieces(1, UNCOUNTED), 2 << 20, &budget).await.unwrap().len(), UNCOUNTED);
        drop(large);
        assert_eq!(read(pieces(2, UNCOUNTED), 2 << 20, &budget).await.unwrap().len(), 2 * UNCOUNTED);
    }

    #[tokio::test]
    async fn a_body_that_grows_too_large_is_refused() {
        let budget = Budget::new(1 << 20, ServeMetrics::default());
        assert!(matches!(read(pieces(3, 10), 29, &budget).await, Err(BodyError::TooLarge(29))));
        assert_eq!(&*read(pieces(3, 10), 30, &budget).await.unwrap(), [b'x'; 30]);
    }
}
