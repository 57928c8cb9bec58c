//! Polling a stream's playlists: the configured one, and the variants that a master names.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use vvtv_toolkit::render::Labels;

use super::buffer::PlayerBuffer;
use super::conformance::{Check, violations};
use super::freshness::{Change, Freshness};
use super::playlist::{Media, Playlist, parse};
use crate::clock::Now;
use crate::config::{Expect, Location};
use crate::fetch::Document;
use crate::health::{Failure, Health, ProbeError};
use crate::probe::{Tools, every, next_tick, record};
use crate::state::Remembered;

/// Variants of one stream; a master that names more has its first ones watched, and says so in a failure.
pub const VARIANTS_MAX: usize = 32;

/// A master playlist is read again after so many polls, because variants come and go rarely.
const MASTER_EVERY: u32 = 10;

/// The `variant` label of a playlist that has no master.
const ONLY_VARIANT: &str = "media";

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
}

/// What is known of a stream's playlists.
#[derive(Clone, Debug, PartialEq)]
pub struct HlsView {
    /// Of all requests of a poll together.
    pub health: Health,
    /// At least one, also before anything was seen.
    pub variants: Vec<VariantView>,
}

/// What is known of one variant.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantView {
    /// The `variant` label.
    pub name: String,
    /// `stream` and `variant`.
    pub labels: Labels,
    /// Its age.
    pub freshness: Freshness,
    /// The last playlist that could be read; none before the first.
    pub media: Option<Arc<Media>>,
    /// A virtual viewer's.
    pub buffer: PlayerBuffer,
    /// How often each rule was broken, by rules that were broken at all.
    pub violations: BTreeMap<Check, u64>,
}

impl VariantView {
    /// Since the newest segment changed; nothing is late once an event has ended.
    #[must_use]
    pub fn age(&self, now: Now, expect: Expect) -> Duration {
        let ended = self.media.as_ref().is_some_and(|media| media.ended);
        if ended && expect == Expect::Event { Duration::ZERO } else { self.freshness.age(now) }
    }
}

impl HlsView {
    /// Before the first poll: one variant, ageing from now.
    #[must_use]
    pub fn starting(stream: &str, now: Now, remembered: &Remembered) -> Self {
        let only = Variant::new(stream, ONLY_VARIANT, now, remembered);
        Self { health: Health::default(), variants: vec![only.view] }
    }
}

/// Polls until stopped.
pub async fn run(spec: HlsSpec, tools: Tools, view: watch::Sender<Arc<HlsView>>, stop: CancellationToken) {
    let mut poller = Poller::new(spec, tools);
    let mut ticks = every(poller.spec.interval);
    while next_tick(&mut ticks, &stop).await {
        let polled = stop.run_until_cancelled(poller.poll()).await;
        if polled.is_none() || view.send(Arc::new(poller.view())).is_err() {
            return;
        }
    }
}

struct Poller {
    spec: HlsSpec,
    started: Now,
    tools: Tools,
    health: Health,
    master: Option<Master>,
    variants: Vec<Variant>,
}

/// A master playlist that was read.
struct Master {
    polls_until_reread: u32,
    /// It named more variants than are watched.
    truncated: bool,
}

struct Variant {
    /// None for the configured playlist itself.
    location: Option<Location>,
    /// Digest of the last body: an unchanged one is not parsed again.
    digest: Option<u64>,
    view: VariantView,
}

impl Variant {
    fn new(stream: &str, name: &str, now: Now, remembered: &Remembered) -> Self {
        let labels = Labels::new(&[("stream", stream), ("variant", name)]);
        let buffer = PlayerBuffer::default();
        let freshness = remembered.freshness(stream, name, now);
        let view =
            VariantView { name: name.to_owned(), labels, freshness, media: None, buffer, violations: BTreeMap::new() };
        Self { location: None, digest: None, view }
    }
}

impl Poller {
    fn new(spec: HlsSpec, tools: Tools) -> Self {
        let started = tools.clock.now();
        let variants = vec![Variant::new(&spec.stream, ONLY_VARIANT, started, &tools.remembered)];
        Self { spec, started, tools, health: Health::default(), master: None, variants }
    }

    fn view(&self) -> HlsView {
        let variants = self.variants.iter().map(|variant| variant.view.clone()).collect();
        HlsView { health: self.health.clone(), variants }
    }

    async fn poll(&mut self) {
        let started = self.tools.clock.now();
        let outcome = self.poll_all().await;
        let ended = self.tools.clock.now();
        if let Err(error) = &outcome {
            self.tools.recorder.record(&self.spec.stream, "hls", ended, &error.to_string());
        }
        record(&mut self.health, &self.spec.stream, "hls", started, ended, outcome);
    }

    async fn poll_all(&mut self) -> Result<(), ProbeError> {
        let reread = match &mut self.master {
            None => true,
            Some(master) => {
                master.polls_until_reread = master.polls_until_reread.saturating_sub(1);
                master.polls_until_reread == 0
            }
        };
        let configured = if reread { self.read_configured().await } else { Ok(()) };
        // A master that vanishes leaves its variants: they are asked for all the same.
        let variants = if self.master.is_some() { self.poll_variants().await } else { Ok(()) };
        let truncated = match &self.master {
            Some(Master { truncated: true, .. }) => {
                Err(ProbeError::new(Failure::TooLarge, format!("the master names more than {VARIANTS_MAX} variants")))
            }
            Some(_) | None => Ok(()),
        };
        configured.and(variants).and(truncated)
    }

    async fn read_configured(&mut self) -> Result<(), ProbeError> {
        let document = self.tools.fetcher.get(&self.spec.playlist, self.spec.timeout).await?;
        let now = self.tools.clock.now();
        let unchanged = self.variants.first().is_some_and(|only| only.digest == Some(digest(&document)));
        if self.master.is_none() && unchanged {
            return Ok(());
        }
        if let Playlist::Master(uris) = parse(&document.body)? {
            return self.adopt_master(&uris, &document.location, now);
        }
        if self.master.take().is_some() {
            info!(stream = self.spec.stream, "the master playlist became a media playlist");
            self.variants = vec![Variant::new(&self.spec.stream, ONLY_VARIANT, now, &self.tools.remembered)];
        }
        match self.variants.first_mut() {
            Some(only) => take(only, &self.spec, &self.tools, &document).await,
            None => Ok(()),
        }
    }

    fn adopt_master(&mut self, uris: &[String], base: &Location, now: Now) -> Result<(), ProbeError> {
        // What a first master names was never seen since the start, not since now.
        let since = if self.master.is_none() { self.started } else { now };
        let mut variants = Vec::new();
        for uri in uris.iter().take(VARIANTS_MAX) {
            let location = resolve(base, uri)?;
            let name: String = uri.split(['?', '#']).next().unwrap_or_default().chars().take(100).collect();
            let known =
                self.variants.iter().position(|variant| variant.view.name == name && variant.location.is_some());
            let mut variant = match known {
                Some(index) => self.variants.swap_remove(index),
                None => Variant::new(&self.spec.stream, &name, since, &self.tools.remembered),
            };
            variant.location = Some(location);
            if variants.iter().all(|other: &Variant| other.view.name != name) {
                variants.push(variant);
            }
        }
        if uris.len() > VARIANTS_MAX && self.master.is_none() {
            warn!(
                stream = self.spec.stream,
                variants = uris.len(),
                "only the first {VARIANTS_MAX} variants are watched"
            );
        }
        self.master = Some(Master { polls_until_reread: MASTER_EVERY, truncated: uris.len() > VARIANTS_MAX });
        self.variants = variants;
        Ok(())
    }

    async fn poll_variants(&mut self) -> Result<(), ProbeError> {
        let mut polls = JoinSet::new();
        let count = self.variants.len();
        for (index, mut variant) in self.variants.drain(..).enumerate() {
            let (spec, tools) = (self.spec.clone(), self.tools.clone());
            polls.spawn(async move {
                let Some(location) = variant.location.clone() else { return (index, variant, Ok(())) };
                let outcome = match tools.fetcher.get(&location, spec.timeout).await {
                    Ok(document) => take(&mut variant, &spec, &tools, &document).await,
                    Err(error) => Err(error),
                };
                (index, variant, outcome)
            });
        }
        let mut outcome = Ok(());
        let mut polled = Vec::with_capacity(count);
        while let Some(done) = polls.join_next().await {
            let read = match done {
                Ok((index, variant, read)) => {
                    polled.push((index, variant));
                    read
                }
                Err(error) => Err(ProbeError::new(Failure::Io, format!("the poll of a variant died: {error}"))),
            };
            outcome = outcome.and(read);
        }
        polled.sort_by_key(|(index, _)| *index);
        self.variants = polled.into_iter().map(|(_, variant)| variant).collect();
        outcome
    }
}

/// Takes a document that was read into a variant.
async fn take(variant: &mut Variant, spec: &HlsSpec, tools: &Tools, document: &Document) -> Result<(), ProbeError> {
    let digest = digest(document);
    if variant.digest == Some(digest) {
        return Ok(());
    }
    let media = match parse(&document.body)? {
        Playlist::Media(media) => media,
        Playlist::Master(_) => {
            return Err(ProbeError::new(Failure::Malformed, "a variant is a master playlist itself"));
        }
    };
    if let Some(newest) = &media.newest {
        let known = variant.view.freshness.newest().is_some_and(|known| known.uri == newest.uri);
        if !known && !newest.uri.is_empty() {
            // A full disk leaves segments that are listed, fresh and empty: those are no advance.
            let segment = resolve(&document.location, &newest.uri)?;
            tools.fetcher.has_content(&segment, spec.timeout).await?;
        }
        let now = tools.clock.now();
        let change = variant.view.freshness.observe(now, newest, document.age);
        let (stream, name) = (spec.stream.as_str(), variant.view.name.as_str());
        if change == Change::WentBack {
            warn!(stream, variant = name, sequence = newest.sequence, "the media sequence went back");
        }
        if change != Change::Same {
            variant.view.buffer.observe(now, &media);
        }
        let seen = format!("{name}: {change:?} {newest:?}, {} segments", media.segments);
        tools.recorder.record(stream, "hls", now, &seen);
    }
    variant.digest = Some(digest);
    for check in violations(variant.view.media.as_deref(), &media) {
        *variant.view.violations.entry(check).or_default() += 1;
    }
    variant.view.media = Some(Arc::new(media));
    Ok(())
}

fn digest(document: &Document) -> u64 {
    let mut hasher = DefaultHasher::new();
    document.body.hash(&mut hasher);
    hasher.finish()
}

/// A variant's address from its master's (RFC 3986 §5; RFC 8216 §4.1).
fn resolve(base: &Location, uri: &str) -> Result<Location, ProbeError> {
    let refuse = |message: String| Err(ProbeError::new(Failure::Malformed, message));
    match base {
        Location::Http(url) => match url.join(uri) {
            Ok(joined) if matches!(joined.scheme(), "http" | "https") => Ok(Location::Http(joined)),
            Ok(_) | Err(_) => refuse(format!("the variant `{uri}` has no address that can be read")),
        },
        Location::File(path) => {
            let relative = std::path::Path::new(uri.split('?').next().unwrap_or(uri));
            let downward = relative.components().all(|part| matches!(part, std::path::Component::Normal(_)));
            match path.parent() {
                Some(directory) if downward => Ok(Location::File(directory.join(relative))),
                _ => refuse(format!("the variant `{uri}` lies outside of its master's directory")),
            }
        }
    }
}
