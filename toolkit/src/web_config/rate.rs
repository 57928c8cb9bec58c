//! The `rate_limit` of the web configuration: so many requests at once, and one more in each interval.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket of requests.
#[derive(Debug)]
pub(super) struct RateLimit {
    interval: Duration,
    burst: u32,
    bucket: Mutex<Option<Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl RateLimit {
    pub(super) const fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, bucket: Mutex::new(None) }
    }

    /// Takes one request out, if there is one left.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let full = f64::from(self.burst);
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let Bucket { left, at } = bucket.unwrap_or(Bucket { left: full, at: now });
        let grown = now.saturating_duration_since(at).as_secs_f64() / self.interval.as_secs_f64();
        let left = (left + grown).min(full);
        let admitted = left >= 1.0;
        *bucket = Some(Bucket { left: if admitted { left - 1.0 } else { left }, at: now });
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_in_each_interval() {
        let limit = RateLimit::new(Duration::from_secs(1), 3);
        let start = Instant::now();
        let at = |millis| limit.admits(start + Duration::from_millis(millis));
        let admitted = [0, 0, 0, 0, 500, 1000, 1100, 10_000, 10_000, 10_000, 10_000].map(at);
        assert_eq!(admitted, [true, true, true, false, false, true, false, true, true, true, false]);
    }
}
