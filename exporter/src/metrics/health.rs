//! The families of the sources themselves.

use vvtv_toolkit::render::{Exposition, Labels};

use crate::health::{Failure, Health};
use crate::probe::{self, Views};
use crate::series::{Family, Table, counter, flag, gauge};

/// The label that tells a kind of source.
pub(super) fn source_label(source: &str) -> Labels {
    Labels::new(&[("source", source)])
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
    healths: Table<{ SOURCES.len() }>,
    failures: Table<1>,
    /// The label of each kind of source, in the table's order.
    each: Vec<Labels>,
}

impl Default for Sources {
    fn default() -> Self {
        let each = probe::labels().iter().copied().map(source_label).collect();
        Self { healths: Table::default(), failures: Table::default(), each }
    }
}

impl Sources {
    pub(super) fn push(&mut self, labels: &Labels, views: &Views) {
        for (source, health) in views.healths() {
            let Some(more) = self.each.get(source) else { continue };
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
