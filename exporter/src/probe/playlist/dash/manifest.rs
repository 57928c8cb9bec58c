//! Reading a manifest: XML in, a [`Presentation`] out.

use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil, tz};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::segments::{Addressing, List, Part, Timeline, join};
use super::{Presentation, Representation};
use crate::health::{Failure, ProbeError};

/// Elements deeper than this are no manifest.
const DEPTH_MAX: usize = 32;

/// Elements of segments read from one manifest; more are an error, not a reason to grow.
const ENTRIES_MAX: usize = 100_000;

/// Representations of all Periods together: far more than are watched.
const PARTS_MAX: usize = 4096;

/// Bytes of an attribute or an address; longer ones are not taken.
const TEXT_MAX: usize = 1024;

/// Characters of a name.
const NAME_MAX: usize = 100;

/// Whether a text is meant as a manifest.
#[must_use]
pub fn is_manifest(text: &str) -> bool {
    text.trim_start().starts_with('<') && text.contains("<MPD")
}

/// Reads a manifest.
///
/// # Errors
/// It is not XML, not an `<MPD>`, has no Representation, or has too many entries.
pub fn parse(text: &str) -> Result<Presentation, ProbeError> {
    let malformed = |message: String| ProbeError::new(Failure::Malformed, message);
    let mut reader = Reader::from_str(text);
    let mut reading = Reading::default();
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => reading.open(&start)?,
            Ok(Event::Empty(start)) => {
                reading.open(&start)?;
                reading.close()?;
            }
            Ok(Event::End(_)) => reading.close()?,
            Ok(Event::Text(text)) => reading.text(&text.xml10_content()),
            Ok(Event::CData(text)) => reading.text(&text.into_inner()),
            Ok(Event::GeneralRef(reference)) => {
                let plain =
                    quick_xml::escape::unescape(&format!("&{};", reference.into_inner())).map(|text| text.into_owned());
                reading.text(&plain.unwrap_or_default());
            }
            Ok(Event::Eof) => break,
            Ok(Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_)) => {}
            Err(error) => return Err(malformed(format!("manifest: {error}"))),
        }
    }
    if !reading.path.is_empty() {
        return Err(malformed("the manifest ends in the middle".to_owned()));
    }
    reading.finish().ok_or_else(|| malformed("the manifest has no <MPD> with a Representation".to_owned()))
}

/// An element that has addresses and segments of its own: MPD, Period, AdaptationSet or Representation, one in the other.
#[derive(Clone, Default)]
struct Level {
    id: String,
    bandwidth: u64,
    base: String,
    /// Only the first `BaseURL` counts: the others are mirrors.
    has_base: bool,
    addressing: Addressing,
}

/// Seconds of the presentation.
struct Period {
    start: f64,
    duration: Option<f64>,
    sets: usize,
}

#[derive(Default)]
struct Reading {
    presentation: Presentation,
    /// `mediaPresentationDuration`, seconds.
    duration: Option<f64>,
    path: Vec<String>,
    /// As many as the path has elements, while those are nested as they should be.
    levels: Vec<Level>,
    periods: Vec<Period>,
    /// Place among the periods of each part of each Representation.
    places: Vec<Vec<usize>>,
    entries: usize,
    base_url: String,
}

impl Reading {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), ProbeError> {
        let name = start.local_name();
        let name = name.as_ref();
        let depth = self.path.len();
        match (depth, name) {
            (DEPTH_MAX.., _) => return Err(ProbeError::new(Failure::Malformed, "the manifest is nested too deeply")),
            (0, "MPD") => self.mpd(start),
            (1, "Period") if self.levels.len() == depth => self.period(start),
            (2, "AdaptationSet") if self.levels.len() == depth => {
                let place = self.periods.last_mut().map_or(0, |period| {
                    period.sets += 1;
                    period.sets - 1
                });
                self.level(text(start, "id").unwrap_or_else(|| place.to_string()));
            }
            (3, "Representation") if self.levels.len() == depth => {
                self.level(text(start, "id").unwrap_or_default());
                if let Some(level) = self.levels.last_mut() {
                    level.bandwidth = number(start, "bandwidth").unwrap_or(0);
                }
            }
            (_, "SegmentTemplate" | "SegmentList" | "SegmentTimeline" | "S" | "SegmentURL") => {
                self.addressing(start, name)?;
            }
            (_, "BaseURL") => self.base_url.clear(),
            _ => {}
        }
        self.path.push(name.to_owned());
        Ok(())
    }

    fn mpd(&mut self, start: &BytesStart<'_>) {
        self.duration = seconds(start, "mediaPresentationDuration");
        self.presentation.is_static = text(start, "type").as_deref() != Some("dynamic");
        self.presentation.available_from = text(start, "availabilityStartTime").and_then(|time| unix_seconds(&time));
        self.presentation.window = seconds(start, "timeShiftBufferDepth");
        self.presentation.longest = seconds(start, "maxSegmentDuration");
        self.levels = vec![Level::default()];
    }

    /// A Period begins when it says so, or where the one before it ends (§5.3.2.1).
    fn period(&mut self, start: &BytesStart<'_>) {
        let follows = self.periods.last().map_or(0.0, |before| before.start + before.duration.unwrap_or(0.0));
        let (start, duration) = (seconds(start, "start").unwrap_or(follows), seconds(start, "duration"));
        self.periods.push(Period { start, duration, sets: 0 });
        self.level(String::new());
    }

    fn level(&mut self, id: String) {
        let above = self.levels.last().cloned().unwrap_or_default();
        self.levels.push(Level { id, has_base: false, ..above });
    }

    fn addressing(&mut self, start: &BytesStart<'_>, name: &str) -> Result<(), ProbeError> {
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            return Err(too_many(ENTRIES_MAX));
        }
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let Addressing { timeline, list, .. } = &mut level.addressing;
        match name {
            "SegmentTimeline" => *timeline = Some(Timeline::default()),
            "S" => {
                if let (Some(timeline), Some(duration)) = (timeline, number(start, "d")) {
                    timeline.push(number(start, "t"), duration, number(start, "r").unwrap_or(0));
                }
            }
            "SegmentURL" => {
                if let Some(list) = list {
                    list.push(text(start, "media").unwrap_or_default());
                }
            }
            _ => level.addressing.say(start, name == "SegmentList"),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if self.path.last().is_some_and(|name| name == "BaseURL") && self.base_url.len() + text.len() <= TEXT_MAX {
            self.base_url.push_str(text);
        }
    }

    fn close(&mut self) -> Result<(), ProbeError> {
        let Some(name) = self.path.pop() else { return Ok(()) };
        let depth = self.path.len();
        if let Some(level) = self.levels.last_mut()
            && name == "BaseURL"
            && !level.has_base
        {
            level.base = join(&level.base, self.base_url.trim());
            level.has_base = true;
        }
        if self.levels.len() <= depth {
            return Ok(());
        }
        match self.levels.pop() {
            Some(level) if depth == 3 => self.representation(level),
            Some(_) | None => Ok(()),
        }
    }

    fn representation(&mut self, level: Level) -> Result<(), ProbeError> {
        let Level { id, bandwidth, base, addressing, .. } = level;
        let set = self.levels.last().map_or("", |set| set.id.as_str());
        let name: String = format!("{set}/{id}").chars().take(NAME_MAX).collect();
        let part = Part { addressing, base, id, bandwidth, period_start: 0.0, period_end: None };
        let period = self.periods.len().saturating_sub(1);
        if self.places.iter().map(Vec::len).sum::<usize>() >= PARTS_MAX {
            return Err(too_many(PARTS_MAX));
        }
        let known = &mut self.presentation.representations;
        let at = known.iter().position(|known| known.name == name);
        match at.and_then(|at| Some((known.get_mut(at)?, self.places.get_mut(at)?))) {
            Some((known, places)) => {
                known.parts.push(part);
                places.push(period);
            }
            None => {
                known.push(Representation { name, bits_per_second: bandwidth, parts: vec![part] });
                self.places.push(vec![period]);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Option<Presentation> {
        for (representation, places) in self.presentation.representations.iter_mut().zip(&self.places) {
            for (part, place) in representation.parts.iter_mut().zip(places) {
                let Some(period) = self.periods.get(*place) else { continue };
                let next = self.periods.get(place + 1).map(|next| next.start);
                let end = period.duration.map(|duration| period.start + duration);
                (part.period_start, part.period_end) = (period.start, end.or(next).or(self.duration));
            }
        }
        Some(self.presentation).filter(|presentation| !presentation.representations.is_empty())
    }
}

impl Addressing {
    /// Takes what a `SegmentTemplate` or `SegmentList` says.
    fn say(&mut self, start: &BytesStart<'_>, is_list: bool) {
        self.timescale = number(start, "timescale").or(self.timescale);
        self.duration = number(start, "duration").or(self.duration);
        self.start_number = number(start, "startNumber").or(self.start_number);
        self.presentation_time_offset = number(start, "presentationTimeOffset").or(self.presentation_time_offset);
        self.early = number(start, "availabilityTimeOffset").or(self.early);
        self.media = text(start, "media").or(self.media.take());
        if is_list {
            self.list = Some(List::default());
        }
    }
}

fn too_many(limit: usize) -> ProbeError {
    ProbeError::new(Failure::TooLarge, format!("the manifest has more than {limit} entries"))
}

fn text(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute =
        start.try_get_attribute(name).ok().flatten().filter(|attribute| attribute.value.len() <= TEXT_MAX)?;
    attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
}

fn number<N: FromStr>(start: &BytesStart<'_>, name: &str) -> Option<N> {
    text(start, name)?.trim().parse().ok()
}

/// `xs:duration`; none with years or months, which have no length.
fn seconds(start: &BytesStart<'_>, name: &str) -> Option<f64> {
    let span: Span = number(start, name)?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Some(duration.max(SignedDuration::ZERO).as_secs_f64())
}

/// `xs:dateTime`; one without an offset is UTC.
fn unix_seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let utc = || text.parse::<civil::DateTime>().ok()?.to_zoned(tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>().ok().or_else(utc).map(|time| time.as_duration().as_secs_f64())
}
