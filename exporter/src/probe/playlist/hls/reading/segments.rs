//! The segments of a media playlist being read: numbers, ranges, dates and parts are worked out as they come, so that of a list of
//! twelve hours no more than its end is kept.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::{AttributeList, is_usable, leading_integer};
use crate::probe::playlist::media::{ByteRange, Identity, Media, Part, RECENT_MAX, Segment};

/// A range as it is written: the offset may be left out (RFC 8216 §4.3.2.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct RawRange {
    length: u64,
    offset: Option<u64>,
}

impl RawRange {
    pub(super) fn read(value: &str) -> Option<Self> {
        let (length, offset) = match value.split_once('@') {
            Some((length, offset)) => (length, Some(leading_integer(offset)?.0)),
            None => (value, None),
        };
        Some(Self { length: leading_integer(length)?.0, offset })
    }

    /// Without an offset it begins where the one before it ends; as for players, at 0 where that is not a range.
    fn after(self, previous: Option<ByteRange>) -> ByteRange {
        let Self { length, offset } = self;
        let follows = previous.map_or(0, |range| range.offset.saturating_add(range.length));
        ByteRange { offset: offset.unwrap_or(follows), length }
    }
}

/// What the lines before a segment say of it.
#[derive(Default)]
struct Next {
    gap: bool,
    discontinuous: bool,
    program_unix_seconds: Option<f64>,
    range: Option<RawRange>,
}

/// A segment before the whole list is known.
struct Read<'a> {
    /// From the list's beginning.
    index: u64,
    /// Discontinuities from the list's beginning.
    discontinuities: u64,
    uri: Cow<'a, str>,
    seconds: f64,
    gap: bool,
    discontinuous: bool,
    range: Option<ByteRange>,
    program_unix_seconds: Option<f64>,
}

/// Parts of the segment that is being made.
#[derive(Default)]
struct Parts {
    there: u32,
    /// Up to the end of the last one that is there.
    seconds_there: f64,
    seconds: f64,
    range: Option<ByteRange>,
    newest: Option<Part>,
}

#[derive(Default)]
pub(super) struct Segments<'a> {
    count: u64,
    /// Segments that nobody knows a duration of: unknown ones, and those that were left out.
    unmeasured: u64,
    seconds: f64,
    longest_seconds: f64,
    discontinuities: u64,
    next: Next,
    /// The wall-clock time at which the next segment begins, as far as dates tell it.
    clock: Option<f64>,
    /// The wall-clock time at which the newest one that is there ends.
    program_end: Option<f64>,
    previous_range: Option<ByteRange>,
    parts: Parts,
    newest: Option<(Identity, u64)>,
    /// A segment is there, or is a gap that says so.
    lists_something: bool,
    recent: VecDeque<Read<'a>>,
}

impl<'a> Segments<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn lists_something(&self) -> bool {
        self.lists_something || self.parts.there > 0
    }

    pub(super) const fn discontinuity(&mut self) {
        self.discontinuities += 1;
        self.next.discontinuous = true;
    }

    pub(super) const fn gap(&mut self) {
        self.next.gap = true;
    }

    pub(super) const fn date(&mut self, unix_seconds: f64) {
        self.next.program_unix_seconds = Some(unix_seconds);
    }

    pub(super) const fn range(&mut self, range: RawRange) {
        self.next.range = Some(range);
    }

    /// Segments that a delta update leaves out (rfc8216bis §4.4.5.2).
    pub(super) fn skip(&mut self, segments: u64) {
        self.count = self.count.saturating_add(segments);
        self.unmeasured = self.unmeasured.saturating_add(segments);
        self.lists_something |= segments > 0;
    }

    /// A part of the segment that is being made.
    pub(super) fn part(&mut self, list: &AttributeList<'_>) {
        let seconds = list.get("DURATION").and_then(|text| text.parse().ok());
        let seconds = seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0).unwrap_or(0.0);
        let parts = &mut self.parts;
        parts.seconds += seconds;
        let range = list.get("BYTERANGE").and_then(RawRange::read).map(|range| range.after(parts.range));
        parts.range = range;
        let uri = list.get("URI").filter(|uri| is_usable(uri));
        if let Some(uri) = uri.filter(|_| !list.yes("GAP")) {
            parts.there += 1;
            parts.seconds_there = parts.seconds;
            parts.newest = Some(Part { uri: uri.to_owned(), seconds, range });
        }
    }

    /// A segment. Without an address that can be asked for it is a gap; its duration may be unknown.
    pub(super) fn segment(&mut self, uri: Option<Cow<'a, str>>, duration: Option<f64>) {
        let Next { gap, discontinuous, program_unix_seconds, range } = std::mem::take(&mut self.next);
        self.parts = Parts::default();
        let range = range.map(|range| range.after(self.previous_range));
        self.previous_range = range;
        self.lists_something |= uri.is_some();
        let is_there = uri.is_some() && !gap;
        let (index, seconds) = (self.count, duration.unwrap_or(0.0));
        self.count = self.count.saturating_add(1);
        self.unmeasured = self.unmeasured.saturating_add(u64::from(duration.is_none()));
        self.seconds += seconds;
        self.longest_seconds = self.longest_seconds.max(seconds);
        self.clock = program_unix_seconds.or(self.clock).and_then(|begins| Some(begins + duration?));
        if is_there {
            self.program_end = self.clock;
        }
        let read = Read {
            index,
            discontinuities: self.discontinuities,
            uri: uri.unwrap_or_default(),
            seconds,
            gap: !is_there,
            discontinuous,
            range,
            program_unix_seconds,
        };
        // What leaves the window is only needed where everything after it is a gap.
        if self.recent.len() == RECENT_MAX
            && let Some(left) = self.recent.pop_front().filter(|left| !left.gap)
            && self.recent.iter().all(|segment| segment.gap)
        {
            self.newest = Some((left.identity(), left.index));
        }
        self.recent.push_back(read);
    }

    pub(super) fn finish(self, media: &mut Media) {
        let sequence = |index: u64| media.media_sequence.saturating_add(index);
        let counted = |discontinuities: u64| media.discontinuity_sequence.saturating_add(discontinuities);
        let kept = self.recent.iter().rev().find(|segment| !segment.gap);
        let newest = kept.map(|read| (read.identity(), read.index)).or(self.newest);
        let Parts { there, seconds_there, newest: newest_part, .. } = self.parts;
        media.newest = match newest {
            Some((identity, index)) => Some(Identity {
                sequence: sequence(index),
                discontinuity: counted(identity.discontinuity),
                parts: there,
                ..identity
            }),
            None if there > 0 => Some(Identity {
                sequence: sequence(self.count),
                discontinuity: counted(self.discontinuities),
                parts: there,
                uri: String::new(),
                range: None,
            }),
            None => None,
        };
        let open = self.next.program_unix_seconds.or(self.clock).filter(|_| there > 0);
        media.program_end_unix_seconds = open.map(|begins| begins + seconds_there).or(self.program_end);
        media.newest_part = newest_part;
        media.segments = usize::try_from(self.count).unwrap_or(usize::MAX);
        let target = media.target_duration_seconds.unwrap_or(0) as f64;
        media.listed_seconds = self.seconds + self.unmeasured as f64 * target;
        media.longest_seconds = self.longest_seconds;
        let segment = |read: Read<'_>| {
            let Read { index, uri, seconds, gap, discontinuous, range, program_unix_seconds, .. } = read;
            let sequence = sequence(index);
            Segment { sequence, uri: uri.into_owned(), seconds, gap, discontinuous, range, program_unix_seconds }
        };
        media.recent = self.recent.into_iter().map(segment).collect();
    }
}

impl Read<'_> {
    /// With what is counted from the list's beginning.
    fn identity(&self) -> Identity {
        let Self { index, discontinuities, uri, range, .. } = self;
        Identity { sequence: *index, discontinuity: *discontinuities, parts: 0, uri: (**uri).to_owned(), range: *range }
    }
}
