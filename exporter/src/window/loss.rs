//! Frames that an encoder lost: those it dropped, and those it had no time to produce.
//!
//! `drop_frames` stays 0 when the processor is too slow; then media time falls behind wall time instead, so both are counted.

use std::collections::VecDeque;
use std::time::Duration;

/// Samples kept; the oldest go first, so a flood shortens the window instead of growing memory.
const SAMPLES_MAX: usize = 1024;

/// Samples at each end of an epoch whose smallest lag counts: a late datagram only ever adds lag, so the minimum sheds jitter.
const EDGE: usize = 3;

/// Fewer expected frames than this (ten seconds at 25 a second) say nothing: a hiccup at the start would be a tenth of them.
const EXPECTED_MIN: f64 = 250.0;

/// Over which the present speed is measured.
const SPEED_SPAN: Duration = Duration::from_secs(10);

/// An encoder's counters at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Monotonic time of arrival.
    pub at: Duration,
    /// Frames encoded since the encoder started.
    pub frames: u64,
    /// Frames dropped since then.
    pub dropped: u64,
    /// Frames duplicated since then.
    pub duplicated: u64,
    /// Media time produced since then.
    pub out_time: Duration,
}

/// Whether a sample continued its predecessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Continuity {
    /// The first sample, or counters that went on.
    Continued,
    /// Counters that went back: another encoder process.
    Restarted,
}

/// What the window holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Lost ÷ expected frames, 0 to 1.
    pub ratio: f64,
    /// Frames that were due in the window.
    pub expected_frames: f64,
    /// Media seconds produced per second of the last ten; 0 when unknown.
    pub speed_ratio: f64,
}

/// A sliding window over an encoder's counters, and totals that survive its restarts.
#[derive(Clone, Debug)]
pub struct LossWindow {
    length: Duration,
    /// Runs of samples between restarts, oldest first.
    epochs: VecDeque<VecDeque<Sample>>,
    totals: Totals,
}

/// Counted since the first sample, across restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames encoded.
    pub frames: u64,
    /// Frames dropped.
    pub dropped: u64,
    /// Frames duplicated.
    pub duplicated: u64,
    /// Restarts seen.
    pub restarts: u64,
}

impl LossWindow {
    /// An empty window.
    #[must_use]
    pub const fn new(length: Duration) -> Self {
        Self { length, epochs: VecDeque::new(), totals: Totals { frames: 0, dropped: 0, duplicated: 0, restarts: 0 } }
    }

    /// Counters across restarts.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Takes a sample. Counters that went back begin a new epoch; what lies between two epochs is not counted.
    pub fn observe(&mut self, sample: Sample) -> Continuity {
        let last = self.epochs.back().and_then(|epoch| epoch.back()).copied();
        let continues = last.is_none_or(|last| {
            sample.frames >= last.frames
                && sample.dropped >= last.dropped
                && sample.duplicated >= last.duplicated
                && sample.out_time >= last.out_time
        });
        let before = if continues { last } else { None };
        let grown = |now: u64, field: fn(&Sample) -> u64| now.saturating_sub(before.as_ref().map_or(0, field));
        self.totals.frames += grown(sample.frames, |s| s.frames);
        self.totals.dropped += grown(sample.dropped, |s| s.dropped);
        self.totals.duplicated += grown(sample.duplicated, |s| s.duplicated);
        match self.epochs.back_mut() {
            Some(epoch) if continues => epoch.push_back(sample),
            Some(_) | None => self.epochs.push_back(VecDeque::from([sample])),
        }
        self.prune(sample.at);
        if continues {
            return Continuity::Continued;
        }
        self.totals.restarts += 1;
        Continuity::Restarted
    }

    fn prune(&mut self, now: Duration) {
        let oldest = now.saturating_sub(self.length);
        let mut excess = self.epochs.iter().map(VecDeque::len).sum::<usize>().saturating_sub(SAMPLES_MAX);
        while let Some(epoch) = self.epochs.front_mut() {
            match epoch.front() {
                Some(first) if first.at >= oldest && excess == 0 => return,
                Some(_) => {
                    excess = excess.saturating_sub(1);
                    epoch.pop_front();
                }
                None => {
                    self.epochs.pop_front();
                }
            }
        }
    }

    /// The loss over the window that ends `now`. `expected_drops_ratio` of the source's frames are dropped by intention.
    #[must_use]
    pub fn loss(&self, now: Duration, expected_drops_ratio: f64) -> Loss {
        let oldest = now.saturating_sub(self.length);
        let (mut lost, mut frames) = (0.0, 0.0);
        for epoch in &self.epochs {
            let samples: Vec<_> = epoch.iter().filter(|sample| sample.at >= oldest).copied().collect();
            let (Some(first), Some(last)) = (samples.first(), samples.last()) else { continue };
            let encoded = (last.frames - first.frames) as f64;
            let dropped = (last.dropped - first.dropped) as f64;
            let unwanted = (dropped - expected_drops_ratio * (encoded + dropped)).max(0.0);
            frames += encoded;
            lost += unwanted + starved_frames(&samples);
        }
        let expected_frames = frames + lost;
        let ratio = if expected_frames < EXPECTED_MIN { 0.0 } else { (lost / expected_frames).clamp(0.0, 1.0) };
        Loss { ratio, expected_frames, speed_ratio: self.speed(now) }
    }

    fn speed(&self, now: Duration) -> f64 {
        let Some(epoch) = self.epochs.back() else { return 0.0 };
        let oldest = now.saturating_sub(SPEED_SPAN.min(self.length));
        let first = epoch.iter().find(|sample| sample.at >= oldest);
        match (first, epoch.back()) {
            (Some(first), Some(last)) if last.at > first.at => {
                (last.out_time - first.out_time).as_secs_f64() / (last.at - first.at).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

/// Frames due by the wall clock that were not produced, at the rate that media time itself shows.
fn starved_frames(samples: &[Sample]) -> f64 {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return 0.0 };
    let produced = (last.out_time - first.out_time).as_secs_f64();
    if samples.len() < 2 * EDGE || produced <= 0.0 {
        return 0.0;
    }
    let lag = |sample: &Sample| {
        sample.at.saturating_sub(first.at).as_secs_f64() - (sample.out_time - first.out_time).as_secs_f64()
    };
    let least = |edge: &[Sample]| edge.iter().map(lag).fold(f64::INFINITY, f64::min);
    let (head, _) = samples.split_at(EDGE);
    let (_, tail) = samples.split_at(samples.len() - EDGE);
    let frames_per_second = (last.frames - first.frames) as f64 / produced;
    (least(tail) - least(head)).max(0.0) * frames_per_second
}

#[cfg(test)]
mod tests;
