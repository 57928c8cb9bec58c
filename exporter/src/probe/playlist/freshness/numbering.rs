//! Numbers that were seen lately: those of one packager's count.

use std::time::Duration;

use super::super::media::Identity;

/// In how many pieces the window is forgotten.
const MARKS: usize = 4;

/// A place in a count: a complete segment, and how many parts follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) sequence: u64,
    pub(super) parts: u32,
}

impl Place {
    pub(super) const fn of(identity: &Identity) -> Self {
        Self { sequence: identity.sequence, parts: identity.parts }
    }

    /// Where a run ends.
    pub(super) const fn of_run(run: &Run) -> Self {
        Self { sequence: run.sequence, parts: run.parts }
    }
}

/// Numbers that were seen lately: from the first one to the last, and the parts after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first segment's number.
    pub first: u64,
    /// The last one's.
    pub sequence: u64,
    /// Parts after it.
    pub parts: u32,
    /// Discontinuities before it.
    pub discontinuity: u64,
}

/// A run of numbers, of which those were seen within the window that lie after its first mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Numbering {
    /// Where the run's end was one quarter, two quarters … of a window ago; at first, the first number that was listed.
    marks: [u64; MARKS],
    marked: Duration,
    end: Place,
    /// The first number that was listed last.
    listed_from: u64,
    discontinuity: u64,
    seen: Duration,
    /// When its end went on.
    grown: Option<Duration>,
}

impl Numbering {
    pub(super) fn new(now: Duration, first: u64, end: Place, discontinuity: u64) -> Self {
        let first = first.min(end.sequence);
        Self { marks: [first; MARKS], marked: now, end, listed_from: first, discontinuity, seen: now, grown: None }
    }

    /// As an earlier run of the program left it.
    pub(super) fn remembered(now: Duration, run: Run) -> Self {
        let Run { first, sequence, parts, discontinuity } = run;
        Self::new(now, first, Place { sequence, parts }, discontinuity)
    }

    pub(super) fn run(&self) -> Run {
        let Place { sequence, parts } = self.end;
        Run { first: self.first(), sequence, parts, discontinuity: self.discontinuity }
    }

    /// A list that begins at `first` and ends at `place` goes on from its end.
    pub(super) fn is_followed_by(&self, first: u64, place: Place) -> bool {
        self.end < place && first <= self.end.sequence.saturating_add(1)
    }

    pub(super) const fn end(&self) -> Place {
        self.end
    }

    /// Segments that were listed last.
    pub(super) const fn listed(&self) -> u64 {
        self.end.sequence.saturating_sub(self.listed_from).saturating_add(1)
    }

    /// The first number that counts as seen: what is listed still is seen, however long ago it was new.
    fn first(&self) -> u64 {
        let [first, ..] = self.marks;
        first.min(self.listed_from)
    }

    pub(super) const fn seen(&self) -> Duration {
        self.seen
    }

    /// Its end went on to something new.
    pub(super) const fn grow(&mut self, now: Duration) {
        self.grown = Some(now);
    }

    pub(super) const fn grown(&self) -> Option<Duration> {
        self.grown
    }

    pub(super) fn is_recent(&self, now: Duration, window: Duration) -> bool {
        now.saturating_sub(self.seen) <= window
    }

    /// Whether a place was seen within the window. Packagers that do not write `EXT-X-DISCONTINUITY-SEQUENCE` seem to lose
    /// discontinuities as old segments leave: fewer than before tell nothing.
    pub(super) fn has_seen(&self, now: Duration, window: Duration, place: Place, discontinuity: u64) -> bool {
        let within = self.first() <= place.sequence && place <= self.end;
        within && discontinuity <= self.discontinuity && self.is_recent(now, window)
    }

    /// Goes on to a place, or stays before its end.
    pub(super) fn see(&mut self, now: Duration, window: Duration, first: u64, place: Place, discontinuity: u64) {
        let quarter = window / MARKS as u32;
        while now.saturating_sub(self.marked) >= quarter && !quarter.is_zero() {
            self.marks.rotate_left(1);
            if let Some(last) = self.marks.last_mut() {
                *last = self.end.sequence;
            }
            self.marked += quarter;
            if self.marks == [self.end.sequence; MARKS] {
                self.marked = now;
            }
        }
        // What is seen below the end was seen within the window as much as the end.
        self.marks = self.marks.map(|mark| mark.min(place.sequence));
        self.listed_from = first.min(place.sequence);
        self.end = self.end.max(place);
        self.discontinuity = self.discontinuity.max(discontinuity);
        self.seen = now;
    }
}
