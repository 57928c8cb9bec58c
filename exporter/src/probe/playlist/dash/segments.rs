//! How segments are addressed: templates, timelines and lists (ISO/IEC 23009-1 §5.3.9), and where that leads at a given time.

use std::collections::VecDeque;

use url::Url;

use super::Presentation;
use crate::probe::playlist::media::{Media, Segment};

/// The newest segments of a Representation that are kept.
const RECENT: usize = 8;

/// The widest number that a template may ask for.
const WIDTH_MAX: usize = 32;

/// What one level of a manifest says of its segments; a lower level inherits what it does not say itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Addressing {
    pub(super) timescale: Option<u64>,
    pub(super) duration: Option<u64>,
    pub(super) start_number: Option<u64>,
    pub(super) presentation_time_offset: Option<u64>,
    /// `availabilityTimeOffset`, seconds.
    pub(super) early: Option<f64>,
    /// Template of a segment's address.
    pub(super) media: Option<String>,
    pub(super) timeline: Option<Timeline>,
    pub(super) list: Option<List>,
}

/// `SegmentURL`s.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct List {
    count: u64,
    recent: VecDeque<String>,
}

impl List {
    pub(super) fn push(&mut self, uri: String) {
        self.count += 1;
        push_bounded(&mut self.recent, uri);
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == RECENT {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// A run of segments. Times are in units of the timescale.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Timeline {
    count: u64,
    units: u64,
    next_time: u64,
    recent: VecDeque<Slot>,
    /// Segments of this duration go on without an end.
    open: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Slot {
    index: u64,
    time: u64,
    duration: u64,
}

impl Timeline {
    fn endless(from: u64, duration: u64) -> Self {
        Self { next_time: from, open: Some(duration).filter(|duration| *duration > 0), ..Self::default() }
    }

    /// `<S>` (§5.3.9.6): one segment and `repeats` more; a negative number goes on to the next `<S>` or without an end.
    pub(super) fn push(&mut self, time: Option<u64>, duration: u64, repeats: i64) {
        if let Some(time) = time {
            self.close(time);
            self.next_time = time;
        }
        if duration == 0 {
            return;
        }
        match u64::try_from(repeats) {
            Ok(more) => self.extend(duration, more.saturating_add(1)),
            Err(_) => self.open = Some(duration),
        }
    }

    /// Ends an open run: its last segment ends at `time` at the latest.
    fn close(&mut self, time: u64) {
        if let Some(duration) = self.open.take() {
            self.extend(duration, time.saturating_sub(self.next_time) / duration);
        }
    }

    fn extend(&mut self, duration: u64, count: u64) {
        for nth in count.saturating_sub(RECENT as u64)..count {
            let index = self.count.saturating_add(nth);
            let time = self.next_time.saturating_add(nth.saturating_mul(duration));
            push_bounded(&mut self.recent, Slot { index, time, duration });
        }
        let units = count.saturating_mul(duration);
        self.count = self.count.saturating_add(count);
        self.units = self.units.saturating_add(units);
        self.next_time = self.next_time.saturating_add(units);
    }
}

/// A Representation's share of one Period.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) addressing: Addressing,
    /// What addresses are relative to, itself relative to the manifest's.
    pub(super) base: String,
    pub(super) id: String,
    pub(super) bandwidth: u64,
    /// Seconds of the presentation.
    pub(super) period_start: f64,
    pub(super) period_end: Option<f64>,
}

impl Part {
    fn timescale(&self) -> f64 {
        self.addressing.timescale.unwrap_or(1).max(1) as f64
    }

    fn time_offset(&self) -> u64 {
        self.addressing.presentation_time_offset.unwrap_or(0)
    }

    /// The run of segments, as far as the manifest tells it.
    fn timeline(&self) -> Timeline {
        let Addressing { timeline, list, duration, .. } = &self.addressing;
        let duration = duration.unwrap_or(0);
        match (timeline, list) {
            (Some(timeline), _) => timeline.clone(),
            (None, Some(list)) => {
                let mut timeline = Timeline { next_time: self.time_offset(), ..Timeline::default() };
                timeline.extend(duration, list.count);
                timeline
            }
            (None, None) => Timeline::endless(self.time_offset(), duration),
        }
    }

    /// Whether the segments have to be told by the clock.
    pub(super) fn is_open(&self) -> bool {
        self.timeline().open.is_some()
    }

    /// Where an open run ends `now`: what has ended by then is due, earlier where a server says so (§5.3.9.5.3).
    fn end(&self, presentation: &Presentation, now_unix_seconds: f64) -> u64 {
        let elapsed = presentation.available_from.filter(|_| !presentation.is_static).map(|from| {
            let early = self.addressing.early.filter(|early| early.is_finite()).unwrap_or(0.0);
            now_unix_seconds - from + early
        });
        let end = match (elapsed, self.period_end) {
            (Some(elapsed), Some(end)) => elapsed.min(end),
            (Some(end), None) | (None, Some(end)) => end,
            (None, None) => self.period_start,
        };
        // A float becomes the nearest number that there is.
        self.time_offset().saturating_add(((end - self.period_start) * self.timescale()) as u64)
    }

    pub(super) fn media(&self, presentation: &Presentation, now_unix_seconds: f64) -> Media {
        let timescale = self.timescale();
        let mut timeline = self.timeline();
        let is_open = timeline.open.is_some();
        timeline.close(self.end(presentation, now_unix_seconds));
        let recent: Vec<Segment> =
            timeline.recent.iter().map(|slot| self.segment(presentation, &timeline, *slot)).collect();
        let newest = recent.last().filter(|segment| !segment.uri.is_empty()).map(Segment::identity);
        let (mut segments, mut listed_seconds) = (timeline.count, timeline.units as f64 / timescale);
        if let Some(window) = presentation.window.filter(|window| is_open && *window < listed_seconds) {
            segments = (segments as f64 * window / listed_seconds).ceil() as u64;
            listed_seconds = window;
        }
        let longest_seconds = recent.iter().map(|segment| segment.seconds).fold(0.0, f64::max);
        let target = presentation.longest.unwrap_or(longest_seconds).ceil() as u64;
        let after = newest.as_ref().map_or(0, |newest| newest.sequence.saturating_add(1));
        Media {
            newest,
            segments: usize::try_from(segments).unwrap_or(usize::MAX),
            listed_seconds,
            longest_seconds,
            target_duration_seconds: Some(target).filter(|target| *target > 0),
            media_sequence: after.saturating_sub(segments),
            ended: presentation.is_static,
            program_end_unix_seconds: recent.last().and_then(Segment::program_end_unix_seconds),
            recent,
            ..Media::default()
        }
    }

    fn segment(&self, presentation: &Presentation, timeline: &Timeline, slot: Slot) -> Segment {
        let timescale = self.timescale();
        let begins = self.period_start + (slot.time as f64 - self.time_offset() as f64) / timescale;
        Segment {
            sequence: (begins * 1000.0).round() as u64,
            uri: self.address(timeline, slot),
            seconds: slot.duration as f64 / timescale,
            gap: false,
            discontinuous: false,
            range: None,
            program_unix_seconds: presentation.available_from.map(|from| from + begins),
        }
    }

    fn address(&self, timeline: &Timeline, slot: Slot) -> String {
        let Addressing { media, list, start_number, .. } = &self.addressing;
        let from_end = timeline.count.saturating_sub(slot.index.saturating_add(1));
        let listed = list.as_ref().and_then(|list| list.recent.iter().nth_back(usize::try_from(from_end).ok()?));
        match (listed, media) {
            (Some(uri), _) => join(&self.base, uri),
            (None, Some(template)) => {
                let number = start_number.unwrap_or(1).saturating_add(slot.index);
                join(&self.base, &self.fill(template, number, slot.time))
            }
            (None, None) => String::new(),
        }
    }

    /// Fills a template (§5.3.9.4.4): `$RepresentationID$`, `$Number$`, `$Bandwidth$`, `$Time$`, each but the first with a width.
    fn fill(&self, template: &str, number: u64, time: u64) -> String {
        let mut filled = String::new();
        for (place, piece) in template.split('$').enumerate() {
            let (name, format) = piece.split_once('%').unwrap_or((piece, "d"));
            let width = format.trim_end_matches('d').parse().unwrap_or(0).min(WIDTH_MAX);
            let value = match name {
                _ if place % 2 == 0 => {
                    filled.push_str(piece);
                    continue;
                }
                "RepresentationID" => {
                    filled.push_str(&self.id);
                    continue;
                }
                "" => {
                    filled.push('$');
                    continue;
                }
                "Number" => number,
                "Bandwidth" => self.bandwidth,
                "Time" => time,
                _ => 0,
            };
            filled.push_str(&format!("{value:0width$}"));
        }
        filled
    }
}

/// An address as it is meant below a base, which may be relative itself (RFC 3986 §5.2, as far as manifests need it).
pub(super) fn join(base: &str, uri: &str) -> String {
    if uri.contains("://") {
        return uri.to_owned();
    }
    if let Ok(joined) = Url::parse(base).and_then(|base| base.join(uri)) {
        return joined.into();
    }
    match base.rsplit_once('/') {
        Some((directory, _)) if !uri.starts_with('/') => format!("{directory}/{uri}"),
        Some(_) | None => uri.to_owned(),
    }
}
