//! MPEG-DASH (ISO/IEC 23009-1): the newest segment of each Representation, in the terms of a media playlist. Pure.
//!
//! A manifest that lists its segments (`SegmentTimeline`, `SegmentList`) tells the newest itself. One that only gives their duration
//! never changes: its newest segment follows from the clock, and whether it is there must be asked of the server.

mod manifest;
mod segments;

pub use self::manifest::{is_manifest, parse};
use self::segments::Part;
use super::media::Media;

/// What a manifest (`MPD`) says, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Presentation {
    /// `type="static"`: no segments will follow.
    pub is_static: bool,
    /// `availabilityStartTime`, Unix seconds: when time 0 of the presentation was available.
    available_from: Option<f64>,
    /// `timeShiftBufferDepth`, seconds.
    window: Option<f64>,
    /// `maxSegmentDuration`, seconds.
    longest: Option<f64>,
    /// By name, in the manifest's order.
    representations: Vec<Representation>,
}

/// A Representation: one rendition of video, sound or text.
#[derive(Clone, Debug, PartialEq)]
struct Representation {
    /// AdaptationSet and Representation.
    name: String,
    bits_per_second: u64,
    /// Its share of each Period.
    parts: Vec<Part>,
}

/// What is to be seen of a Representation at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// `ADAPTATION SET/REPRESENTATION`: their ids, or the set's place in its Period.
    pub name: String,
    /// `@bandwidth`.
    pub bits_per_second: u64,
    /// Its segments. A segment's sequence number is the millisecond of the presentation that it begins at.
    pub media: Media,
    /// The segments follow from the clock: they are due, and may not be there.
    pub by_clock: bool,
}

impl Presentation {
    /// How many Representations there are.
    #[must_use]
    pub const fn variants(&self) -> usize {
        self.representations.len()
    }

    /// What is listed, or due, of each Representation.
    #[must_use]
    pub fn due(&self, now_unix_seconds: f64) -> Vec<Due> {
        let newest = |media: &Media| media.newest.as_ref().map(|newest| newest.sequence);
        let due = |Representation { name, bits_per_second, parts }: &Representation| {
            let seen = parts.iter().map(|part| (part.media(self, now_unix_seconds), part.is_open()));
            let (media, by_clock) = seen.max_by_key(|(media, _)| newest(media)).unwrap_or_default();
            Due { name: name.clone(), bits_per_second: *bits_per_second, media, by_clock }
        };
        self.representations.iter().map(due).collect()
    }
}

#[cfg(test)]
mod tests;
