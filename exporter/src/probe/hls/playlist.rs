//! Parsing playlists (RFC 8216, and the partial segments of draft-pantos-hls-rfc8216bis): pure. A manifest of MPEG-DASH is handed on.

mod addresses;
mod attributes;
mod dates;
mod duration;
mod reading;
mod text;
mod variables;

pub use self::addresses::path;
use self::reading::Reading;
use self::text::Text;
pub use self::variables::{Context, Variables};
use crate::health::{Failure, ProbeError};
use crate::probe::dash::{self, Presentation};

/// Segments, parts and variants read from one playlist; more are an error, not a reason to grow.
const ENTRIES_MAX: usize = 1_000_000;

/// The newest segments that are kept to be compared with the next playlist's.
pub const RECENT_MAX: usize = 64;

/// A playlist.
#[derive(Clone, Debug, PartialEq)]
pub enum Playlist {
    /// A master playlist.
    Master(MasterPlaylist),
    /// A media playlist.
    Media(Media),
    /// A manifest of MPEG-DASH, where a playlist was asked for.
    Presentation(Presentation),
}

/// What matters of a master playlist.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MasterPlaylist {
    /// What it names, in its order.
    pub named: Vec<Named>,
    /// Entries that cannot be asked for: other schemes (`data:`), no address, or a variable in it that is not defined.
    pub unusable: usize,
    /// `PATHWAY-ID` of `EXT-X-CONTENT-STEERING`: where players begin.
    pub pathway: Option<String>,
    /// What its media playlists may `IMPORT`.
    pub variables: Variables,
    /// `EXT-X-INDEPENDENT-SEGMENTS` stands there.
    pub independent_segments: bool,
    /// The least `BANDWIDTH` of a variant.
    pub least_bits_per_second: Option<u64>,
    /// Variants without `CODECS`.
    pub variants_without_codecs: usize,
    /// Variants without `AVERAGE-BANDWIDTH`.
    pub variants_without_average: usize,
    /// Renditions of a group with the name of another, or by default beside another.
    pub renditions_alike: usize,
    /// Groups that a variant names and no `EXT-X-MEDIA` defines.
    pub groups_undefined: usize,
    /// Variants without `BANDWIDTH`.
    pub variants_without_bandwidth: usize,
    /// Things counted while reading.
    pub tally: Tally,
}

/// What a media playlist that a master names carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `EXT-X-STREAM-INF` with video, or that does not say.
    Video,
    /// `EXT-X-STREAM-INF` of audio codecs alone, or `EXT-X-MEDIA` of `TYPE=AUDIO`: a separate track can freeze alone.
    Audio,
    /// `EXT-X-MEDIA` of `TYPE=SUBTITLES`.
    Subtitles,
    /// `EXT-X-I-FRAME-STREAM-INF`.
    IFrames,
}

/// The attributes that tell an entry of a master from others, wherever it lies (RFC 8216 §4.3.4; rfc8216bis §4.4.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attributes {
    /// `RESOLUTION`, width and height.
    pub resolution: Option<(u64, u64)>,
    /// `CODECS` of a variant.
    pub codecs: Option<String>,
    /// `NAME`.
    pub name: Option<String>,
    /// `GROUP-ID` of a rendition.
    pub group: Option<String>,
    /// `LANGUAGE` of a rendition.
    pub language: Option<String>,
    /// `AUDIO`: the group of renditions that a variant plays with.
    pub audio: Option<String>,
    /// `PATHWAY-ID`.
    pub pathway: Option<String>,
}

/// A media playlist that a master names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where it is, with variables filled in.
    pub uri: String,
    /// What it carries.
    pub kind: Kind,
    /// `BANDWIDTH` of a variant: no segment should need more (RFC 8216 §4.3.4.2).
    pub bits_per_second: Option<u64>,
    /// What tells it from others.
    pub attributes: Attributes,
}

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

/// Bytes of a resource (`EXT-X-BYTERANGE`, RFC 8216 §4.3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// Of the first byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
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

/// Reads a playlist.
///
/// It is read as players read it, and what is forgiven is counted in a [`Tally`]. A list without segments is no error of reading:
/// [`Media::nothing_listed`] tells. A master none of whose entries can be used is such an empty list, so that nobody takes it for one
/// that names nothing.
///
/// # Errors
/// It does not begin with `#EXTM3U` (an HTML page, an error text) and is no manifest either, is UTF-16, has lines of which none could
/// be read as a segment (the first one's number is told), or has too many entries.
pub fn parse(body: &[u8], context: &Context) -> Result<Playlist, ProbeError> {
    let text = Text::new(body)?;
    if dash::is_manifest(text.as_str()) {
        return dash::parse(text.as_str()).map(Playlist::Presentation);
    }
    let mut lines = text.lines().skip_while(|(_, line)| line.is_empty());
    let first = lines.next().map_or("", |(_, line)| line).strip_prefix("#EXTM3U");
    // Lists of channels have attributes there, which say nothing that is measured.
    let Some(behind) = first.filter(|behind| behind.is_empty() || behind.starts_with(char::is_whitespace)) else {
        return Err(ProbeError::new(Failure::Malformed, "not a playlist: the first line is not #EXTM3U"));
    };
    let mut reading = Reading::new(context);
    reading.begins(&text, behind);
    for (number, line) in lines {
        reading.line(number, line);
        if reading.entries() > ENTRIES_MAX {
            return Err(ProbeError::new(Failure::TooLarge, format!("more than {ENTRIES_MAX} entries")));
        }
    }
    reading.finish()
}

#[cfg(test)]
mod tests;
