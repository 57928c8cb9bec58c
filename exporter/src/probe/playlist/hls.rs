//! HLS playlists (RFC 8216, and the partial segments of draft-pantos-hls-rfc8216bis): text in, a master playlist or a media playlist out.
//! Pure.

mod addresses;
mod attributes;
mod dates;
mod duration;
mod reading;
mod variables;

use self::reading::Reading;
pub use self::variables::{Context, Variables};
use super::media::{Media, Tally};
use super::text::Text;
use crate::health::{Failure, ProbeError};

/// Segments, parts and variants read from one playlist; more are an error, not a reason to grow.
const ENTRIES_MAX: usize = 1_000_000;

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

/// What a text turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum List {
    /// It names media playlists.
    Master(MasterPlaylist),
    /// It lists segments.
    Media(Media),
}

/// Reads the text of a playlist, as [`super::parse`] says.
pub(super) fn read(text: &Text<'_>, context: &Context) -> Result<List, ProbeError> {
    let mut lines = text.lines().skip_while(|(_, line)| line.is_empty());
    let first = lines.next().map_or("", |(_, line)| line).strip_prefix("#EXTM3U");
    // Lists of channels have attributes there, which say nothing that is measured.
    let Some(behind) = first.filter(|behind| behind.is_empty() || behind.starts_with(char::is_whitespace)) else {
        return Err(ProbeError::new(Failure::Malformed, "not a playlist: the first line is not #EXTM3U"));
    };
    let mut reading = Reading::new(context);
    reading.begins(text, behind);
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
