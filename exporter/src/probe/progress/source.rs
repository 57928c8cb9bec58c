//! An encoder's progress as a source.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vvtv_toolkit::render::{Exposition, Labels};

use super::observe::{Encoder, ProgressTiming};
use super::{ProgressSpec, ProgressView};
use crate::clock::Now;
use crate::config::Stream;
use crate::health::Health;
use crate::probe::source::{Chapter, Env, Series, Source};
use crate::probe::tools::Tools;
use crate::reach::Named;
use crate::series::{Family, Table, counter, flag, gauge};
use crate::window::loss::{Loss, Totals};

/// An encoder's progress, as a kind of source.
#[derive(Debug)]
pub enum Progress {}

impl Source for Progress {
    const LABEL: &'static str = "progress";
    const IS_ASKED: bool = false;
    const CHAPTER: Chapter = Chapter::Encoders;

    type Spec = ProgressSpec;
    type View = ProgressView;
    type Series = EncoderSeries;

    fn configure(stream: &Stream, _reach: &Arc<Named>) -> Option<ProgressSpec> {
        stream.progress.clone().map(|source| ProgressSpec {
            stream: stream.name.clone(),
            source,
            from: stream.progress_from.clone(),
            outputs: stream.encoder_outputs,
            timing: stream.timing,
        })
    }

    fn before(spec: &ProgressSpec, _tools: &Tools) -> ProgressView {
        let encoder = Encoder::new(ProgressTiming::from(spec.timing)).with_outputs(spec.outputs);
        ProgressView { health: Health::default(), encoder }
    }

    fn run(
        spec: ProgressSpec,
        env: Env,
        view: watch::Sender<Arc<ProgressView>>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        super::run(spec, env.tools, view, stop)
    }

    fn health(view: &ProgressView) -> &Health {
        &view.health
    }
}

/// An encoder as it is written.
struct Written {
    up: bool,
    loss: Loss,
    totals: Totals,
    outputs: u32,
    senders: usize,
    foreign: u64,
}

type EncoderFamily = Family<fn(&Written) -> Option<f64>>;

const ENCODERS: [EncoderFamily; 15] = [
    gauge(
        "vvtv_encoder_drops_ratio",
        "Share of the frames due in the window that was lost: dropped, or not produced by a starved encoder; without video, of time.",
        |encoder| Some(encoder.loss.ratio),
    ),
    gauge(
        "vvtv_encoder_drops_run_ratio",
        "The same since the encoder's last restart, within the window; absent before ten seconds of it were seen.",
        |encoder| encoder.loss.run_ratio,
    ),
    gauge(
        "vvtv_encoder_drops_short_ratio",
        "The same over the last ten seconds; absent before eight seconds were seen since the encoder's last restart.",
        |encoder| encoder.loss.short_ratio,
    ),
    gauge("vvtv_encoder_expected_frames", "Frames that were due in the window.", |encoder| {
        Some(encoder.loss.expected_frames)
    }),
    counter("vvtv_encoder_frames_total", "Frames encoded by the first video output, across restarts.", |encoder| {
        Some(encoder.totals.frames as f64)
    }),
    counter(
        "vvtv_encoder_dropped_frames_total",
        "Frames dropped by the encoder, as it counts them, across its restarts.",
        |encoder| Some(encoder.totals.dropped as f64),
    ),
    counter(
        "vvtv_encoder_duplicated_frames_total",
        "Frames duplicated by the encoder, as it counts them, across its restarts.",
        |encoder| Some(encoder.totals.duplicated as f64),
    ),
    gauge(
        "vvtv_encoder_outputs",
        "Video outputs that the encoder sums the frames dropped and duplicated over.",
        |encoder| Some(f64::from(encoder.outputs)),
    ),
    counter(
        "vvtv_encoder_restarts_total",
        "Restarts of the encoder, seen as counters that went back or as another sender.",
        |encoder| Some(encoder.totals.restarts as f64),
    ),
    gauge(
        "vvtv_encoder_speed_ratio",
        "Media seconds produced in each second of the last ten; 0 while the encoder is not up, absent while not known.",
        |encoder| encoder.loss.speed_ratio,
    ),
    gauge(
        "vvtv_encoder_lag_seconds",
        "Seconds that media time is behind where it was at best since the encoder's last restart; absent while not known.",
        |encoder| encoder.loss.lag_seconds,
    ),
    gauge(
        "vvtv_encoder_lag_growth_seconds",
        "Seconds by which that lag grew over the last ten; absent before eight seconds were seen since the last restart.",
        |encoder| encoder.loss.lag_growth_seconds,
    ),
    gauge("vvtv_encoder_up", "1 if the encoder reported lately.", |encoder| Some(flag(encoder.up))),
    gauge(
        "vvtv_encoder_senders",
        "Encoders that report to the stream's port at present; more than one is a mistake, and one of them counts.",
        |encoder| Some(encoder.senders as f64),
    ),
    counter(
        "vvtv_encoder_foreign_reports_total",
        "Reports of other encoders to the stream's port, which did not count.",
        |encoder| Some(encoder.foreign as f64),
    ),
];

/// The families of encoders.
#[derive(Default)]
pub struct EncoderSeries(Table<{ ENCODERS.len() }>);

impl Series<ProgressView> for EncoderSeries {
    fn push(&mut self, now: Now, config: &Stream, labels: &Labels, view: &ProgressView) {
        let (encoder, up) = (&view.encoder, view.encoder.is_up(now));
        let encoder = Written {
            up,
            loss: encoder.loss(now, config.expected_drops_ratio),
            totals: encoder.totals(),
            outputs: encoder.outputs(),
            // Who writes a file is not known by an address.
            senders: encoder.present_senders(now).max(usize::from(up)),
            foreign: encoder.senders().foreign(),
        };
        self.0.push(labels, &Labels::NONE, ENCODERS.each_ref().map(|family| (family.value)(&encoder)));
    }

    fn write(&self, out: &mut Exposition) {
        self.0.write(out, &ENCODERS);
    }
}
