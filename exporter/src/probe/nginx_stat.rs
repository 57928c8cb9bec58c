//! nginx-rtmp's statistics page: who publishes, and do the bytes advance? One fetch serves every stream of the server.
//!
//! Each page comes over a connection of its own: of several workers behind one port not always the same one shall answer.

mod observe;
mod publisher;
mod source;
#[cfg(test)]
mod tests;
mod track;
mod untold;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use vvtv_streaming::nginx_rtmp::{Page, PageReader};

pub use self::observe::{Publishers, StatTiming};
pub use self::publisher::{Listing, Motion, Publisher, StreamKey};
pub use self::source::NginxStat;
pub use self::track::Track;
pub use self::untold::is_untold;
use crate::clock::Now;
use crate::config::{Location, StatEntry, Timing};
use crate::health::{Health, ProbeError};
use crate::probe::source::{Env, Neighbour};
use crate::probe::tools::{Tools, next_tick, record};
use crate::reach::{Named, Reach};

/// What is polled: one page.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatSpec {
    /// Where the page is.
    pub location: Location,
    /// How often, how long.
    pub timing: Timing,
    /// Where its redirects may lead besides.
    pub reach: Arc<Named>,
}

/// What is known of a server's publishers.
#[derive(Clone, Debug, PartialEq)]
pub struct StatView {
    /// Of the page.
    pub health: Health,
    /// Who publishes, by what all its pages so far said.
    pub publishers: Publishers,
}

/// Polls until stopped.
pub async fn run(spec: StatSpec, env: Env, view: watch::Sender<Arc<StatView>>, stop: CancellationToken) {
    let Env { tools, neighbours } = env;
    let mut health = Health::default();
    let mut publishers = Publishers::new(StatTiming::from(spec.timing));
    let mut told = BTreeSet::new();
    let mut before: Arc<Vec<Neighbour>> = Arc::default();
    let mut ticks = tools.pace.every(spec.timing.interval);
    let who = crate::fetch::shown(&spec.location);
    let fetcher = tools.fetcher.within(Reach::configured(&spec.location, &spec.reach));
    while next_tick(&mut ticks, &stop).await {
        let started = tools.clock.now();
        let mut reader = PageReader::default();
        let fetch = fetcher
            .get_pieces(&spec.location, spec.timing.timeout, |piece| reader.feed(piece).map_err(ProbeError::from));
        let Some(fetched) = stop.run_until_cancelled(fetch).await else { return };
        let ended = tools.clock.now();
        let page = fetched.and_then(|()| reader.finish().map_err(ProbeError::from));
        let outcome = page.map(|page| {
            let streams = Arc::clone(&neighbours.borrow());
            if !Arc::ptr_eq(&streams, &before) {
                publishers.configure(entries(&spec, &streams));
                before = Arc::clone(&streams);
            }
            take(&mut publishers, &tools, ended, &page);
            compare(&mut publishers, &mut told, ended, &spec, &streams);
        });
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

/// The entries of a page that streams are configured with.
fn entries<'a>(spec: &'a StatSpec, streams: &'a [Neighbour]) -> impl Iterator<Item = &'a StatEntry> {
    let entries = streams.iter().filter_map(|neighbour| neighbour.stream.nginx_stat.as_ref());
    entries.filter(|entry| entry.location == spec.location)
}

fn take(publishers: &mut Publishers, tools: &Tools, now: Now, page: &Page) {
    // Others choose their names, and nobody asks for them.
    for entry in page.streams.iter().filter(|entry| entry.publishing && publishers.is_configured(entry)) {
        let key = format!("{}/{}", entry.app, entry.name);
        tools.recorder.record(&key, "nginx_stat", now, &format!("{entry:?}"));
    }
    let dropped = publishers.dropped();
    publishers.observe(now, page);
    if dropped == 0 && publishers.dropped() > 0 {
        warn!(
            publishers = publishers.dropped(),
            "more publishers came and left than are remembered: the oldest are forgotten"
        );
    }
}

/// Counts what the page could not tell of streams whose segments flow, and says once which streams have several publishers.
fn compare(publishers: &mut Publishers, told: &mut BTreeSet<String>, now: Now, spec: &StatSpec, streams: &[Neighbour]) {
    let mut wanted: BTreeSet<&StatEntry> = BTreeSet::new();
    let mut ambiguous = BTreeSet::new();
    let mut counted = BTreeSet::new();
    for Neighbour { stream, playlist } in streams {
        let Some(entry) = stream.nginx_stat.as_ref().filter(|entry| entry.location == spec.location) else {
            continue;
        };
        let playlist = playlist.as_ref().map(|view| Arc::clone(&view.borrow()));
        let untold = is_untold(now, stream, playlist.as_deref(), publishers.find(entry));
        if untold && counted.insert((&entry.app, &entry.key)) {
            publishers.untold(entry);
        }
        let several = publishers.candidates(entry).len();
        if several > 1 {
            let name = &stream.name;
            if !told.contains(name) {
                let advice = "give nginx_stat_server: the number of its server block";
                warn!(stream = %name, publishers = several, advice, "several publishers may be this stream's: the worst counts");
            }
            let _: bool = ambiguous.insert(name.clone());
        }
        let _: bool = wanted.insert(entry);
    }
    publishers.keep_counts(&wanted);
    *told = ambiguous;
}
