//! Polling a stream's playlists: the configured one, and the variants that a master names.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::conformance::{Check, violations_across, violations_of_master};
use super::playlist::{Context, MasterPlaylist, Media, Named, Playlist, parse};
use super::variant::{Variant, VariantView, count, digest, not_identifiable, resolve};
use crate::clock::Now;
use crate::config::Location;
use crate::fetch::Document;
use crate::health::{Failure, Health, ProbeError};
use crate::probe::dash::Presentation;
use crate::probe::{Tools, next_tick, record};
use crate::state::Remembered;

/// Variants of one stream; a master that names more has its first ones watched, and says so in a failure.
pub const VARIANTS_MAX: usize = 32;

/// A master playlist is read again after so many polls, because variants come and go rarely.
const MASTER_EVERY: u32 = 10;

/// Bytes whose reading may take a millisecond: no live playlist has as many.
const LARGE_BODY: usize = 128 << 10;

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
    /// At least one, also before anything was seen. Most streams have one, which then lies where the scrape looks anyway.
    pub variants: SmallVec<[VariantView; 1]>,
    /// How often each rule was broken by the master playlist itself.
    pub master_violations: BTreeMap<Check, u64>,
}

impl HlsView {
    /// Before the first poll: one variant, ageing from now.
    #[must_use]
    pub fn starting(stream: &str, now: Now, remembered: &Remembered) -> Self {
        let only = Variant::new(stream, ONLY_VARIANT, now, remembered);
        Self { health: Health::default(), variants: smallvec![only.view], master_violations: BTreeMap::new() }
    }
}

/// Polls until stopped.
pub async fn run(spec: HlsSpec, tools: Tools, view: watch::Sender<Arc<HlsView>>, stop: CancellationToken) {
    let mut poller = Poller::new(spec, tools);
    let mut ticks = poller.tools.pace.every(poller.spec.interval);
    while next_tick(&mut ticks, &stop).await {
        // On the heap while it goes on, so that thousands that wait are small.
        let polled = stop.run_until_cancelled(Box::pin(poller.poll())).await;
        if polled.is_none() || view.send(Arc::new(poller.view())).is_err() {
            return;
        }
    }
}

/// A large body is read beside the other probes, not in their way.
async fn read_playlist(document: &Document) -> Result<Playlist, ProbeError> {
    let body = document.body.clone();
    if body.len() < LARGE_BODY {
        return parse(&body, &Context::default());
    }
    let read = tokio::task::spawn_blocking(move || parse(&body, &Context::default())).await;
    read.unwrap_or_else(|error| Err(ProbeError::new(Failure::Io, format!("reading a playlist died: {error}"))))
}

fn too_many_variants() -> ProbeError {
    ProbeError::new(Failure::TooLarge, format!("more than {VARIANTS_MAX} variants are named"))
}

struct Poller {
    spec: HlsSpec,
    started: Now,
    tools: Tools,
    health: Health,
    master: Option<Master>,
    master_violations: BTreeMap<Check, u64>,
    variants: Vec<Variant>,
}

/// A master playlist that was read.
struct Master {
    polls_until_reread: u32,
    digest: u64,
    /// It named more variants than are watched.
    truncated: bool,
}

impl Poller {
    fn new(spec: HlsSpec, tools: Tools) -> Self {
        let started = tools.clock.now();
        let variants = vec![Variant::new(&spec.stream, ONLY_VARIANT, started, &tools.remembered)];
        Self {
            spec,
            started,
            tools,
            health: Health::default(),
            master: None,
            master_violations: BTreeMap::new(),
            variants,
        }
    }

    fn view(&self) -> HlsView {
        let variants = self.variants.iter().map(|variant| variant.view.clone()).collect();
        HlsView { health: self.health.clone(), variants, master_violations: self.master_violations.clone() }
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
            Some(Master { truncated: true, .. }) => Err(too_many_variants()),
            Some(_) | None => Ok(()),
        };
        configured.and(variants).and(truncated)
    }

    async fn read_configured(&mut self) -> Result<(), ProbeError> {
        let read = self.tools.fetcher.get(&self.spec.playlist, self.spec.timeout).await;
        let (now, no_master) = (self.tools.clock.now(), self.master.is_none());
        if no_master {
            self.variants.iter_mut().for_each(|variant| variant.looked(&read));
        }
        let document = read?;
        if no_master && self.variants.first().is_some_and(|only| only.is_unchanged(&document)) {
            return Ok(());
        }
        let playlist = match read_playlist(&document).await? {
            Playlist::Master(master) => return self.adopt_master(&master, &document, now),
            Playlist::Presentation(presentation) => return self.take_presentation(&presentation, &document).await,
            media @ Playlist::Media(_) => media,
        };
        if self.names_variants() {
            info!(stream = self.spec.stream, "what named variants became a media playlist");
            self.master = None;
            self.variants = vec![Variant::new(&self.spec.stream, ONLY_VARIANT, now, &self.tools.remembered)];
        }
        match self.variants.first_mut() {
            Some(only) => only.take(&self.spec, &self.tools, &document, playlist).await,
            None => Ok(()),
        }
    }

    /// A master playlist or a manifest was read.
    fn names_variants(&self) -> bool {
        self.master.is_some() || self.variants.iter().all(|variant| *variant.view.name != *ONLY_VARIANT)
    }

    /// The variant of a name that is known already, or a new one.
    ///
    /// What a first master or manifest names was never seen since the start, not since now.
    fn variant(&mut self, name: &str, now: Now) -> Variant {
        let known = self.variants.iter().position(|variant| *variant.view.name == *name);
        match known.filter(|_| self.names_variants()) {
            Some(index) => self.variants.swap_remove(index),
            None => {
                let since = if self.names_variants() { now } else { self.started };
                Variant::new(&self.spec.stream, name, since, &self.tools.remembered)
            }
        }
    }

    /// Takes a manifest, which names variants and lists their segments at once.
    async fn take_presentation(&mut self, presentation: &Presentation, document: &Document) -> Result<(), ProbeError> {
        let now = self.tools.clock.now();
        let due = presentation.due(now.unix_seconds);
        let outcome = if due.len() > VARIANTS_MAX { Err(too_many_variants()) } else { Ok(()) };
        let variants: Vec<_> =
            due.into_iter().take(VARIANTS_MAX).map(|due| (self.variant(&due.name, now), due)).collect();
        self.master = None;
        self.variants.clear();
        let mut takes = JoinSet::new();
        for (index, (mut variant, due)) in variants.into_iter().enumerate() {
            let (spec, tools, document) = (self.spec.clone(), self.tools.clone(), document.clone());
            takes.spawn(async move {
                variant.view.declared_bits_per_second = Some(due.bits_per_second).filter(|bits| *bits > 0);
                variant.answered(&document);
                let outcome = variant.take_due(&spec, &tools, &document, due).await;
                (index, variant, outcome)
            });
        }
        self.gather(takes).await.and(outcome)
    }

    fn adopt_master(&mut self, master: &MasterPlaylist, document: &Document, now: Now) -> Result<(), ProbeError> {
        let (named, digest) = (&master.named, digest(document));
        let mut variants = Vec::new();
        for Named { uri, bits_per_second, .. } in named.iter().take(VARIANTS_MAX) {
            let location = resolve(&document.location, uri)?;
            let name: String = uri.split(['?', '#']).next().unwrap_or_default().chars().take(100).collect();
            let mut variant = self.variant(&name, now);
            variant.location = Some(location);
            variant.view.declared_bits_per_second = *bits_per_second;
            variant.video = bits_per_second.is_some();
            if variants.iter().all(|other: &Variant| *other.view.name != *name) {
                variants.push(variant);
            }
        }
        if named.len() > VARIANTS_MAX && self.master.is_none() {
            warn!(
                stream = self.spec.stream,
                variants = named.len(),
                "only the first {VARIANTS_MAX} variants are watched"
            );
        }
        if self.master.as_ref().is_none_or(|known| known.digest != digest) {
            count(&mut self.master_violations, violations_of_master(master));
            count(&mut self.master_violations, not_identifiable(document));
        }
        self.master = Some(Master { polls_until_reread: MASTER_EVERY, digest, truncated: named.len() > VARIANTS_MAX });
        self.variants = variants;
        Ok(())
    }

    async fn poll_variants(&mut self) -> Result<(), ProbeError> {
        let mut polls = JoinSet::new();
        for (index, mut variant) in self.variants.drain(..).enumerate() {
            let (spec, tools) = (self.spec.clone(), self.tools.clone());
            polls.spawn(async move {
                let Some(location) = variant.location.clone() else { return (index, variant, Ok(())) };
                let read = tools.fetcher.get(&location, spec.timeout).await;
                variant.looked(&read);
                let outcome = match read {
                    Ok(document) if variant.is_unchanged(&document) => Ok(()),
                    Ok(document) => match read_playlist(&document).await {
                        Ok(playlist) => variant.take(&spec, &tools, &document, playlist).await,
                        Err(error) => Err(error),
                    },
                    Err(error) => Err(error),
                };
                (index, variant, outcome)
            });
        }
        let outcome = self.gather(polls).await;
        self.compare_variants();
        outcome
    }

    /// Waits for every variant, and puts them back in their order.
    async fn gather(&mut self, mut polls: JoinSet<(usize, Variant, Result<(), ProbeError>)>) -> Result<(), ProbeError> {
        let mut outcome = Ok(());
        let mut polled = Vec::with_capacity(polls.len());
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

    /// Variants are judged beside one another whenever one of them has a new playlist, and those alone that have one.
    fn compare_variants(&mut self) {
        let medias: Vec<Option<Arc<Media>>> =
            self.variants.iter().map(|variant| variant.media.clone().filter(|_| variant.video)).collect();
        for (index, variant) in self.variants.iter_mut().enumerate().filter(|(_, variant)| variant.video) {
            let Some(Some(media)) = medias.get(index).filter(|_| std::mem::take(&mut variant.changed)) else {
                continue;
            };
            let beside = medias.iter().enumerate().filter(|(other, _)| *other != index);
            let others: Vec<&Media> = beside.filter_map(|(_, media)| media.as_deref()).collect();
            variant.count(violations_across(media, &others));
        }
    }
}
