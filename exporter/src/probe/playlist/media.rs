//! What a list of segments says, whatever it is written in. Pure.

use super::address::path;
pub use crate::fetch::ByteRange;
use crate::health::{Failure, ProbeError};

/// The newest segments that are kept to be compared with the next playlist's.
pub const RECENT_MAX: usize = 64;

/// `EXT-X-PLAYLIST-TYPE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutability {
    /// The tag is absent: segments come and go.
    #[default]
    Sliding,
    /// `EVENT`: segments come.
    Event,
    /// `VOD`: nothing changes.
    Vod,
}

/// What matters of a media playlist.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Media {
    /// The newest segment; none while the playlist lists none.
    pub newest: Option<Identity>,
    /// Segments listed, those that `EXT-X-SKIP` leaves out included.
    pub segments: usize,
    /// Seconds of media listed. Where a segment's duration is unknown, or it is left out, it counts as a target duration.
    pub listed_seconds: f64,
    /// The longest segment's `EXTINF`.
    pub longest_seconds: f64,
    /// `EXT-X-TARGETDURATION`, seconds.
    pub target_duration_seconds: Option<u64>,
    /// `EXT-X-MEDIA-SEQUENCE`, 0 when absent.
    pub media_sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`, 0 when absent.
    pub discontinuity_sequence: u64,
    /// `EXT-X-VERSION`, 1 when absent (RFC 8216 §4.3.1.2).
    pub version: u64,
    /// `EXT-X-PLAYLIST-TYPE`.
    pub mutability: Mutability,
    /// `EXT-X-ENDLIST` stands there.
    pub ended: bool,
    /// The wall-clock time at which what can be played ends: the last `EXT-X-PROGRAM-DATE-TIME` and all durations since. None where
    /// there is no such date, or a duration since is unknown.
    pub program_end_unix_seconds: Option<f64>,
    /// The newest part that is there, of the segment that is being made.
    pub newest_part: Option<Part>,
    /// The last segments, oldest first, at most [`RECENT_MAX`].
    pub recent: Vec<Segment>,
    /// Things counted while reading.
    pub tally: Tally,
}

/// Things counted while a playlist is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// 1 if bytes are not UTF-8.
    pub not_utf8: usize,
    /// 1 if something blank stands before `EXTM3U`.
    pub leading_blanks: usize,
    /// References to variables that are not defined.
    pub undefined_variables: usize,
    /// `EXTINF` whose value is not a decimal number and a comma.
    pub bad_durations: usize,
    /// Segments whose duration is unknown.
    pub unknown_durations: usize,
    /// Tags of the standard whose value is not what the standard says.
    pub bad_tags: usize,
    /// URIs without `EXTINF`.
    pub uris_without_duration: usize,
    /// The version that the tags in use need (RFC 8216 §7).
    pub version_needed: u64,
    /// `EXT-X-GAP`.
    pub gaps: usize,
    /// `EXT-X-KEY` with a method and without a URI.
    pub keys_without_uri: usize,
    /// `EXT-X-KEY` with method `NONE` and further attributes.
    pub none_keys_with_attributes: usize,
    /// `EXT-X-MAP` under a key of method `AES-128` that has no `IV`.
    pub maps_without_iv: usize,
    /// `EXT-X-DATERANGE`.
    pub date_ranges: usize,
    /// `EXT-X-DATERANGE` whose attributes contradict one another.
    pub bad_date_ranges: usize,
    /// `EXT-X-PROGRAM-DATE-TIME`.
    pub dates: usize,
    /// Tags that only a master playlist may have.
    pub master_tags: usize,
    /// SCTE-35 cues out that follow one another without a cue in between, or in without out.
    pub cues_without_partner: usize,
}

/// A listed segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Media sequence number.
    pub sequence: u64,
    /// URI as listed.
    pub uri: String,
    /// `EXTINF`; 0 where it is unknown.
    pub seconds: f64,
    /// `EXT-X-GAP`, or an address that nobody can ask for: listed, but not there.
    pub gap: bool,
    /// A discontinuity stands before it.
    pub discontinuous: bool,
    /// Which bytes of that resource it is, where it is not the whole.
    pub range: Option<ByteRange>,
    /// `EXT-X-PROGRAM-DATE-TIME` of its beginning, Unix seconds.
    pub program_unix_seconds: Option<f64>,
}

impl Segment {
    /// As the newest one of a list that counts no discontinuities.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let Self { sequence, uri, range, .. } = self;
        Identity { sequence: *sequence, discontinuity: 0, parts: 0, uri: uri.clone(), range: *range }
    }

    /// The wall-clock time at which it ends, where its own date tells it.
    #[must_use]
    pub fn program_end_unix_seconds(&self) -> Option<f64> {
        self.program_unix_seconds.map(|begins| begins + self.seconds)
    }
}

/// A part of a segment that is being made (`EXT-X-PART`, rfc8216bis §4.4.4.9).
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// URI as listed, with variables filled in.
    pub uri: String,
    /// `DURATION`; 0 where it is unknown.
    pub seconds: f64,
    /// Which bytes of that resource it is, where it is not the whole.
    pub range: Option<ByteRange>,
}

/// What lies at the end of a list: its newest complete segment that is there, and what follows it in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Media sequence number of the newest complete segment.
    pub sequence: u64,
    /// Discontinuities before it, counted from the stream's beginning.
    pub discontinuity: u64,
    /// Partial segments after it that are there (`EXT-X-PART` without `GAP`).
    pub parts: u32,
    /// Its URI as listed; empty while there are only parts.
    pub uri: String,
    /// Which bytes of that resource it is, where it is not the whole.
    pub range: Option<ByteRange>,
}

/// What is told of a playlist at every scrape.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Listed {
    /// `EXT-X-TARGETDURATION`, seconds.
    pub target_duration_seconds: Option<u64>,
    /// Segments listed.
    pub segments: usize,
    /// `EXT-X-ENDLIST` stands there.
    pub ended: bool,
    /// The wall-clock time at which the listed media ends, as far as `EXT-X-PROGRAM-DATE-TIME` tells it.
    pub program_end_unix_seconds: Option<f64>,
}

impl Media {
    /// What is told of it at every scrape.
    #[must_use]
    pub fn listed(&self) -> Listed {
        Listed {
            target_duration_seconds: self.target_duration_seconds,
            segments: self.segments,
            ended: self.ended,
            program_end_unix_seconds: self.program_end_unix_seconds,
        }
    }

    /// That nothing is listed: an empty list, its header alone, or a master none of whose entries can be used.
    #[must_use]
    pub fn nothing_listed(&self) -> Option<ProbeError> {
        let is_empty = self.segments == 0 && self.newest.is_none();
        is_empty.then(|| ProbeError::new(Failure::Empty, "the list lists nothing"))
    }

    /// The segments of `before` under other numbers, or its newest segment under one more: a list that is numbered anew, and lists nothing
    /// new. Names that wrap around do not stand at the same places again.
    #[must_use]
    pub fn repeats(&self, before: &Self) -> bool {
        let resource = |segment: &Segment| (path(&segment.uri).to_owned(), segment.range);
        let same = |(one, other): (&Segment, &Segment)| resource(one) == resource(other);
        let moved = self.media_sequence != before.media_sequence;
        let all = self.recent.len() > 1 && self.recent.len() == before.recent.len();
        let anew = moved && all && self.recent.iter().zip(&before.recent).all(same);
        anew || self.recent.last_chunk().is_some_and(|[one, other]| same((one, other)))
    }

    /// Leaves the newest segment out, and what is listed after it.
    pub(super) fn forget_newest(&mut self) {
        let Some(newest) = self.newest.take() else { return };
        let mut discontinuity = newest.discontinuity;
        let is_there =
            |segment: &Segment| segment.sequence < newest.sequence && !segment.gap && !segment.uri.is_empty();
        while let Some(left) = self.recent.pop_if(|segment| !is_there(segment)) {
            let counted = left.sequence <= newest.sequence && left.discontinuous;
            discontinuity = discontinuity.saturating_sub(u64::from(counted));
            self.segments = self.segments.saturating_sub(1);
            self.listed_seconds = (self.listed_seconds - left.seconds).max(0.0);
        }
        self.newest = self.recent.last().map(|segment| Identity { discontinuity, ..segment.identity() });
        self.newest_part = None;
        self.program_end_unix_seconds = self.recent.last().and_then(Segment::program_end_unix_seconds);
    }
}
