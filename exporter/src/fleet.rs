//! Starts and stops probes as the configuration says. The only owner of the running probes; readers get [`Watched`] by `watch`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use vvtv_toolkit::render::Labels;

use crate::clock::Now;
use crate::config::{Config, Host, Probing, StatEntry, Stream, StreamsFrom};
use crate::discovery::Discovered;
use crate::health::Health;
use crate::probe::Tools;
use crate::probe::host::{self, HostView};
use crate::probe::nginx_stat::{self, Publishers, StatSpec, StatTiming, StatView};
use crate::probe::playlist::{self, PlaylistSpec, PlaylistView, Remembered};
use crate::probe::progress::{self, Encoder, ProgressSpec, ProgressTiming, ProgressView};
use crate::probe::queue::{self, QueueSpec, QueueView};
use crate::probe::rtmp::{self, RtmpSpec, RtmpView};
use crate::reach::Named;

/// The latest view of a source.
pub type View<V> = watch::Receiver<Arc<V>>;

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
            let view = Arc::clone(&stream.hls.as_ref()?.borrow());
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
    /// Its playlists.
    pub hls: Option<View<PlaylistView>>,
    /// Its RTMP application.
    pub rtmp: Option<View<RtmpView>>,
    /// Its server's statistics page.
    pub stat: Option<View<StatView>>,
    /// Its encoder.
    pub progress: Option<View<ProgressView>>,
    /// Its queue.
    pub queue: Option<View<QueueView>>,
}

/// The running probes.
#[derive(Debug)]
pub struct Fleet {
    tools: Tools,
    hls: Pool<PlaylistSpec, PlaylistView>,
    rtmp: Pool<RtmpSpec, RtmpView>,
    stat: Pool<StatSpec, StatView>,
    progress: Pool<ProgressSpec, ProgressView>,
    queue: Pool<QueueSpec, QueueView>,
    host: Pool<Host, HostView>,
    config: Config,
    /// What was found on each of the configuration's servers, in its order.
    discovered: Vec<Discovered>,
    watched: watch::Sender<Arc<Watched>>,
}

impl Fleet {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(tools: Tools) -> Self {
        Self {
            tools,
            hls: Pool::default(),
            rtmp: Pool::default(),
            stat: Pool::default(),
            progress: Pool::default(),
            queue: Pool::default(),
            host: Pool::default(),
            config: Config::default(),
            discovered: Vec::new(),
            watched: watch::Sender::default(),
        }
    }

    /// What is watched, also after later configurations.
    #[must_use]
    pub fn watched(&self) -> View<Watched> {
        self.watched.subscribe()
    }

    /// Makes a configuration true: probes that it still wants go on with all they know, others end, new ones begin.
    pub async fn apply(&mut self, config: &Config) {
        // What was found on a server that stays is still there.
        let mut found: Vec<(Arc<StreamsFrom>, Discovered)> =
            self.config.streams_from.drain(..).zip(self.discovered.drain(..)).collect();
        for from in &config.streams_from {
            let known = found.iter().position(|(known, _)| known == from);
            self.discovered.push(known.map(|at| found.swap_remove(at).1).unwrap_or_default());
        }
        self.config = config.clone();
        self.make_true().await;
        let _: usize = self.discover().await.count();
    }

    /// Looks who publishes on the configuration's servers, and watches them. What it found, by server.
    pub async fn discover(&mut self) -> impl Iterator<Item = (&StreamsFrom, &Discovered)> {
        let now = self.tools.clock.now();
        let mut taken: BTreeSet<&str> = self.config.streams.iter().map(|stream| stream.name.as_str()).collect();
        let mut discovered: Vec<Discovered> = Vec::new();
        for (from, before) in self.config.streams_from.iter().zip(&self.discovered) {
            let view = self.stat.view(&from_spec(from, &self.config.reach));
            let found = view.map(|view| {
                let seen = view.borrow();
                before.after(from, seen.publishers.seen_within(now, from.forget_after), &taken)
            });
            discovered.push(found.unwrap_or_default());
            taken.extend(before.streams.values().map(|stream| stream.name.as_str()));
        }
        if discovered != self.discovered {
            self.discovered = discovered;
            self.make_true().await;
        }
        self.config.streams_from.iter().map(AsRef::as_ref).zip(&self.discovered)
    }

    async fn make_true(&mut self) {
        let discovered = self.discovered.iter().flat_map(|found| found.streams.values().cloned());
        let streams: Vec<Arc<Stream>> = self.config.streams.iter().cloned().chain(discovered).collect();
        self.remember();
        self.end_unwanted(&streams).await;
        for from in self.config.streams_from.clone() {
            // The fleet keeps the view itself.
            let spec = from_spec(&from, &self.config.reach);
            let _: View<StatView> = self.watch_stat(spec);
        }
        let watched = streams.iter().map(|stream| self.watch_stream(stream)).collect();
        let tools = self.tools.clone();
        let host = self.host.get_or_start(self.config.host.clone(), HostView::default(), |spec, view, stop| {
            tokio::spawn(host::run(spec, tools, view, stop))
        });
        self.watched.send_replace(Arc::new(Watched {
            streams: watched,
            host: Some(host),
            probing: self.config.probing.clone(),
        }));
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
        let reach = &self.config.reach;
        let servers = self.config.streams_from.iter().map(|from| from_spec(from, reach));
        let stat = streams.iter().filter_map(|stream| stat_spec(stream, reach)).chain(servers).collect();
        self.hls.retain(&streams.iter().filter_map(|stream| hls_spec(stream)).collect()).await;
        self.rtmp.retain(&streams.iter().filter_map(|stream| rtmp_spec(stream)).collect()).await;
        self.stat.retain(&stat).await;
        self.progress.retain(&streams.iter().filter_map(|stream| progress_spec(stream)).collect()).await;
        self.queue.retain(&streams.iter().filter_map(|stream| queue_spec(stream)).collect()).await;
        self.host.retain(&BTreeSet::from([self.config.host.clone()])).await;
    }

    fn watch_stat(&mut self, spec: StatSpec) -> View<StatView> {
        let tools = self.tools.clone();
        let publishers = Publishers::new(StatTiming::from(spec.timing));
        let empty = StatView { health: Health::default(), publishers };
        let watched = self.watched.subscribe();
        self.stat.get_or_start(spec, empty, |spec, view, stop| {
            tokio::spawn(nginx_stat::run(spec, tools, watched, view, stop))
        })
    }

    fn watch_stream(&mut self, stream: &Arc<Stream>) -> WatchedStream {
        let stat = stat_spec(stream, &self.config.reach).map(|spec| self.watch_stat(spec));
        let tools = &self.tools;
        let now = tools.clock.now();
        let hls = hls_spec(stream).map(|spec| {
            self.hls.get_or_start(
                spec,
                PlaylistView::starting(&stream.name, now, &tools.remembered),
                |spec, view, stop| tokio::spawn(playlist::run(spec, tools.clone(), view, stop)),
            )
        });
        let rtmp = rtmp_spec(stream).map(|spec| {
            self.rtmp.get_or_start(spec, RtmpView::default(), |spec, view, stop| {
                tokio::spawn(rtmp::run(spec, tools.clone(), view, stop))
            })
        });
        let progress = progress_spec(stream).map(|spec| {
            let encoder = Encoder::new(ProgressTiming::from(stream.timing)).with_outputs(stream.encoder_outputs);
            let empty = ProgressView { health: Health::default(), encoder };
            self.progress.get_or_start(spec, empty, |spec, view, stop| {
                tokio::spawn(progress::run(spec, tools.clone(), view, stop))
            })
        });
        let queue = queue_spec(stream).map(|spec| {
            self.queue.get_or_start(spec, QueueView::default(), |spec, view, stop| {
                tokio::spawn(queue::run(spec, tools.clone(), view, stop))
            })
        });
        let labels = Labels::new(&[("stream", &stream.name)]);
        WatchedStream { config: Arc::clone(stream), labels, hls, rtmp, stat, progress, queue }
    }

    /// Waits until every polled source was asked once, at most for `limit`, so that the first scrape does not tell of
    /// ignorance as if it were an outage.
    pub async fn first_round(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let watched = Arc::clone(&self.watched.borrow());
        for stream in &watched.streams {
            asked(stream.hls.clone(), deadline).await;
            asked(stream.rtmp.clone(), deadline).await;
            asked(stream.stat.clone(), deadline).await;
            asked(stream.queue.clone(), deadline).await;
        }
        asked(watched.host.clone(), deadline).await;
    }

    /// Ends every probe.
    pub async fn stop(&mut self) {
        self.hls.retain(&BTreeSet::new()).await;
        self.rtmp.retain(&BTreeSet::new()).await;
        self.stat.retain(&BTreeSet::new()).await;
        self.progress.retain(&BTreeSet::new()).await;
        self.queue.retain(&BTreeSet::new()).await;
        self.host.retain(&BTreeSet::new()).await;
    }
}

/// Waits for a view's first change; one that has changed already is not waited for.
async fn asked<V>(view: Option<View<V>>, deadline: Instant) {
    let Some(mut view) = view else { return };
    // Too late is an answer too.
    let _: Result<_, _> = timeout_at(deadline, view.changed()).await;
}

fn hls_spec(stream: &Stream) -> Option<PlaylistSpec> {
    let crate::config::Timing { interval, timeout, window, .. } = stream.timing;
    let (name, reach) = (&stream.name, &stream.reach);
    stream.playlist.clone().map(|playlist| PlaylistSpec {
        stream: name.clone(),
        playlist,
        interval,
        timeout,
        window,
        reach: Arc::clone(reach),
    })
}

fn rtmp_spec(stream: &Stream) -> Option<RtmpSpec> {
    let (interval, timeout) = (stream.timing.interval, stream.timing.ingest_timeout);
    stream.ingest.as_ref().map(|ingest| RtmpSpec { endpoint: ingest.endpoint.clone(), interval, timeout })
}

/// One page is asked for once, whoever names it: the streams' own `reach` is not its.
fn stat_spec(stream: &Stream, reach: &Arc<Named>) -> Option<StatSpec> {
    let spec = |entry: &StatEntry| StatSpec {
        location: entry.location.clone(),
        timing: stream.timing,
        reach: Arc::clone(reach),
    };
    stream.nginx_stat.as_ref().map(spec)
}

fn from_spec(from: &StreamsFrom, reach: &Arc<Named>) -> StatSpec {
    StatSpec { location: from.location.clone(), timing: from.timing, reach: Arc::clone(reach) }
}

fn progress_spec(stream: &Stream) -> Option<ProgressSpec> {
    let (name, timing) = (stream.name.clone(), stream.timing);
    let (outputs, from) = (stream.encoder_outputs, stream.progress_from.clone());
    stream.progress.clone().map(|source| ProgressSpec { stream: name, source, from, outputs, timing })
}

fn queue_spec(stream: &Stream) -> Option<QueueSpec> {
    let (interval, timeout) = (stream.timing.interval, stream.timing.timeout);
    stream.queue.clone().map(|path| QueueSpec { path, interval, timeout })
}

/// Under which names a stream's raw observations are filed.
#[must_use]
pub fn record_names(stream: &Stream) -> Vec<String> {
    let mut names = vec![stream.name.clone()];
    if let Some(entry) = &stream.nginx_stat {
        names.push(format!("{}/{}", entry.app, entry.key));
        names.push(crate::fetch::shown(&entry.location));
    }
    names
}

/// The running probes of one kind, by what they probe.
#[derive(Debug)]
struct Pool<S, V> {
    running: BTreeMap<S, Running<V>>,
}

#[derive(Debug)]
struct Running<V> {
    view: View<V>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl<S, V> Default for Pool<S, V> {
    fn default() -> Self {
        Self { running: BTreeMap::new() }
    }
}

impl<S: Ord + Clone, V> Pool<S, V> {
    /// Ends the others, and waits for them: a new probe may need the same port.
    async fn retain(&mut self, wanted: &BTreeSet<S>) {
        let (kept, ended): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.running).into_iter().partition(|(spec, _)| wanted.contains(spec));
        self.running = kept;
        for running in ended.values() {
            running.stop.cancel();
        }
        for running in ended.into_values() {
            if let Err(error) = running.task.await {
                tracing::error!(%error, "a probe died");
            }
        }
    }

    fn view(&self, spec: &S) -> Option<View<V>> {
        self.running.get(spec).map(|running| running.view.clone())
    }

    fn get_or_start(
        &mut self,
        spec: S,
        empty: V,
        start: impl FnOnce(S, watch::Sender<Arc<V>>, CancellationToken) -> JoinHandle<()>,
    ) -> View<V> {
        let running = self.running.entry(spec).or_insert_with_key(|spec| {
            let (sender, view) = watch::channel(Arc::new(empty));
            let stop = CancellationToken::new();
            let task = start(spec.clone(), sender, stop.clone());
            Running { view, stop, task }
        });
        running.view.clone()
    }
}
