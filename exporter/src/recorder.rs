//! The last raw observations of every stream, for the question "what did it see?" after the fact. Bounded in every direction.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Now;

/// Observations kept of each stream and source.
const KEPT: usize = 60;

/// Of all streams together: where so many are watched, fewer are kept of each.
const KEPT_OF_ALL: usize = 60_000;

/// Kept of each however many there are.
const KEPT_MIN: usize = 6;

/// Names under which observations are filed; more are not, because whoever publishes chooses names.
const NAMES_MAX: usize = 100_000;

/// Characters kept of one observation.
const TEXT_MAX: usize = 512;

/// Observations waiting to be filed; more are dropped, because recording must never hold a probe up.
const WAITING: usize = 4096;

/// One observation.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Entry {
    /// Wall clock, RFC 3339.
    pub at: String,
    /// Which source saw it.
    pub source: &'static str,
    /// What it saw, as it saw it, cut to a length.
    pub seen: String,
}

/// Hands observations to the task that files them.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Request>,
}

/// As it is kept: thousands of streams have dozens each.
struct Seen {
    at: Now,
    text: Box<str>,
}

enum Request {
    File { stream: String, source: &'static str, seen: Seen },
    Read { stream: String, answer: oneshot::Sender<Vec<Entry>> },
    Keep { streams: BTreeSet<String> },
}

impl Recorder {
    /// Starts the filing task, which ends with the last recorder.
    #[must_use]
    pub fn start() -> Self {
        let (queue, requests) = mpsc::channel(WAITING);
        tokio::spawn(file(requests));
        Self { queue }
    }

    /// Files an observation, unless too many wait.
    pub fn record(&self, stream: &str, source: &'static str, now: Now, seen: &str) {
        let text = seen.get(..seen.floor_char_boundary(TEXT_MAX)).unwrap_or(seen);
        let seen = Seen { at: now, text: text.into() };
        // A full queue loses this observation; the metrics do not depend on it.
        let _: Result<(), _> = self.queue.try_send(Request::File { stream: stream.to_owned(), source, seen });
    }

    /// Everything on file for a stream, oldest first within each source.
    pub async fn read(&self, stream: &str) -> Vec<Entry> {
        let (answer, entries) = oneshot::channel();
        let request = Request::Read { stream: stream.to_owned(), answer };
        match self.queue.send(request).await {
            Ok(()) => entries.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    /// Forgets all other streams.
    pub async fn keep_only(&self, streams: BTreeSet<String>) {
        // The task ends only when every recorder is gone, so there is one to receive this.
        let _: Result<(), _> = self.queue.send(Request::Keep { streams }).await;
    }
}

async fn file(mut requests: mpsc::Receiver<Request>) {
    let mut files: BTreeMap<String, BTreeMap<&'static str, VecDeque<Seen>>> = BTreeMap::new();
    while let Some(request) = requests.recv().await {
        match request {
            Request::File { stream, source, seen } => {
                if files.len() >= NAMES_MAX && !files.contains_key(&stream) {
                    continue;
                }
                let kept = (KEPT_OF_ALL / files.len().max(1)).clamp(KEPT_MIN, KEPT);
                let ring = files.entry(stream).or_default().entry(source).or_default();
                ring.drain(..(ring.len() + 1).saturating_sub(kept));
                ring.push_back(seen);
            }
            Request::Read { stream, answer } => {
                let rings = files.get(&stream).into_iter().flatten();
                let entries = rings.flat_map(|(source, ring)| ring.iter().map(|seen| entry(source, seen))).collect();
                // The asker may have hung up.
                let _: Result<(), _> = answer.send(entries);
            }
            Request::Keep { streams } => files.retain(|stream, _| streams.contains(stream)),
        }
    }
}

fn entry(source: &'static str, seen: &Seen) -> Entry {
    Entry { at: rfc3339(seen.at), source, seen: seen.text.to_string() }
}

/// A wall-clock time for people.
#[must_use]
pub fn rfc3339(now: Now) -> String {
    let millis = (now.unix_seconds * 1000.0) as i64;
    jiff::Timestamp::from_millisecond(millis).map(|time| format!("{time:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn it_keeps_the_last_observations_of_each_source_and_nothing_of_forgotten_streams() {
        let recorder = Recorder::start();
        for n in 0..100 {
            let now = Now { mono: Duration::ZERO, unix_seconds: f64::from(n) };
            recorder.record("main", "hls", now, &format!("{n}"));
        }
        recorder.record("main", "rtmp", Now { mono: Duration::ZERO, unix_seconds: 0.5 }, &"x".repeat(10_000));
        let entries = recorder.read("main").await;
        assert_eq!(entries.len(), KEPT + 1);
        assert_eq!(
            entries[0],
            Entry { at: "1970-01-01T00:00:40.000Z".to_owned(), source: "hls", seen: "40".to_owned() }
        );
        assert_eq!(entries[KEPT].seen.len(), TEXT_MAX);
        recorder.keep_only(BTreeSet::from(["other".to_owned()])).await;
        assert_eq!(recorder.read("main").await, []);
    }

    #[tokio::test]
    async fn of_many_streams_it_keeps_less_of_each() {
        const STREAMS: usize = 4000;
        let recorder = Recorder::start();
        for n in 0..KEPT {
            for stream in 0..STREAMS {
                let name = format!("s{stream}");
                recorder.record(&name, "hls", Now { mono: Duration::ZERO, unix_seconds: 0.0 }, &n.to_string());
                if stream % (WAITING / 2) == 0 {
                    // An answer says that everything before it is on file.
                    recorder.read(&name).await;
                }
            }
        }
        let kept: Vec<String> = recorder.read("s0").await.into_iter().map(|entry| entry.seen).collect();
        let last = KEPT - KEPT_OF_ALL / STREAMS..KEPT;
        assert_eq!(kept, last.map(|n| n.to_string()).collect::<Vec<_>>());
    }
}
