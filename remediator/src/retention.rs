//! Keeps the journal from growing for ever: forgets old closed incidents, and the files that their steps left.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::journal::Keeper;
use crate::metrics::Metrics;

/// Between two looks for what is old enough.
const EVERY: Duration = Duration::from_secs(60);
/// Between two transactions, for the event loop to write its own.
const BREATH: Duration = Duration::from_millis(50);

/// Forgets by timer.
pub struct Retention {
    /// The journal.
    pub keeper: Keeper,
    /// How long a closed incident is kept.
    pub keep: Duration,
    /// Under which steps left files, a directory per incident.
    pub attachments: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
}

impl Retention {
    /// Starts forgetting.
    pub fn start(self, tasks: &TaskTracker, stop: &CancellationToken) {
        let stop = stop.clone();
        tasks.spawn(async move { stop.run_until_cancelled(self.run()).await });
    }

    async fn run(self) {
        loop {
            let more = self.forget().await;
            self.metrics.journal_size.set(i64::try_from(self.keeper.size()).unwrap_or(i64::MAX));
            tokio::time::sleep(if more { BREATH } else { EVERY }).await;
        }
    }

    async fn forget(&self) -> bool {
        let now = self.clock.now();
        let before = vvtv_incident::Timestamp::from_millis(
            now.millis().saturating_sub(u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX)),
        );
        match self.keeper.forget(before).await {
            Ok(forgotten) => {
                let count = |table, rows: usize| {
                    self.metrics.forgotten.with_label_values(&[table]).inc_by(u64::try_from(rows).unwrap_or(u64::MAX));
                };
                count("incident", forgotten.incidents.len());
                count("task", forgotten.tasks);
                count("timeline", forgotten.rows);
                for incident in forgotten.incidents {
                    let left = self.attachments.join(incident.to_string());
                    if let Err(error) = tokio::fs::remove_dir_all(&left).await
                        && error.kind() != std::io::ErrorKind::NotFound
                    {
                        tracing::warn!(directory = %left.display(), %error, "cannot remove an old incident's files");
                    }
                }
                forgotten.more
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot forget what is old");
                false
            }
        }
    }
}
