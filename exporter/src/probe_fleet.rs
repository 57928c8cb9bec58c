//! Starts and stops probes as the configuration says. The only owner of the running probes; readers get [`Watched`] by `watch`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use vvtv_toolkit::render::Labels;

use crate::clock::Now;
use crate::config::{Config, Host, Probing, Stream, StreamsFrom};
use crate::discovery::Discovered;
use crate::probe::host::{self, HostView};
use crate::probe::nginx_stat::{NginxStat, StatSpec};
use crate::probe::playlist::Remembered;
use crate::probe::{Env, Neighbour, Pool, Pools, Receivers, Tools, View, Wanted, asked, record_names};
use crate::reach::Named;

/// What is being watched under the present configuration.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// In the configuration's order.
    pub streams: Vec<WatchedStream>,
    /// The machine; none before the first configuration.
    pub host: Option<View<HostView>>,
    /// What may be asked for through `/probe`.
    pub probing: Probing,
}

impl Watched {
    /// What of it a later run should know.
    #[must_use]
    pub fn remembered(&self, now: Now) -> Remembered {
        let known = self.streams.iter().filter_map(|stream| {
            let view = Arc::clone(&stream.sources.playlist.as_ref()?.borrow());
            Some(view.advances(&stream.config.name, now).collect::<Vec<_>>())
        });
        known.flatten().collect()
    }
}

/// A stream and the views of its sources.
#[derive(Clone, Debug)]
pub struct WatchedStream {
    /// Its configuration.
    pub config: Arc<Stream>,
    /// Its prepared labels.
    pub labels: Labels,
    /// Where the views of its sources are published.
    pub sources: Receivers,
}

/// The running probes.
#[derive(Debug)]
pub struct ProbeFleet {
    /// What every probe works with; `remembered` grows with each configuration.
    tools: Tools,
    /// Of streams, and of servers whose publishers become streams.
    probes: Pools,
    /// Of the machine: one, in a pool for its being restarted when its configuration changes.
    host: Pool<Host, HostView>,
    /// The one in force.
    config: Config,
    /// What was found on each of the configuration's servers, in its order.
    discovered: Vec<Discovered>,
    /// For whoever renders and serves; replaced as a whole.
    watched: watch::Sender<Arc<Watched>>,
    /// The same streams for the probes themselves.
    neighbours: watch::Sender<Arc<Vec<Neighbour>>>,
}

impl ProbeFleet {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(tools: Tools) -> Self {
        Self {
            tools,
            probes: Pools::default(),
            host: Pool::default(),
            config: Config::default(),
            discovered: Vec::new(),
            watched: watch::Sender::default(),
            neighbours: watch::Sender::default(),
        }
    }

    /// What is watched, also after later configurations.
    #[must_use]
    pub fn watched(&self) -> View<Watched> {
        self.watched.subscribe()
    }

    /// Puts a configuration in force: probes that it still wants go on with all they know, others end, new ones begin.
    pub async fn apply(&mut self, config: &Config) {
        // What was found on a server that stays is still there.
        let mut found: Vec<(Arc<StreamsFrom>, Discovered)> =
            self.config.streams_from.drain(..).zip(self.discovered.drain(..)).collect();
        for from in &config.streams_from {
            let known = found.iter().position(|(known, _)| known == from);
            self.discovered.push(known.map(|at| found.swap_remove(at).1).unwrap_or_default());
        }
        self.config = config.clone();
        self.reconcile().await;
        let _: usize = self.discover().await.count();
    }

    /// Looks who publishes on the configuration's servers, and watches them. What it found, by server.
    pub async fn discover(&mut self) -> impl Iterator<Item = (&StreamsFrom, &Discovered)> {
        let now = self.tools.clock.now();
        let mut taken: BTreeSet<&str> = self.config.streams.iter().map(|stream| stream.name.as_str()).collect();
        let mut discovered: Vec<Discovered> = Vec::new();
        for (from, before) in self.config.streams_from.iter().zip(&self.discovered) {
            let view = self.probes.stat.view(&from_spec(from, &self.config.reach));
            let found = view.map(|view| {
                let seen = view.borrow();
                before.after(from, seen.publishers.seen_within(now, from.forget_after), &taken)
            });
            discovered.push(found.unwrap_or_default());
            taken.extend(before.streams.values().map(|stream| stream.name.as_str()));
        }
        if discovered != self.discovered {
            self.discovered = discovered;
            self.reconcile().await;
        }
        self.config.streams_from.iter().map(AsRef::as_ref).zip(&self.discovered)
    }

    /// Ends the probes that nothing needs, starts those that are missing, and publishes what is watched.
    async fn reconcile(&mut self) {
        let discovered = self.discovered.iter().flat_map(|found| found.streams.values().cloned());
        let streams: Vec<Arc<Stream>> = self.config.streams.iter().cloned().chain(discovered).collect();
        self.remember();
        self.end_unwanted(&streams).await;
        let env = Env { tools: self.tools.clone(), neighbours: self.neighbours.subscribe() };
        let reach = Arc::clone(&self.config.reach);
        for from in &self.config.streams_from {
            // The fleet keeps the view itself.
            let _: View<_> = self.probes.stat.watch::<NginxStat>(from_spec(from, &reach), &env);
        }
        let watch = |config: &Arc<Stream>| WatchedStream {
            config: Arc::clone(config),
            labels: Labels::new(&[("stream", &config.name)]),
            sources: self.probes.watch(config, &reach, &env),
        };
        let watched: Vec<WatchedStream> = streams.iter().map(watch).collect();
        let tools = env.tools;
        let host = self.host.get_or_start(
            self.config.host.clone(),
            |_| HostView::default(),
            |spec, view, stop| tokio::spawn(host::run(spec, tools, view, stop)),
        );
        let neighbour = |stream: &WatchedStream| Neighbour {
            stream: Arc::clone(&stream.config),
            playlist: stream.sources.playlist.clone(),
        };
        self.neighbours.send_replace(Arc::new(watched.iter().map(neighbour).collect()));
        let probing = self.config.probing.clone();
        self.watched.send_replace(Arc::new(Watched { streams: watched, host: Some(host), probing }));
        self.tools.recorder.keep_only(streams.iter().flat_map(|stream| record_names(stream)).collect()).await;
    }

    /// A probe that begins anew because its configuration changed goes on with the ages that its stream had.
    fn remember(&mut self) {
        let watched = Arc::clone(&self.watched.borrow());
        if !watched.streams.is_empty() {
            let now = self.tools.clock.now();
            let known = watched.remembered(now);
            self.tools.remembered = Arc::new(known.over(&self.tools.remembered, now));
        }
    }

    async fn end_unwanted(&mut self, streams: &[Arc<Stream>]) {
        let (mut wanted, reach) = (Wanted::default(), &self.config.reach);
        wanted.stat.extend(self.config.streams_from.iter().map(|from| from_spec(from, reach)));
        for stream in streams {
            wanted.add(stream, reach);
        }
        self.probes.retain(&wanted).await;
        self.host.retain(&BTreeSet::from([self.config.host.clone()])).await;
    }

    /// Waits until every polled source was asked once, at most for `limit`, so that the first scrape does not tell of
    /// ignorance as if it were an outage.
    pub async fn first_round(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let watched = Arc::clone(&self.watched.borrow());
        for stream in &watched.streams {
            stream.sources.asked(deadline).await;
        }
        asked(watched.host.clone(), deadline).await;
    }

    /// Ends every probe.
    pub async fn stop(&mut self) {
        self.probes.retain(&Wanted::default()).await;
        self.host.retain(&BTreeSet::new()).await;
    }
}

fn from_spec(from: &StreamsFrom, reach: &Arc<Named>) -> StatSpec {
    StatSpec { location: from.location.clone(), timing: from.timing, reach: Arc::clone(reach) }
}
