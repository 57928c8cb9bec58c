//! When attempts begin: spread over the interval, so that ten thousand streams are not all asked in the same millisecond, and how
//! late they begin, which tells when the machine is too small.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, Registry};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// So many sources are asked at once at the start, and then at their times: soon there is something to tell.
const TOGETHER: u32 = 64;

/// The golden ratio's fraction: its multiples lie evenly between 0 and 1, however many there are.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Hands out beginnings. Clones share the count of what was begun.
#[derive(Clone, Debug)]
pub struct Pace {
    begun: Arc<AtomicU32>,
    lateness: Histogram,
}

impl Pace {
    /// A pace whose lateness is on the registry as `vvtv_exporter_poll_lateness_seconds`.
    ///
    /// # Errors
    /// The name is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = HistogramOpts::new(
            "vvtv_exporter_poll_lateness_seconds",
            "How much later than planned attempts to read a source began.",
        );
        let buckets = vec![0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
        let lateness = Histogram::with_opts(options.buckets(buckets))?;
        registry.register(Box::new(lateness.clone()))?;
        Ok(Self { begun: Arc::default(), lateness })
    }

    /// The times of a source that is asked every `period`.
    #[must_use]
    pub fn every(&self, period: Duration) -> Ticks {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut ticks = interval_at(now + period.mul_f64(phase(begun)), period);
        // A missed time is skipped, never made up for, and the next one keeps its place between the others.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Ticks { first: (begun < TOGETHER).then_some(now), ticks, lateness: self.lateness.clone() }
    }
}

/// Where between two attempts of the others a source's own lie, 0 to 1.
fn phase(begun: u32) -> f64 {
    (f64::from(begun) * GOLDEN).fract()
}

/// The times at which a source is asked.
#[derive(Debug)]
pub struct Ticks {
    /// Before all others.
    first: Option<Instant>,
    ticks: Interval,
    lateness: Histogram,
}

impl Ticks {
    /// Waits for the next time. A time that passed while the last attempt went on is not late: the source is.
    pub async fn tick(&mut self) {
        let ready = Instant::now();
        let planned = match self.first.take() {
            Some(now) => now,
            None => self.ticks.tick().await,
        };
        self.lateness.observe(planned.max(ready).elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_there_are_they_are_spread_evenly() {
        for count in [100_u32, 10_000] {
            let mut tenths = [0_u32; 10];
            for begun in 0..count {
                tenths[(phase(begun) * 10.0) as usize] += 1;
            }
            let even = count / 10;
            assert!(tenths.iter().all(|found| found.abs_diff(even) <= 5), "{tenths:?}");
        }
    }
}
