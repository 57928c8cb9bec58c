//! The families of what several sources together say of a stream.

use vvtv_toolkit::render::{Exposition, Labels};

use crate::clock::Now;
use crate::config::Stream;
use crate::probe::Views;
use crate::series::{Family, States, Table, gauge};
use crate::snapshot::{Stage, fault_stage};

const THRESHOLDS: [Family<()>; 1] = [gauge(
    "vvtv_alert_threshold",
    "What the alert of a signal that is measured compares with, in the signal's unit.",
    (),
)];

/// The stage of a fault, and what alerts compare with.
pub(super) struct Joins {
    stages: States<Stage>,
    thresholds: Table<1>,
    signals: [Labels; 3],
}

impl Default for Joins {
    fn default() -> Self {
        let signals =
            ["segment_age", "encoder_drops", "bitrate_variance"].map(|signal| Labels::new(&[("signal", signal)]));
        Self { stages: States::default(), thresholds: Table::default(), signals }
    }
}

impl Joins {
    pub(super) fn push(&mut self, now: Now, config: &Stream, labels: &Labels, views: &Views) {
        self.stages.push(labels, fault_stage(now, config, views));
        let of = config.thresholds;
        let (plays, encodes, arrives) = (views.playlist.is_some(), views.progress.is_some(), views.stat.is_some());
        let measured = [
            (plays, of.segment_age_seconds),
            (encodes, of.encoder_drops_ratio),
            (encodes || arrives, of.bitrate_variance_ratio),
        ];
        for (signal, (_, threshold)) in self.signals.iter().zip(measured).filter(|(_, (measured, _))| *measured) {
            self.thresholds.push(labels, signal, [Some(threshold)]);
        }
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        let possible = Stage::ALL.map(|stage| (stage, Labels::new(&[("stage", stage.label())])));
        let help = "1 for the first broken link of encoder, ingest, packager and delivery, or for none.";
        self.stages.write(out, "vvtv_fault_stage", help, &possible);
        self.thresholds.write(out, &THRESHOLDS);
    }
}
