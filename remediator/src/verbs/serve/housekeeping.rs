//! What goes on beside the event loop, whatever happens in it: the dead are buried, the clock is watched, what is old is forgotten.

use std::path::PathBuf;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::ClockStep;

use crate::alerts::reconcile::Reconciler;
use crate::config::Config;
use crate::journal::{Journal, close_to_others};
use crate::steps::{Executor, Spare};
use crate::upstream::clock::{ClockState, ClockWatch};
use crate::verbs::serve::disk;
use crate::verbs::serve::retention::Retention;

/// Under which steps leave files, a directory per incident.
pub(crate) fn attachments(config: &Config) -> PathBuf {
    config.database.with_extension("attachments")
}

/// Keeps a process ready for the next step, until `stop`.
pub(crate) fn spares(executor: &Executor, (tasks, stop): (&TaskTracker, &CancellationToken)) -> mpsc::Receiver<Spare> {
    let (spares, keep) = executor.spares();
    let stopped = stop.clone();
    tasks.spawn(async move { stopped.run_until_cancelled(keep).await });
    spares
}

/// Starts all of it, until `stop`. The clock, which came here by `step`, is compared with those of whom the reconciler asks; the result is
/// what is known of it.
///
/// # Errors
/// It cannot be heard of the death of children.
pub(crate) fn start(
    config: &Config,
    journal: &Journal,
    executor: &Executor,
    reconciler: &Reconciler,
    step: Option<ClockStep>,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> anyhow::Result<watch::Receiver<ClockState>> {
    let burial = executor.bury().context("cannot listen for SIGCHLD")?;
    let stopped = stop.clone();
    tasks.spawn(async move { stopped.run_until_cancelled(burial).await });
    let alertmanagers = reconciler.alertmanagers.iter().map(|peer| peer.clock.clone()).collect();
    let peers = (reconciler.prometheus.clock.clone(), alertmanagers);
    let watch = ClockWatch::new(reconciler.clock, step, peers, reconciler.metrics.clone());
    disk::watch(&config.database, &reconciler.metrics, tasks, stop);
    let clock_state = watch.state();
    watch.start(tasks, stop);
    if journal.is_durable() {
        close_to_others(&attachments(config), 0o700);
        let retention = Retention {
            keeper: journal.keeper(),
            reader: journal.reader(),
            keep: config.retention,
            attachments: attachments(config),
            clock: reconciler.clock,
            clock_state: clock_state.clone(),
            metrics: reconciler.metrics.clone(),
        };
        retention.start(tasks, stop);
    }
    Ok(clock_state)
}
