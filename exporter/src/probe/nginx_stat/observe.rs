//! From page to page: who publishes on a server, and which of them is a stream's? Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use vvtv_streaming::nginx_rtmp::{Page, STREAMS_MAX, StreamEntry, plain_name};

use super::publisher::{Publisher, StreamKey};
use crate::clock::Now;
use crate::config::{StatEntry, Timing};

/// Who left so long ago is not coming back; a name that comes anew is a new publisher either way.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// Publishers that are remembered: whoever publishes chooses names. As many as a page may list, so that none of those is dropped.
const KNOWN_MAX: usize = STREAMS_MAX;

/// For so long a page may stay the same: uptimes are whole seconds, and a page takes a while to come.
const UPTIME_STEP: Duration = Duration::from_millis(1500);

/// The times that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatTiming {
    pub(super) window: Duration,
    pub(super) bitrate_interval: Duration,
    pub(super) stalled_after: Duration,
}

impl From<Timing> for StatTiming {
    fn from(timing: Timing) -> Self {
        let Timing { window, bitrate_interval, stalled_after, .. } = timing;
        Self { window, bitrate_interval, stalled_after }
    }
}

/// A publisher's place: what remains of its names, the `server` block, and which of those that look alike there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    app: String,
    name: String,
    server: u32,
    nth: u32,
}

impl Place {
    /// Whether what remains of the names is the same.
    fn is_alike(&self, other: &Self) -> bool {
        self.app == other.app && self.name == other.name
    }
}

/// Everyone who publishes on a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Publishers {
    timing: StatTiming,
    known: BTreeMap<Place, Arc<Publisher>>,
    /// By what remains of application and name.
    mismatches: BTreeMap<StreamKey, u64>,
    moved: Option<Moved>,
    /// Publishers forgotten early.
    dropped: u64,
    /// What remains of the names of configured streams: their publishers are not forgotten early.
    configured: Arc<BTreeSet<StreamKey>>,
    /// Worker processes that answered, and when last.
    workers: BTreeMap<u64, Duration>,
}

/// The last page that was another one than the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moved {
    /// When it came first, monotonic.
    at: Duration,
    digest: u64,
}

impl Moved {
    fn by(now: Now, page: &Page) -> Self {
        let mut hasher = DefaultHasher::new();
        page.hash(&mut hasher);
        Self { at: now.mono, digest: hasher.finish() }
    }
}

impl Publishers {
    /// Nobody yet.
    #[must_use]
    pub fn new(timing: StatTiming) -> Self {
        Self {
            timing,
            configured: Arc::default(),
            known: BTreeMap::new(),
            mismatches: BTreeMap::new(),
            moved: None,
            dropped: 0,
            workers: BTreeMap::new(),
        }
    }

    /// Those who may be a stream's publisher: more than one where several `server` blocks, or names that a page writes alike, have
    /// one, and neither the configured block, nor the port, nor the spelling decides.
    ///
    /// Who left counts as long as nobody came after him: another server's publisher must not hide that ours is gone.
    #[must_use]
    pub fn candidates(&self, wanted: &StatEntry) -> Vec<&Publisher> {
        let (app, name) = (plain_name(&wanted.app), plain_name(&wanted.key));
        let first = Place { app, name, server: 0, nth: 0 };
        let alike = self.known.range(first.clone()..);
        let mut found: Vec<(&Place, &Publisher)> = alike
            .take_while(|(place, _)| place.is_alike(&first))
            .filter(|(place, _)| wanted.server.is_none_or(|server| server == place.server))
            .map(|(place, publisher)| (place, publisher.as_ref()))
            .collect();
        narrow(&mut found, |(_, publisher)| wanted.port.is_some() && publisher.port == wanted.port);
        narrow(&mut found, |(_, publisher)| publisher.key.0 == wanted.app && publisher.key.1 == wanted.key);
        let found: Vec<&Publisher> = found.into_iter().map(|(_, publisher)| publisher).collect();
        let last = found.iter().copied().max_by_key(|publisher| (publisher.is_listed(), publisher.last_told()));
        let counts = |one: &&Publisher| last.is_some_and(|last| one.is_rival_of(last));
        found.iter().copied().filter(counts).collect()
    }

    /// A stream's publisher, if one was ever listed; of several candidates the worst, so that none that is well hides one that is
    /// not.
    #[must_use]
    pub fn find(&self, wanted: &StatEntry) -> Option<&Publisher> {
        let candidates = self.candidates(wanted);
        candidates.into_iter().min_by_key(|publisher| (publisher.is_listed(), publisher.last_advance()))
    }

    /// The names of everyone who is listed, or left less than `ago` before `now`. Whoever publishes on several `server` blocks has
    /// one.
    pub fn seen_within(&self, now: Now, ago: Duration) -> impl Iterator<Item = &StreamKey> {
        let wanted = |publisher: &&Arc<Publisher>| publisher.is_listed() || now.since(publisher.last_told()) < ago;
        let keys: BTreeSet<&StreamKey> = self.known.values().filter(wanted).map(|publisher| &publisher.key).collect();
        keys.into_iter()
    }

    /// Pages that could not say anything about a stream's publisher, because another worker answered.
    #[must_use]
    pub fn worker_mismatches(&self, wanted: &StatEntry) -> u64 {
        self.mismatches.get(&(plain_name(&wanted.app), plain_name(&wanted.key))).copied().unwrap_or(0)
    }

    /// Counts a page that could not say anything about a stream's publisher, as its segments show. Where one worker answers always, no
    /// other has the publisher: the stream comes by another way.
    pub fn untold(&mut self, wanted: &StatEntry) {
        if self.workers.len() < 2 {
            return;
        }
        *self.mismatches.entry((plain_name(&wanted.app), plain_name(&wanted.key))).or_default() += 1;
    }

    /// When the last page came that was another one than the page before, monotonic. One that stays the same, though a worker's uptime
    /// is on it, comes out of a cache.
    #[must_use]
    pub fn last_moved(&self) -> Option<Duration> {
        self.moved.map(|moved| moved.at)
    }

    /// Whether a page is the last one again, which says nothing of the time since.
    fn is_repeated(&mut self, now: Now, page: &Page) -> bool {
        let this = Moved::by(now, page);
        let same = self.moved.filter(|last| last.digest == this.digest && page.uptime_seconds.is_some());
        let Some(last) = same else {
            self.moved = Some(this);
            return false;
        };
        now.since(last.at) > UPTIME_STEP
    }

    /// Takes the names of configured streams.
    pub fn configure<'a>(&mut self, wanted: impl Iterator<Item = &'a StatEntry>) {
        self.configured = Arc::new(wanted.map(|entry| (plain_name(&entry.app), plain_name(&entry.key))).collect());
    }

    /// The names of a configured stream's publishers, as far as a page can tell them.
    #[must_use]
    pub fn is_configured(&self, entry: &StreamEntry) -> bool {
        !self.configured.is_empty() && self.configured.contains(&(plain_name(&entry.app), plain_name(&entry.name)))
    }

    /// Takes a page.
    pub fn observe(&mut self, now: Now, page: &Page) {
        if self.is_repeated(now, page) {
            return;
        }
        self.workers.extend(page.pid.map(|pid| (pid, now.mono)));
        self.workers.retain(|_, answered| now.since(*answered) < FORGET_AFTER);
        let listed = places(page);
        self.follow(page, &listed);
        for (place, entry) in &listed {
            match self.known.get_mut(place) {
                Some(publisher) => Arc::make_mut(publisher).listed(now, page, entry),
                None => {
                    let publisher = Publisher::new(now, self.timing, page, entry);
                    let _ = self.known.insert(place.clone(), Arc::new(publisher));
                }
            }
        }
        let absent = |place: &Place, publisher: &Publisher| !publisher.is_gone() && !listed.contains_key(place);
        for (place, publisher) in self.known.iter_mut().filter(|(place, publisher)| absent(place, publisher)) {
            if Arc::make_mut(publisher).missed(now, page) {
                *self.mismatches.entry((place.app.clone(), place.name.clone())).or_default() += 1;
            }
        }
        self.known.retain(|_, publisher| publisher.is_listed() || now.since(publisher.last_told()) < FORGET_AFTER);
        self.drop_oldest();
    }

    /// Forgets those that left first where there are too many, and nobody who is configured.
    fn drop_oldest(&mut self) {
        let excess = self.known.len().saturating_sub(KNOWN_MAX);
        if excess == 0 {
            return;
        }
        let named = |place: &Place| self.configured.contains(&(place.app.clone(), place.name.clone()));
        let left = self.known.iter().filter(|(place, publisher)| !publisher.is_listed() && !named(place));
        let mut left: Vec<(Duration, Place)> = left.map(|(place, one)| (one.last_told(), place.clone())).collect();
        left.sort();
        for (_, place) in left.into_iter().take(excess) {
            self.dropped += u64::from(self.known.remove(&place).is_some());
        }
    }

    /// Publishers that left and were forgotten early, because more of them came than are remembered.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Moves publishers of one name to the places where a page lists them now, if it lists the same ones in another order: by client
    /// id, and among equal ones by bytes, which never go down.
    fn follow(&mut self, page: &Page, listed: &BTreeMap<Place, &StreamEntry>) {
        let listed: Vec<(&Place, &StreamEntry)> = listed.iter().map(|(place, entry)| (place, *entry)).collect();
        for group in listed.chunk_by(|(one, _), (other, _)| one.is_alike(other)) {
            let at = |place: &Place| self.known.get(place).filter(|publisher| publisher.is_listed());
            let Some(mut before) = group.iter().map(|(place, _)| at(place).cloned()).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let fits = |publisher: &Publisher, entry: &StreamEntry| publisher.is_continued_by(page, entry);
            if before.iter().zip(group).all(|(publisher, (_, entry))| fits(publisher, entry)) {
                continue;
            }
            let mut now = group.to_vec();
            before.sort_by_key(|publisher| publisher.counter());
            now.sort_by_key(|(_, entry)| (entry.client_id, entry.bytes_in));
            if before.iter().zip(&now).all(|(publisher, (_, entry))| fits(publisher, entry)) {
                self.known.extend(now.into_iter().map(|(place, _)| place.clone()).zip(before));
            }
        }
    }

    /// Forgets what was counted for publishers that are neither known nor wanted: whoever publishes chooses names.
    pub fn keep_counts(&mut self, wanted: &BTreeSet<&StatEntry>) {
        if self.mismatches.len() <= self.known.len() + wanted.len() {
            return;
        }
        let wanted: BTreeSet<StreamKey> =
            wanted.iter().map(|one| (plain_name(&one.app), plain_name(&one.key))).collect();
        let known: BTreeSet<(&str, &str)> =
            self.known.keys().map(|place| (place.app.as_str(), place.name.as_str())).collect();
        self.mismatches.retain(|key, _| wanted.contains(key) || known.contains(&(key.0.as_str(), key.1.as_str())));
    }
}

/// Every publisher of a page at its place.
fn places(page: &Page) -> BTreeMap<Place, &StreamEntry> {
    let mut listed = BTreeMap::new();
    let mut alike: BTreeMap<Place, u32> = BTreeMap::new();
    for entry in page.streams.iter().filter(|entry| entry.publishing) {
        let mut place =
            Place { app: plain_name(&entry.app), name: plain_name(&entry.name), server: entry.server, nth: 0 };
        let others = alike.entry(place.clone()).or_default();
        place.nth = *others;
        *others += 1;
        let _: Option<&StreamEntry> = listed.insert(place, entry);
    }
    listed
}

/// Keeps those that fulfil a condition, if there are any.
fn narrow<T>(found: &mut Vec<T>, wanted: impl Fn(&T) -> bool) {
    if found.len() > 1 && found.iter().any(&wanted) {
        found.retain(wanted);
    }
}
