//! The families of the streams.

use vvtv_toolkit::render::{Exposition, Labels};

use super::flag;
use super::table::{Family, States, Table, counter, gauge};
use crate::clock::Now;
use crate::config::{Location, Stream};
use crate::health::{Failure, Health};
use crate::probe::playlist::VariantView;
use crate::snapshot::{Source, Stage, Views, fault_stage};

/// A variant as it is written.
struct Variant<'a> {
    now: Now,
    config: &'a Stream,
    view: &'a VariantView,
    /// The segment age of the stream is about it.
    counts: bool,
}

impl Variant<'_> {
    fn counted(&self, value: f64) -> Option<f64> {
        self.counts.then_some(value)
    }
}

type VariantFamily = Family<fn(&Variant<'_>) -> Option<f64>>;

const VARIANTS: [VariantFamily; 13] = [
    gauge(
        "vvtv_segment_age_seconds",
        "Seconds since the newest complete listed segment of a variant changed; grows on when the playlist vanishes.",
        |variant| variant.counted(variant.view.age(variant.now, variant.config.expect).as_secs_f64()),
    ),
    gauge(
        "vvtv_segment_last_advance_timestamp_seconds",
        "Unix time at which the newest listed segment of a variant changed.",
        |variant| variant.counted(variant.view.freshness.last_advance_unix_seconds(variant.now)),
    ),
    gauge(
        "vvtv_playlist_target_duration_seconds",
        "EXT-X-TARGETDURATION of the last playlist that could be read.",
        |variant| Some(variant.view.listed.target_duration_seconds? as f64),
    ),
    gauge("vvtv_playlist_segments", "Segments listed by the last playlist that could be read.", |variant| {
        Some(variant.view.listed.segments as f64)
    }),
    counter("vvtv_playlist_sequence_resets_total", "Times that the media sequence went back.", |variant| {
        Some(variant.view.freshness.sequence_resets() as f64)
    }),
    gauge("vvtv_stream_ended", "1 if the playlist says that no segments will follow (EXT-X-ENDLIST).", |variant| {
        Some(flag(variant.view.listed.ended))
    }),
    gauge(
        "vvtv_player_buffer_seconds",
        "Seconds that a viewer could still play who began three target durations behind the end.",
        |variant| Some(variant.view.buffer.seconds(variant.now)),
    ),
    gauge(
        "vvtv_playlist_program_date_time_lag_seconds",
        "Seconds from the end of the listed media, as EXT-X-PROGRAM-DATE-TIME tells it, to the present.",
        |variant| Some(variant.now.unix_seconds - variant.view.listed.program_end_unix_seconds?),
    ),
    gauge(
        "vvtv_playlist_http_status",
        "HTTP status of the last answer to the request for the playlist; 0 without an answer.",
        |variant| {
            let over_http = matches!(variant.config.playlist, Some(Location::Http(_)));
            over_http.then(|| f64::from(variant.view.http_status.unwrap_or(0)))
        },
    ),
    gauge("vvtv_playlist_request_duration_seconds", "Duration of the last request for the playlist.", |variant| {
        Some(variant.view.request_duration.as_secs_f64())
    }),
    gauge(
        "vvtv_segment_available",
        "1 if the newest listed segment was there and not empty; 0 if it is listed and missing.",
        |variant| variant.view.segment_available.map(flag),
    ),
    gauge("vvtv_segment_peak_bitrate_bytes_per_second", "The highest bitrate of the last segments.", |variant| {
        variant.view.peak_bytes_per_second()
    }),
    gauge(
        "vvtv_playlist_bandwidth_bytes_per_second",
        "BANDWIDTH of the variant in the master, which no segment should need more of.",
        |variant| Some(variant.view.declared_bits_per_second? as f64 / 8.0),
    ),
];

const UNCOUNTED: [Family<()>; 1] = [gauge(
    "vvtv_uncounted_segment_age_seconds",
    "Segment age of a variant that the stream is not judged by: subtitles, key frames, what stands by, what is ignored.",
    (),
)];

const UNWATCHED: [Family<()>; 1] =
    [gauge("vvtv_unwatched_variants", "Playlists that the master names beyond those that are watched.", ())];

const VIOLATIONS: [Family<()>; 1] =
    [counter("vvtv_playlist_violations_total", "New playlists that broke a rule of HLS, by rule.", ())];

/// Playlists.
#[derive(Default)]
pub(super) struct Segments {
    variants: Table<13>,
    uncounted: Table<1>,
    unwatched: Table<1>,
    violations: Table<1>,
}

impl Segments {
    pub(super) fn push(&mut self, now: Now, config: &Stream, labels: &Labels, views: &Views) {
        for (check, count) in views.hls.iter().flat_map(|hls| &hls.master_violations) {
            let more = Labels::new(&[("variant", ""), ("check", check.label())]);
            self.violations.push(labels, &more, [Some(*count as f64)]);
        }
        let Some(hls) = &views.hls else { return };
        if hls.unwatched > 0 {
            self.unwatched.push(labels, &Labels::NONE, [Some(hls.unwatched as f64)]);
        }
        for (view, counts) in config.counting.of(&hls.variants) {
            let variant = Variant { now, config, view, counts };
            if !counts {
                let age = view.age(now, config.expect).as_secs_f64();
                self.uncounted.push(&view.labels, &Labels::new(&[("kind", view.role.label())]), [Some(age)]);
            }
            let values = VARIANTS.each_ref().map(|family| (family.value)(&variant));
            self.variants.push(&view.labels, &Labels::NONE, values);
            for (check, count) in &view.violations {
                let check = Labels::new(&[("check", check.label())]);
                self.violations.push(&view.labels, &check, [Some(*count as f64)]);
            }
        }
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        self.variants.write(out, &VARIANTS);
        self.uncounted.write(out, &UNCOUNTED);
        self.unwatched.write(out, &UNWATCHED);
        self.violations.write(out, &VIOLATIONS);
    }
}

const THRESHOLDS: [Family<()>; 1] = [gauge(
    "vvtv_alert_threshold",
    "What the alert of a signal that is measured compares with, in the signal's unit.",
    (),
)];

const QUEUES: [Family<()>; 1] =
    [gauge("vvtv_queue_buffer_seconds", "Seconds of playable content ahead in the playout queue.", ())];

/// What is joined from several sources, and the queue.
pub(super) struct Joins {
    stages: States<Stage>,
    thresholds: Table<1>,
    queues: Table<1>,
    signals: [Labels; 3],
}

impl Default for Joins {
    fn default() -> Self {
        let signals =
            ["segment_age", "encoder_drops", "bitrate_variance"].map(|signal| Labels::new(&[("signal", signal)]));
        Self { stages: States::default(), thresholds: Table::default(), queues: Table::default(), signals }
    }
}

impl Joins {
    pub(super) fn push(&mut self, now: Now, config: &Stream, labels: &Labels, views: &Views) {
        self.stages.push(labels, fault_stage(now, config, views));
        let of = config.thresholds;
        let (plays, encodes, arrives) = (views.hls.is_some(), views.progress.is_some(), views.stat.is_some());
        let measured = [
            (plays, of.segment_age_seconds),
            (encodes, of.encoder_drops_ratio),
            (encodes || arrives, of.bitrate_variance_ratio),
        ];
        for (signal, (_, threshold)) in self.signals.iter().zip(measured).filter(|(_, (measured, _))| *measured) {
            self.thresholds.push(labels, signal, [Some(threshold)]);
        }
        if let Some(queue) = &views.queue {
            self.queues.push(labels, &Labels::NONE, [Some(queue.buffer_seconds)]);
        }
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        let possible = Stage::ALL.map(|stage| (stage, Labels::new(&[("stage", stage.label())])));
        let help = "1 for the first broken link of encoder, ingest, packager and delivery, or for none.";
        self.stages.write(out, "vvtv_fault_stage", help, &possible);
        self.thresholds.write(out, &THRESHOLDS);
        self.queues.write(out, &QUEUES);
    }
}

pub(super) fn source_label(source: Source) -> Labels {
    Labels::new(&[("source", source.label())])
}

type SourceFamily = Family<fn(&Health) -> f64>;

const SOURCES: [SourceFamily; 3] = [
    gauge("vvtv_source_up", "1 if the last attempt to read the source succeeded.", |health| flag(health.up())),
    gauge(
        "vvtv_source_last_success_timestamp_seconds",
        "Unix time at which the source was last read; 0 if never.",
        |health| health.last_success.map_or(0.0, |at| at.unix_seconds),
    ),
    gauge("vvtv_probe_duration_seconds", "Duration of the last attempt to read the source.", |health| {
        health.duration.as_secs_f64()
    }),
];

const FAILURES: [Family<()>; 1] =
    [counter("vvtv_probe_failures_total", "Failed attempts to read the source, by reason.", ())];

/// How the sources are.
pub(super) struct Sources {
    healths: Table<3>,
    failures: Table<1>,
    each: [(Source, Labels); 5],
}

impl Default for Sources {
    fn default() -> Self {
        let each = Source::ALL.map(|source| (source, source_label(source)));
        Self { healths: Table::default(), failures: Table::default(), each }
    }
}

impl Sources {
    pub(super) fn push(&mut self, labels: &Labels, views: &Views) {
        for (source, health) in views.healths() {
            let Some((_, more)) = self.each.iter().find(|(one, _)| *one == source) else { continue };
            self.healths.push(labels, more, SOURCES.each_ref().map(|family| Some((family.value)(health))));
            for (count, reason) in health.failures.iter().zip(Failure::ALL).filter(|(count, _)| **count > 0) {
                self.failures.push(labels, &more.with(&[("reason", reason.label())]), [Some(*count as f64)]);
            }
        }
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        self.healths.write(out, &SOURCES);
        self.failures.write(out, &FAILURES);
    }
}
