//! One track of a publisher: does it still flow, compared with what it was? Pure.
//!
//! The page tells a mean over some ten seconds, so that the end of a track shows late, and in steps.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Now;

/// How far back a track is compared.
const MEMORY: Duration = Duration::from_secs(60);

/// Of each of these spans the highest rate is kept.
const SPAN: Duration = Duration::from_secs(10);

/// Less than that was no track: bytes per second.
const TRACK_MIN: f64 = 1000.0;

/// A track below this share of what it was is dead.
const DEAD_RATIO: f64 = 0.1;

/// The sound or the picture of a publisher.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    bytes_per_second: Option<f64>,
    /// The highest rate of each span, by its start, the newest last.
    peaks: VecDeque<(Duration, f64)>,
    /// What it was before it died.
    died_from: Option<f64>,
}

impl Track {
    /// Takes the rate of a page; none where the page does not tell.
    pub(super) fn observe(&mut self, now: Now, bits_per_second: Option<u64>) {
        self.bytes_per_second = bits_per_second.map(|bits| bits as f64 / 8.0);
        let Some(rate) = self.bytes_per_second else { return };
        while self.peaks.front().is_some_and(|(start, _)| now.since(*start) > MEMORY) {
            let _ = self.peaks.pop_front();
        }
        let was = self.died_from.or_else(|| self.peaks.iter().map(|(_, peak)| *peak).reduce(f64::max));
        // What it was is remembered as long as it is dead, however long that lasts.
        self.died_from = was.filter(|was| *was >= TRACK_MIN && rate < was * DEAD_RATIO);
        match self.peaks.back_mut() {
            Some((start, peak)) if now.since(*start) < SPAN => *peak = peak.max(rate),
            Some(_) | None => self.peaks.push_back((now.mono, rate)),
        }
    }

    /// Bytes per second, where the page tells.
    #[must_use]
    pub const fn bytes_per_second(&self) -> Option<f64> {
        self.bytes_per_second
    }

    /// It had at least 1 kB/s within a minute, and now has less than a tenth of that.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        self.died_from.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// A track as a page a second shows it: seconds and bits per second of each part.
    fn after(parts: &[(u64, u64)]) -> Track {
        let mut track = Track::default();
        let mut second = 0;
        for (seconds, bits) in parts {
            for _ in 0..*seconds {
                second += 1;
                track.observe(Now { mono: Duration::from_secs(second), unix_seconds: 0.0 }, Some(*bits));
            }
        }
        track
    }

    #[rstest]
    #[case::alive(&[(100, 120_000)], false)]
    #[case::the_steps_of_a_dying_track(&[(30, 123_608), (10, 15_352)], false)]
    #[case::dead_after_them(&[(30, 123_608), (10, 15_352), (1, 0)], true)]
    #[case::dead_for_long(&[(30, 123_608), (600, 0)], true)]
    #[case::it_is_back(&[(30, 123_608), (600, 0), (1, 90_000)], false)]
    #[case::it_never_was(&[(100, 0)], false)]
    #[case::hardly_a_track(&[(30, 7_900), (30, 0)], false)]
    #[case::a_quiet_picture(&[(30, 2_000_000), (30, 210_000)], false)]
    #[case::slowly_less(&[(40, 2_000_000), (70, 300_000), (10, 150_000)], false)]
    fn a_track(#[case] parts: &[(u64, u64)], #[case] dead: bool) {
        assert_eq!(after(parts).is_dead(), dead);
    }
}
