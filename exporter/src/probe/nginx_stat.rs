//! nginx-rtmp's statistics page: who publishes, and do the bytes advance? One fetch serves every stream of the server.

mod observe;
mod page;

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::observe::{Publisher, Publishers, StatTiming, StreamKey};
pub use self::page::{Page, StreamEntry, parse};
use crate::clock::Now;
use crate::config::{Location, Timing};
use crate::health::{Health, ProbeError};
use crate::probe::{Tools, next_tick, record};

/// What is polled: one page.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatSpec {
    /// The page.
    pub location: Location,
    /// How often, how long.
    pub timing: Timing,
}

/// What is known of a server's publishers.
#[derive(Clone, Debug, PartialEq)]
pub struct StatView {
    /// Of the page.
    pub health: Health,
    /// Its publishers.
    pub publishers: Publishers,
}

/// Polls until stopped.
pub async fn run(spec: StatSpec, tools: Tools, view: watch::Sender<Arc<StatView>>, stop: CancellationToken) {
    let mut health = Health::default();
    let mut publishers = Publishers::new(StatTiming::from(spec.timing));
    let mut ticks = tools.pace.every(spec.timing.interval);
    let who = crate::fetch::shown(&spec.location);
    while next_tick(&mut ticks, &stop).await {
        let started = tools.clock.now();
        let fetch = tools.fetcher.get(&spec.location, spec.timing.timeout);
        let Some(fetched) = stop.run_until_cancelled(fetch).await else { return };
        let ended = tools.clock.now();
        let outcome = fetched.and_then(|document| take(&mut publishers, &tools, ended, &document.body));
        if let Err(error) = &outcome {
            tools.recorder.record(&who, "nginx_stat", ended, &error.to_string());
        }
        record(&mut health, &who, "nginx_stat", started, ended, outcome);
        let seen = StatView { health: health.clone(), publishers: publishers.clone() };
        if view.send(Arc::new(seen)).is_err() {
            return;
        }
    }
}

fn take(publishers: &mut Publishers, tools: &Tools, now: Now, body: &[u8]) -> Result<(), ProbeError> {
    let page = parse(body)?;
    for entry in page.streams.iter().filter(|entry| entry.publishing) {
        let key = format!("{}/{}", entry.app, entry.name);
        tools.recorder.record(&key, "nginx_stat", now, &format!("{entry:?}"));
    }
    publishers.observe(now, &page);
    Ok(())
}
