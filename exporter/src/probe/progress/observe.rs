//! From block to block: is the encoder up, what does it lose, what does it write? Pure.

use std::time::Duration;

use super::block::Block;
use crate::clock::Now;
use crate::config::Timing;
use crate::window::bitrate::{Bitrate, BitrateWindow, ByteSample};
use crate::window::loss::{Continuity, Loss, LossWindow, Sample, Totals};

/// The times that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgressTiming {
    window: Duration,
    silent_after: Duration,
    bitrate_interval: Duration,
    stalled_after: Duration,
}

impl From<Timing> for ProgressTiming {
    fn from(timing: Timing) -> Self {
        let Timing { window, silent_after, bitrate_interval, stalled_after, .. } = timing;
        Self { window, silent_after, bitrate_interval, stalled_after }
    }
}

/// An encoder, as its reports show it.
#[derive(Clone, Debug)]
pub struct Encoder {
    silent_after: Duration,
    window: Duration,
    heard: Option<Heard>,
    loss: LossWindow,
    bytes: BitrateWindow,
}

/// The last report.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Duration,
    ended: bool,
}

impl Encoder {
    /// Never heard.
    #[must_use]
    pub const fn new(timing: ProgressTiming) -> Self {
        let ProgressTiming { window, silent_after, bitrate_interval, stalled_after } = timing;
        Self {
            silent_after,
            window,
            heard: None,
            loss: LossWindow::new(window),
            bytes: BitrateWindow::new(window, bitrate_interval, stalled_after),
        }
    }

    /// Takes a report.
    pub fn observe(&mut self, now: Now, block: &Block) {
        self.heard = Some(Heard { at: now.mono, ended: block.ended });
        // Until the first frame is out, the encoder's look-ahead fills; counting that as loss would punish every start.
        if let (Some(frames @ 1..), Some(out_time)) = (block.frames, block.out_time) {
            let (at, dropped, duplicated) = (now.mono, block.dropped, block.duplicated);
            if self.loss.observe(Sample { at, frames, dropped, duplicated, out_time }) == Continuity::Restarted {
                self.bytes.interrupt();
            }
        }
        if let Some(bytes) = block.total_size {
            let sender = self.loss.totals().restarts;
            self.bytes.observe(ByteSample { at: now.mono, bytes, sender });
        }
    }

    /// A report came lately, and it was not the last one.
    #[must_use]
    pub fn is_up(&self, now: Now) -> bool {
        self.heard.is_some_and(|heard| !heard.ended && now.since(heard.at) < self.silent_after)
    }

    /// When the last report came.
    #[must_use]
    pub fn last_heard(&self) -> Option<Duration> {
        self.heard.map(|heard| heard.at)
    }

    /// What it lost over the window; nothing once it has been silent for a whole window.
    #[must_use]
    pub fn loss(&self, now: Now, expected_drops_ratio: f64) -> Loss {
        let loss = self.loss.loss(now.mono, expected_drops_ratio);
        let silent = self.heard.is_none_or(|heard| now.since(heard.at) >= self.window);
        let speed_ratio = if self.is_up(now) { loss.speed_ratio } else { 0.0 };
        let ratio = if silent { 0.0 } else { loss.ratio };
        Loss { ratio, speed_ratio, ..loss }
    }

    /// Counters across restarts.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.loss.totals()
    }

    /// The bitrate that it writes.
    #[must_use]
    pub fn bitrate(&self, now: Now) -> Bitrate {
        self.bytes.bitrate(now.mono)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now { mono: Duration::from_millis(millis), unix_seconds: 0.0 }
    }

    fn block(frames: u64) -> Block {
        Block { frames: Some(frames), out_time: Some(Duration::from_millis(frames * 40)), ..Block::default() }
    }

    fn encoder() -> Encoder {
        Encoder::new(ProgressTiming::from(Timing::default()))
    }

    #[test]
    fn silence_is_down_and_so_is_the_end() {
        let mut encoder = encoder();
        assert!(!encoder.is_up(at(0)));
        encoder.observe(at(1000), &block(25));
        assert!(encoder.is_up(at(3999)) && !encoder.is_up(at(4000)));
        encoder.observe(at(5000), &Block { ended: true, ..block(125) });
        assert!(!encoder.is_up(at(5000)));
    }

    #[test]
    fn a_look_ahead_that_fills_is_no_loss() {
        let mut encoder = encoder();
        // Two seconds of nothing, then frames in real time.
        for second in 0..2 {
            encoder.observe(at(second * 1000), &Block { frames: Some(0), ..Block::default() });
        }
        for second in 2..30 {
            encoder.observe(at(second * 1000), &block((second - 2) * 25 + 1));
        }
        assert!(encoder.loss(at(29_000), 0.0).ratio < 1e-9);
    }

    #[test]
    fn audio_alone_has_no_frames_and_no_loss() {
        let mut encoder = encoder();
        for second in 0..30 {
            let out_time = Some(Duration::from_secs(second));
            encoder.observe(at(second * 1000), &Block { out_time, ..Block::default() });
        }
        assert!(encoder.is_up(at(29_500)) && encoder.loss(at(29_500), 0.0).ratio < 1e-9);
    }

    #[test]
    fn a_killed_encoder_does_not_look_fast_for_ever() {
        let mut encoder = encoder();
        for second in 0..30 {
            encoder.observe(at(second * 1000), &block(second * 25 + 1));
        }
        assert!((encoder.loss(at(29_000), 0.0).speed_ratio - 1.0).abs() < 0.01);
        assert!(encoder.loss(at(40_000), 0.0).speed_ratio.abs() < 1e-9);
    }
}
