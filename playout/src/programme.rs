//! What plays next: takes items from the queue, has them decoded ahead, and writes down how each ended.
//!
//! A queue that cannot be read is told and tried again; the slate plays meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::queue::{EMERGENCY, Item, Queue, Summary};

use crate::feeder::Feeder;
use crate::pump::{End, Ended, Notice, Order};
use crate::streaming_log::StreamingLog;

/// How often an empty queue is looked at.
const POLL: Duration = Duration::from_millis(500);

/// The pause after a failed item grows from here …
const BACKOFF_FIRST: Duration = Duration::from_millis(250);

/// … to here, so that a disk that is away does not fail the whole queue within seconds.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// So many rows that cannot be played are failed before the pump is looked at again.
const FAULTY_AT_ONCE: usize = 100;

/// The queue as the daemon sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QueueReport {
    pub(crate) summary: Summary,
    /// Why the queue cannot be used now.
    pub(crate) error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Taken {
    id: i64,
    emergency: bool,
    /// How much of it was on air before.
    resumed: Duration,
}

/// The programme. [`Programme::run`] is its whole life.
pub(crate) struct Programme {
    config: Arc<Config>,
    path: PathBuf,
    log: StreamingLog,
    queue: Option<Queue>,
    wanted: bool,
    /// Prepared, and not on air yet.
    taken: Option<Taken>,
    failures_in_a_row: u32,
    not_before: Instant,
    orders: mpsc::Sender<Order>,
    reports: watch::Sender<QueueReport>,
}

impl Programme {
    pub(crate) fn new(
        config: Arc<Config>,
        path: PathBuf,
        log: StreamingLog,
        orders: mpsc::Sender<Order>,
        reports: watch::Sender<QueueReport>,
    ) -> Self {
        Self {
            config,
            path,
            log,
            queue: None,
            wanted: false,
            taken: None,
            failures_in_a_row: 0,
            not_before: Instant::now(),
            orders,
            reports,
        }
    }

    /// Serves the pump until its notices end.
    pub(crate) async fn run(mut self, mut notices: mpsc::Receiver<Notice>) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                notice = notices.recv() => match notice {
                    Some(Notice::WantNext) => self.wanted = true,
                    Some(Notice::Started(id)) => self.started(id),
                    Some(Notice::Ended(ended)) => self.ended(*ended).await,
                    None => return,
                },
                _ = poll.tick() => self.look(),
            }
            if Instant::now() >= self.not_before
                && let Some(item) = self.choose()
            {
                self.prepare(item).await;
            }
        }
    }

    /// Opens the queue if it is not open and reports what is in it.
    fn look(&mut self) {
        let now = Timestamp::now();
        if self.queue.is_none() {
            let opened = tokio::task::block_in_place(|| {
                let queue = Queue::open(&self.path)?;
                let recovered = queue.recover(now)?;
                anyhow::Ok((queue, recovered))
            });
            match opened {
                Ok((queue, recovered)) => {
                    if recovered > 0 {
                        self.log.info(&format!("{recovered} unfinished item(s) put back into the queue"));
                    }
                    self.queue = Some(queue);
                }
                Err(error) => return self.trouble(&error),
            }
        }
        let summary = self.with_queue(|queue| queue.summary(now));
        if let Some(summary) = summary {
            self.reports.send_replace(QueueReport { summary, error: None });
        }
    }

    /// The item to prepare: the next one when the pump wants one, or emergency content in the place of what is prepared.
    fn choose(&mut self) -> Option<Item> {
        let taken = self.taken;
        if !self.wanted && taken.is_none_or(|taken| taken.emergency) {
            return None;
        }
        for _ in 0..FAULTY_AT_ONCE {
            let item = self.with_queue(|queue| queue.next(taken.map(|taken| taken.id)))??;
            if !self.wanted && item.content_kind != EMERGENCY {
                return None;
            }
            let Some(fault) = &item.fault else { return Some(item) };
            // Nothing was tried, so nothing needs a pause: the next row may be a good one.
            self.mark_failed(item.id, &item.asset_path, fault)?;
        }
        None
    }

    async fn prepare(&mut self, item: Item) {
        let (id, path, emergency) = (item.id, item.asset_path.clone(), item.content_kind == EMERGENCY);
        let resumed = Duration::try_from_secs_f64(item.resume_seconds.unwrap_or(0.0)).unwrap_or_default();
        match Feeder::start(&self.config, item).await {
            Ok(feeder) => {
                self.wanted = false;
                self.taken = Some(Taken { id, emergency, resumed });
                // The pump takes orders at every tick; a closed channel means that the daemon ends.
                let _ = self.orders.send(Order::Next(Box::new(feeder))).await;
            }
            Err(error) => self.failed(id, &path, &format!("{error:#}")),
        }
    }

    fn started(&mut self, id: i64) {
        let resumed = self.taken.take_if(|taken| taken.id == id).map_or(Duration::ZERO, |taken| taken.resumed);
        let from = if resumed.is_zero() { String::new() } else { format!(" from {:.1} s", resumed.as_secs_f64()) };
        self.log.info(&format!("item {id} on air{from}"));
        let now = Timestamp::now();
        self.with_queue(|queue| queue.started(id, now.checked_sub(resumed).unwrap_or(now)));
    }

    async fn ended(&mut self, ended: Ended) {
        let Ended { feeder, played, end } = ended;
        let (id, path) = (feeder.item.id, feeder.item.asset_path.clone());
        let whole = feeder.duration_seconds;
        let duration = whole.map_or_else(|| "an unknown duration".to_owned(), |seconds| format!("{seconds:.1} s"));
        let at = played.as_secs_f64();
        match end {
            End::Finished => {}
            End::Stalled => {
                drop(feeder);
                return self.failed(id, &path, &format!("no frame for 10 s at {at:.1} s"));
            }
            // Its decoder was cut off, so how that one ended says nothing.
            End::Skipped => {
                drop(feeder);
                self.log.info(&format!("item {id} skipped at {at:.1} s of {duration}"));
                self.with_queue(|queue| queue.played(id, Timestamp::now()));
                return;
            }
        }
        let outcome = tokio::time::timeout(Duration::from_secs(2), feeder.outcome()).await;
        match outcome {
            Ok(Ok(())) if played.is_zero() => self.failed(id, &path, "no frame could be decoded"),
            Ok(Err(error)) if played.is_zero() => self.failed(id, &path, &format!("{error:#}")),
            Ok(Err(error)) => {
                let reason = format!("stopped at {:.1} s of {duration}: {error:#}", played.as_secs_f64());
                self.failed(id, &path, &reason);
            }
            // A decoder that lingers after its last frame has done its work.
            Ok(Ok(())) | Err(_) => {
                self.failures_in_a_row = 0;
                self.log.info(&format!("item {id} played, {:.1} s", played.as_secs_f64()));
                self.with_queue(|queue| queue.played(id, Timestamp::now()));
            }
        }
    }

    fn failed(&mut self, id: i64, path: &str, reason: &str) {
        // What cannot be written is told by the queue's error, and the item is tried again.
        let _: Option<()> = self.mark_failed(id, path, reason);
        let pause = BACKOFF_FIRST.saturating_mul(1 << self.failures_in_a_row.min(10)).min(BACKOFF_MAX);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.not_before = Instant::now() + pause;
    }

    /// `None` if that cannot be written.
    fn mark_failed(&mut self, id: i64, path: &str, reason: &str) -> Option<()> {
        self.log.error(&format!("item {id} ({path}) failed: {reason}"));
        self.with_queue(|queue| queue.failed(id, reason, Timestamp::now()))
    }

    /// Uses the queue if it is open; trouble is reported and lasts until the next look succeeds.
    fn with_queue<T>(&mut self, use_it: impl FnOnce(&Queue) -> anyhow::Result<T>) -> Option<T> {
        let queue = self.queue.as_ref()?;
        match tokio::task::block_in_place(|| use_it(queue)) {
            Ok(value) => Some(value),
            Err(error) => {
                self.trouble(&error);
                None
            }
        }
    }

    fn trouble(&self, error: &anyhow::Error) {
        let message = format!("{error:#}");
        if self.reports.borrow().error.as_ref() != Some(&message) {
            self.log.error(&format!("queue: {message}"));
        }
        self.reports.send_modify(|report| report.error = Some(message));
    }
}
