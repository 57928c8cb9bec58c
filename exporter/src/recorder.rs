//! The last raw observations of every stream, for the question "what did it see?" after the fact. Bounded in every direction.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Now;

/// Observations kept for each stream and source.
const KEPT: usize = 60;

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

enum Request {
    File { stream: String, entry: Entry },
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
        let seen = seen.chars().take(TEXT_MAX).collect();
        let entry = Entry { at: rfc3339(now), source, seen };
        // A full queue loses this observation; the metrics do not depend on it.
        let _: Result<(), _> = self.queue.try_send(Request::File { stream: stream.to_owned(), entry });
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
    let mut files: BTreeMap<String, BTreeMap<&'static str, VecDeque<Entry>>> = BTreeMap::new();
    while let Some(request) = requests.recv().await {
        match request {
            Request::File { stream, entry } => {
                let ring = files.entry(stream).or_default().entry(entry.source).or_default();
                if ring.len() == KEPT {
                    ring.pop_front();
                }
                ring.push_back(entry);
            }
            Request::Read { stream, answer } => {
                let entries = files.get(&stream).map(|rings| rings.values().flatten().cloned().collect());
                // The asker may have hung up.
                let _: Result<(), _> = answer.send(entries.unwrap_or_default());
            }
            Request::Keep { streams } => files.retain(|stream, _| streams.contains(stream)),
        }
    }
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
}
