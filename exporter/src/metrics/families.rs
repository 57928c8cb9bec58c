//! The families of the streams.

use vvtv_toolkit::render::{Exposition, Kind, Labels};

use super::Row;
use crate::clock::Now;
use crate::health::Failure;
use crate::probe::hls::VariantView;
use crate::snapshot::{IngestState, Source, Stage, fault_stage, ingest_state};
use crate::window::loss::{Loss, Totals};

const fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

fn per_variant(
    out: &mut Exposition,
    rows: &[Row],
    (name, help, kind): (&str, &str, Kind),
    value: impl Fn(&VariantView, &Row) -> Option<f64>,
) {
    out.family(name, help, kind);
    for row in rows {
        for variant in row.views.hls.iter().flat_map(|hls| &hls.variants) {
            if let Some(value) = value(variant, row) {
                out.sample(&variant.labels, value);
            }
        }
    }
}

pub(super) fn segments(out: &mut Exposition, now: Now, rows: &[Row]) {
    let age =
        "Seconds since the newest complete listed segment of a variant changed; grows on when the playlist vanishes.";
    per_variant(out, rows, ("vvtv_segment_age_seconds", age, Kind::Gauge), |variant, row| {
        Some(variant.age(now, row.config.expect).as_secs_f64())
    });
    let advance = "Unix time at which the newest listed segment of a variant changed.";
    per_variant(out, rows, ("vvtv_segment_last_advance_timestamp_seconds", advance, Kind::Gauge), |variant, _| {
        Some(variant.freshness.last_advance_unix_seconds())
    });
    let target = "EXT-X-TARGETDURATION of the last playlist that could be read.";
    per_variant(out, rows, ("vvtv_playlist_target_duration_seconds", target, Kind::Gauge), |variant, _| {
        variant.media.as_ref()?.target_duration_seconds.map(|seconds| seconds as f64)
    });
    let listed = "Segments listed by the last playlist that could be read.";
    per_variant(out, rows, ("vvtv_playlist_segments", listed, Kind::Gauge), |variant, _| {
        Some(variant.media.as_ref().map_or(0.0, |media| media.segments as f64))
    });
    let resets = "Times that the media sequence went back.";
    per_variant(out, rows, ("vvtv_playlist_sequence_resets_total", resets, Kind::Counter), |variant, _| {
        Some(variant.freshness.sequence_resets() as f64)
    });
    let ended = "1 if the playlist says that no segments will follow (EXT-X-ENDLIST).";
    per_variant(out, rows, ("vvtv_stream_ended", ended, Kind::Gauge), |variant, _| {
        Some(flag(variant.media.as_ref().is_some_and(|media| media.ended)))
    });
    let buffer = "Seconds that a viewer could still play who began three target durations behind the end.";
    per_variant(out, rows, ("vvtv_player_buffer_seconds", buffer, Kind::Gauge), |variant, _| {
        Some(variant.buffer.seconds(now))
    });
    let lag = "Seconds from the end of the listed media, as EXT-X-PROGRAM-DATE-TIME tells it, to the present.";
    per_variant(out, rows, ("vvtv_playlist_program_date_time_lag_seconds", lag, Kind::Gauge), |variant, _| {
        Some(now.unix_seconds - variant.media.as_ref()?.program_end_unix_seconds()?)
    });
    let violations = "New playlists that broke a rule of RFC 8216, by rule.";
    out.family("vvtv_playlist_violations_total", violations, Kind::Counter);
    for variant in rows.iter().filter_map(|row| row.views.hls.as_ref()).flat_map(|hls| &hls.variants) {
        for (check, count) in &variant.violations {
            out.sample(&variant.labels.with(&[("check", check.label())]), *count as f64);
        }
    }
}

/// What is written of an encoder.
struct EncoderFacts<'a> {
    labels: &'a Labels,
    up: bool,
    loss: Loss,
    totals: Totals,
}

fn encoder_facts(now: Now, row: &Row) -> Option<EncoderFacts<'_>> {
    let encoder = &row.views.progress.as_ref()?.encoder;
    let loss = encoder.loss(now, row.config.expected_drops_ratio);
    Some(EncoderFacts { labels: &row.labels.stream, up: encoder.is_up(now), loss, totals: encoder.totals() })
}

pub(super) fn encoders(out: &mut Exposition, now: Now, rows: &[Row]) {
    let facts: Vec<EncoderFacts<'_>> = rows.iter().filter_map(|row| encoder_facts(now, row)).collect();
    let mut family = |name: &str, help: &str, kind: Kind, value: fn(&EncoderFacts<'_>) -> f64| {
        out.family(name, help, kind);
        for fact in &facts {
            out.sample(fact.labels, value(fact));
        }
    };
    let drops = "Share of the frames due in the window that was lost: dropped, or not produced by a starved encoder.";
    family("vvtv_encoder_drops_ratio", drops, Kind::Gauge, |fact| fact.loss.ratio);
    let expected = "Frames that were due in the window.";
    family("vvtv_encoder_expected_frames", expected, Kind::Gauge, |fact| fact.loss.expected_frames);
    let frames = "Frames encoded, across the encoder's restarts.";
    family("vvtv_encoder_frames_total", frames, Kind::Counter, |fact| fact.totals.frames as f64);
    let dropped = "Frames dropped by the encoder, across its restarts.";
    family("vvtv_encoder_dropped_frames_total", dropped, Kind::Counter, |fact| fact.totals.dropped as f64);
    let duplicated = "Frames duplicated by the encoder, across its restarts.";
    family("vvtv_encoder_duplicated_frames_total", duplicated, Kind::Counter, |fact| fact.totals.duplicated as f64);
    let restarts = "Restarts of the encoder, seen as counters that went back.";
    family("vvtv_encoder_restarts_total", restarts, Kind::Counter, |fact| fact.totals.restarts as f64);
    let speed = "Media seconds produced in each second of the last ten; 0 while the encoder is not up.";
    family("vvtv_encoder_speed_ratio", speed, Kind::Gauge, |fact| fact.loss.speed_ratio);
    let up = "1 if the encoder reported lately.";
    family("vvtv_encoder_up", up, Kind::Gauge, |fact| flag(fact.up));
}

pub(super) fn ingests(out: &mut Exposition, now: Now, rows: &[Row]) {
    let states: Vec<(&Row, IngestState)> =
        rows.iter().filter_map(|row| Some((row, ingest_state(now, &row.config, &row.views)?))).collect();
    let up = "1 if the RTMP server answers the handshake and connect to the application in time.";
    out.family("vvtv_ingest_up", up, Kind::Gauge);
    for (row, state) in &states {
        out.sample(&row.labels.stream, flag(state.is_up()));
    }
    let publishing = "1 if the server lists a publisher and its bytes advance.";
    out.family("vvtv_ingest_publishing", publishing, Kind::Gauge);
    for (row, state) in states.iter().filter(|(row, _)| row.views.stat.is_some()) {
        out.sample(&row.labels.stream, flag(*state == IngestState::Ok));
    }
    out.family("vvtv_ingest_state", "1 for the state that the ingest is in.", Kind::Gauge);
    for (row, state) in &states {
        for (labels, each) in row.labels.states.iter().zip(IngestState::ALL) {
            out.sample(labels, flag(each == *state));
        }
    }
    let mismatches = "Statistics pages of another worker process, which could not tell of the publisher.";
    out.family("vvtv_stat_worker_mismatches_total", mismatches, Kind::Counter);
    for row in rows {
        if let Some(stat) = &row.views.stat {
            out.sample(&row.labels.stream, stat.publishers.worker_mismatches() as f64);
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
            out.sample(&row.labels.stream, bitrate.variance_ratio);
        }
    }
    out.family("vvtv_bitrate_samples", "Intervals that the coefficient of variation is computed from.", Kind::Gauge);
    for (row, stat, progress) in &measured {
        if let Some(bitrate) = stat.or(*progress) {
            out.sample(&row.labels.stream, bitrate.samples as f64);
        }
    }
    let rate = "Bitrate of the last interval, by the source that counted the bytes.";
    out.family("vvtv_stream_bitrate_bytes_per_second", rate, Kind::Gauge);
    for (row, stat, progress) in &measured {
        for (source, bitrate) in [(Source::NginxStat, stat), (Source::Progress, progress)] {
            if let Some(bitrate) = bitrate {
                out.sample(row.labels.source(source), bitrate.bytes_per_second);
            }
        }
    }
}

pub(super) fn joins(out: &mut Exposition, now: Now, rows: &[Row]) {
    let stage = "1 for the first broken link of encoder, ingest, packager and delivery, or for none.";
    out.family("vvtv_fault_stage", stage, Kind::Gauge);
    for row in rows {
        let found = fault_stage(now, &row.config, &row.views);
        for (labels, each) in row.labels.stages.iter().zip(Stage::ALL) {
            out.sample(labels, flag(each == found));
        }
    }
    out.family("vvtv_alert_threshold", "What the alert of a signal compares with, in the signal's unit.", Kind::Gauge);
    for row in rows {
        let of = row.config.thresholds;
        let values = [of.segment_age_seconds, of.encoder_drops_ratio, of.bitrate_variance_ratio];
        for (labels, value) in row.labels.signals.iter().zip(values) {
            out.sample(labels, value);
        }
    }
    out.family("vvtv_queue_buffer_seconds", "Seconds of playable content ahead in the playout queue.", Kind::Gauge);
    for row in rows {
        if let Some(queue) = &row.views.queue {
            out.sample(&row.labels.stream, queue.buffer_seconds);
        }
    }
}

pub(super) fn sources(out: &mut Exposition, rows: &[Row]) {
    let each = || {
        rows.iter().flat_map(|row| row.views.healths().map(move |(source, health)| (row.labels.source(source), health)))
    };
    out.family("vvtv_source_up", "1 if the last attempt to read the source succeeded.", Kind::Gauge);
    for (labels, health) in each() {
        out.sample(labels, flag(health.up()));
    }
    let success = "Unix time at which the source was last read; 0 if never.";
    out.family("vvtv_source_last_success_timestamp_seconds", success, Kind::Gauge);
    for (labels, health) in each() {
        out.sample(labels, health.last_success.map_or(0.0, |at| at.unix_seconds));
    }
    let duration = "Duration of the last attempt to read the source.";
    out.family("vvtv_probe_duration_seconds", duration, Kind::Gauge);
    for (labels, health) in each() {
        out.sample(labels, health.duration.as_secs_f64());
    }
    let failures = "Failed attempts to read the source, by reason.";
    out.family("vvtv_probe_failures_total", failures, Kind::Counter);
    for (labels, health) in each() {
        for (count, reason) in health.failures.iter().zip(Failure::ALL).filter(|(count, _)| **count > 0) {
            out.sample(&labels.with(&[("reason", reason.label())]), *count as f64);
        }
    }
}
