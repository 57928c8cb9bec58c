//! The running probes of one kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::source::{Env, Source, View};

/// The running probes of one kind, by what they probe.
#[derive(Debug)]
pub(crate) struct Pool<S, V> {
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
    pub(crate) async fn retain(&mut self, wanted: &BTreeSet<S>) {
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

    /// What the probe of this shows, where one runs.
    pub(crate) fn view(&self, spec: &S) -> Option<View<V>> {
        self.running.get(spec).map(|running| running.view.clone())
    }

    /// What the probe of this shows, which is started where none runs: with the view that it begins from.
    pub(crate) fn get_or_start(
        &mut self,
        spec: S,
        before: impl FnOnce(&S) -> V,
        start: impl FnOnce(S, watch::Sender<Arc<V>>, CancellationToken) -> JoinHandle<()>,
    ) -> View<V> {
        let running = self.running.entry(spec).or_insert_with_key(|spec| {
            let (sender, view) = watch::channel(Arc::new(before(spec)));
            let stop = CancellationToken::new();
            let task = start(spec.clone(), sender, stop.clone());
            Running { view, stop, task }
        });
        running.view.clone()
    }

    /// The same of a stream's source.
    pub(crate) fn watch<K: Source<Spec = S, View = V>>(&mut self, spec: S, env: &Env) -> View<V> {
        let start = |spec, view, stop| tokio::spawn(K::run(spec, env.clone(), view, stop));
        self.get_or_start(spec, |spec| K::before(spec, &env.tools), start)
    }
}
