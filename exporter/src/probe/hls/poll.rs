//! Polling a stream's playlists: the configured one, and the variants that a master names.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use vvtv_toolkit::render::Labels;

use super::freshness::{Change, Freshness};
use super::playlist::{Media, Playlist, parse};
use crate::clock::Now;
use crate::config::Location;
use crate::fetch::Document;
use crate::health::{Failure, Health, ProbeError};
use crate::probe::{Tools, every, next_tick, record};

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
    /// `stream` and `variant`.
    pub labels: Labels,
    /// Its age.
    pub freshness: Freshness,
    /// The last playlist that could be read.
    pub media: Media,
}

impl HlsView {
    /// Before the first poll: one variant, ageing from now.
    #[must_use]
    pub fn starting(stream: &str, now: Now) -> Self {
        Self { health: Health::default(), variants: vec![Variant::new(stream, ONLY_VARIANT, None, now).view] }
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
    name: String,
    /// None for the configured playlist itself.
    location: Option<Location>,
    /// Digest of the last body: an unchanged one is not parsed again.
    digest: Option<u64>,
    view: VariantView,
}

impl Variant {
    fn new(stream: &str, name: &str, location: Option<Location>, now: Now) -> Self {
        let labels = Labels::new(&[("stream", stream), ("variant", name)]);
        let view = VariantView { labels, freshness: Freshness::never_seen(now), media: Media::default() };
        Self { name: name.to_owned(), location, digest: None, view }
    }
}

impl Poller {
    fn new(spec: HlsSpec, tools: Tools) -> Self {
        let started = tools.clock.now();
        let variants = vec![Variant::new(&spec.stream, ONLY_VARIANT, None, started)];
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
        if self.master.is_none() && self.variants.first().is_some_and(|only| only.digest == Some(digest(&document))) {
            return Ok(());
        }
        match parse(&document.body)? {
            Playlist::Master(uris) => self.adopt_master(&uris, &document.location, now),
            Playlist::Media(media) => {
                if self.master.take().is_some() {
                    info!(stream = self.spec.stream, "the master playlist became a media playlist");
                    self.variants = vec![Variant::new(&self.spec.stream, ONLY_VARIANT, None, now)];
                }
                if let Some(only) = self.variants.first_mut() {
                    take(only, &self.spec.stream, &self.tools, now, &document, media);
                }
                Ok(())
            }
        }
    }

    fn adopt_master(&mut self, uris: &[String], base: &Location, now: Now) -> Result<(), ProbeError> {
        // What a first master names was never seen since the start, not since now.
        let since = if self.master.is_none() { self.started } else { now };
        let mut variants = Vec::new();
        for uri in uris.iter().take(VARIANTS_MAX) {
            let location = resolve(base, uri)?;
            let name: String = uri.split(['?', '#']).next().unwrap_or_default().chars().take(100).collect();
            let known = self.variants.iter().position(|variant| variant.name == name && variant.location.is_some());
            let mut variant = match known {
                Some(index) => self.variants.swap_remove(index),
                None => Variant::new(&self.spec.stream, &name, None, since),
            };
            variant.location = Some(location);
            if variants.iter().all(|other: &Variant| other.name != name) {
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
        let mut requests = JoinSet::new();
        for (index, variant) in self.variants.iter().enumerate() {
            let Some(location) = variant.location.clone() else { continue };
            let (fetcher, timeout) = (self.tools.fetcher.clone(), self.spec.timeout);
            requests.spawn(async move { (index, fetcher.get(&location, timeout).await) });
        }
        let mut outcome = Ok(());
        while let Some(done) = requests.join_next().await {
            let Ok((index, fetched)) = done else { continue };
            let now = self.tools.clock.now();
            let Some(variant) = self.variants.get_mut(index) else { continue };
            let read = fetched.and_then(|document| {
                if variant.digest == Some(digest(&document)) {
                    return Ok(());
                }
                match parse(&document.body)? {
                    Playlist::Media(media) => {
                        take(variant, &self.spec.stream, &self.tools, now, &document, media);
                        Ok(())
                    }
                    Playlist::Master(_) => {
                        Err(ProbeError::new(Failure::Malformed, "a variant is a master playlist itself"))
                    }
                }
            });
            outcome = outcome.and(read);
        }
        outcome
    }
}

/// Takes a playlist that was read into a variant.
fn take(variant: &mut Variant, stream: &str, tools: &Tools, now: Now, document: &Document, media: Media) {
    variant.digest = Some(digest(document));
    if let Some(newest) = &media.newest {
        let change = variant.view.freshness.observe(now, newest, document.age);
        if change == Change::WentBack {
            warn!(stream, variant = variant.name, sequence = newest.sequence, "the media sequence went back");
        }
        let seen = format!("{}: {change:?} {newest:?}, {} segments", variant.name, media.segments);
        tools.recorder.record(stream, "hls", now, &seen);
    }
    variant.view.media = media;
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
