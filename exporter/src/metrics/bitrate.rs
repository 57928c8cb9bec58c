//! The families of bitrates.

use vvtv_toolkit::render::{Exposition, Labels};

use super::health::source_label;
use crate::clock::Now;
use crate::config::Stream;
use crate::probe::nginx_stat::{Motion, NginxStat};
use crate::probe::progress::Progress;
use crate::probe::{Source as _, Views};
use crate::series::{Family, Table, gauge};

const BITRATES: [Family<()>; 4] = [
    gauge(
        "vvtv_bitrate_variance_ratio",
        "Coefficient of variation (standard deviation / mean) of the ingest bitrate over the window; 0 with too few samples.",
        (),
    ),
    gauge(
        "vvtv_bitrate_variance_run_ratio",
        "The same since the present publisher came, within the window; absent with fewer than eight samples of it.",
        (),
    ),
    gauge(
        "vvtv_bitrate_variance_short_ratio",
        "The same over the time of ten samples; absent with fewer than six of the present publisher in it.",
        (),
    ),
    gauge("vvtv_bitrate_samples", "Intervals that the coefficient of variation is computed from.", ()),
];

const RATES: [Family<()>; 1] = [gauge(
    "vvtv_stream_bitrate_bytes_per_second",
    "Bitrate of the last interval, by the source that counted the bytes; absent where the page lists a publisher without its bytes.",
    (),
)];

/// How much each stream sends, and how much that varies.
pub(super) struct Bitrates {
    variances: Table<{ BITRATES.len() }>,
    rates: Table<1>,
    of_stat: Labels,
    of_progress: Labels,
}

impl Default for Bitrates {
    fn default() -> Self {
        let [of_stat, of_progress] = [NginxStat::LABEL, Progress::LABEL].map(source_label);
        Self { variances: Table::default(), rates: Table::default(), of_stat, of_progress }
    }
}

impl Bitrates {
    pub(super) fn push(&mut self, now: Now, config: &Stream, labels: &Labels, views: &Views) {
        let publisher = || views.publisher(config).map(|publisher| publisher.bitrate(now));
        let stat = views.stat.as_ref().map(|_| publisher().unwrap_or_default());
        let progress = views.progress.as_ref().map(|view| view.encoder.bitrate(now));
        if let Some(bitrate) = stat.or(progress) {
            let (ratio, samples) = (Some(bitrate.variance_ratio), Some(bitrate.samples as f64));
            let values = [ratio, bitrate.run_ratio, bitrate.short_ratio, samples];
            self.variances.push(labels, &Labels::NONE, values);
        }
        // A page that lists a publisher without its bytes tells nothing of them.
        let motion = views.publisher(config).map(|publisher| publisher.motion(config.timing.stalled_after));
        let counted = stat.filter(|_| motion != Some(Motion::Untold));
        for (source, bitrate) in [(&self.of_stat, counted), (&self.of_progress, progress)] {
            if let Some(bitrate) = bitrate {
                self.rates.push(labels, source, [Some(bitrate.bytes_per_second)]);
            }
        }
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        self.variances.write(out, &BITRATES);
        self.rates.write(out, &RATES);
    }
}
