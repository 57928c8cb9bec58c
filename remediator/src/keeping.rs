//! What goes on beside the event loop, whatever happens in it: the dead are buried, the clock is watched, what is old is forgotten.

pub(crate) mod clock_watch;
pub(crate) mod disk;
pub(crate) mod retention;

use std::path::PathBuf;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::ClockStep;

use self::clock_watch::{ClockState, ClockWatch};
use self::retention::Retention;
use crate::clock::Clock;
use crate::config::Config;
use crate::journal::{Journal, close_to_others};
use crate::metrics::Metrics;
use crate::steps::{Executor, Spare};
use crate::upstream::clock::PeerClock;

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

/// What is looked after.
pub(crate) struct Kept<'a> {
    /// Where things are, and how long they stay.
    pub(crate) config: &'a Config,
    /// The journal.
    pub(crate) journal: &'a Journal,
    /// Whose children are waited for.
    pub(crate) executor: &'a Executor,
    /// The clock, and how it came to where it is.
    pub(crate) clock: (Clock, Option<ClockStep>),
    /// The clocks of Prometheus and of the Alertmanagers, which it is compared with.
    pub(crate) peers: (PeerClock, Vec<PeerClock>),
    /// What is counted.
    pub(crate) metrics: &'a Metrics,
}

/// Starts all of it, until `stop`; the result is what is known of the clock.
///
/// # Errors
/// It cannot be heard of the death of children.
pub(crate) fn start(
    kept: Kept<'_>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<watch::Receiver<ClockState>> {
    let Kept { config, journal, executor, clock: (clock, step), peers, metrics } = kept;
    let burial = executor.bury().context("cannot listen for SIGCHLD")?;
    let stopped = stop.clone();
    tasks.spawn(async move { stopped.run_until_cancelled(burial).await });
    let watch = ClockWatch::new(clock, step, peers, metrics.clone());
    disk::watch(&config.database, metrics, tasks, stop);
    let clock_state = watch.state();
    watch.start(tasks, stop);
    if journal.is_durable() {
        close_to_others(&attachments(config), 0o700);
        let retention = Retention {
            keeper: journal.keeper(),
            reader: journal.reader(),
            keep: config.retention,
            attachments: attachments(config),
            clock,
            clock_state: clock_state.clone(),
            metrics: metrics.clone(),
        };
        retention.start(tasks, stop);
    }
    Ok(clock_state)
}
