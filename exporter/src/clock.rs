//! The one place that reads clocks; everything else is given a [`Now`].

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An instant by both clocks: ages are measured by the monotonic one, the wall clock only labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// Since the clock was started; never goes back.
    pub mono: Duration,
    /// Seconds since 1970 by the wall clock.
    pub unix_seconds: f64,
}

impl Now {
    /// How long ago an earlier monotonic instant was.
    #[must_use]
    pub const fn since(self, earlier: Duration) -> Duration {
        self.mono.saturating_sub(earlier)
    }
}

/// The process's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Reads both clocks.
    #[must_use]
    pub fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: self.origin.elapsed(), unix_seconds: wall.as_secs_f64() }
    }
}
