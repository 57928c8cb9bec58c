//! ffmpeg's `-progress` blocks. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Moment;

/// One block. Values that ffmpeg gives as `N/A` are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    pub(crate) frame: Option<u64>,
    pub(crate) out_time: Option<Duration>,
    /// Bytes written to the server.
    pub(crate) total_bytes: Option<u64>,
    pub(crate) duplicated: Option<u64>,
    pub(crate) dropped: Option<u64>,
}

impl Progress {
    /// Reads a block; lines that are no `key=value` or have odd values are passed over, since ffmpeg adds keys at will.
    pub(crate) fn parse(text: &str) -> Self {
        let mut progress = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let number = value.trim().parse::<u64>().ok();
            match key.trim() {
                "frame" => progress.frame = number,
                "total_size" => progress.total_bytes = number,
                "dup_frames" => progress.duplicated = number,
                "drop_frames" => progress.dropped = number,
                // `out_time_ms` is in microseconds too; this key is the one that says so.
                "out_time_us" => progress.out_time = number.map(Duration::from_micros),
                _ => {}
            }
        }
        progress
    }
}

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
    fn a_block_of_a_running_encoder() {
        let text = "frame=25\nfps=24.63\nstream_0_0_q=25.0\nbitrate= 966.8kbits/s\ntotal_size=117831\nout_time_us=975000\n\
            out_time_ms=975000\nout_time=00:00:00.975000\ndup_frames=0\ndrop_frames=3\nspeed=0.961x\nprogress=continue\n";
        let expected = Progress {
            frame: Some(25),
            out_time: Some(Duration::from_millis(975)),
            total_bytes: Some(117_831),
            duplicated: Some(0),
            dropped: Some(3),
        };
        assert_eq!(Progress::parse(text), expected);
        assert_eq!(Progress::parse("out_time_us=N/A\nbitrate=N/A\n===\n\u{0}"), Progress::default());
    }

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
