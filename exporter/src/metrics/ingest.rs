//! The families of the ingest, which the RTMP server and its statistics page fill together.

use vvtv_toolkit::render::{Exposition, Labels};

use crate::clock::Now;
use crate::config::Stream;
use crate::probe::Views;
use crate::series::{Family, States, Table, flag, gauge};
use crate::snapshot::{IngestState, ingest_view};

const INGESTS: [Family<()>; 2] = [
    gauge("vvtv_ingest_up", "1 if the RTMP server answers the handshake and connect to the application in time.", ()),
    gauge(
        "vvtv_ingest_publishing",
        "1 if the server lists a publisher and its bytes advance, or if nothing can list it and new segments come.",
        (),
    ),
];

/// Whether each ingest is up, and in which state.
#[derive(Default)]
pub(super) struct Ingests {
    ups: Table<{ INGESTS.len() }>,
    states: States<IngestState>,
}

impl Ingests {
    pub(super) fn push(&mut self, now: Now, config: &Stream, labels: &Labels, views: &Views) {
        if let Some(ingest) = ingest_view(now, config, views) {
            let publishing = views.stat.is_some().then(|| flag(ingest.publishing));
            self.ups.push(labels, &Labels::NONE, [Some(flag(ingest.state.is_up())), publishing]);
            self.states.push(labels, ingest.state);
        }
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        self.ups.write(out, &INGESTS);
        let possible = IngestState::ALL.map(|state| (state, Labels::new(&[("state", state.label())])));
        self.states.write(out, "vvtv_ingest_state", "1 for the state that the ingest is in.", &possible);
    }
}
