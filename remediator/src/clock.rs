//! The one clock: UTC milliseconds that never go backwards while the program runs, whatever the wall clock does.

use std::time::Instant;

use vvtv_incident::{ClockStep, Timestamp};

/// Tells the time as the core wants it.
///
/// It reads the wall clock once and goes on by the monotonic one, so that setting the wall clock neither fires timers early nor
/// holds them back. What was written before is not in its future, or the core is told of a [`ClockStep`].
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Timestamp,
    started: Instant,
}

impl Clock {
    /// The wall clock from now on.
    #[must_use]
    pub fn start() -> Self {
        Self { base: wall(), started: Instant::now() }
    }

    /// The same where `newest` was written last: from there, if it is a little ahead, and from the wall clock, if that says something
    /// else altogether.
    #[must_use]
    pub fn start_after(newest: Option<Timestamp>) -> (Self, Option<ClockStep>) {
        let clock = Self::start();
        let step = ClockStep::found(newest, clock.base);
        let base = if step.is_some() { clock.base } else { clock.base.max(newest.unwrap_or_default()) };
        (Self { base, ..clock }, step)
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.base + self.started.elapsed()
    }

    /// So much before now.
    #[must_use]
    pub fn ago(&self, time: std::time::Duration) -> Timestamp {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(self.now().millis().saturating_sub(millis))
    }

    /// How long until `at`, zero if that is past.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> std::time::Duration {
        at.since(self.now())
    }

    /// Seconds that this clock is ahead of another time; negative if it is behind.
    #[must_use]
    pub fn ahead_of(&self, other: Timestamp) -> f64 {
        let now = self.now();
        now.since(other).as_secs_f64() - other.since(now).as_secs_f64()
    }
}

/// What the wall clock says; the epoch if it is before that.
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::from_millis(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0))
}

/// RFC 3339, UTC, milliseconds.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    i64::try_from(at.millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .map_or_else(|| "invalid".to_owned(), |time| format!("{time:.3}"))
}

/// The inverse of [`rfc3339`], for times that other programs wrote; `None` before 1970.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Timestamp::from_millis)
}

/// The date of an HTTP answer (RFC 9110 §5.6.7, the form that must be generated); `None` before 1970.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    u64::try_from(time.timestamp().as_millisecond()).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_in_one_form() {
        let at = Timestamp::from_millis(1_795_360_763_564);
        assert_eq!(rfc3339(at), "2026-11-22T15:19:23.564Z");
        assert_eq!(parse_rfc3339(&rfc3339(at)), Some(at));
        assert_eq!(parse_rfc3339("0001-01-01T00:00:00Z"), None);
        let whole = Timestamp::from_millis(1_795_360_763_000);
        assert_eq!(parse_http_date("Sun, 22 Nov 2026 15:19:23 GMT"), Some(whole));
        assert_eq!(parse_http_date("yesterday"), None);
    }

    #[test]
    fn a_little_ahead_the_clock_goes_on_from_what_is_written_and_far_ahead_from_the_wall() {
        let newest = wall() + std::time::Duration::from_secs(60);
        let (clock, step) = Clock::start_after(Some(newest));
        assert!(clock.now() >= newest && step.is_none());
        let newest = wall() + std::time::Duration::from_secs(400 * 86_400);
        let (clock, step) = Clock::start_after(Some(newest));
        assert!(clock.now() < newest);
        assert_eq!(step.map(|step| step.from), Some(newest));
        assert!((clock.ahead_of(newest) + 400.0 * 86_400.0).abs() < 60.0);
    }
}
