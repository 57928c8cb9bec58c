//! Parsing playlists (RFC 8216, and the partial segments of draft-pantos-hls-rfc8216bis): pure. A manifest of MPEG-DASH is handed on.

mod reading;

use quick_m3u8::Reader;
use quick_m3u8::config::ParsingOptionsBuilder;

use self::reading::Reading;
use crate::health::{Failure, ProbeError};
use crate::probe::dash::{self, Presentation};

/// Segments, parts and variants read from one playlist; more are an error, not a reason to grow.
const ENTRIES_MAX: usize = 100_000;

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
    /// `PATHWAY-ID` of `EXT-X-CONTENT-STEERING`: where players begin.
    pub pathway: Option<String>,
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
    /// Segments listed.
    pub segments: usize,
    /// Seconds of media listed.
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
    /// The last segments, oldest first, at most [`RECENT_MAX`].
    pub recent: Vec<Segment>,
    /// Things counted while reading.
    pub tally: Tally,
}

/// Things counted while a media playlist is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
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
    /// `EXTINF`.
    pub seconds: f64,
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
            program_end_unix_seconds: self.program_end_unix_seconds(),
        }
    }

    /// The wall-clock time at which the listed media ends, as far as `EXT-X-PROGRAM-DATE-TIME` tells it.
    #[must_use]
    pub fn program_end_unix_seconds(&self) -> Option<f64> {
        let dated = self.recent.iter().rposition(|segment| segment.program_unix_seconds.is_some())?;
        let after = self.recent.get(dated..)?;
        let seconds: f64 = after.iter().map(|segment| segment.seconds).sum();
        Some(after.first()?.program_unix_seconds? + seconds)
    }

    /// Why there is nothing to play.
    #[must_use]
    pub fn nothing_listed(&self) -> Option<ProbeError> {
        let empty = self.segments == 0 && self.newest.is_none();
        empty.then(|| ProbeError::new(Failure::Empty, "the playlist lists no segment"))
    }

    /// Leaves the newest segment out.
    pub(super) fn forget_newest(&mut self) {
        if let Some(left) = self.recent.pop() {
            self.segments = self.segments.saturating_sub(1);
            self.listed_seconds = (self.listed_seconds - left.seconds).max(0.0);
        }
        self.newest = self.recent.last().map(Segment::identity);
    }
}

/// Reads a playlist.
///
/// # Errors
/// It does not begin with `#EXTM3U` (an HTML page, an error text) and is no manifest either, is not UTF-8, or has too many entries.
pub fn parse(body: &[u8]) -> Result<Playlist, ProbeError> {
    let malformed = |message: &str| Err(ProbeError::new(Failure::Malformed, message));
    let Ok(text) = std::str::from_utf8(body) else { return malformed("the playlist is not UTF-8") };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if dash::is_manifest(text) {
        return dash::parse(text).map(Playlist::Presentation);
    }
    if text.lines().next().map(str::trim_end) != Some("#EXTM3U") {
        return malformed("not a playlist: the first line is not #EXTM3U");
    }
    let mut options = ParsingOptionsBuilder::new();
    // ffmpeg writes the offset as +0000, which the library refuses; dates are read here.
    options.with_parsing_for_all_tags().without_parsing_for_program_date_time();
    let mut reader = Reader::from_str(text, options.build());
    let mut reading = Reading::default();
    loop {
        match reader.read_line() {
            Ok(Some(line)) => reading.line(&line),
            Ok(None) => break,
            Err(_) => reading.bad_line(),
        }
        if reading.entries() > ENTRIES_MAX {
            return Err(ProbeError::new(Failure::TooLarge, format!("more than {ENTRIES_MAX} entries")));
        }
    }
    Ok(reading.finish())
}

#[cfg(test)]
mod tests;
