//! What every probe works with.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::pace::{Pace, Ticks};
use super::playlist::Remembered;
use crate::clock::{Clock, Now};
use crate::fetch::Fetcher;
use crate::health::{Edge, Health, ProbeError};
use crate::recorder::Recorder;

/// What every probe works with.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The process's clock.
    pub clock: Clock,
    /// Reads documents, over HTTP and from files.
    pub fetcher: Arc<Fetcher>,
    /// Files raw observations, for `/debug/stream`.
    pub recorder: Recorder,
    /// What earlier runs saw.
    pub remembered: Arc<Remembered>,
    /// When attempts begin.
    pub pace: Pace,
}

/// Waits for the next attempt; false once the probe shall end.
pub(super) async fn next_tick(ticks: &mut Ticks, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = ticks.tick() => true,
        () = stop.cancelled() => false,
    }
}

/// Records an attempt in a source's health, and logs where it begins or ceases to fail.
pub(super) fn record(
    health: &mut Health,
    who: &str,
    source: &str,
    started: Now,
    ended: Now,
    outcome: Result<(), ProbeError>,
) {
    let text = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
    match health.record(ended, ended.since(started.mono), outcome) {
        Edge::Same => {}
        edge @ (Edge::Recovered | Edge::Failed) => {
            let Some(kept_back) = health.telling.may(ended) else { return };
            let kept_back = (kept_back > 0).then_some(kept_back);
            if edge == Edge::Recovered {
                info!(who, source, kept_back, "source answers");
            } else {
                warn!(who, source, error = text, kept_back, "source failed");
            }
        }
    }
}
