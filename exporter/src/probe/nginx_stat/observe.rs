//! From page to page: does a publisher's counter advance? Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::page::Page;
use crate::clock::Now;
use crate::config::Timing;
use crate::window::bitrate::{Bitrate, BitrateWindow, ByteSample};

/// A worker that answered without our publisher is another worker, not a vanished publisher, for so long.
const OTHER_WORKER_GRACE: Duration = Duration::from_secs(10);

/// A worker younger than this was just started: its page tells the truth.
const YOUNG_SECONDS: u64 = 10;

/// Application and stream name.
pub type StreamKey = (String, String);

/// The times that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatTiming {
    window: Duration,
    bitrate_interval: Duration,
    stalled_after: Duration,
}

impl From<Timing> for StatTiming {
    fn from(timing: Timing) -> Self {
        let Timing { window, bitrate_interval, stalled_after, .. } = timing;
        Self { window, bitrate_interval, stalled_after }
    }
}

/// Everyone who publishes on a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Publishers {
    timing: StatTiming,
    known: BTreeMap<StreamKey, Arc<Publisher>>,
    worker_mismatches: u64,
}

/// One publisher, as the last pages showed it.
#[derive(Clone, Debug)]
pub struct Publisher {
    listed: bool,
    pid: Option<u64>,
    client_id: Option<u64>,
    bytes_in: u64,
    /// When the counter last advanced, or the publisher came.
    advanced: Duration,
    /// When a page last showed it, or showed that it is gone.
    seen: Duration,
    /// Counts publishers, so that a new one's bytes are another counter.
    generation: u64,
    window: BitrateWindow,
}

impl PartialEq for Publisher {
    fn eq(&self, other: &Self) -> bool {
        (self.listed, self.pid, self.client_id, self.bytes_in, self.advanced, self.seen)
            == (other.listed, other.pid, other.client_id, other.bytes_in, other.advanced, other.seen)
    }
}

impl Publishers {
    /// Nobody yet.
    #[must_use]
    pub const fn new(timing: StatTiming) -> Self {
        Self { timing, known: BTreeMap::new(), worker_mismatches: 0 }
    }

    /// A stream's publisher, if one was ever listed.
    #[must_use]
    pub fn get(&self, app: &str, name: &str) -> Option<&Publisher> {
        self.known.get(&(app.to_owned(), name.to_owned())).map(AsRef::as_ref)
    }

    /// Everyone who is listed, or left less than `ago` before `now`.
    pub fn seen_within(&self, now: Now, ago: Duration) -> impl Iterator<Item = &StreamKey> {
        let wanted = move |publisher: &Publisher| publisher.listed || now.since(publisher.seen) < ago;
        self.known.iter().filter(move |(_, publisher)| wanted(publisher)).map(|(key, _)| key)
    }

    /// Pages of another worker that could not say anything about a publisher.
    #[must_use]
    pub const fn worker_mismatches(&self) -> u64 {
        self.worker_mismatches
    }

    /// Takes a page.
    pub fn observe(&mut self, now: Now, page: &Page) {
        for entry in page.streams.iter().filter(|entry| entry.publishing) {
            let key = (entry.app.clone(), entry.name.clone());
            let publisher = self.known.entry(key).or_insert_with(|| {
                let StatTiming { window, bitrate_interval, stalled_after } = self.timing;
                Arc::new(Publisher {
                    listed: false,
                    pid: page.pid,
                    client_id: entry.client_id,
                    bytes_in: 0,
                    advanced: now.mono,
                    seen: now.mono,
                    generation: 0,
                    window: BitrateWindow::new(window, bitrate_interval, stalled_after),
                })
            });
            Arc::make_mut(publisher).listed(now, page.pid, entry.client_id, entry.bytes_in);
        }
        let listed: BTreeSet<(&str, &str)> = page
            .streams
            .iter()
            .filter(|entry| entry.publishing)
            .map(|entry| (entry.app.as_str(), entry.name.as_str()))
            .collect();
        let young = page.uptime_seconds.is_some_and(|uptime| uptime < YOUNG_SECONDS);
        let mut mismatches = 0;
        for (key, publisher) in &mut self.known {
            if publisher.listed && !listed.contains(&(key.0.as_str(), key.1.as_str())) {
                let other_worker = publisher.pid != page.pid && !young;
                if other_worker && now.since(publisher.seen) < OTHER_WORKER_GRACE {
                    mismatches += 1;
                } else {
                    Arc::make_mut(publisher).gone(now);
                }
            }
        }
        self.worker_mismatches += mismatches;
        // Who left an hour ago is not coming back; a name that comes anew is a new publisher either way.
        self.known.retain(|_, publisher| publisher.listed || now.since(publisher.seen) < Duration::from_secs(3600));
    }
}

impl Publisher {
    fn listed(&mut self, now: Now, pid: Option<u64>, client_id: Option<u64>, bytes_in: u64) {
        let same = self.listed && self.pid == pid && self.client_id == client_id && bytes_in >= self.bytes_in;
        if !same {
            self.generation += 1;
        }
        if !same || bytes_in > self.bytes_in {
            self.advanced = now.mono;
        }
        (self.listed, self.pid, self.client_id, self.bytes_in, self.seen) = (true, pid, client_id, bytes_in, now.mono);
        self.window.observe(ByteSample { at: now.mono, bytes: bytes_in, sender: self.generation });
    }

    fn gone(&mut self, now: Now) {
        self.listed = false;
        self.seen = now.mono;
        self.window.interrupt();
    }

    /// Whether a page shows it.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.listed
    }

    /// Whether its bytes advanced within `stalled_after` before the last page that showed it.
    ///
    /// Measured from page to page and not until now: a page that does not come says nothing about the publisher.
    #[must_use]
    pub fn is_advancing(&self, stalled_after: Duration) -> bool {
        self.listed && self.seen.saturating_sub(self.advanced) < stalled_after
    }

    /// When its bytes last advanced, monotonic.
    #[must_use]
    pub const fn last_advance(&self) -> Duration {
        self.advanced
    }

    /// Its bitrate over the window.
    #[must_use]
    pub fn bitrate(&self, now: Now) -> Bitrate {
        self.window.bitrate(now.mono)
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::{StreamEntry, parse};
    use super::*;
    use rstest::rstest;

    const STALLED_AFTER: Duration = Duration::from_secs(2);

    fn at(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), unix_seconds: seconds as f64 }
    }

    fn publishers() -> Publishers {
        Publishers::new(StatTiming::from(Timing::default()))
    }

    fn page(pid: u64, uptime: u64, publisher: Option<(u64, u64)>) -> Page {
        let streams = publisher.map(|(client, bytes_in)| StreamEntry {
            app: "live".to_owned(),
            name: "main".to_owned(),
            bytes_in,
            publishing: true,
            client_id: Some(client),
        });
        Page { pid: Some(pid), uptime_seconds: Some(uptime), streams: streams.into_iter().collect() }
    }

    fn advancing(publishers: &Publishers) -> bool {
        publishers.get("live", "main").is_some_and(|publisher| publisher.is_advancing(STALLED_AFTER))
    }

    #[test]
    fn a_frozen_publisher_stays_listed_and_is_stalled() {
        let recorded = |name| parse(&std::fs::read(format!("tests/fixtures/nginx-stat-{name}.xml")).unwrap()).unwrap();
        let mut publishers = publishers();
        publishers.observe(at(0), &recorded("publisher-sigstop-15s"));
        assert!(advancing(&publishers), "the benefit of the doubt at first sight");
        publishers.observe(at(1), &recorded("publisher-sigstop-15s"));
        publishers.observe(at(100), &recorded("publisher-sigstop-115s"));
        assert!(!advancing(&publishers));
        assert!(publishers.get("live", "main").unwrap().is_listed());
        publishers.observe(at(101), &recorded("after-kill9-300ms"));
        assert!(!publishers.get("live", "main").unwrap().is_listed());
    }

    #[rstest]
    #[case::the_next_second_of_bytes((2, 2_000), true)]
    #[case::the_same_bytes((2, 1_000), false)]
    #[case::another_publisher_with_fewer_bytes((3, 10), true)]
    fn after_two_seconds(#[case] later: (u64, u64), #[case] expected: bool) {
        let mut publishers = publishers();
        publishers.observe(at(0), &page(1, 100, Some((2, 1_000))));
        publishers.observe(at(2), &page(1, 102, Some(later)));
        assert_eq!(advancing(&publishers), expected);
    }

    #[test]
    fn a_page_of_another_worker_says_nothing_for_a_while() {
        let mut publishers = publishers();
        publishers.observe(at(0), &page(1, 100, Some((2, 1_000))));
        publishers.observe(at(1), &page(7, 101, None));
        assert!(advancing(&publishers));
        publishers.observe(at(2), &page(1, 102, Some((2, 3_000))));
        assert!(advancing(&publishers));
        assert_eq!(publishers.worker_mismatches(), 1);
        publishers.observe(at(13), &page(7, 113, None));
        assert!(!advancing(&publishers), "but not for ever");
    }

    #[test]
    fn a_restarted_server_has_lost_its_publisher() {
        let mut publishers = publishers();
        publishers.observe(at(0), &page(1, 100, Some((2, 1_000))));
        publishers.observe(at(1), &page(7, 1, None));
        assert!(!advancing(&publishers));
        assert_eq!(publishers.worker_mismatches(), 0);
    }
}
