//! Keeps the journal from growing for ever: forgets old closed incidents, and the files that their steps left.
//!
//! What is deleted does not come back, and a clock can be wrong: nothing is deleted soon after a start, by a clock that no other program
//! confirms, or more than a share of all in a day.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::Timestamp;

use super::clock_watch::ClockState;
use crate::clock::Clock;
use crate::journal::{Forgotten, JournalError, Keeper, Most, Reader};
use crate::metrics::{Held, Metrics};

/// Between two looks for what is old enough.
const EVERY: Duration = Duration::from_secs(60);
/// Between two transactions, for the event loop to write its own.
const BREATH: Duration = Duration::from_millis(50);
/// How long after the start nothing is deleted.
const QUIET: Duration = Duration::from_secs(3600);
/// For how long a share is counted.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The share that a day may delete: one in so many.
const ONE_IN: usize = 10;
/// What a day may delete in any case: a small journal's share would be nothing.
const LEAST: Most = Most { incidents: 100, tasks: 100, rows: 10_000 };

/// Forgets by timer.
pub(crate) struct Retention {
    /// The journal.
    pub keeper: Keeper,
    /// What there is in it.
    pub reader: Reader,
    /// How long a closed incident is kept.
    pub keep: Duration,
    /// Under which steps left files, a directory per incident.
    pub attachments: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// What is known of it.
    pub clock_state: watch::Receiver<ClockState>,
    /// What is counted.
    pub metrics: Metrics,
}

/// What may still be deleted on the day that began then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    since: Duration,
    left: Most,
}

impl Share {
    /// The share of a day that begins now, of what is kept.
    fn begin(now: Duration, kept: Most) -> Self {
        let share = |kept: usize, least: usize| (kept / ONE_IN).max(least);
        let left = Most {
            incidents: share(kept.incidents, LEAST.incidents),
            tasks: share(kept.tasks, LEAST.tasks),
            rows: share(kept.rows, LEAST.rows),
        };
        Self { since: now, left }
    }

    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= DAY
    }

    fn take(&mut self, forgotten: &Forgotten) {
        self.left.incidents = self.left.incidents.saturating_sub(forgotten.incidents.len());
        self.left.tasks = self.left.tasks.saturating_sub(forgotten.tasks);
        self.left.rows = self.left.rows.saturating_sub(forgotten.rows);
    }
}

/// Why nothing may be deleted so long after the start, if nothing may.
fn held(up: Duration, confirmed: bool, share: Option<&Share>) -> Option<Held> {
    let spent = |share: &Share| share.left.incidents == 0 || share.left.tasks == 0 || share.left.rows == 0;
    match share {
        _ if up < QUIET => Some(Held::JustStarted),
        _ if !confirmed => Some(Held::ClockUnconfirmed),
        Some(share) if !share.is_over(up) && spent(share) => Some(Held::ShareDeleted),
        Some(_) | None => None,
    }
}

impl Retention {
    /// Starts forgetting.
    pub(crate) fn start(self, tasks: &TaskTracker, stop: &CancellationToken) {
        let stop = stop.clone();
        tasks.spawn(async move { stop.run_until_cancelled(self.run()).await });
    }

    async fn run(self) {
        let (started, mut share) = (Instant::now(), None);
        loop {
            let more = self.look(started.elapsed(), &mut share).await.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot forget what is old");
                false
            });
            self.metrics.journal_size.set(i64::try_from(self.keeper.size()).unwrap_or(i64::MAX));
            tokio::time::sleep(if more { BREATH } else { EVERY }).await;
        }
    }

    /// Forgets some of what is old, if anything may be forgotten; gives whether there may be more.
    async fn look(&self, up: Duration, share: &mut Option<Share>) -> Result<bool, JournalError> {
        let confirmed = self.clock_state.borrow().confirmed;
        if let Some(why) = held(up, confirmed, share.as_ref()) {
            self.metrics.keeping.retention_held.with_label_values(&[why.as_str()]).inc();
            return Ok(false);
        }
        let today = match share {
            Some(share) if !share.is_over(up) => share,
            Some(_) | None => share.insert(Share::begin(up, self.reader.kept().await?)),
        };
        let now = self.clock.now();
        let keep = u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_millis(now.millis().saturating_sub(keep));
        let forgotten = self.keeper.forget(before, now, today.left).await?;
        today.take(&forgotten);
        self.tell(&forgotten);
        for incident in forgotten.incidents {
            let left = self.attachments.join(incident.to_string());
            if let Err(error) = tokio::fs::remove_dir_all(&left).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(directory = %left.display(), %error, "cannot remove an old incident's files");
            }
        }
        Ok(forgotten.more)
    }

    fn tell(&self, forgotten: &Forgotten) {
        let count = |table, rows: usize| {
            self.metrics.forgotten.with_label_values(&[table]).inc_by(u64::try_from(rows).unwrap_or(u64::MAX));
        };
        count("incident", forgotten.incidents.len());
        count("task", forgotten.tasks);
        count("timeline", forgotten.rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vvtv_incident::IncidentId;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Minutes from the start at which incidents are deleted, and how many, where so many are old enough; on a virtual clock.
    fn deleted(old: usize, kept: usize, hours: u32, confirmed: impl Fn(Duration) -> bool) -> Vec<(u64, usize)> {
        let (mut share, mut days, mut left) = (None::<Share>, Vec::new(), old);
        for minute in 0..60 * hours {
            let up = MINUTE * minute;
            if held(up, confirmed(up), share.as_ref()).is_some() {
                continue;
            }
            let today = match &mut share {
                Some(share) if !share.is_over(up) => share,
                share => share.insert(Share::begin(up, Most { incidents: kept, ..Most::default() })),
            };
            let number = left.min(today.left.incidents);
            left -= number;
            today.take(&Forgotten { incidents: vec![IncidentId::new(1); number], ..Forgotten::default() });
            if number > 0 {
                days.push((up.as_secs() / 60, number));
            }
        }
        days
    }

    #[test]
    fn the_first_hour_deletes_nothing_and_a_day_a_tenth() {
        let day = 24 * 60;
        assert_eq!(deleted(2500, 10_000, 100, |_| true), [(60, 1000), (60 + day, 1000), (60 + 2 * day, 500)]);
        assert_eq!(deleted(250, 300, 100, |_| true), [(60, 100), (60 + day, 100), (60 + 2 * day, 50)]);
        assert_eq!(deleted(5, 5, 100, |_| true), [(60, 5)]);
    }

    #[test]
    fn a_clock_that_nobody_confirms_deletes_nothing() {
        assert_eq!(deleted(5, 5, 100, |_| false), []);
        assert_eq!(deleted(5, 5, 100, |up| up > 200 * MINUTE), [(201, 5)]);
        assert_eq!(deleted(5, 5, 100, |up| up < 30 * MINUTE), []);
    }
}
