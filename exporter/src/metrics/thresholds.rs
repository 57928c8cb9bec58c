//! What thresholds should not be below.

use vvtv_toolkit::render::{Exposition, Labels};

use crate::config::Stream;
use crate::probe::Views;
use crate::series::{Family, Table, gauge};
use crate::thresholds::sensible_segment_age;

const MINIMA: [Family<()>; 1] = [gauge(
    "vvtv_alert_threshold_sensible_minimum",
    "The smallest threshold that a healthy stream stays below, in the signal's unit; absent before a playlist tells its segments.",
    (),
)];

/// The smallest threshold that each stream can keep.
pub(super) struct Minima {
    minima: Table<1>,
    of_segment_age: Labels,
}

impl Default for Minima {
    fn default() -> Self {
        Self { minima: Table::default(), of_segment_age: Labels::new(&[("signal", "segment_age")]) }
    }
}

impl Minima {
    pub(super) fn push(&mut self, config: &Stream, labels: &Labels, views: &Views) {
        let Some(playlist) = &views.playlist else { return };
        let least = sensible_segment_age(config, playlist).map(|least| least.as_secs_f64());
        self.minima.push(labels, &self.of_segment_age, [least]);
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        self.minima.write(out, &MINIMA);
    }
}
