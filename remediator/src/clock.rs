//! The one clock: UTC milliseconds that never go backwards, whatever the wall clock does.

use std::time::Instant;

use vvtv_incident::Timestamp;

/// Tells the time as the core wants it.
///
/// It reads the wall clock once and goes on by the monotonic one, so that setting the wall clock neither fires timers early nor
/// holds them back. Across restarts it never goes on from before the newest time in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Timestamp,
    started: Instant,
}

impl Clock {
    /// Starts the clock; `newest` is the newest time that is already written down.
    #[must_use]
    pub fn start(newest: Timestamp) -> Self {
        let wall = jiff::Timestamp::now().as_millisecond();
        let wall = Timestamp::from_millis(u64::try_from(wall).unwrap_or(0));
        Self { base: wall.max(newest), started: Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.base + self.started.elapsed()
    }

    /// How long until `at`, zero if that is past.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> std::time::Duration {
        at.since(self.now())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_in_one_form() {
        let at = Timestamp::from_millis(1_795_360_763_564);
        assert_eq!(rfc3339(at), "2026-11-22T15:19:23.564Z");
        assert_eq!(parse_rfc3339(&rfc3339(at)), Some(at));
        assert_eq!(parse_rfc3339("0001-01-01T00:00:00Z"), None);
    }

    #[test]
    fn the_clock_does_not_go_on_from_before_what_is_written_down() {
        let newest = Timestamp::from_millis(u64::MAX / 4);
        assert!(Clock::start(newest).now() >= newest);
    }
}
