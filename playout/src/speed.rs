//! How fast the encoder is, by what ffmpeg says of its progress. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;

/// The encoder's speed over the last seconds. ffmpeg's own `speed` is a mean since its start and hides what happens now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speed {
    samples: VecDeque<(Moment, Duration)>,
}

/// How far back the speed looks.
const SPEED_WINDOW: Duration = Duration::from_secs(5);

impl Speed {
    /// Adds what a block said.
    pub(crate) fn add(&mut self, now: Moment, out_time: Duration) {
        self.samples.push_back((now, out_time));
        while self.samples.len() > 2
            && self.samples.front().is_some_and(|(at, _)| now.saturating_sub(*at) > SPEED_WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Stream seconds per wall second up to `now`, `None` until two blocks are there.
    pub(crate) fn ratio(&self, now: Moment) -> Option<f64> {
        let ((first, from), (last, to)) = (self.samples.front()?, self.samples.back()?);
        // A silent encoder slows down; between two blocks it is not silent.
        let until = if now.saturating_sub(*last) > Duration::from_secs(1) { now } else { *last };
        let wall = until.saturating_sub(*first).as_secs_f64();
        (wall > 0.0).then(|| to.saturating_sub(*from).as_secs_f64() / wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_of_now_and_falls_when_blocks_stop() {
        let mut speed = Speed::default();
        let at = Duration::from_millis;
        assert_eq!(speed.ratio(at(0)), None);
        for step in 0..20 {
            speed.add(at(step * 500), at(step * 500));
        }
        assert_eq!(speed.ratio(at(9_600)), Some(1.0));
        assert_eq!(speed.ratio(at(14_500)), Some(0.5));
    }
}
