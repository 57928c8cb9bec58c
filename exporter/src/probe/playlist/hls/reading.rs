//! A playlist being read, line by line.

use std::sync::LazyLock;

use quick_m3u8::HlsLine;
use quick_m3u8::config::{ParsingOptions, ParsingOptionsBuilder};
use quick_m3u8::custom_parsing::line::parse;
use quick_m3u8::tag::KnownTag;
use quick_m3u8::tag::hls::Tag;

use super::addresses::is_usable;
use super::attributes::{AttributeList, leading_integer};
use super::dates::unix_seconds;
use super::duration::Duration;
use super::{Context, List, Variables};
use crate::health::{Failure, ProbeError};
use crate::probe::playlist::media::{Media, Mutability, Tally};
use crate::probe::playlist::text::Text;

mod master;
mod rules;
mod segments;

use self::master::ReadingMaster;
use self::rules::Rules;
use self::segments::{RawRange, Segments};

/// Dates are read here, in more forms than the library takes.
static STRICT: LazyLock<ParsingOptions> = LazyLock::new(|| {
    let mut options = ParsingOptionsBuilder::new();
    options.with_parsing_for_all_tags().without_parsing_for_program_date_time().build()
});

pub(super) struct Reading<'a> {
    context: &'a Context,
    variables: Variables,
    media: Media,
    tally: Tally,
    rules: Rules,
    segments: Segments<'a>,
    master: ReadingMaster,
    entries: usize,
    /// `EXTINF` whose address has not come yet, at this line.
    duration: Option<(usize, Option<f64>)>,
    /// `EXTINF` or `EXT-X-TARGETDURATION` was seen, by which players tell a media playlist: there an address is a segment even
    /// without `EXTINF`.
    is_media: bool,
    first_bad_line: Option<(usize, &'static str)>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self {
            context,
            variables: Variables::default(),
            media: Media::default(),
            tally: Tally::default(),
            rules: Rules::default(),
            segments: Segments::default(),
            master: ReadingMaster::default(),
            entries: 0,
            duration: None,
            is_media: false,
            first_bad_line: None,
        }
    }

    pub(super) const fn entries(&self) -> usize {
        self.entries
    }

    /// What precedes the second line.
    pub(super) fn begins(&mut self, text: &Text<'_>, behind_the_first_tag: &str) {
        self.tally.not_utf8 = usize::from(text.not_utf8);
        self.tally.leading_blanks = usize::from(text.begins_blank());
        self.tally.bad_tags = usize::from(!behind_the_first_tag.trim().is_empty());
    }

    pub(super) fn line(&mut self, number: usize, line: &'a str) {
        let Some(tag) = line.strip_prefix('#') else {
            if !line.is_empty() {
                self.uri(number, line);
            }
            return;
        };
        let Some(tag) = tag.strip_prefix("EXT") else { return };
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        match name.trim_end() {
            "INF" => self.inf(number, value),
            "-X-PROGRAM-DATE-TIME" => self.date(value.trim()),
            "-X-DISCONTINUITY" => self.segments.discontinuity(),
            "-X-BYTERANGE" => self.byte_range(value),
            "-X-GAP" => {
                self.tally.gaps += 1;
                self.segments.gap();
            }
            "-X-PART" => self.part(line, value),
            "-X-SKIP" => self.skip(line, value),
            "-X-DEFINE" => self.define(value),
            "-X-STREAM-INF" | "-X-I-FRAME-STREAM-INF" | "-X-MEDIA" | "-X-CONTENT-STEERING" => {
                self.master_tag(name.trim_end(), line, value);
            }
            "-X-CUE-OUT" => self.rules.cue(&mut self.tally, true),
            "-X-CUE-IN" => self.rules.cue(&mut self.tally, false),
            name => self.header(name, line, value),
        }
    }

    /// Tags that say something of the whole playlist, and those that are only checked.
    fn header(&mut self, name: &str, line: &str, value: &str) {
        match name {
            "-X-VERSION" => self.media.version = self.number(value).unwrap_or(self.media.version),
            "-X-TARGETDURATION" => {
                self.is_media = true;
                let seconds = self.number(value);
                self.media.target_duration_seconds = seconds.or(self.media.target_duration_seconds);
            }
            "-X-MEDIA-SEQUENCE" => self.media.media_sequence = self.number(value).unwrap_or(0),
            "-X-DISCONTINUITY-SEQUENCE" => self.media.discontinuity_sequence = self.number(value).unwrap_or(0),
            "-X-ENDLIST" => self.media.ended = true,
            "-X-PLAYLIST-TYPE" => match value.trim() {
                kind if kind.eq_ignore_ascii_case("EVENT") => self.media.mutability = Mutability::Event,
                kind if kind.eq_ignore_ascii_case("VOD") => self.media.mutability = Mutability::Vod,
                _ => self.tally.bad_tags += 1,
            },
            _ => {
                self.tally.undefined_variables += usize::from(self.variables.fill(line).is_err());
                self.typed(line);
            }
        }
    }

    /// The number that a tag consists of.
    fn number(&mut self, value: &str) -> Option<u64> {
        let read = leading_integer(value);
        self.tally.bad_tags += usize::from(!read.is_some_and(|(_, is_strict)| is_strict));
        read.map(|(number, _)| number)
    }

    /// What the library knows of a line, counted where it refuses it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other tags, future ones too, say nothing that is measured")]
    fn typed(&mut self, line: &str) {
        // Keys have variables in hexadecimal values too (rfc8216bis §4.3).
        let Ok(line) = self.variables.fill(line) else { return };
        let tally = &mut self.tally;
        match parse(&line, &STRICT).map(|read| read.parsed) {
            Ok(HlsLine::KnownTag(KnownTag::Hls(tag))) => match &tag {
                Tag::Key(key) => self.rules.key(tally, key),
                Tag::Map(_) => self.rules.map(tally),
                Tag::Daterange(range) => self.rules.date_range(tally, range),
                Tag::IndependentSegments(_) => self.master.independent_segments(),
                Tag::SessionData(_) | Tag::SessionKey(_) => tally.master_tags += 1,
                _ => {}
            },
            Ok(HlsLine::UnknownTag(tag)) => tally.bad_tags += usize::from(tag.validation_error().is_some()),
            Ok(_) => {}
            Err(_) => tally.bad_tags += 1,
        }
    }

    fn inf(&mut self, number: usize, value: &str) {
        let duration = Duration::read(value);
        self.is_media = true;
        self.tally.bad_durations += usize::from(!duration.is_strict);
        if let Some((earlier, _)) = self.duration.replace((number, duration.seconds)) {
            self.bad_line(earlier, "EXTINF without an address");
        }
    }

    fn bad_line(&mut self, number: usize, why: &'static str) {
        self.first_bad_line.get_or_insert((number, why));
    }

    fn date(&mut self, value: &str) {
        let date = unix_seconds(value);
        self.tally.bad_tags += usize::from(!date.is_some_and(|(_, is_strict)| is_strict));
        if let Some((seconds, _)) = date {
            self.tally.dates += 1;
            self.segments.date(seconds);
        }
    }

    fn byte_range(&mut self, value: &str) {
        self.tally.needs_version(4);
        match RawRange::read(value) {
            Some(range) => self.segments.range(range),
            None => self.tally.bad_tags += 1,
        }
    }

    fn attributes<'l>(&mut self, value: &'l str) -> AttributeList<'l> {
        let list = AttributeList::read(value, &self.variables);
        self.tally.undefined_variables += list.undefined;
        list
    }

    fn part(&mut self, line: &str, value: &str) {
        self.entries += 1;
        let list = self.attributes(value);
        self.segments.part(&list);
        self.typed(line);
    }

    fn skip(&mut self, line: &str, value: &str) {
        let skipped = self.attributes(value).integer("SKIPPED-SEGMENTS");
        self.segments.skip(skipped.unwrap_or(0));
        self.typed(line);
    }

    fn define(&mut self, value: &str) {
        let list = self.attributes(value);
        let is_defined = self.variables.define(&list, self.context);
        self.tally.bad_tags += usize::from(!is_defined || list.is_sloppy);
    }

    fn master_tag(&mut self, name: &str, line: &str, value: &str) {
        self.tally.master_tags += 1;
        let list = self.attributes(value);
        let mut is_told_otherwise = false;
        match name {
            "-X-STREAM-INF" => is_told_otherwise = self.master.variant(&list),
            "-X-I-FRAME-STREAM-INF" => is_told_otherwise = self.master.i_frames(&list),
            "-X-MEDIA" => self.master.rendition(&list),
            _ => self.master.steering(&list),
        }
        if is_told_otherwise {
            self.tally.bad_tags += usize::from(list.is_sloppy);
        } else if list.is_sloppy {
            self.tally.bad_tags += 1;
        } else {
            self.typed(line);
        }
    }

    fn uri(&mut self, number: usize, uri: &'a str) {
        self.entries += 1;
        let filled = self.variables.fill(uri).ok();
        self.tally.undefined_variables += usize::from(filled.is_none());
        if self.master.awaits_uri() {
            return self.master.uri(filled.as_deref());
        }
        let duration = match self.duration.take() {
            Some((_, duration)) => duration,
            None => {
                self.tally.uris_without_duration += 1;
                if !self.is_media {
                    return self.bad_line(number, "an address without EXTINF");
                }
                None
            }
        };
        if filled.is_none() {
            self.bad_line(number, "an address with a variable that is not defined");
        }
        if duration.is_some_and(|seconds| seconds.fract() > 0.0) {
            self.tally.needs_version(3);
        }
        self.tally.unknown_durations += usize::from(duration.is_none());
        self.segments.segment(filled, duration);
    }

    pub(super) fn finish(mut self) -> Result<List, ProbeError> {
        if let Some((number, _)) = self.duration {
            self.bad_line(number, "EXTINF without an address");
        }
        let is_master = self.master.names_something() && self.segments.is_empty();
        if is_master {
            return Ok(List::Master(self.master.finish(self.variables, self.tally)));
        }
        if let Some((number, why)) = self.first_bad_line.filter(|_| !self.segments.lists_something()) {
            let message = format!("no segment can be read from the list: line {number} is {why}");
            return Err(ProbeError::new(Failure::Malformed, message));
        }
        self.media.version = self.media.version.max(1);
        self.media.tally = self.tally;
        self.segments.finish(&mut self.media);
        Ok(List::Media(self.media))
    }
}
