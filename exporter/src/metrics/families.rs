//! The families of the streams.

use vvtv_toolkit::render::{Exposition, Kind, Labels};

use super::Row;
use crate::clock::Now;
use crate::config::{Location, Stream, Thresholds};
use crate::health::{Failure, Health};
use crate::probe::hls::{Check, VariantView};
use crate::snapshot::{IngestState, Source, Stage, fault_stage, ingest_state};
use crate::window::loss::{Loss, Totals};

const fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

/// A family and how the value of its samples is found.
struct Family<T> {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    value: fn(&T) -> Option<f64>,
}

const fn gauge<T>(name: &'static str, help: &'static str, value: fn(&T) -> Option<f64>) -> Family<T> {
    Family { name, help, kind: Kind::Gauge, value }
}

const fn counter<T>(name: &'static str, help: &'static str, value: fn(&T) -> Option<f64>) -> Family<T> {
    Family { name, help, kind: Kind::Counter, value }
}

/// Writes families that have a sample of every subject, which comes with its labels and with those that it shares with many.
///
/// All values are found in one pass, because what is known of ten thousand streams lies scattered in memory: to visit it once for
/// each family takes several times as long. Those of a family then lie side by side.
fn write<'a, T, const N: usize>(
    out: &mut Exposition,
    families: &[Family<T>; N],
    subjects: impl Iterator<Item = (&'a Labels, &'a Labels, T)>,
) {
    let mut all_labels: Vec<(&Labels, &Labels)> = Vec::new();
    let mut columns: [Vec<Option<f64>>; N] = [const { Vec::new() }; N];
    for (labels, more, subject) in subjects {
        all_labels.push((labels, more));
        for (column, family) in columns.iter_mut().zip(families) {
            column.push((family.value)(&subject));
        }
    }
    for (family, column) in families.iter().zip(&columns) {
        out.family(family.name, family.help, family.kind);
        for ((labels, more), value) in all_labels.iter().zip(column) {
            if let Some(value) = value {
                out.sample_with(labels, more, *value);
            }
        }
    }
}

/// A variant as it is written.
struct Variant<'a> {
    now: Now,
    config: &'a Stream,
    view: &'a VariantView,
}

const fn variant_families<'a>() -> [Family<Variant<'a>>; 13] {
    [
        gauge(
            "vvtv_segment_age_seconds",
            "Seconds since the newest complete listed segment of a variant changed; grows on when the playlist vanishes.",
            |variant| Some(variant.view.age(variant.now, variant.config.expect).as_secs_f64()),
        ),
        gauge(
            "vvtv_segment_last_advance_timestamp_seconds",
            "Unix time at which the newest listed segment of a variant changed.",
            |variant| Some(variant.view.freshness.last_advance_unix_seconds()),
        ),
        gauge(
            "vvtv_playlist_target_duration_seconds",
            "EXT-X-TARGETDURATION of the last playlist that could be read.",
            |variant| Some(variant.view.media.as_ref()?.target_duration_seconds? as f64),
        ),
        gauge("vvtv_playlist_segments", "Segments listed by the last playlist that could be read.", |variant| {
            Some(variant.view.media.as_ref().map_or(0.0, |media| media.segments as f64))
        }),
        counter("vvtv_playlist_sequence_resets_total", "Times that the media sequence went back.", |variant| {
            Some(variant.view.freshness.sequence_resets() as f64)
        }),
        gauge("vvtv_stream_ended", "1 if the playlist says that no segments will follow (EXT-X-ENDLIST).", |variant| {
            Some(flag(variant.view.media.as_ref().is_some_and(|media| media.ended)))
        }),
        gauge(
            "vvtv_player_buffer_seconds",
            "Seconds that a viewer could still play who began three target durations behind the end.",
            |variant| Some(variant.view.buffer.seconds(variant.now)),
        ),
        gauge(
            "vvtv_playlist_program_date_time_lag_seconds",
            "Seconds from the end of the listed media, as EXT-X-PROGRAM-DATE-TIME tells it, to the present.",
            |variant| Some(variant.now.unix_seconds - variant.view.media.as_ref()?.program_end_unix_seconds()?),
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
    ]
}

pub(super) fn segments(out: &mut Exposition, now: Now, rows: &[Row]) {
    let mut broken: Vec<(&VariantView, Check, u64)> = Vec::new();
    let none = Labels::NONE;
    let variants = rows.iter().flat_map(|row| {
        let views = row.views.hls.iter().flat_map(|hls| &hls.variants);
        views.map(|view| (&view.labels, &none, Variant { now, config: &row.config, view }))
    });
    let noted = variants.inspect(|(_, _, variant)| {
        broken.extend(variant.view.violations.iter().map(|(check, count)| (variant.view, *check, *count)));
    });
    write(out, &variant_families(), noted);
    let violations = "New playlists that broke a rule of RFC 8216, by rule.";
    out.family("vvtv_playlist_violations_total", violations, Kind::Counter);
    for (view, check, count) in broken {
        out.sample_with(&view.labels, &Labels::new(&[("check", check.label())]), count as f64);
    }
}

/// An encoder as it is written.
struct Encoder {
    up: bool,
    loss: Loss,
    totals: Totals,
}

const ENCODERS: [Family<Encoder>; 8] = [
    gauge(
        "vvtv_encoder_drops_ratio",
        "Share of the frames due in the window that was lost: dropped, or not produced by a starved encoder.",
        |encoder| Some(encoder.loss.ratio),
    ),
    gauge("vvtv_encoder_expected_frames", "Frames that were due in the window.", |encoder| {
        Some(encoder.loss.expected_frames)
    }),
    counter("vvtv_encoder_frames_total", "Frames encoded, across the encoder's restarts.", |encoder| {
        Some(encoder.totals.frames as f64)
    }),
    counter("vvtv_encoder_dropped_frames_total", "Frames dropped by the encoder, across its restarts.", |encoder| {
        Some(encoder.totals.dropped as f64)
    }),
    counter(
        "vvtv_encoder_duplicated_frames_total",
        "Frames duplicated by the encoder, across its restarts.",
        |encoder| Some(encoder.totals.duplicated as f64),
    ),
    counter("vvtv_encoder_restarts_total", "Restarts of the encoder, seen as counters that went back.", |encoder| {
        Some(encoder.totals.restarts as f64)
    }),
    gauge(
        "vvtv_encoder_speed_ratio",
        "Media seconds produced in each second of the last ten; 0 while the encoder is not up.",
        |encoder| Some(encoder.loss.speed_ratio),
    ),
    gauge("vvtv_encoder_up", "1 if the encoder reported lately.", |encoder| Some(flag(encoder.up))),
];

pub(super) fn encoders(out: &mut Exposition, now: Now, rows: &[Row]) {
    let none = Labels::NONE;
    let encoders = rows.iter().filter_map(|row| {
        let encoder = &row.views.progress.as_ref()?.encoder;
        let loss = encoder.loss(now, row.config.expected_drops_ratio);
        Some((&row.labels, &none, Encoder { up: encoder.is_up(now), loss, totals: encoder.totals() }))
    });
    write(out, &ENCODERS, encoders);
}

pub(super) fn ingests(out: &mut Exposition, now: Now, rows: &[Row]) {
    let states: Vec<(&Row, IngestState)> =
        rows.iter().filter_map(|row| Some((row, ingest_state(now, &row.config, &row.views)?))).collect();
    let up = "1 if the RTMP server answers the handshake and connect to the application in time.";
    out.family("vvtv_ingest_up", up, Kind::Gauge);
    for (row, state) in &states {
        out.sample(&row.labels, flag(state.is_up()));
    }
    let publishing = "1 if the server lists a publisher and its bytes advance.";
    out.family("vvtv_ingest_publishing", publishing, Kind::Gauge);
    for (row, state) in states.iter().filter(|(row, _)| row.views.stat.is_some()) {
        out.sample(&row.labels, flag(*state == IngestState::Ok));
    }
    out.family("vvtv_ingest_state", "1 for the state that the ingest is in.", Kind::Gauge);
    let each = IngestState::ALL.map(|state| (state, Labels::new(&[("state", state.label())])));
    for (row, state) in &states {
        for (possible, label) in &each {
            out.sample_with(&row.labels, label, flag(possible == state));
        }
    }
    let mismatches = "Statistics pages of another worker process, which could not tell of the publisher.";
    out.family("vvtv_stat_worker_mismatches_total", mismatches, Kind::Counter);
    for row in rows {
        if let Some(stat) = &row.views.stat {
            out.sample(&row.labels, stat.publishers.worker_mismatches() as f64);
        }
    }
}

pub(super) fn bitrates(out: &mut Exposition, now: Now, rows: &[Row]) {
    let measured: Vec<_> = rows
        .iter()
        .map(|row| {
            let publisher = || row.views.publisher(&row.config).map(|publisher| publisher.bitrate(now));
            let stat = row.views.stat.as_ref().map(|_| publisher().unwrap_or_default());
            let progress = row.views.progress.as_ref().map(|view| view.encoder.bitrate(now));
            (row, stat, progress)
        })
        .collect();
    let variance = "Coefficient of variation (standard deviation / mean) of the ingest bitrate over the window; 0 with too few samples.";
    out.family("vvtv_bitrate_variance_ratio", variance, Kind::Gauge);
    for (row, stat, progress) in &measured {
        if let Some(bitrate) = stat.or(*progress) {
            out.sample(&row.labels, bitrate.variance_ratio);
        }
    }
    out.family("vvtv_bitrate_samples", "Intervals that the coefficient of variation is computed from.", Kind::Gauge);
    for (row, stat, progress) in &measured {
        if let Some(bitrate) = stat.or(*progress) {
            out.sample(&row.labels, bitrate.samples as f64);
        }
    }
    let rate = "Bitrate of the last interval, by the source that counted the bytes.";
    out.family("vvtv_stream_bitrate_bytes_per_second", rate, Kind::Gauge);
    let [of_stat, of_progress] =
        [Source::NginxStat, Source::Progress].map(|source| Labels::new(&[("source", source.label())]));
    for (row, stat, progress) in &measured {
        for (source, bitrate) in [(&of_stat, stat), (&of_progress, progress)] {
            if let Some(bitrate) = bitrate {
                out.sample_with(&row.labels, source, bitrate.bytes_per_second);
            }
        }
    }
}

pub(super) fn joins(out: &mut Exposition, now: Now, rows: &[Row]) {
    let stage = "1 for the first broken link of encoder, ingest, packager and delivery, or for none.";
    let found: Vec<(&Row, Stage, Thresholds)> =
        rows.iter().map(|row| (row, fault_stage(now, &row.config, &row.views), row.config.thresholds)).collect();
    out.family("vvtv_fault_stage", stage, Kind::Gauge);
    let each = Stage::ALL.map(|stage| (stage, Labels::new(&[("stage", stage.label())])));
    for (row, stage, _) in &found {
        for (possible, label) in &each {
            out.sample_with(&row.labels, label, flag(possible == stage));
        }
    }
    let threshold = "What the alert of a signal that is measured compares with, in the signal's unit.";
    out.family("vvtv_alert_threshold", threshold, Kind::Gauge);
    let [age, drops, variance] =
        ["segment_age", "encoder_drops", "bitrate_variance"].map(|signal| Labels::new(&[("signal", signal)]));
    for (row, _, of) in &found {
        let views = &row.views;
        if views.hls.is_some() {
            out.sample_with(&row.labels, &age, of.segment_age_seconds);
        }
        if views.progress.is_some() {
            out.sample_with(&row.labels, &drops, of.encoder_drops_ratio);
        }
        if views.progress.is_some() || views.stat.is_some() {
            out.sample_with(&row.labels, &variance, of.bitrate_variance_ratio);
        }
    }
    out.family("vvtv_queue_buffer_seconds", "Seconds of playable content ahead in the playout queue.", Kind::Gauge);
    for row in rows {
        if let Some(queue) = &row.views.queue {
            out.sample(&row.labels, queue.buffer_seconds);
        }
    }
}

const fn source_families<'a>() -> [Family<&'a Health>; 3] {
    [
        gauge("vvtv_source_up", "1 if the last attempt to read the source succeeded.", |health| {
            Some(flag(health.up()))
        }),
        gauge(
            "vvtv_source_last_success_timestamp_seconds",
            "Unix time at which the source was last read; 0 if never.",
            |health| Some(health.last_success.map_or(0.0, |at| at.unix_seconds)),
        ),
        gauge("vvtv_probe_duration_seconds", "Duration of the last attempt to read the source.", |health| {
            Some(health.duration.as_secs_f64())
        }),
    ]
}

pub(super) fn sources(out: &mut Exposition, rows: &[Row]) {
    let labels = Source::ALL.map(|source| (source, Labels::new(&[("source", source.label())])));
    let label_of = &|wanted| labels.iter().find_map(|(source, label)| (*source == wanted).then_some(label));
    let mut failed: Vec<(&Labels, Source, Failure, u64)> = Vec::new();
    let healths = rows.iter().flat_map(|row| {
        row.views.healths().filter_map(move |(source, health)| Some((&row.labels, source, label_of(source)?, health)))
    });
    let noted = healths.map(|(labels, source, label, health)| {
        let failures = health.failures.iter().zip(Failure::ALL).filter(|(count, _)| **count > 0);
        failed.extend(failures.map(|(count, reason)| (labels, source, reason, *count)));
        (labels, label, health)
    });
    write(out, &source_families(), noted);
    let failures = "Failed attempts to read the source, by reason.";
    out.family("vvtv_probe_failures_total", failures, Kind::Counter);
    for (labels, source, reason, count) in failed {
        let more = Labels::new(&[("source", source.label()), ("reason", reason.label())]);
        out.sample_with(labels, &more, count as f64);
    }
}
