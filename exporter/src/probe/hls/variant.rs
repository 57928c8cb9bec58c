//! One variant of a stream: what was read of it, taken into what is known of it.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use vvtv_toolkit::render::Labels;

use super::address::resolve;
use super::buffer::PlayerBuffer;
use super::conformance::{Check, violations};
use super::freshness::{Change, Freshness};
use super::playlist::{Listed, Media, Playlist};
use super::poll::HlsSpec;
use crate::clock::Now;
use crate::config::{Expect, Location};
use crate::fetch::{Ask, Document, is_denied};
use crate::health::{Failure, ProbeError};
use crate::probe::Tools;
use crate::probe::dash::Due;
use crate::state::Remembered;

/// Segments whose bitrate is remembered, to tell the highest.
const RATES: usize = 16;

/// What is known of one variant. Copied at every poll, so what seldom changes is shared; read at every scrape, so that numbers lie
/// here, not behind pointers.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantView {
    /// The `variant` label.
    pub name: Arc<str>,
    /// `stream` and `variant`.
    pub labels: Labels,
    /// Its age.
    pub freshness: Freshness,
    /// Of the last playlist that could be read.
    pub listed: Listed,
    /// A virtual viewer's.
    pub buffer: PlayerBuffer,
    /// How often each rule was broken, by rules that were broken at all.
    pub violations: BTreeMap<Check, u64>,
    /// HTTP status of the last answer to the request for its playlist; none without an answer, or from a file.
    pub http_status: Option<u16>,
    /// How long that request took.
    pub request_duration: Duration,
    /// Whether the newest listed segment was there, and not empty, when it was looked for.
    pub segment_available: Option<bool>,
    /// `BANDWIDTH` in the master.
    pub declared_bits_per_second: Option<u64>,
    /// Bytes per second of the last segments whose length the server told, newest first; 0 before there were so many.
    segment_rates: [f32; RATES],
}

impl VariantView {
    /// Since the newest segment changed; nothing is late once an event has ended.
    #[must_use]
    pub fn age(&self, now: Now, expect: Expect) -> Duration {
        if self.listed.ended && expect == Expect::Event { Duration::ZERO } else { self.freshness.age(now) }
    }

    /// The highest bitrate of the last segments, bytes per second; none before a server told a segment's length.
    #[must_use]
    pub fn peak_bytes_per_second(&self) -> Option<f64> {
        self.segment_rates.iter().copied().reduce(f32::max).filter(|peak| *peak > 0.0).map(f64::from)
    }

    /// Takes a segment's size.
    pub fn measured(&mut self, bytes: u64, seconds: f64) {
        if seconds <= 0.0 {
            return;
        }
        self.segment_rates.rotate_right(1);
        self.segment_rates[0] = (bytes as f64 / seconds) as f32;
    }
}

/// A variant and how far it was read.
pub(super) struct Variant {
    /// None for the configured playlist itself.
    pub(super) location: Option<Location>,
    /// It has a bandwidth of its own: variants are compared, renditions of audio and text are not.
    pub(super) video: bool,
    /// Its playlist is another one than when variants were last compared.
    pub(super) changed: bool,
    /// Digest of the last body: an unchanged one is not parsed again.
    digest: Option<u64>,
    /// How its server is asked for segments.
    ask: Ask,
    /// The last playlist that could be read; none before the first.
    pub(super) media: Option<Arc<Media>>,
    pub(super) view: VariantView,
}

impl Variant {
    pub(super) fn new(stream: &str, name: &str, now: Now, remembered: &Remembered) -> Self {
        let view = VariantView {
            name: Arc::from(name),
            labels: Labels::new(&[("stream", stream), ("variant", name)]),
            freshness: remembered.freshness(stream, name, now),
            listed: Listed::default(),
            buffer: PlayerBuffer::default(),
            violations: BTreeMap::new(),
            http_status: None,
            request_duration: Duration::ZERO,
            segment_available: None,
            declared_bits_per_second: None,
            segment_rates: [0.0; RATES],
        };
        Self { location: None, video: false, changed: false, digest: None, ask: Ask::Head, media: None, view }
    }

    /// Notes that the request for the manifest which lists it was answered.
    pub(super) const fn answered(&mut self, document: &Document) {
        (self.view.http_status, self.view.request_duration) = (document.http_status, document.took);
    }

    /// Notes how the request for its playlist went.
    pub(super) fn looked(&mut self, read: &Result<Document, ProbeError>) {
        match read {
            Ok(document) => self.answered(document),
            Err(error) => (self.view.http_status, self.view.request_duration) = (error.http_status, error.took),
        }
    }

    pub(super) fn is_unchanged(&self, document: &Document) -> bool {
        self.digest == Some(digest(document))
    }

    pub(super) fn count(&mut self, broken: Vec<Check>) {
        count(&mut self.view.violations, broken);
    }

    /// Takes a playlist that was read.
    pub(super) async fn take(
        &mut self,
        spec: &HlsSpec,
        tools: &Tools,
        document: &Document,
        playlist: Playlist,
    ) -> Result<(), ProbeError> {
        let media = match playlist {
            Playlist::Media(media) => media,
            Playlist::Master(_) | Playlist::Presentation(_) => {
                return Err(ProbeError::new(Failure::Malformed, "a variant names variants itself"));
            }
        };
        self.look(spec, tools, document, &media, false).await?;
        self.digest = Some(digest(document));
        self.changed = true;
        self.count(violations(self.media.as_deref(), &media));
        self.count(not_identifiable(document));
        self.keep(media);
        Ok(())
    }

    fn keep(&mut self, media: Media) {
        self.view.listed = media.listed();
        self.media = Some(Arc::new(media));
    }

    /// Takes what a manifest lists, or what is due by the clock: of that the newest segment may be late, and the one before it may not.
    pub(super) async fn take_due(
        &mut self,
        spec: &HlsSpec,
        tools: &Tools,
        document: &Document,
        due: Due,
    ) -> Result<(), ProbeError> {
        let Due { media: mut due, by_clock, .. } = due;
        let available = self.view.segment_available;
        let mut looked = self.look(spec, tools, document, &due, by_clock).await;
        if by_clock && looked.as_ref().is_err_and(|error| error.reason == Failure::Missing) {
            due.forget_newest();
            self.view.segment_available = available;
            looked = self.look(spec, tools, document, &due, by_clock).await;
        }
        looked?;
        self.keep(due);
        Ok(())
    }

    /// Looks whether the newest segment is another one and is there, and what that changes.
    ///
    /// Where a list names it, a server that does not answer `HEAD` gets the benefit of the doubt, and the list's age is that of the
    /// segment. Neither holds where it is due by the clock alone.
    async fn look(
        &mut self,
        spec: &HlsSpec,
        tools: &Tools,
        document: &Document,
        media: &Media,
        by_clock: bool,
    ) -> Result<(), ProbeError> {
        if let Some(newest) = &media.newest {
            let known = self.view.freshness.newest().is_some_and(|known| known.uri == newest.uri);
            if !known && !newest.uri.is_empty() {
                match self.look_for_segment(spec, tools, document, media, &newest.uri).await {
                    Err(error) if is_denied(&error) && !by_clock => {}
                    looked => looked?,
                }
            }
            let now = tools.clock.now();
            let change = self.view.freshness.observe(now, newest, document.age.filter(|_| !by_clock));
            let (stream, name) = (spec.stream.as_str(), &*self.view.name);
            if change == Change::WentBack {
                warn!(stream, variant = name, sequence = newest.sequence, "the media sequence went back");
            }
            if change != Change::Same {
                self.view.buffer.observe(now, media);
            }
            let seen = format!("{name}: {change:?} {newest:?}, {} segments", media.segments);
            tools.recorder.record(stream, "hls", now, &seen);
        }
        Ok(())
    }

    /// A full disk leaves segments that are listed, fresh and empty, and a broken cache lists what it has not: those are no advance.
    async fn look_for_segment(
        &mut self,
        spec: &HlsSpec,
        tools: &Tools,
        document: &Document,
        media: &Media,
        uri: &str,
    ) -> Result<(), ProbeError> {
        let segment = resolve(&document.location, uri)?;
        let found = tools.fetcher.find_segment(&segment, None, self.ask, spec.timeout).await;
        self.view.segment_available = match &found {
            Ok(_) => Some(true),
            Err(error) if error.reason == Failure::Missing => Some(false),
            Err(_) => self.view.segment_available,
        };
        let found = found?;
        self.ask = found.ask;
        if let (Some(bytes), Some(listed)) = (found.bytes, media.recent.last()) {
            self.view.measured(bytes, listed.seconds);
        }
        Ok(())
    }
}

/// Counts the rules that a new playlist broke.
pub(super) fn count(violations: &mut BTreeMap<Check, u64>, broken: Vec<Check>) {
    for check in broken {
        *violations.entry(check).or_default() += 1;
    }
}

/// The rule about what a playlist comes as.
pub(super) fn not_identifiable(document: &Document) -> Vec<Check> {
    if document.identifiable { Vec::new() } else { vec![Check::NotIdentifiable] }
}

pub(super) fn digest(document: &Document) -> u64 {
    let mut hasher = DefaultHasher::new();
    document.body.hash(&mut hasher);
    hasher.finish()
}
