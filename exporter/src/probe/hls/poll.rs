//! Polling a stream's playlists: asks what [`Playlists`] wants to know, and publishes what it makes of the answers.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use smallvec::SmallVec;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::conformance::Check;
use super::playlist::{Context, Playlist, Variables, parse};
use super::playlists::{Of, Playlists, Question, Read, placeholders};
use super::variant::{VariantView, Wanted};
use crate::clock::Now;
use crate::config::Location;
use crate::fetch::{Fetcher, Found};
use crate::health::{Failure, Health, ProbeError};
use crate::probe::Tools;
use crate::reach::{Named, Reach};
use crate::state::Remembered;

/// Variants of one stream that are watched; of a master that names more, those that viewers depend on come first.
pub const VARIANTS_MAX: usize = 32;

/// Bytes whose reading may take a millisecond: no live playlist has as many.
const LARGE_BODY: usize = 128 << 10;

/// How long the first view may wait for the slowest variant.
const FIRST_VIEW: Duration = Duration::from_millis(800);

/// What is polled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HlsSpec {
    /// The stream, for labels.
    pub stream: String,
    /// Its playlist.
    pub playlist: Location,
    /// Between two polls.
    pub interval: Duration,
    /// For each request.
    pub timeout: Duration,
    /// How long a segment that was seen is not new again.
    pub window: Duration,
    /// Where it may lead besides.
    pub reach: Arc<Named>,
}

/// What is known of a stream's playlists.
#[derive(Clone, Debug, PartialEq)]
pub struct HlsView {
    /// Of all requests that viewers depend on, together.
    pub health: Health,
    /// At least one, also before anything was seen. Most streams have one, which then lies where the scrape looks anyway.
    pub variants: SmallVec<[VariantView; 1]>,
    /// How often each rule was broken by the master playlist itself.
    pub master_violations: BTreeMap<Check, u64>,
    /// Playlists that are named beyond [`VARIANTS_MAX`].
    pub unwatched: usize,
    /// Why the configured document could not be read the last time.
    pub failure: Option<Failure>,
}

impl HlsView {
    /// Before the first poll: what is remembered, or one variant, ageing from now.
    #[must_use]
    pub fn starting(stream: &str, now: Now, remembered: &Remembered) -> Self {
        let variants = placeholders(stream, now, remembered);
        let (health, master_violations) = (Health::default(), BTreeMap::new());
        Self { health, variants, master_violations, unwatched: 0, failure: None }
    }
}

/// Polls until stopped.
pub async fn run(spec: HlsSpec, tools: Tools, view: watch::Sender<Arc<HlsView>>, stop: CancellationToken) {
    // Stopped from outside, or not wanted any more.
    let _: Option<()> = stop.run_until_cancelled(watch(spec, tools, view)).await;
}

async fn watch(spec: HlsSpec, tools: Tools, view: watch::Sender<Arc<HlsView>>) {
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
