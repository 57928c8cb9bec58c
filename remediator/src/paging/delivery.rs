//! Messages on their way: one worker a channel, so that a dead channel delays no other, and its messages keep their order.
//!
//! When a channel is tried again is decided in `backlog`, who is called instead by the core, which is told when a channel begins to fail
//! and when it takes messages again; `troubles` shows it to everybody else.

mod backlog;
mod standing;
mod troubles;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::ChannelName;
use vvtv_toolkit::logging::chain;
use vvtv_toolkit::redaction;

use self::backlog::{Attempt, Backlog, Tried, Turn};
use self::standing::Pages;
use self::troubles::Board;
pub(crate) use self::troubles::sentences;
pub(crate) use self::troubles::{Trouble, Troubles};
use crate::clock::Clock;
use crate::failpoint::{Point, reached};
use crate::journal::outbox::{Message, MessageKey, MessageKind};
use crate::journal::{Delivery, Reader};
use crate::metrics::ChannelMetrics;
use crate::paging::channels::Channel;
use crate::paging::message::{Addresses, NoticeError, notice_for};
use crate::reports::Reports;

/// Messages that may be on their way to one channel's worker; the journal keeps them all.
const QUEUE_MAX: usize = 4096;

/// The sending ends of all channels.
#[derive(Clone)]
pub(crate) struct Outgoing {
    queues: Arc<BTreeMap<String, Arc<ChannelQueue>>>,
    /// Pages that stand since before the start, until the worker of their channel takes them up.
    standing: Vec<Message>,
    context: DeliveryContext,
    board: Board,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The way to one channel's worker.
struct ChannelQueue {
    messages: mpsc::Sender<Message>,
    channel: watch::Sender<Channel>,
}

/// What every worker needs.
#[derive(Clone)]
pub(crate) struct DeliveryContext {
    /// Where a message's incident is read.
    pub reader: Reader,
    /// Under which addresses people find it.
    pub addresses: Addresses,
    /// The clock.
    pub clock: Clock,
    /// Where results go.
    pub reports: Reports<Report>,
}

/// What a channel's worker has to say.
#[derive(Debug)]
pub(crate) enum Report {
    /// A message was taken, or was not.
    Delivered {
        /// The message, by its subject, kind and channel.
        key: MessageKey,
        /// What became of it.
        delivery: Delivery,
    },
    /// The channel takes no messages.
    Fails(ChannelName),
    /// It takes messages again.
    Works(ChannelName),
}

/// There is no room for a message, or no such channel: it stays in the journal as unsent, and the next start takes it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for a message")]
pub(crate) struct NoRoom;

impl Outgoing {
    /// Starts a worker for every channel. Each goes on to tell of the pages that stand there.
    #[must_use]
    pub(crate) fn start(
        channels: BTreeMap<String, Channel>,
        standing: Vec<Message>,
        (context, metrics): (&DeliveryContext, &ChannelMetrics),
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let (context, tasks, stop) = (context.clone(), tasks.clone(), stop.clone());
        let board = Board::new(metrics.clone());
        let mut outgoing = Self { queues: Arc::default(), standing, context, board, tasks, stop };
        outgoing.change(channels);
        outgoing.standing = Vec::new();
        outgoing
    }

    /// Which channels take no messages.
    #[must_use]
    pub(crate) fn troubles(&self) -> watch::Receiver<Troubles> {
        self.board.watch()
    }

    /// Puts other channels in force. A worker whose channel keeps its name keeps the messages that wait; those of a channel that is
    /// gone stay in the journal as unsent.
    pub(crate) fn change(&mut self, channels: BTreeMap<String, Channel>) {
        for gone in self.queues.keys().filter(|name| !channels.contains_key(*name)) {
            self.board.remove(gone);
        }
        let queue = |(name, channel): (String, Channel)| {
            self.board.add(&name);
            let queue = match self.queues.get(&name) {
                Some(queue) => {
                    queue.channel.send_if_modified(|present| {
                        let other = !present.is_like(&channel);
                        *present = channel;
                        other
                    });
                    Arc::clone(queue)
                }
                None => Arc::new(self.open(name.clone(), channel)),
            };
            (name, queue)
        };
        self.queues = Arc::new(channels.into_iter().map(queue).collect());
    }

    fn open(&self, name: String, channel: Channel) -> ChannelQueue {
        let (messages, receiver) = mpsc::channel(QUEUE_MAX);
        let (channel, watched) = watch::channel(channel);
        let standing = self.standing.iter().filter(|message| message.key.channel == name).cloned().collect();
        let (context, board) = (self.context.clone(), self.board.clone());
        let (backlog, pages) = (Backlog::new(), Pages::default());
        let worker = Worker { name, channel: watched, context, board, backlog, pages };
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(worker.run(receiver, standing)).await });
        ChannelQueue { messages, channel }
    }

    /// Hands a message to its channel's worker.
    ///
    /// # Errors
    /// It was not taken.
    pub(crate) fn send(&self, message: Message) -> Result<(), NoRoom> {
        let queue = self.queues.get(&message.key.channel).ok_or(NoRoom)?;
        queue.messages.try_send(message).map_err(|_| NoRoom)
    }
}

struct Worker {
    name: String,
    channel: watch::Receiver<Channel>,
    context: DeliveryContext,
    board: Board,
    backlog: Backlog,
    pages: Pages,
}

impl Worker {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>, standing: Vec<Message>) {
        self.take_up(standing).await;
        loop {
            let next = self.backlog.next_at();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = messages.recv(), if self.backlog.has_room() => match message {
                    None => return,
                    Some(message) => self.take(message).await,
                },
                changed = self.channel.changed() => match changed {
                    Err(_) => return,
                    Ok(()) => self.backlog.try_anew(Instant::now()),
                },
                () = due => {
                    if let Some(attempt) = self.backlog.due(Instant::now()) {
                        self.send(attempt).await;
                    }
                }
                () = self.pages.due() => {
                    let channel = self.channel.borrow().clone();
                    self.pages.tell(&self.name, &channel).await;
                }
            }
        }
    }

    /// What the channel took before the start it may have forgotten since.
    async fn take_up(&mut self, standing: Vec<Message>) {
        if !self.channel.borrow().forgets() {
            return;
        }
        for message in standing {
            match notice_for(&message, &self.context.reader, &self.context.addresses).await {
                Ok(notice) => self.pages.keep(message.key.subject, notice),
                Err(NoticeError::Forgotten(_)) => {}
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(about = %message.key.subject, error, "a page that stands is not told again");
                }
            }
        }
    }

    async fn take(&mut self, message: Message) {
        if message.key.kind == MessageKind::Resolve {
            self.pages.forget(message.key.subject);
        }
        for key in self.backlog.take(message, Instant::now()) {
            self.report(key, Delivery::Moot { at: self.context.clock.now() }).await;
        }
    }

    async fn send(&mut self, attempt: Attempt) {
        let (key, begun) = (attempt.message.key.clone(), Instant::now());
        let (tried, error) = match notice_for(&attempt.message, &self.context.reader, &self.context.addresses).await {
            Ok(notice) => {
                reached(Point::PageBegun);
                let channel = self.channel.borrow().clone();
                match channel.send(&notice).await {
                    Ok(()) => {
                        if channel.forgets() {
                            self.pages.keep(attempt.message.key.subject, notice);
                        }
                        (Tried::Taken, String::new())
                    }
                    Err(error) if error.retryable() => {
                        (Tried::Busy { retry_after: error.retry_after() }, chain(&error))
                    }
                    Err(error) => (Tried::Refused, chain(&error)),
                }
            }
            // Retention has forgotten it: nobody waits for this message any more.
            Err(NoticeError::Forgotten(_)) => {
                let at = self.context.clock.now();
                return self.report(key, Delivery::Moot { at }).await;
            }
            Err(error) => (Tried::Unwritten, chain(&error)),
        };
        let error = redaction::text(&error).into_owned();
        if tried == Tried::Taken {
            reached(Point::PageTaken);
        } else {
            tracing::warn!(channel = key.channel, about = %key.subject, error, "message not delivered");
        }
        // The channel first: whoever is called next is called by what is known of it.
        if let Some(turn) = self.backlog.tried(attempt, tried, begun, Instant::now()) {
            self.turned(turn, &error).await;
        }
        let delivery = match tried {
            Tried::Taken => Delivery::Sent { at: self.context.clock.now() },
            Tried::Busy { .. } | Tried::Refused | Tried::Unwritten => Delivery::Failed { error },
        };
        self.report(key, delivery).await;
    }

    /// Says everywhere that the channel stands otherwise.
    async fn turned(&self, turn: Turn, error: &str) {
        let channel = ChannelName::new(self.name.as_str());
        let report = match turn {
            Turn::Fails(since) => {
                let since = self.context.clock.ago(since.elapsed());
                tracing::error!(channel = self.name, error, "the channel takes no messages: nobody is called over it");
                self.board.fails(&self.name, Trouble { since, error: error.to_owned() });
                Report::Fails(channel)
            }
            Turn::Works => {
                tracing::info!(channel = self.name, "the channel takes messages again");
                self.board.works(&self.name);
                Report::Works(channel)
            }
        };
        self.tell(report).await;
    }

    async fn report(&self, key: MessageKey, delivery: Delivery) {
        self.tell(Report::Delivered { key, delivery }).await;
    }

    async fn tell(&self, report: Report) {
        // The loop has ended: the message stays unsent in the journal and is sent again, under the same key.
        self.context.reports.tell(report).await;
    }
}
