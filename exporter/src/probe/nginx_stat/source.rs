//! A statistics page as a source.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vvtv_toolkit::render::{Exposition, Labels};

use super::observe::{Publishers, StatTiming};
use super::publisher::Listing;
use super::{StatSpec, StatView};
use crate::clock::Now;
use crate::config::{StatEntry, Stream};
use crate::fetch::shown;
use crate::health::Health;
use crate::probe::source::{Chapter, Env, Series, Source};
use crate::probe::tools::Tools;
use crate::reach::Named;
use crate::series::{Family, Table, counter, gauge};

/// A server's statistics page, as a kind of source.
#[derive(Debug)]
pub enum NginxStat {}

impl Source for NginxStat {
    const LABEL: &'static str = "nginx_stat";
    const CHAPTER: Chapter = Chapter::Ingests;

    type Spec = StatSpec;
    type View = StatView;
    type Series = StatSeries;

    /// One page is asked for once, whoever names it: the streams' own `reach` is not its.
    fn configure(stream: &Stream, reach: &Arc<Named>) -> Option<StatSpec> {
        stream.nginx_stat.as_ref().map(|entry| StatSpec {
            location: entry.location.clone(),
            timing: stream.timing,
            reach: Arc::clone(reach),
        })
    }

    fn before(spec: &StatSpec, _tools: &Tools) -> StatView {
        StatView { health: Health::default(), publishers: Publishers::new(StatTiming::from(spec.timing)) }
    }

    fn run(
        spec: StatSpec,
        env: Env,
        view: watch::Sender<Arc<StatView>>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        super::run(spec, env, view, stop)
    }

    fn health(view: &StatView) -> &Health {
        &view.health
    }

    fn record_names(stream: &Stream) -> Vec<String> {
        let names = |entry: &StatEntry| vec![format!("{}/{}", entry.app, entry.key), shown(&entry.location)];
        stream.nginx_stat.as_ref().map(names).unwrap_or_default()
    }
}

const PAGES: [Family<()>; 3] = [
    counter(
        "vvtv_stat_worker_mismatches_total",
        "Statistics pages of another worker process, which could not tell of the publisher.",
        (),
    ),
    gauge(
        "vvtv_stat_publisher_candidates",
        "Publishers on the statistics page that may be the stream's; of several the worst counts.",
        (),
    ),
    counter(
        "vvtv_stat_publishers_forgotten_total",
        "Publishers of the statistics page that left and were forgotten early, because more came than are remembered.",
        (),
    ),
];

const TRACKS: [Family<()>; 1] = [gauge(
    "vvtv_ingest_track_bitrate_bytes_per_second",
    "Bitrate of the publisher's sound or picture, a mean over some ten seconds; 0 without a publisher.",
    (),
)];

/// The families of statistics pages.
pub struct StatSeries {
    pages: Table<{ PAGES.len() }>,
    tracks: Table<1>,
    audio: Labels,
    video: Labels,
}

impl Default for StatSeries {
    fn default() -> Self {
        let [audio, video] = ["audio", "video"].map(|kind| Labels::new(&[("kind", kind)]));
        Self { pages: Table::default(), tracks: Table::default(), audio, video }
    }
}

impl Series<StatView> for StatSeries {
    fn push(&mut self, _now: Now, stream: &Stream, labels: &Labels, view: &StatView) {
        let (Some(entry), publishers) = (&stream.nginx_stat, &view.publishers) else { return };
        let candidates = publishers.candidates(entry).len() as f64;
        let values = [publishers.worker_mismatches(entry) as f64, candidates, publishers.dropped() as f64];
        self.pages.push(labels, &Labels::NONE, values.map(Some));
        let Some(publisher) = publishers.find(entry) else { return };
        for (kind, track) in [(&self.audio, publisher.audio()), (&self.video, publisher.video())] {
            let gone = matches!(publisher.listing(), Listing::Gone(_));
            let rate = track.bytes_per_second().map(|rate| if gone { 0.0 } else { rate });
            self.tracks.push(labels, kind, [rate]);
        }
    }

    fn write(&self, out: &mut Exposition) {
        self.pages.write(out, &PAGES);
        self.tracks.write(out, &TRACKS);
    }
}
