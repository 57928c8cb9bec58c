//! A playlist being read, line by line.

use quick_m3u8::HlsLine;
use quick_m3u8::tag::hls::{Daterange, EnumeratedString, Key, Method, Tag};
use quick_m3u8::tag::{HlsPlaylistType, KnownTag, UnknownTag};

use super::{Identity, Media, Mutability, Playlist, RECENT_MAX, Segment};

mod master;

use self::master::ReadingMaster;

#[derive(Default)]
pub(super) struct Reading {
    media: Media,
    master: ReadingMaster,
    entries: usize,
    next_is: Next,
    next: NextSegment,
    discontinuities: u64,
    parts: u32,
    break_is_open: Option<bool>,
    /// The key in force is of method `AES-128` and has no `IV`.
    key_lacks_iv: bool,
}

/// What the next URI line is.
#[derive(Default)]
enum Next {
    #[default]
    Nothing,
    Segment {
        seconds: f64,
    },
    Variant {
        bits_per_second: u64,
    },
}

/// What the lines before a segment say of it.
#[derive(Default)]
struct NextSegment {
    gap: bool,
    discontinuous: bool,
    program_unix_seconds: Option<f64>,
}

impl Reading {
    pub(super) const fn entries(&self) -> usize {
        self.entries
    }

    pub(super) const fn bad_line(&mut self) {
        self.media.tally.bad_tags += 1;
    }

    pub(super) fn line(&mut self, line: &HlsLine<'_>) {
        match line {
            HlsLine::KnownTag(KnownTag::Hls(tag)) => self.tag(tag),
            HlsLine::KnownTag(KnownTag::Custom(_)) | HlsLine::Comment(_) | HlsLine::Blank => {}
            HlsLine::UnknownTag(tag) => self.unknown(tag),
            HlsLine::Uri(uri) => self.uri(uri.trim()),
        }
    }

    fn unknown(&mut self, tag: &UnknownTag<'_>) {
        match tag.name() {
            "-X-CUE-OUT" => return self.cue(true),
            "-X-CUE-IN" => return self.cue(false),
            _ => {}
        }
        if tag.name() != "-X-PROGRAM-DATE-TIME" {
            self.media.tally.bad_tags += usize::from(tag.validation_error().is_some());
            return;
        }
        let line = std::str::from_utf8(tag.as_bytes()).unwrap_or_default();
        match line.split_once(':').and_then(|(_, date)| unix_seconds(date.trim())) {
            Some(seconds) => {
                self.media.tally.dates += 1;
                self.next.program_unix_seconds = Some(seconds);
            }
            None => self.bad_line(),
        }
    }

    /// A break begins or ends. The first cue of a list is not judged: its partner may have left already.
    fn cue(&mut self, out: bool) {
        let alone = self.break_is_open.replace(out) == Some(out);
        self.media.tally.cues_without_partner += usize::from(alone);
    }

    const fn needs_version(&mut self, version: u64) {
        let needed = &mut self.media.tally.version_needed;
        if *needed < version {
            *needed = version;
        }
    }

    fn key(&mut self, key: &Key<'_>) {
        let method = key.method();
        let encrypted = method != EnumeratedString::Known(Method::None);
        let attributes = [key.uri(), key.iv(), key.keyformatversions()];
        let tally = &mut self.media.tally;
        tally.keys_without_uri += usize::from(encrypted && key.uri().is_none());
        tally.none_keys_with_attributes += usize::from(!encrypted && attributes.iter().any(Option::is_some));
        self.key_lacks_iv = method == EnumeratedString::Known(Method::Aes128) && key.iv().is_none();
        if key.keyformatversions().is_some() {
            self.needs_version(5);
        } else if key.iv().is_some() {
            self.needs_version(2);
        }
    }

    fn date_range(&mut self, range: &Daterange<'_>) {
        let tally = &mut self.media.tally;
        tally.date_ranges += 1;
        tally.bad_date_ranges += usize::from(contradicts_itself(range));
        if range.scte35_out().is_some() {
            self.cue(true);
        } else if range.scte35_in().is_some() {
            self.cue(false);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "other tags, future ones too, say nothing that is measured")]
    fn tag(&mut self, tag: &Tag<'_>) {
        let media = &mut self.media;
        match tag {
            Tag::Version(tag) => media.version = tag.version(),
            Tag::Targetduration(tag) => media.target_duration_seconds = Some(tag.target_duration()),
            Tag::MediaSequence(tag) => media.media_sequence = tag.media_sequence(),
            Tag::DiscontinuitySequence(tag) => media.discontinuity_sequence = tag.discontinuity_sequence(),
            Tag::Discontinuity(_) => {
                self.discontinuities += 1;
                self.next.discontinuous = true;
            }
            Tag::Endlist(_) => media.ended = true,
            Tag::Inf(tag) => self.next_is = Next::Segment { seconds: tag.duration() },
            Tag::Gap(_) => {
                media.tally.gaps += 1;
                self.next.gap = true;
            }
            Tag::Part(tag) => {
                self.entries += 1;
                self.parts += u32::from(!tag.gap());
            }
            Tag::Key(tag) => self.key(tag),
            Tag::Byterange(_) => self.needs_version(4),
            Tag::Map(_) => {
                media.tally.maps_without_iv += usize::from(self.key_lacks_iv);
                self.needs_version(6);
            }
            Tag::Daterange(tag) => self.date_range(tag),
            Tag::PlaylistType(tag) => {
                media.mutability = match tag.playlist_type() {
                    HlsPlaylistType::Event => Mutability::Event,
                    HlsPlaylistType::Vod => Mutability::Vod,
                };
            }
            Tag::IndependentSegments(_) => self.master.independent_segments(),
            Tag::StreamInf(tag) => {
                media.tally.master_tags += 1;
                self.master.variant(tag);
                self.next_is = Next::Variant { bits_per_second: tag.bandwidth() };
            }
            Tag::Media(tag) => {
                media.tally.master_tags += 1;
                self.master.rendition(tag);
            }
            Tag::IFrameStreamInf(_) | Tag::SessionData(_) | Tag::SessionKey(_) => {
                media.tally.master_tags += 1;
            }
            _ => {}
        }
    }

    fn uri(&mut self, uri: &str) {
        self.entries += 1;
        match std::mem::take(&mut self.next_is) {
            Next::Nothing => self.media.tally.uris_without_duration += usize::from(!uri.is_empty()),
            Next::Variant { bits_per_second } => self.master.named(uri, Some(bits_per_second)),
            Next::Segment { seconds } => self.segment(uri, seconds),
        }
    }

    fn segment(&mut self, uri: &str, seconds: f64) {
        let NextSegment { gap, discontinuous, program_unix_seconds } = std::mem::take(&mut self.next);
        self.parts = 0;
        let seconds = if seconds.is_finite() && seconds >= 0.0 { seconds } else { 0.0 };
        if seconds.fract() > 0.0 {
            self.needs_version(3);
        }
        let media = &mut self.media;
        let sequence = media.media_sequence.saturating_add(media.segments as u64);
        media.segments += 1;
        media.listed_seconds += seconds;
        media.longest_seconds = media.longest_seconds.max(seconds);
        // A gap is listed, but there is nothing to play.
        if !gap && !uri.is_empty() {
            let discontinuity = media.discontinuity_sequence.saturating_add(self.discontinuities);
            media.newest = Some(Identity { sequence, discontinuity, parts: 0, uri: uri.to_owned(), range: None });
        }
        if media.recent.len() == RECENT_MAX {
            media.recent.remove(0);
        }
        let uri = uri.to_owned();
        media.recent.push(Segment { sequence, uri, seconds, discontinuous, range: None, program_unix_seconds });
    }

    pub(super) fn finish(mut self) -> Playlist {
        if self.master.names_something() && self.media.segments == 0 {
            return Playlist::Master(self.master.finish());
        }
        self.media.version = self.media.version.max(1);
        if let Some(newest) = &mut self.media.newest {
            newest.parts = self.parts;
        } else if self.parts > 0 {
            let (sequence, discontinuity) = (self.media.media_sequence, self.discontinuities);
            let uri = String::new();
            self.media.newest = Some(Identity { sequence, discontinuity, parts: self.parts, uri, range: None });
        }
        Playlist::Media(self.media)
    }
}

/// It ends before it begins, lasts less than nothing, or lasts until the next of its class and has no class, or an end of its own.
fn contradicts_itself(range: &Daterange<'_>) -> bool {
    let ends = range.end_date();
    let seconds = |date: String| unix_seconds(&date);
    let [start, end] = [range.start_date(), ends].map(|date| seconds(date?.to_string()));
    let backwards = matches!((start, end), (Some(start), Some(end)) if end < start);
    let negative = [range.duration(), range.planned_duration()].into_iter().flatten().any(|seconds| seconds < 0.0);
    let on_next = range.end_on_next() && (range.class().is_none() || range.duration().is_some() || ends.is_some());
    backwards || negative || on_next
}

/// ISO 8601 with an offset, in the strict form of RFC 8216 and in ffmpeg's (`+0000`).
fn unix_seconds(date: &str) -> Option<f64> {
    let parsed = date.parse::<jiff::Timestamp>().ok();
    let parsed = parsed.or_else(|| jiff::Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", date).ok());
    parsed.map(|time| time.as_duration().as_secs_f64())
}
