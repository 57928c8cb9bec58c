//! Maintenance windows: planned times in which no step is started and nobody is called about what waits.
//!
//! When they are is computed from the time alone, so that nothing has to be kept across a restart.

use std::time::Duration;

use vvtv_incident::Timestamp;

use crate::maintenance::schedule::Schedule;

/// The longest that a window may last.
pub(crate) const LASTS_MAX: Duration = Duration::from_secs(24 * 3600);
/// How often to look again where no window opens or closes any more.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// A window that comes again and again.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its name, for people.
    pub name: String,
    /// How long it lasts.
    pub lasts: Duration,
    /// When it opens.
    pub schedule: Schedule,
}

impl Window {
    /// Until when it is open, if it is.
    #[must_use]
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.schedule.latest(now)? + self.lasts).filter(|until| *until > now)
    }

    /// When it opens next.
    #[must_use]
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.schedule.next(now)
    }
}

/// All windows, and whether one of them was open when it was last looked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Windows {
    all: Vec<Window>,
    open: bool,
    look_at: Timestamp,
}

impl Windows {
    /// These windows; nothing is known to be open yet.
    #[must_use]
    pub(crate) fn new(all: Vec<Window>) -> Self {
        Self { all, open: false, look_at: Timestamp::default() }
    }

    /// Puts other windows in the place of these; whether one was open stays known.
    pub(crate) fn change(&mut self, others: Self) {
        *self = Self { open: self.open, ..others };
    }

    /// Every window.
    #[must_use]
    pub(crate) fn all(&self) -> &[Window] {
        &self.all
    }

    /// The window that is open the longest from now, and until when.
    #[must_use]
    pub(crate) fn open(&self, now: Timestamp) -> Option<(&Window, Timestamp)> {
        let open = self.all.iter().filter_map(|window| Some((window, window.open_until(now)?)));
        open.max_by_key(|(_, until)| *until)
    }

    /// Looks at the time: whether a window has opened or the last one closed since the last look.
    pub(crate) fn look(&mut self, now: Timestamp) -> Option<bool> {
        if now < self.look_at {
            return None;
        }
        let changes = self.all.iter().flat_map(|window| [window.open_until(now), window.opens_at(now)]);
        self.look_at = changes.flatten().min().unwrap_or(now + LOOK_AGAIN);
        let is_open = self.open(now).is_some();
        let was_open = std::mem::replace(&mut self.open, is_open);
        (was_open != is_open).then_some(is_open)
    }

    /// Whether one was open at the last look.
    #[must_use]
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// When to look again.
    #[must_use]
    pub(crate) const fn look_at(&self) -> Timestamp {
        self.look_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{parse_rfc3339, rfc3339};

    fn at(text: &str) -> Timestamp {
        parse_rfc3339(text).unwrap()
    }

    fn window(cron: &str, minutes: u64, zone: &str) -> Window {
        let lasts = Duration::from_secs(60 * minutes);
        Window { name: cron.to_owned(), lasts, schedule: Schedule::new(cron, zone).unwrap() }
    }

    /// Every opening and closing that looks at the announced times find, on a virtual clock.
    fn changes(mut windows: Windows, from: &str, to: &str) -> Vec<String> {
        let (mut now, end) = (at(from), at(to));
        let mut seen = Vec::new();
        while now < end {
            match windows.look(now) {
                Some(true) => seen.push(format!("{} open", rfc3339(now))),
                Some(false) => seen.push(format!("{} over", rfc3339(now))),
                None => {}
            }
            assert!(windows.look_at() > now, "a look must move the next one into the future");
            now = windows.look_at();
        }
        seen
    }

    #[test]
    fn a_window_opens_and_closes_by_local_time_on_both_sides_of_summer_time() {
        let windows = Windows::new(vec![window("0 4 * * SUN", 90, "Europe/Berlin")]);
        assert_eq!(
            changes(windows, "2026-03-20T00:00:00Z", "2026-03-31T00:00:00Z"),
            [
                "2026-03-22T03:00:00.000Z open",
                "2026-03-22T04:30:00.000Z over",
                "2026-03-29T02:00:00.000Z open",
                "2026-03-29T03:30:00.000Z over",
            ]
        );
    }

    #[test]
    fn windows_that_overlap_are_one_and_a_start_in_the_middle_finds_it_open() {
        let windows = Windows::new(vec![window("0 2 * * *", 60, "UTC"), window("30 2 * * *", 60, "UTC")]);
        assert_eq!(windows.open(at("2026-11-22T02:45:00Z")).unwrap().1, at("2026-11-22T03:30:00Z"));
        assert_eq!(
            changes(windows, "2026-11-22T02:45:00Z", "2026-11-23T02:10:00Z"),
            ["2026-11-22T02:45:00.000Z open", "2026-11-22T03:30:00.000Z over", "2026-11-23T02:00:00.000Z open"]
        );
    }

    #[test]
    fn without_windows_there_is_never_one_open() {
        assert_eq!(changes(Windows::default(), "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"), [""; 0]);
    }
}
