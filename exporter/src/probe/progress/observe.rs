//! From block to block: is the encoder up, what does it lose, what does it write? Pure.

use std::net::SocketAddr;
use std::time::Duration;

use vvtv_streaming::ffmpeg_progress::{Block, MediaTime};

use super::period::Period;
use super::senders::{Report, Senders};
use crate::clock::Now;
use crate::config::Timing;
use crate::window::bitrate::{Bitrate, BitrateWindow, ByteSample};
use crate::window::loss::{Continuity, Loss, LossWindow, Sample, Totals};

/// Media time may go back by so many seconds, because packets of several tracks are out of order; by more, it is another process'.
const BACK: f64 = 1.0;

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
    next: Next,
    period: Period,
    senders: Senders,
    loss: LossWindow,
    bytes: BitrateWindow,
}

/// The last report.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Duration,
    block: Block,
}

/// Of whom the next report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Of the process before, unless its counters went back.
    Same,
    /// The same, and a media time that went back is another process' too.
    Doubtful,
    /// Of another process, whatever its counters say.
    Another,
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
            next: Next::Same,
            period: Period::default(),
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
        let report = self.senders.hear(now.mono, from, block, self.patience());
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
        self.next = if self.heard.is_some() { Next::Another } else { Next::Same };
    }

    /// What comes next may be of another process, as in a file that was written anew; its counters and its media time tell.
    pub const fn rewritten(&mut self) {
        if matches!(self.next, Next::Same) {
            self.next = Next::Doubtful;
        }
    }

    /// Takes a report.
    pub fn observe(&mut self, now: Now, block: &Block) {
        let another = match (std::mem::replace(&mut self.next, Next::Same), &self.heard) {
            (Next::Another, _) => true,
            (Next::Doubtful, Some(heard)) => heard.block.ended || went_back(heard.block.out_time, block.out_time),
            (Next::Doubtful, None) | (Next::Same, _) => false,
        };
        let before = self.heard.replace(Heard { at: now.mono, block: *block });
        let Block { frames, dropped, duplicated, out_time, outputs, .. } = *block;
        let sample = Sample { at: now.mono, frames, dropped, duplicated, out_time, outputs };
        match (self.loss.observe(sample, another), before) {
            (Continuity::Restarted, _) => self.bytes.interrupt(),
            (Continuity::Continued, Some(before)) => self.period.observe(now.since(before.at)),
            (Continuity::Continued, None) => {}
        }
        if let Some(bytes) = block.total_size {
            let sender = self.loss.totals().restarts;
            self.bytes.observe(ByteSample { at: now.mono, bytes, sender });
        }
    }

    /// How long it may be silent without being down: longer for one that usually reports seldom.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.period.patience(self.silent_after)
    }

    /// A report came lately, and it was not the last one.
    #[must_use]
    pub fn is_up(&self, now: Now) -> bool {
        self.heard.is_some_and(|heard| !heard.block.ended && now.since(heard.at) < self.patience())
    }

    /// When the last report came.
    #[must_use]
    pub fn last_heard(&self) -> Option<Duration> {
        self.heard.map(|heard| heard.at)
    }

    /// What it lost over the window; nothing once it has been silent for a whole window. Of the present nothing is known while it is
    /// not up, but that nothing is produced.
    #[must_use]
    pub fn loss(&self, now: Now, expected_drops_ratio: f64) -> Loss {
        let loss = self.loss.loss(now.mono, expected_drops_ratio, self.outputs);
        let silent = self.heard.is_none_or(|heard| now.since(heard.at) >= self.window);
        let ratio = if silent { 0.0 } else { loss.ratio };
        if self.is_up(now) {
            return Loss { ratio, ..loss };
        }
        Loss { ratio, expected_frames: loss.expected_frames, speed_ratio: Some(0.0), ..Loss::default() }
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
        self.senders.present(now.mono, self.patience())
    }

    /// The bitrate that it writes.
    #[must_use]
    pub fn bitrate(&self, now: Now) -> Bitrate {
        self.bytes.bitrate(now.mono)
    }
}

fn went_back(before: Option<MediaTime>, after: Option<MediaTime>) -> bool {
    before.zip(after).is_some_and(|(before, after)| after.seconds() + BACK < before.seconds())
}

/// When the `nth` of several reports came that were found by one look: some time since the look before, and evenly, as encoders report.
#[must_use]
pub(super) fn came(since: Duration, now: Now, nth: usize, of: usize) -> Now {
    let passed = now.since(since);
    let before_now = passed.mul_f64(of.saturating_sub(nth + 1) as f64 / of.max(1) as f64);
    earlier(now, before_now)
}

/// What the clocks said some time ago.
#[must_use]
pub(super) fn earlier(now: Now, by: Duration) -> Now {
    Now { mono: now.mono.saturating_sub(by), unix_seconds: now.unix_seconds - by.as_secs_f64() }
}

#[cfg(test)]
mod tests;
