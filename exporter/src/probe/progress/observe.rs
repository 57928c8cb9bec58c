//! From block to block: is the encoder up, what does it lose, what does it write? Pure.

use std::net::SocketAddr;
use std::time::Duration;

use super::block::Block;
use super::senders::{Report, Senders};
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
    /// Over how many video outputs it sums what it drops, where that is configured.
    outputs: Option<u32>,
    heard: Option<Heard>,
    /// What comes next is of another process.
    replaced: bool,
    senders: Senders,
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
    pub fn new(timing: ProgressTiming) -> Self {
        let ProgressTiming { window, silent_after, bitrate_interval, stalled_after } = timing;
        Self {
            silent_after,
            window,
            outputs: None,
            heard: None,
            replaced: false,
            senders: Senders::default(),
            loss: LossWindow::new(window),
            bytes: BitrateWindow::new(window, bitrate_interval, stalled_after),
        }
    }

    /// The same with a configured number of outputs.
    #[must_use]
    pub const fn with_outputs(mut self, outputs: Option<u32>) -> Self {
        self.outputs = outputs;
        self
    }

    /// Takes a report that came from somewhere; tells whether it counted.
    pub fn observe_from(&mut self, now: Now, from: SocketAddr, block: &Block) -> Report {
        let report = self.senders.hear(now.mono, from, block, self.silent_after);
        match report {
            Report::Foreign { .. } => return report,
            Report::Successor => self.restarted(),
            Report::Counts => {}
        }
        self.observe(now, block);
        if block.ended {
            self.senders.ended();
        }
        report
    }

    /// What comes next is of another process, whatever its counters say.
    pub const fn restarted(&mut self) {
        self.replaced = self.heard.is_some();
    }

    /// Takes a report.
    pub fn observe(&mut self, now: Now, block: &Block) {
        self.heard = Some(Heard { at: now.mono, ended: block.ended });
        let Block { frames, dropped, duplicated, out_time, outputs, .. } = *block;
        let sample = Sample { at: now.mono, frames, dropped, duplicated, out_time, outputs };
        if self.loss.observe(sample, std::mem::take(&mut self.replaced)) == Continuity::Restarted {
            self.bytes.interrupt();
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

    /// What it lost over the window; nothing once it has been silent for a whole window. Of the present nothing is known while it is
    /// not up.
    #[must_use]
    pub fn loss(&self, now: Now, expected_drops_ratio: f64) -> Loss {
        let loss = self.loss.loss(now.mono, expected_drops_ratio, self.outputs);
        let silent = self.heard.is_none_or(|heard| now.since(heard.at) >= self.window);
        let ratio = if silent { 0.0 } else { loss.ratio };
        if self.is_up(now) {
            return Loss { ratio, ..loss };
        }
        Loss { ratio, expected_frames: loss.expected_frames, ..Loss::default() }
    }

    /// Counters across restarts.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.loss.totals()
    }

    /// Over how many video outputs it sums what it drops.
    #[must_use]
    pub fn outputs(&self) -> u32 {
        self.outputs.unwrap_or(self.loss.outputs())
    }

    /// Who sends.
    #[must_use]
    pub const fn senders(&self) -> &Senders {
        &self.senders
    }

    /// How many encoders report at present; several send to one port, and one of them counts.
    #[must_use]
    pub fn present_senders(&self, now: Now) -> usize {
        self.senders.present(now.mono, self.silent_after)
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
        Block { frames: Some(frames), out_time: Some(Duration::from_millis(frames * 40).into()), ..Block::default() }
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
            let out_time = Some(Duration::from_secs(second).into());
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

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Two reports a second for 40 s, each with its sender, and what is known at the end.
    fn told(reports: impl Fn(f64) -> Vec<(u16, Block)>) -> (Encoder, Now) {
        let mut encoder = encoder();
        for n in 0..80 {
            for (port, block) in reports(n as f64 / 2.0) {
                let _ = encoder.observe_from(at(n * 500), from(port), &block);
            }
        }
        (encoder, at(79 * 500))
    }

    fn report(frames: f64, dropped: f64, out_time: Option<f64>) -> Block {
        let text = format!(
            "frame={}\ndrop_frames={}\nout_time_us={}\nprogress=continue\n",
            frames as u64,
            dropped as u64,
            out_time.map_or_else(|| "N/A".to_owned(), |seconds| ((seconds * 1e6) as i64).to_string())
        );
        super::super::Blocks::default().feed(text.as_bytes()).remove(0).unwrap()
    }

    #[rstest::rstest]
    #[case::healthy(&|t| report(25.0 * t + 100.0, 0.0, Some(t + 4.0)), 0.0, 987)]
    #[case::without_a_time(&|t| report(22.5 * t + 100.0, 2.5 * t, None), 0.1, 888)]
    #[case::long_before_zero(&|t| report(22.5 * t + 100.0, 2.5 * t, Some(t - 5000.0)), 0.1, 888)]
    #[case::slow_before_zero(&|t| report(22.5 * t + 100.0, 0.0, Some(0.9 * t - 5000.0)), 0.1, 888)]
    #[case::slow(&|t| report(22.5 * t + 100.0, 0.0, Some(0.9 * t + 4.0)), 0.1, 888)]
    #[case::a_time_that_steps_back(&|t| report(9e6 + 25.0 * t, 9e4, Some(t + if t > 15.0 { 4.0 } else { 3604.0 })), 0.0, 987)]
    #[case::a_time_that_jumps_ahead(&|t| report(25.0 * t, 0.0, Some(t + if t > 15.0 { 36_000.0 } else { 0.0 })), 0.0, 987)]
    #[case::slow_and_jumping(&|t| report(22.5 * t, 0.0, Some(0.9 * t + (t / 15.0).floor() * 1e4)), 0.1, 888)]
    #[case::a_look_ahead_of_four_seconds(
        &|t| report((25.0 * (t - 4.0)).max(0.0), 0.0, Some((t - 4.0).max(0.0))), 0.0, 887
    )]
    #[case::a_frame_counter_that_is_not_there(
        &|t| Block { frames: None, ..report(0.0, 0.0, Some(0.9 * t)) }, 0.0, 0
    )]
    fn what_encoders_say(#[case] said: &dyn Fn(f64) -> Block, #[case] ratio: f64, #[case] frames: u64) {
        let (encoder, now) = told(|t| vec![(1, said(t))]);
        let loss = encoder.loss(now, 0.0);
        assert!((loss.ratio - ratio).abs() < 0.01, "{loss:?}");
        let totals = encoder.totals();
        assert_eq!((totals.frames, totals.restarts), (frames, 0));
    }

    #[test]
    fn sound_that_falls_behind_is_told_by_its_time() {
        let (encoder, now) = told(|t| vec![(1, Block { frames: None, ..report(0.0, 0.0, Some(0.9 * t)) })]);
        let loss = encoder.loss(now, 0.0);
        assert!((loss.short_ratio.unwrap() - 0.1).abs() < 0.03, "{loss:?}");
        assert!((loss.lag_seconds.unwrap() - 3.9).abs() < 0.3, "{loss:?}");
    }

    #[test]
    fn of_two_encoders_on_one_port_the_first_counts() {
        for second_port in [1, 2] {
            let first = |t: f64| report(9e6 + 25.0 * t, 9e4, Some(36e4 + t));
            let second = |t: f64| report(25.0 * t + 1.0, 0.0, Some(t + 0.1));
            let (encoder, now) = told(|t| vec![(1, first(t)), (second_port, second(t))]);
            let Totals { frames, dropped, restarts, .. } = encoder.totals();
            assert_eq!((frames, dropped, restarts), (987, 0, 0));
            assert_eq!((encoder.present_senders(now), encoder.senders().foreign()), (2, 80));
            assert!(encoder.loss(now, 0.0).ratio < 1e-9);
        }
    }

    #[test]
    fn a_new_encoder_adds_only_what_it_did_since() {
        let (mut encoder, _) = told(|t| vec![(1, report(25.0 * t, 0.0, Some(t)))]);
        let later = |seconds: f64| report(5e6 + 25.0 * seconds, 7e4, Some(2e5 + seconds));
        for n in 0..20 {
            let _ = encoder.observe_from(at(45_000 + n * 500), from(2), &later(n as f64 / 2.0));
        }
        let Totals { frames, dropped, restarts, .. } = encoder.totals();
        assert_eq!((frames, dropped, restarts), (987 + 237, 0, 1));
        assert!(encoder.loss(at(54_500), 0.0).ratio < 1e-9);
    }

    #[test]
    fn of_an_encoder_that_is_silent_the_present_is_not_known() {
        let (encoder, now) = told(|t| vec![(1, report(25.0 * t, 0.0, Some(t)))]);
        let known = |loss: Loss| {
            [loss.run_ratio, loss.short_ratio, loss.lag_seconds, loss.lag_growth_seconds].map(|it| it.is_some())
        };
        assert_eq!(known(encoder.loss(now, 0.0)), [true; 4]);
        assert_eq!(known(encoder.loss(at(45_000), 0.0)), [false; 4]);
    }
}
