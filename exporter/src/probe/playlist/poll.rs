//! Polling a stream's playlists: asks what [`Playlists`] wants to know, and publishes what it makes of the answers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::document::{Playlist, parse};
use super::hls::{Context, Variables};
use super::playlists::{Of, Playlists, Question, Read};
use super::variant::Wanted;
use super::view::{PlaylistSpec, PlaylistView};
use crate::config::Location;
use crate::fetch::{Fetcher, Found};
use crate::health::{Failure, ProbeError};
use crate::probe::tools::Tools;
use crate::reach::Reach;

/// Bytes whose reading may take a millisecond: no live playlist has as many.
const LARGE_BODY: usize = 128 << 10;

/// How long the first view may wait for the slowest variant.
const FIRST_VIEW: Duration = Duration::from_millis(800);

/// Polls until stopped.
pub async fn run(spec: PlaylistSpec, tools: Tools, view: watch::Sender<Arc<PlaylistView>>, stop: CancellationToken) {
    // Stopped from outside, or not wanted any more.
    let _: Option<()> = stop.run_until_cancelled(watch(spec, tools, view)).await;
}

async fn watch(spec: PlaylistSpec, tools: Tools, view: watch::Sender<Arc<PlaylistView>>) {
    let mut ticks = tools.pace.every(spec.interval);
    let (stream, timeout) = (spec.stream.clone(), spec.timeout);
    let started = tools.clock.now();
    let fetcher = Arc::new(tools.fetcher.within(Reach::configured(&spec.playlist, &spec.reach)));
    let mut playlists = Playlists::new(spec, started, Arc::clone(&tools.remembered));
    let mut answers: FuturesUnordered<UnderWay> = FuturesUnordered::new();
    let mut has_view = false;
    loop {
        let answer = tokio::select! {
            Some(answer) = answers.next() => Some(answer),
            () = ticks.tick() => None,
        };
        let (now, is_answer) = (tools.clock.now(), answer.is_some());
        let asks = match answer {
            Some(Answer::Read(of, read)) => playlists.read(now, of, *read),
            Some(Answer::Found(id, found)) => playlists.found(now, id, found),
            None => playlists.tick(now),
        };
        answers.extend(asks.into_iter().map(|question| ask(question, Arc::clone(&fetcher), timeout)));
        if !is_answer {
            continue;
        }
        for note in playlists.notes.drain(..) {
            tools.recorder.record(&stream, "hls", now, &note);
        }
        // The first view says what is known of all variants, not of the fastest one.
        has_view |= answers.is_empty() || now.since(started.mono) > FIRST_VIEW;
        if has_view && view.send(Arc::new(playlists.view())).is_err() {
            return;
        }
    }
}

enum Answer {
    Read(Of, Box<Result<Read, ProbeError>>),
    Found(u64, Result<Found, ProbeError>),
}

/// A question under way. On the heap by itself: a connection that waits keeps the waker of its last request, and with it whatever lies beside
/// that.
type UnderWay = Pin<Box<dyn Future<Output = Answer> + Send>>;

fn ask(question: Question, fetcher: Arc<Fetcher>, timeout: Duration) -> UnderWay {
    match question {
        Question::Read { of, location, digest, variables } => {
            Box::pin(
                async move { Answer::Read(of, Box::new(read(&fetcher, &location, digest, variables, timeout).await)) },
            )
        }
        Question::Look { of, wanted } => Box::pin(async move {
            let Wanted { location, range, ask } = wanted;
            Answer::Found(of, fetcher.find_segment(&location, range, ask, timeout).await)
        }),
    }
}

async fn read(
    fetcher: &Fetcher,
    location: &Location,
    known: Option<u64>,
    variables: Option<Arc<Variables>>,
    timeout: Duration,
) -> Result<Read, ProbeError> {
    let document = fetcher.get(location, timeout).await?;
    let digest = digest(&document.body);
    if known == Some(digest) {
        return Ok(Read { document, digest, playlist: None });
    }
    let context = Context::new(&document.location, variables.as_deref());
    let playlist = Some(parse_beside(&document.body, context).await);
    Ok(Read { document, digest, playlist })
}

/// A large body is read beside the other probes, not in their way.
pub(crate) async fn parse_beside(body: &Bytes, context: Context) -> Result<Playlist, ProbeError> {
    if body.len() < LARGE_BODY {
        return parse(body, &context);
    }
    let body = body.clone();
    let read = tokio::task::spawn_blocking(move || parse(&body, &context)).await;
    read.unwrap_or_else(|error| Err(ProbeError::new(Failure::Io, format!("reading a playlist died: {error}"))))
}

fn digest(body: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}
