//! One variant of a stream: what was read of it, taken into what is known of it. Pure: what has to be asked for is returned.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use vvtv_toolkit::render::Labels;

use super::address::resolve;
use super::buffer::PlayerBuffer;
use super::conformance::{Check, violations};
use super::freshness::{Change, Freshness, Sight};
use super::media::{ByteRange, Listed, Media};
use super::roster::{Entry, Known, Role, Signature};
use crate::clock::Now;
use crate::config::{Expect, Location};
use crate::fetch::{Ask, Document, Found, is_denied};
use crate::health::{Failure, ProbeError};

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
    /// What it is to viewers.
    pub role: Role,
    /// What it is, wherever it lies: kept across restarts of the program; none before a master named it.
    pub signature: Option<u64>,
    /// Its age.
    pub freshness: Freshness,
    /// Of the last playlist that could be read.
    pub listed: Listed,
    /// A virtual viewer's.
    pub buffer: PlayerBuffer,
    /// How often each rule was broken, by rules that were broken at all.
    pub violations: BTreeMap<Check, u64>,
    /// Why the last attempt to read it failed.
    pub failure: Option<Failure>,
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
    /// Of which nothing is known but, perhaps, its age.
    #[must_use]
    pub fn new(stream: &str, name: &str, role: Role, freshness: Freshness) -> Self {
        Self {
            name: Arc::from(name),
            labels: Labels::new(&[("stream", stream), ("variant", name)]),
            role,
            signature: None,
            freshness,
            listed: Listed::default(),
            buffer: PlayerBuffer::default(),
            violations: BTreeMap::new(),
            failure: None,
            http_status: None,
            request_duration: Duration::ZERO,
            segment_available: None,
            declared_bits_per_second: None,
            segment_rates: [0.0; RATES],
        }
    }

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
    /// Tells it from every other one that this stream ever had.
    pub(super) id: u64,
    /// Its address as the master has it; of a playlist without a master, nothing.
    pub(super) uri: String,
    /// None for the configured document itself.
    pub(super) location: Option<Arc<Location>>,
    /// Where a master that stands in its place leads.
    pub(super) nested: Option<Arc<Location>>,
    pub(super) signature: Signature,
    pub(super) phase: Phase,
    /// Its playlist is another one than when variants were last compared.
    pub(super) changed: bool,
    /// Digest of the last body: an unchanged one is not parsed again.
    pub(super) digest: Option<u64>,
    /// How its server is asked for segments.
    pub(super) ask: Ask,
    /// The last playlist that could be read; none before the first.
    pub(super) media: Option<Arc<Media>>,
    pub(super) view: VariantView,
}

/// What is going on with a variant.
pub(super) enum Phase {
    /// Nothing.
    Idle,
    /// Its playlist is being read, since then.
    Reading(Now),
    /// Its newest segment is being looked for.
    Looking(Box<Looking>),
}

/// A list whose newest segment is being looked for.
pub(super) struct Looking {
    pub(super) since: Now,
    taken: Taken,
    /// Segments after the one that is looked for, which were not there.
    missing: u8,
}

/// A segment that has to be looked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) location: Arc<Location>,
    pub(super) range: Option<ByteRange>,
    pub(super) ask: Ask,
}

/// A list as it came.
pub(super) struct Taken {
    pub(super) document: Document,
    pub(super) digest: Option<u64>,
    pub(super) media: Media,
    pub(super) from: From,
}

impl From {
    /// Of what is listed, so many of the newest may not be there yet: packagers list ahead, and players stay three behind the end (RFC 8216
    /// §6.3.3). Of what is due by the clock, one.
    const fn may_be_missing(self) -> u8 {
        match self {
            Self::Playlist => 2,
            Self::Manifest => 0,
            Self::Clock => 1,
        }
    }
}

/// What lists the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A playlist of HLS, with its rules.
    Playlist,
    /// A manifest.
    Manifest,
    /// A manifest and the clock: its segments are due, and may not be there.
    Clock,
}

/// What follows.
pub(super) enum Step {
    /// Nothing more.
    Done(Result<Change, ProbeError>),
    /// This has to be looked for.
    Look(Wanted),
}

impl Variant {
    /// As masters are compared with it.
    pub(super) fn known(&self, is_present: bool) -> Known<'_> {
        Known { digest: self.view.signature, kind: self.signature.kind(), uri: &self.uri, is_present }
    }

    /// What an entry of a master says of it.
    pub(super) fn named_by(mut self, entry: Entry) -> Self {
        let Entry { uri, role, bits_per_second, signature } = entry;
        (self.view.role, self.view.declared_bits_per_second) = (role, bits_per_second);
        self.view.signature = Some(signature.digest());
        (self.uri, self.signature) = (uri, signature);
        self
    }

    /// Where its playlist is read.
    pub(super) fn address(&self) -> Option<&Arc<Location>> {
        self.nested.as_ref().or(self.location.as_ref())
    }

    /// Notes that the request for the document which lists it was answered.
    pub(super) const fn answered(&mut self, document: &Document) {
        (self.view.http_status, self.view.request_duration) = (document.http_status, document.took);
        self.view.freshness.looked();
    }

    /// Notes that that request failed.
    pub(super) const fn unanswered(&mut self, error: &ProbeError) {
        (self.view.http_status, self.view.request_duration) = (error.http_status, error.took);
        self.view.freshness.looked();
    }

    /// It should have had a new segment for some time.
    pub(super) fn is_overdue(&self, now: Now, interval: Duration) -> bool {
        let target = self.view.listed.target_duration_seconds.map_or(Duration::from_secs(6), Duration::from_secs);
        !self.view.listed.ended && self.view.freshness.age(now) > target * 3 / 2 + interval * 2
    }

    pub(super) fn count(&mut self, broken: Vec<Check>) {
        count(&mut self.view.violations, broken);
    }

    /// Takes a list. A full disk leaves segments that are listed, fresh and empty, and a broken cache lists what it has not: those are
    /// no advance, so that a new one is looked for first.
    pub(super) fn take(&mut self, now: Now, since: Now, window: Duration, taken: Taken) -> Step {
        let media = &taken.media;
        let Some(sight) = Sight::of(media, None, window) else { return Step::Done(self.settle(now, window, taken)) };
        let known = self.view.freshness.newest();
        let another = known.is_none_or(|known| {
            (known.sequence, known.discontinuity) != (sight.newest.sequence, sight.newest.discontinuity)
        });
        let repeats = self.media.as_deref().is_some_and(|before| media.repeats(before));
        let unseen = another && !repeats && self.view.freshness.judge(now, &sight).is_advance();
        if !unseen || sight.newest.uri.is_empty() {
            return Step::Done(self.settle(now, window, taken));
        }
        match resolve(&taken.document.location, &sight.newest.uri) {
            Ok(segment) => {
                let wanted = Wanted { location: Arc::new(segment), range: sight.newest.range, ask: self.ask };
                self.phase = Phase::Looking(Box::new(Looking { since, taken, missing: 0 }));
                Step::Look(wanted)
            }
            Err(error) => Step::Done(Err(error.into())),
        }
    }

    /// Takes what was found where the newest segment should be.
    ///
    /// Where a list names it, a server that has nothing for us gets the benefit of the doubt. It does not where the segment is due by the
    /// clock alone; but there the newest may be late, and the one before it may not.
    pub(super) fn found(
        &mut self,
        now: Now,
        window: Duration,
        looking: Looking,
        found: Result<Found, ProbeError>,
    ) -> Step {
        let Looking { since, mut taken, missing } = looking;
        match found {
            Ok(Found { bytes, ask }) => {
                self.ask = ask;
                self.view.segment_available = Some(missing == 0 || taken.from != From::Playlist);
                let newest = taken.media.newest.as_ref().map(|newest| newest.sequence);
                let listed = taken.media.recent.iter().rfind(|segment| Some(segment.sequence) == newest);
                if let (Some(bytes), Some(listed)) = (bytes, listed) {
                    self.view.measured(bytes, listed.seconds);
                }
                Step::Done(self.settle(now, window, taken))
            }
            Err(error) if error.reason == Failure::Missing => {
                self.view.segment_available = Some(false);
                if missing == taken.from.may_be_missing() {
                    return Step::Done(Err(error));
                }
                taken.media.forget_newest();
                // What is not there yet is looked for again.
                taken.digest = None;
                self.look_before(now, since, window, taken, missing + 1).unwrap_or(Step::Done(Err(error)))
            }
            Err(error) if is_denied(&error) && taken.from != From::Clock => Step::Done(self.settle(now, window, taken)),
            Err(error) => Step::Done(Err(error)),
        }
    }

    /// Looks for the segment before one that is not there; none where that is known, and should have been followed by now.
    fn look_before(&mut self, now: Now, since: Now, window: Duration, taken: Taken, missing: u8) -> Option<Step> {
        let sight = Sight::of(&taken.media, None, window)?;
        if !self.view.freshness.judge(now, &sight).is_advance() {
            return (!self.is_overdue(now, Duration::ZERO)).then_some(Step::Done(Ok(Change::Same)));
        }
        let location = Arc::new(resolve(&taken.document.location, &sight.newest.uri).ok()?);
        let wanted = Wanted { location, range: sight.newest.range, ask: self.ask };
        self.phase = Phase::Looking(Box::new(Looking { since, taken, missing }));
        Some(Step::Look(wanted))
    }

    /// Takes a list whose newest segment is there, or is none that must be looked for.
    fn settle(&mut self, now: Now, window: Duration, taken: Taken) -> Result<Change, ProbeError> {
        let Taken { document, digest, media, from } = taken;
        let sight = Sight::of(&media, document.age.filter(|_| from != From::Clock), window);
        let repeats = self.media.as_deref().is_some_and(|before| media.repeats(before));
        let change = match sight {
            Some(_) if repeats => Change::Repeated,
            Some(sight) => self.view.freshness.observe(now, &sight),
            None => Change::Same,
        };
        if change.is_advance() {
            self.view.buffer.observe(now, &media);
        }
        self.digest = digest;
        if from == From::Playlist {
            self.changed = true;
            let broken = violations(self.media.as_deref(), &media);
            self.count(broken);
            self.count(not_identifiable(&document));
        }
        self.view.listed = media.listed();
        self.media = Some(Arc::new(media));
        Ok(change)
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
