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
mod tests;
