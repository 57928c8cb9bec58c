//! The families of the ingest.

use vvtv_toolkit::render::{Exposition, Labels};

use super::flag;
use super::table::{Family, States, Table, counter, gauge};
use crate::clock::Now;
use crate::config::Stream;
use crate::probe::nginx_stat::Listing;
use crate::snapshot::{IngestState, Views, ingest_view};

const INGESTS: [Family<()>; 2] = [
    gauge("vvtv_ingest_up", "1 if the RTMP server answers the handshake and connect to the application in time.", ()),
    gauge(
        "vvtv_ingest_publishing",
        "1 if the server lists a publisher and its bytes advance, or if nothing can list it and new segments come.",
        (),
    ),
];

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

/// Ingests.
pub(super) struct Ingests {
    ups: Table<2>,
    states: States<IngestState>,
    pages: Table<3>,
    tracks: Table<1>,
    audio: Labels,
    video: Labels,
}

impl Default for Ingests {
    fn default() -> Self {
        let [audio, video] = ["audio", "video"].map(|kind| Labels::new(&[("kind", kind)]));
        let (ups, pages, tracks) = (Table::default(), Table::default(), Table::default());
        Self { ups, states: States::default(), pages, tracks, audio, video }
    }
}

impl Ingests {
    pub(super) fn push(&mut self, now: Now, config: &Stream, labels: &Labels, views: &Views) {
        if let Some(ingest) = ingest_view(now, config, views) {
            let publishing = views.stat.is_some().then(|| flag(ingest.publishing));
            self.ups.push(labels, &Labels::NONE, [Some(flag(ingest.state.is_up())), publishing]);
            self.states.push(labels, ingest.state);
        }
        if let (Some(stat), Some(entry)) = (&views.stat, &config.nginx_stat) {
            let candidates = stat.publishers.candidates(entry).len() as f64;
            let forgotten = stat.publishers.dropped() as f64;
            let values = [stat.publishers.worker_mismatches(entry) as f64, candidates, forgotten];
            self.pages.push(labels, &Labels::NONE, values.map(Some));
        }
        let Some(publisher) = views.publisher(config) else { return };
        for (kind, track) in [(&self.audio, publisher.audio()), (&self.video, publisher.video())] {
            let gone = matches!(publisher.listing(), Listing::Gone(_));
            let rate = track.bytes_per_second().map(|rate| if gone { 0.0 } else { rate });
            self.tracks.push(labels, kind, [rate]);
        }
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        self.ups.write(out, &INGESTS);
        let possible = IngestState::ALL.map(|state| (state, Labels::new(&[("state", state.label())])));
        self.states.write(out, "vvtv_ingest_state", "1 for the state that the ingest is in.", &possible);
        self.pages.write(out, &PAGES);
        self.tracks.write(out, &TRACKS);
    }
}
