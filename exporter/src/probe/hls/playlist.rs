//! Parsing playlists (RFC 8216, and the partial segments of draft-pantos-hls-rfc8216bis): pure.

use quick_m3u8::config::ParsingOptions;
use quick_m3u8::tag::KnownTag;
use quick_m3u8::tag::hls::Tag;
use quick_m3u8::{HlsLine, Reader};

use crate::health::{Failure, ProbeError};

/// Segments, parts and variants read from one playlist; more are an error, not a reason to grow.
const ENTRIES_MAX: usize = 100_000;

/// Different variants that are read from a master playlist.
const VARIANTS_READ: usize = 256;

/// A playlist.
#[derive(Clone, Debug, PartialEq)]
pub enum Playlist {
    /// A master playlist: the variants' URIs in its order, each once.
    Master(Vec<String>),
    /// A media playlist.
    Media(Media),
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
    /// `EXT-X-TARGETDURATION`, seconds.
    pub target_duration_seconds: Option<u64>,
    /// `EXT-X-MEDIA-SEQUENCE`, 0 when absent.
    pub media_sequence: u64,
    /// `EXT-X-ENDLIST` stands there.
    pub ended: bool,
    /// Lines that claim to be tags of the standard and are not.
    pub bad_tags: usize,
}

/// Which segment is the newest: any difference is an advance, because a restarted packager begins anew at number 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Media sequence number of the newest complete segment.
    pub sequence: u64,
    /// Its URI.
    pub uri: String,
    /// Discontinuities before it, counted from the stream's beginning.
    pub discontinuity: u64,
    /// The last partial segment after it.
    pub part: Option<String>,
}

/// Reads a playlist.
///
/// # Errors
/// It does not begin with `#EXTM3U` (an HTML page, an error text), is not UTF-8, or has too many entries.
pub fn parse(body: &[u8]) -> Result<Playlist, ProbeError> {
    let malformed = |message: &str| Err(ProbeError::new(Failure::Malformed, message));
    let Ok(text) = std::str::from_utf8(body) else { return malformed("the playlist is not UTF-8") };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.lines().next().map(str::trim_end) != Some("#EXTM3U") {
        return malformed("not a playlist: the first line is not #EXTM3U");
    }
    let mut reading = Reading::default();
    let mut reader = Reader::from_str(text, ParsingOptions::default());
    loop {
        match reader.read_line() {
            Ok(Some(line)) => reading.line(&line),
            Ok(None) => break,
            Err(_) => reading.media.bad_tags += 1,
        }
        if reading.entries > ENTRIES_MAX {
            return Err(ProbeError::new(Failure::TooLarge, format!("more than {ENTRIES_MAX} entries")));
        }
    }
    Ok(reading.finish())
}

#[derive(Default)]
struct Reading {
    media: Media,
    variants: Vec<String>,
    entries: usize,
    next_is: Next,
    gap: bool,
    discontinuity: u64,
    part: Option<String>,
}

/// What the next URI line is.
#[derive(Default)]
enum Next {
    #[default]
    Nothing,
    Segment {
        seconds: f64,
    },
    Variant,
}

impl Reading {
    fn line(&mut self, line: &HlsLine<'_>) {
        match line {
            HlsLine::KnownTag(KnownTag::Hls(tag)) => self.tag(tag),
            HlsLine::KnownTag(KnownTag::Custom(_)) | HlsLine::Comment(_) | HlsLine::Blank => {}
            HlsLine::UnknownTag(tag) => {
                self.media.bad_tags += usize::from(tag.name() == "INF" || tag.name().starts_with("-X-TARGETDURATION"));
            }
            HlsLine::Uri(uri) => self.uri(uri),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a playlist's other tags, future ones too, say nothing about age"
    )]
    fn tag(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Targetduration(tag) => self.media.target_duration_seconds = Some(tag.target_duration()),
            Tag::MediaSequence(tag) => self.media.media_sequence = tag.media_sequence(),
            Tag::DiscontinuitySequence(tag) => self.discontinuity += tag.discontinuity_sequence(),
            Tag::Discontinuity(_) => self.discontinuity += 1,
            Tag::Endlist(_) => self.media.ended = true,
            Tag::Inf(tag) => self.next_is = Next::Segment { seconds: tag.duration() },
            Tag::Gap(_) => self.gap = true,
            Tag::Part(tag) => {
                self.entries += 1;
                self.part = Some(tag.uri().to_owned());
            }
            Tag::StreamInf(_) => self.next_is = Next::Variant,
            _ => {}
        }
    }

    fn uri(&mut self, uri: &str) {
        let uri = uri.trim();
        self.entries += 1;
        match std::mem::take(&mut self.next_is) {
            // A URI without EXTINF is no segment, and one of blanks is none either.
            Next::Nothing => {}
            Next::Variant if uri.is_empty() => {}
            Next::Variant => {
                // Far more than are watched: enough to tell that there are too many, without comparing each with all.
                if self.variants.len() < VARIANTS_READ && !self.variants.iter().any(|known| known == uri) {
                    self.variants.push(uri.to_owned());
                }
            }
            Next::Segment { seconds } => {
                let sequence = self.media.media_sequence.saturating_add(self.media.segments as u64);
                self.media.segments += 1;
                self.part = None;
                // A gap is listed, but there is nothing to play.
                if !std::mem::take(&mut self.gap) && !uri.is_empty() {
                    let (uri, discontinuity) = (uri.to_owned(), self.discontinuity);
                    self.media.newest = Some(Identity { sequence, uri, discontinuity, part: None });
                }
                if seconds.is_finite() && seconds > 0.0 {
                    self.media.listed_seconds += seconds;
                }
            }
        }
    }

    fn finish(mut self) -> Playlist {
        if !self.variants.is_empty() && self.media.segments == 0 {
            return Playlist::Master(self.variants);
        }
        if let Some(newest) = &mut self.media.newest {
            newest.part = self.part;
        } else if let Some(part) = self.part {
            let (sequence, discontinuity) = (self.media.media_sequence, self.discontinuity);
            self.media.newest = Some(Identity { sequence, uri: String::new(), discontinuity, part: Some(part) });
        }
        Playlist::Media(self.media)
    }
}

#[cfg(test)]
mod tests;
