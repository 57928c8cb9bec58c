//! Messages on their way: one worker a channel, so that a dead channel delays no other, and its messages keep their order.

mod standing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::standing::Pages;
use crate::clock::Clock;
use crate::event_loop::Input;
use crate::failpoint::{Point, reached};
use crate::journal::{Delivery, Reader};
use crate::notice::{Addresses, NoticeError, notice_for};
use crate::outbox::{Message, MessageKey, MessageKind};
use crate::pager::Channel;

/// Messages that may wait for one channel in memory; the journal keeps them all.
const QUEUE_MAX: usize = 4096;
/// A message that its channel did not take is tried again after this time, doubled each time.
const RETRY_FIRST: Duration = Duration::from_secs(15);
const RETRY_MAX: Duration = Duration::from_secs(300);

/// The sending ends of all channels.
#[derive(Clone)]
pub struct Outgoing {
    lanes: Arc<BTreeMap<String, Arc<Lane>>>,
    /// Pages that stand since before the start, until the worker of their channel takes them up.
    standing: Vec<Message>,
    desk: Desk,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The way to one channel's worker.
struct Lane {
    messages: mpsc::Sender<Message>,
    channel: watch::Sender<Channel>,
}

/// What every worker needs.
#[derive(Clone)]
pub struct Desk {
    /// Where a message's incident is read.
    pub reader: Reader,
    /// Under which addresses people find it.
    pub addresses: Addresses,
    /// The clock.
    pub clock: Clock,
    /// Where results go.
    pub inputs: mpsc::Sender<Input>,
}

impl Outgoing {
    /// Starts a worker for every channel. Each goes on to tell of the pages that stand there.
    #[must_use]
    pub fn start(
        channels: BTreeMap<String, Channel>,
        standing: Vec<Message>,
        desk: &Desk,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let (desk, tasks, stop) = (desk.clone(), tasks.clone(), stop.clone());
        let mut outgoing = Self { lanes: Arc::default(), standing, desk, tasks, stop };
        outgoing.change(channels);
        outgoing.standing = Vec::new();
        outgoing
    }

    /// Puts other channels in force. A worker whose channel keeps its name keeps the messages that wait; those of a channel that is
    /// gone stay in the journal as unsent.
    pub fn change(&mut self, channels: BTreeMap<String, Channel>) {
        let lane = |(name, channel): (String, Channel)| {
            let lane = match self.lanes.get(&name) {
                Some(lane) => {
                    lane.channel.send_replace(channel);
                    Arc::clone(lane)
                }
                None => Arc::new(self.open(&name, channel)),
            };
            (name, lane)
        };
        self.lanes = Arc::new(channels.into_iter().map(lane).collect());
    }

    fn open(&self, name: &str, channel: Channel) -> Lane {
        let (messages, receiver) = mpsc::channel(QUEUE_MAX);
        let (channel, watched) = watch::channel(channel);
        let worker = Worker {
            name: name.to_owned(),
            channel: watched,
            desk: self.desk.clone(),
            waiting: VecDeque::new(),
            pages: Pages::default(),
        };
        let standing = self.standing.iter().filter(|message| message.key.channel == name).cloned().collect();
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(worker.run(receiver, standing)).await });
        Lane { messages, channel }
    }

    /// Hands a message to its channel's worker.
    pub fn send(&self, message: Message) {
        let lane = self.lanes.get(&message.key.channel);
        let taken = lane.is_some_and(|lane| lane.messages.try_send(message.clone()).is_ok());
        if !taken {
            // It stays in the journal as unsent, and the next start takes it up.
            tracing::error!(
                channel = message.key.channel,
                about = %message.key.subject,
                "no room for a message"
            );
        }
    }
}

struct Worker {
    name: String,
    channel: watch::Receiver<Channel>,
    desk: Desk,
    waiting: VecDeque<Attempt>,
    pages: Pages,
}

struct Attempt {
    message: Message,
    not_before: tokio::time::Instant,
    wait: Duration,
}

impl Worker {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>, standing: Vec<Message>) {
        self.take_up(standing).await;
        loop {
            let next = self.waiting.iter().map(|attempt| attempt.not_before).min();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = messages.recv() => match message {
                    None => return,
                    Some(message) => self.take(message).await,
                },
                () = due => self.send_due().await,
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
            match notice_for(&message, &self.desk.reader, &self.desk.addresses).await {
                Ok(notice) => self.pages.keep(message.key.subject, notice),
                Err(NoticeError::Forgotten(_)) => {}
                Err(error) => {
                    let error = vvtv_toolkit::logging::chain(&error);
                    tracing::error!(about = %message.key.subject, error, "a page that stands is not told again");
                }
            }
        }
    }

    /// A resolve makes a trigger that still waits moot. It is sent all the same: a try that failed here may have arrived there.
    async fn take(&mut self, message: Message) {
        if message.key.kind == MessageKind::Resolve {
            self.pages.forget(message.key.subject);
            let trigger = MessageKey { kind: MessageKind::Trigger, ..message.key.clone() };
            if let Some(position) = self.waiting.iter().position(|attempt| attempt.message.key == trigger) {
                self.waiting.remove(position);
                self.report(trigger, Delivery::Moot { at: self.desk.clock.now() }).await;
            }
        }
        self.send(Attempt { message, not_before: tokio::time::Instant::now(), wait: RETRY_FIRST }).await;
    }

    async fn send_due(&mut self) {
        let now = tokio::time::Instant::now();
        if let Some(position) = self.waiting.iter().position(|attempt| attempt.not_before <= now)
            && let Some(attempt) = self.waiting.remove(position)
        {
            self.send(attempt).await;
        }
    }

    async fn send(&mut self, attempt: Attempt) {
        let sent = match notice_for(&attempt.message, &self.desk.reader, &self.desk.addresses).await {
            Ok(notice) => {
                reached(Point::PageBegun);
                let channel = self.channel.borrow().clone();
                let sent = channel.send(&notice).await.map_err(|error| vvtv_toolkit::logging::chain(&error));
                if sent.is_ok() && channel.forgets() {
                    self.pages.keep(attempt.message.key.subject, notice);
                }
                sent
            }
            // Retention has forgotten it: nobody waits for this message any more.
            Err(NoticeError::Forgotten(_)) => {
                let at = self.desk.clock.now();
                return self.report(attempt.message.key, Delivery::Moot { at }).await;
            }
            Err(error) => Err(vvtv_toolkit::logging::chain(&error)),
        };
        let key = attempt.message.key.clone();
        match sent {
            Ok(()) => {
                reached(Point::PageTaken);
                self.report(key, Delivery::Sent { at: self.desk.clock.now() }).await;
            }
            Err(error) => {
                let error = vvtv_toolkit::redaction::text(&error).into_owned();
                tracing::warn!(channel = key.channel, about = %key.subject, error, "message not delivered");
                self.report(key, Delivery::Failed { error }).await;
                self.waiting.push_back(Attempt {
                    not_before: tokio::time::Instant::now() + attempt.wait,
                    wait: (attempt.wait * 2).min(RETRY_MAX),
                    ..attempt
                });
            }
        }
    }

    async fn report(&self, key: MessageKey, delivery: Delivery) {
        // The loop has ended: the message stays unsent in the journal and is sent again, under the same key.
        drop(self.desk.inputs.send(Input::Delivered { key, delivery }).await);
    }
}
