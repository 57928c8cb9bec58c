//! How steady a bitrate is, from a byte counter.
//!
//! The counter is cut into intervals of whole GOPs; the variation is the population standard deviation of their rates ÷ their mean.
//! Intervals that touch a restart, another publisher or a stall are thrown away: the burst after a stall is not the encoder's rate.

use std::collections::VecDeque;
use std::time::Duration;

/// Rates kept.
const RATES_MAX: usize = 2048;

/// Fewer rates than this say nothing.
pub const RATES_MIN: usize = 10;

/// Fewer rates than this of one sender say nothing of it: less would be one scene.
const RUN_MIN: usize = 8;

/// Fewer rates than this in the short window say nothing.
const SHORT_MIN: usize = 6;

/// Looks come a little early as well as late: an interval may be shorter by this part of it, or half of them would take a look more.
const EARLY: u32 = 16;

/// Intervals of the short window: a scene and its neighbour, not a minute.
const SHORT_INTERVALS: u32 = 10;

/// Intervals thrown away after a discontinuity, because buffers empty themselves faster than real time.
const SETTLING_INTERVALS: u32 = 2;

/// A byte counter at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSample {
    /// When it was read, by the monotonic clock.
    pub at: Duration,
    /// What the counter said, bytes.
    pub bytes: u64,
    /// Who is counted: another sender is another counter.
    pub sender: u64,
}

/// What the window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bitrate {
    /// The last interval's rate; 0 when there is none.
    pub bytes_per_second: f64,
    /// σ ÷ mean; 0 with fewer than [`RATES_MIN`] intervals.
    pub variance_ratio: f64,
    /// Intervals in the window.
    pub samples: usize,
    /// σ ÷ mean of the present sender alone, within the window; none with fewer than eight intervals of it.
    pub run_ratio: Option<f64>,
    /// σ ÷ mean of the present sender over the last ten intervals' time; none with fewer than six in it.
    pub short_ratio: Option<f64>,
}

/// A sliding window over a byte counter.
#[derive(Clone, Debug)]
pub struct BitrateWindow {
    length: Duration,
    interval: Duration,
    stalled_after: Duration,
    open: Option<Open>,
    settling: u32,
    rates: VecDeque<Rate>,
    sender: Option<u64>,
}

/// A measured interval.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// Its end.
    at: Duration,
    sender: u64,
    bytes_per_second: f64,
}

/// The interval being measured.
#[derive(Clone, Copy, Debug)]
struct Open {
    start: ByteSample,
    last: ByteSample,
    changed_at: Duration,
}

impl BitrateWindow {
    /// An empty window.
    #[must_use]
    pub const fn new(length: Duration, interval: Duration, stalled_after: Duration) -> Self {
        Self { length, interval, stalled_after, open: None, settling: 0, rates: VecDeque::new(), sender: None }
    }

    /// Takes a sample.
    pub fn observe(&mut self, sample: ByteSample) {
        self.sender = Some(sample.sender);
        let Some(open) = self.open.filter(|open| open.continued_by(sample)) else {
            return self.begin(sample);
        };
        let advanced = sample.bytes > open.last.bytes;
        let changed_at = if advanced { sample.at } else { open.changed_at };
        let stalled = sample.at.saturating_sub(changed_at) >= self.stalled_after;
        if stalled || sample.at.saturating_sub(open.last.at) > self.interval * 3 {
            return self.begin(sample);
        }
        let span = sample.at.saturating_sub(open.start.at);
        // An interval ends where bytes arrived: one that ends in silence may be the beginning of a stall.
        if span < self.interval - self.interval / EARLY || !advanced {
            self.open = Some(Open { last: sample, changed_at, ..open });
            return;
        }
        self.open = Some(Open { start: sample, last: sample, changed_at });
        if self.settling > 0 {
            self.settling -= 1;
            return;
        }
        let bytes_per_second = (sample.bytes - open.start.bytes) as f64 / span.as_secs_f64();
        self.rates.push_back(Rate { at: sample.at, sender: sample.sender, bytes_per_second });
        self.prune(sample.at);
    }

    /// The sender went away: what is being measured is thrown away.
    pub fn interrupt(&mut self) {
        self.open = None;
    }

    fn begin(&mut self, sample: ByteSample) {
        self.open = Some(Open { start: sample, last: sample, changed_at: sample.at });
        self.settling = SETTLING_INTERVALS;
    }

    fn prune(&mut self, now: Duration) {
        let oldest = now.saturating_sub(self.length);
        while self.rates.front().is_some_and(|rate| rate.at < oldest) || self.rates.len() > RATES_MAX {
            self.rates.pop_front();
        }
    }

    /// Rate and variation over the window that ends `now`.
    #[must_use]
    pub fn bitrate(&self, now: Duration) -> Bitrate {
        let oldest = now.saturating_sub(self.length);
        let rates = self.rates.iter().filter(|rate| rate.at >= oldest);
        let samples = rates.clone().count();
        let fresh = self.rates.back().filter(|rate| now.saturating_sub(rate.at) <= self.interval * 3);
        let bytes_per_second = fresh.map_or(0.0, |rate| rate.bytes_per_second);
        let recent = now.saturating_sub(self.interval * SHORT_INTERVALS);
        let run = rates.clone().filter(|rate| fresh.is_some() && Some(rate.sender) == self.sender);
        let short = run.clone().filter(|rate| rate.at > recent);
        Bitrate {
            bytes_per_second,
            variance_ratio: variation(rates, RATES_MIN).unwrap_or(0.0),
            samples,
            run_ratio: variation(run, RUN_MIN),
            short_ratio: variation(short, SHORT_MIN),
        }
    }
}

/// σ ÷ mean; none of fewer rates than `least`, or of nothing but silence.
fn variation<'a>(rates: impl Iterator<Item = &'a Rate> + Clone, least: usize) -> Option<f64> {
    let count = rates.clone().count();
    let mean = rates.clone().map(|rate| rate.bytes_per_second).sum::<f64>() / count.max(1) as f64;
    if count < least || mean <= 0.0 {
        return None;
    }
    let variance = rates.map(|rate| (rate.bytes_per_second - mean).powi(2)).sum::<f64>() / count as f64;
    Some(variance.sqrt() / mean)
}

impl Open {
    fn continued_by(&self, sample: ByteSample) -> bool {
        sample.sender == self.last.sender && sample.bytes >= self.last.bytes && sample.at >= self.last.at
    }
}

#[cfg(test)]
mod tests;
