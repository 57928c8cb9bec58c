//! How often an encoder reports, and how long it may therefore be silent. Pure.
//!
//! ffmpeg reports twice a second unless `-stats_period` says otherwise; a report does not say how often it comes.

use std::time::Duration;

/// Distances kept; the usual one is the middle of them, so that a pause or a report that came twice does not count.
const DISTANCES: usize = 5;

/// However seldom an encoder reports, silence that is longer than this is an end.
const PATIENCE_MAX: Duration = Duration::from_secs(30);

/// The last distances between the reports of one encoder, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Period(Vec<Duration>);

impl Period {
    /// Takes the time between two reports of one process.
    pub(super) fn observe(&mut self, distance: Duration) {
        if self.0.len() == DISTANCES {
            self.0.remove(0);
        }
        self.0.push(distance);
    }

    /// How long the encoder may be silent without being down: at least `silent_after`, and two and a half times its usual distance.
    pub(super) fn patience(&self, silent_after: Duration) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let usual = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        silent_after.max((usual * 5 / 2).min(PATIENCE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::nothing_known(&[], 3_000)]
    #[case::as_usual(&[500, 500, 1_000, 500, 1_000], 3_000)]
    #[case::after_a_pause(&[500, 500, 9_000, 500, 8_000], 3_000)]
    #[case::seldom(&[5_000], 12_500)]
    #[case::seldom_and_some_came_twice(&[5_000, 1, 5_000, 5_000, 1], 12_500)]
    #[case::the_oldest_are_forgotten(&[500, 500, 500, 500, 500, 5_000, 5_000, 5_000], 12_500)]
    #[case::hardly_ever(&[60_000, 60_000], 30_000)]
    fn the_usual_distance_tells_how_long_silence_may_be(#[case] distances: &[u64], #[case] patience: u64) {
        let mut period = Period::default();
        distances.iter().for_each(|millis| period.observe(Duration::from_millis(*millis)));
        assert_eq!(period.patience(Duration::from_secs(3)), Duration::from_millis(patience));
    }
}
