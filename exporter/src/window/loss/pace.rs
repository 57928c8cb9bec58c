//! Media time beside wall time: where an encoder begins, how far it is behind, and what is only a jump of its clock.

use std::time::Duration;

/// Samples at each end of a stretch whose smallest lag counts: a late datagram only ever adds lag, so the minimum sheds jitter.
const EDGE: usize = 3;

/// Media time that goes back by more than this is another clock's: packets of several tracks are out of order by far less.
const BACK: f64 = 1.0;

/// Media time that gets ahead of the best so far by more than this, from one report to the next, is another clock's, too.
const AHEAD: f64 = 5.0;

/// Media time, when it was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    /// When the report came, by the monotonic clock.
    pub(super) at: Duration,
    /// The media time that it told, seconds.
    pub(super) media: f64,
}

impl Tick {
    /// Wall time without media time; only differences mean something.
    fn lag(self) -> f64 {
        self.at.as_secs_f64() - self.media
    }
}

/// Reads one process' media time as if it never jumped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MediaClock {
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Nothing was told yet.
    #[default]
    Silent,
    /// The same time all along: nothing has come out of the encoder yet, and its look-ahead fills.
    Filling { at: f64 },
    /// It advances.
    Running { last: Tick, shift: f64, least_lag: f64 },
}

impl MediaClock {
    /// Takes what was told at one time; the media time that counts, or none before it advances.
    pub(super) fn read(&mut self, at: Duration, told: Option<f64>) -> Option<f64> {
        let told = told?;
        match self.state {
            State::Filling { at: first } if told > first => {
                let tick = Tick { at, media: told };
                self.state = State::Running { last: tick, shift: 0.0, least_lag: tick.lag() };
                Some(told)
            }
            State::Silent | State::Filling { .. } => {
                self.state = State::Filling { at: told };
                None
            }
            State::Running { last, shift, least_lag } => {
                let mut tick = Tick { at, media: told + shift };
                let (stepped, passed) = (tick.media - last.media, at.saturating_sub(last.at).as_secs_f64());
                let ahead = stepped - passed > AHEAD && least_lag - tick.lag() > AHEAD;
                if stepped < -BACK || ahead {
                    // What it produced meanwhile is not known; it is taken for what was due.
                    tick.media = last.media + passed;
                }
                let shift = tick.media - told;
                self.state = State::Running { last: tick, shift, least_lag: least_lag.min(tick.lag()) };
                Some(tick.media)
            }
        }
    }

    /// How far the last samples are behind the best of the run.
    pub(super) fn lag(&self, ticks: impl DoubleEndedIterator<Item = Tick>) -> Option<f64> {
        let State::Running { least_lag, .. } = self.state else { return None };
        let last = ticks.rev().take(EDGE).map(Tick::lag).reduce(f64::min)?;
        Some((last - least_lag).max(0.0))
    }
}

/// By how much the lag grew from one end to the other; none of too few samples.
pub(super) fn growth(ticks: impl DoubleEndedIterator<Item = Tick> + Clone) -> Option<f64> {
    let edge = (ticks.clone().count() / 2).min(EDGE);
    let head = ticks.clone().take(edge).map(Tick::lag).reduce(f64::min)?;
    let tail = ticks.rev().take(edge).map(Tick::lag).reduce(f64::min)?;
    Some(tail - head)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads one time a second.
    fn read(told: &[f64]) -> Vec<Option<f64>> {
        let mut clock = MediaClock::default();
        (0..).zip(told).map(|(second, told)| clock.read(Duration::from_secs(second), Some(*told))).collect()
    }

    #[test]
    fn it_begins_at_the_first_time_that_advances() {
        assert_eq!(read(&[0.0, 0.0, 0.0, 0.5, 1.5]), [None, None, None, Some(0.5), Some(1.5)]);
        assert_eq!(read(&[-0.02, -0.02, 0.9]), [None, None, Some(0.9)], "before zero is a time, too");
        assert_eq!(read(&[9.0, 0.0, 1.0]), [None, None, Some(1.0)], "another clock before it began");
    }

    #[test]
    fn a_clock_that_jumps_goes_on_in_real_time() {
        assert_eq!(read(&[1.0, 2.0, 3.0, 7204.0, 7205.0])[1..], [2.0, 3.0, 4.0, 5.0].map(Some));
        assert_eq!(read(&[7201.0, 7202.0, 3.0, 4.0])[1..], [7202.0, 7203.0, 7204.0].map(Some));
        assert_eq!(read(&[1.0, 2.0, 1.95, 4.0])[1..], [2.0, 1.95, 4.0].map(Some), "tracks that are out of order");
    }

    #[test]
    fn catching_up_is_no_jump() {
        let mut told = vec![0.0, 1.0, 2.0];
        told.extend([2.0; 20]);
        told.push(23.0);
        assert_eq!(read(&told).last(), Some(&Some(23.0)));
    }

    #[test]
    fn lag_is_what_is_missing_to_the_best_so_far() {
        let mut clock = MediaClock::default();
        let mut ticks = Vec::new();
        let mut lag = |from: u64, told: &[f64]| {
            for (second, told) in (from..).zip(told) {
                let at = Duration::from_secs(second);
                ticks.extend(clock.read(at, Some(*told)).map(|media| Tick { at, media }));
            }
            clock.lag(ticks.iter().copied())
        };
        assert_eq!(lag(0, &[0.0]), None);
        assert_eq!(lag(1, &[1.0, 2.0, 3.0, 4.0]), Some(0.0));
        assert_eq!(lag(5, &[4.5, 5.0, 5.5]), Some(0.5), "the least of three");
        assert_eq!(lag(8, &[6.5, 7.5, 8.5]), Some(1.5), "what is lost stays lost");
    }
}
