//! Playlists as a source: `source="hls"`, also where a stream's playlist is a manifest of MPEG-DASH.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vvtv_toolkit::render::{Exposition, Labels};

use super::poll;
use super::variant::VariantView;
use super::view::{PlaylistSpec, PlaylistView};
use crate::clock::Now;
use crate::config::{Location, Stream};
use crate::health::Health;
use crate::probe::source::{Chapter, Env, Series, Source};
use crate::probe::tools::Tools;
use crate::reach::Named;
use crate::series::{Family, Table, counter, flag, gauge};

/// A stream's playlists, as a kind of source.
#[derive(Debug)]
pub enum PlaylistSource {}

impl Source for PlaylistSource {
    const LABEL: &'static str = "hls";
    const CHAPTER: Chapter = Chapter::Playlists;

    type Spec = PlaylistSpec;
    type View = PlaylistView;
    type Series = PlaylistSeries;

    fn configure(stream: &Stream, _reach: &Arc<Named>) -> Option<PlaylistSpec> {
        let timing = stream.timing;
        stream.playlist.clone().map(|playlist| PlaylistSpec {
            stream: stream.name.clone(),
            playlist,
            interval: timing.interval,
            timeout: timing.timeout,
            window: timing.window,
            reach: Arc::clone(&stream.reach),
        })
    }

    fn before(spec: &PlaylistSpec, tools: &Tools) -> PlaylistView {
        PlaylistView::starting(&spec.stream, tools.clock.now(), &tools.remembered)
    }

    fn run(
        spec: PlaylistSpec,
        env: Env,
        view: watch::Sender<Arc<PlaylistView>>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        poll::run(spec, env.tools, view, stop)
    }

    fn health(view: &PlaylistView) -> &Health {
        &view.health
    }
}

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

/// The families of playlists.
#[derive(Default)]
pub struct PlaylistSeries {
    variants: Table<{ VARIANTS.len() }>,
    uncounted: Table<1>,
    unwatched: Table<1>,
    violations: Table<1>,
}

impl Series<PlaylistView> for PlaylistSeries {
    fn push(&mut self, now: Now, config: &Stream, labels: &Labels, view: &PlaylistView) {
        for (check, count) in &view.master_violations {
            let more = Labels::new(&[("variant", ""), ("check", check.label())]);
            self.violations.push(labels, &more, [Some(*count as f64)]);
        }
        if view.unwatched > 0 {
            self.unwatched.push(labels, &Labels::NONE, [Some(view.unwatched as f64)]);
        }
        for (view, counts) in config.counting.of(&view.variants) {
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

    fn write(&self, out: &mut Exposition) {
        self.variants.write(out, &VARIANTS);
        self.uncounted.write(out, &UNCOUNTED);
        self.unwatched.write(out, &UNWATCHED);
        self.violations.write(out, &VIOLATIONS);
    }
}
