//! The daemon's loop: sole owner of the encoder's state machine. Performs its commands and feeds what happens back.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::flags::Flags;
use vvtv_playout_interface::http;
use vvtv_playout_interface::layout::Layout;
use vvtv_playout_interface::protocol::{Reply, Request, State};
use vvtv_playout_interface::queue::Queue;
use vvtv_playout_interface::settings::EncoderSettings;
use vvtv_streaming::ffmpeg_progress::{Block, MediaTime};
use vvtv_toolkit::logging;

use crate::clock::Moment;
use crate::control::{self, Asked};
use crate::encoder::{Encoder, Message, Told};
use crate::machine::{Command, Event, Limits, Machine, RequestId};
use crate::programme::{Programme, QueueReport};
use crate::pump::{Order, Pump, PumpReport};
use crate::speed::Speed;
use crate::streaming_log::StreamingLog;
use crate::{hold, orphan, server};

/// How often the process is looked at.
const OBSERVE: Duration = Duration::from_millis(250);

/// How long the end may take: TERM, KILL, and a little.
const STOP_WITHIN: Duration = Duration::from_secs(6);

/// How long the position of the item on air may take to be written.
const SUSPEND_WITHIN: Duration = Duration::from_secs(2);

/// The daemon's state; one task owns it.
pub(super) struct Daemon {
    /// `playout.yml` as it was at the start: a change of it takes another daemon.
    pub(super) config: Arc<Config>,
    /// Where the root's files lie. The flags are read there anew at each start of the encoder.
    pub(super) layout: Layout,
    /// `logs/streaming.log`.
    pub(super) log: StreamingLog,
    /// Decides when an encoder is started, ended and replaced.
    pub(super) machine: Machine,
    /// The process that the machine knows as alive, from its start until its exit was heard of.
    pub(super) encoder: Option<Encoder>,
    /// What that process said last of its progress.
    pub(super) progress: Option<Block>,
    /// How fast it is, by its progress; begins anew with each process.
    pub(super) speed: Speed,
    /// What the last start used, kept where flags cannot be read: a broken file does not end the stream.
    pub(super) settings: EncoderSettings,
    /// Why the flags were not applied at the last start.
    pub(super) settings_error: Option<String>,
    /// The item on air, and the count of frames.
    pub(super) pump: watch::Receiver<PumpReport>,
    /// Counts of the queue, and why it cannot be read.
    pub(super) queue: watch::Receiver<QueueReport>,
    /// Origin of every [`Moment`].
    started: Instant,
    /// For NGINX' pages.
    http: reqwest::Client,
    /// To the pump: where the frames go, and when the item on air ends.
    orders: mpsc::Sender<Order>,
    /// Given to each encoder, for its progress and exit.
    messages: mpsc::Sender<Message>,
    /// Given to what watches the server, for what it finds.
    events: mpsc::Sender<Event>,
    /// The encoder's state as last made known, for those who wait for a change.
    state: watch::Sender<State>,
    /// Who waits for the end of a restart. The machine answers each exactly once.
    answers: HashMap<RequestId, oneshot::Sender<Reply>>,
    /// Number of the newest restart request.
    last_request: RequestId,
    /// The look at whether the present encoder publishes; one at a time.
    confirming: Option<JoinHandle<()>>,
    /// Until when the end may take, once it was asked for.
    stopping: Option<Instant>,
    /// What was on air then (id), and how far it had come (seconds).
    unfinished: Option<(i64, f64)>,
    /// Nothing of the encoder is left: the loop ends.
    finished: bool,
}

/// Runs the daemon until SIGTERM, SIGINT or another daemon's wish to take over.
///
/// # Errors
/// Another playout holds the root (refused), or the root cannot be used.
pub(crate) async fn run(config: Config, layout: Layout, takeover: bool) -> Result<(), Failure> {
    let run = layout.root().join("run");
    std::fs::create_dir_all(&run).with_context(|| format!("cannot create {}", run.display()))?;
    let _lock = if takeover { hold::take_over(&layout).await? } else { hold::lock(&layout)? };
    let redactor = config.redactor();
    logging::redact_with(&redactor);
    let log = StreamingLog::start(layout.streaming_log(), redactor);
    if let Some(pid) = orphan::end(&layout.encoder_pid()).await? {
        log.info(&format!("ended the encoder of an earlier daemon (pid {pid})"));
    }
    let (asked, requests) = mpsc::channel(64);
    let control = tokio::spawn(control::serve(control::bind(&layout.socket())?, asked));
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let (socket, queue) = (layout.socket(), layout.queue());
    let (daemon, inbox) = Daemon::new(config, layout, log)?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let unfinished = daemon.serve(inbox, requests, stop).await;
    control.abort();
    if let Some((id, seconds)) = unfinished {
        suspend(queue, id, seconds).await;
    }
    let _ = std::fs::remove_file(socket);
    Ok(())
}

/// Writes down how far the item on air has come. A queue that cannot be written costs the position, not the end.
async fn suspend(queue: PathBuf, id: i64, seconds: f64) {
    let writing = tokio::task::spawn_blocking(move || Queue::open_existing(&queue)?.suspended(id, seconds));
    match tokio::time::timeout(SUSPEND_WITHIN, writing).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::error!(id, error = %format!("{error:#}"), "the item will start anew"),
        Ok(Err(_)) | Err(_) => tracing::error!(id, "the queue does not answer: the item will start anew"),
    }
}

/// Where the loop hears from its helpers.
struct Inbox {
    messages: mpsc::Receiver<Message>,
    events: mpsc::Receiver<Event>,
}

fn limits(config: &Config) -> Limits {
    Limits {
        respawn_first: config.respawn.first,
        respawn_max: config.respawn.max,
        respawn_after_signal: config.respawn.after_signal,
        stuck_after: config.stuck_after,
        start_within: Duration::from_secs(10),
        term_grace: Duration::from_secs(2),
        drop_within: Duration::from_millis(1500),
        publish_within: Duration::from_secs(15),
        good_after: Duration::from_secs(10),
    }
}

impl Daemon {
    fn new(config: Config, layout: Layout, log: StreamingLog) -> anyhow::Result<(Self, Inbox)> {
        let config = Arc::new(config);
        let (orders, orders_in) = mpsc::channel(16);
        let (notices, notices_in) = mpsc::channel(64);
        let (pump_report, pump) = watch::channel(PumpReport::default());
        let (queue_report, queue) = watch::channel(QueueReport::default());
        let (messages, messages_in) = mpsc::channel(256);
        let (events, events_in) = mpsc::channel(64);
        let (state, states) = watch::channel(State::Stopped);
        tokio::spawn(Pump::new(config.video, notices, pump_report).run(orders_in));
        let programme = Programme::new(config.clone(), layout.queue(), log.clone(), orders.clone(), queue_report);
        tokio::spawn(programme.run(notices_in));
        tokio::spawn(server::returned(config.clone(), states, events.clone()));
        let daemon = Self {
            machine: Machine::new(limits(&config)),
            settings: config.encoder,
            config,
            layout,
            log,
            encoder: None,
            progress: None,
            speed: Speed::default(),
            settings_error: None,
            pump,
            queue,
            started: Instant::now(),
            http: http::client()?,
            orders,
            messages,
            events,
            state,
            answers: HashMap::new(),
            last_request: 0,
            confirming: None,
            stopping: None,
            unfinished: None,
            finished: false,
        };
        Ok((daemon, Inbox { messages: messages_in, events: events_in }))
    }

    /// Serves until the end, and tells which item was on air then, and how far it had come.
    async fn serve(
        mut self,
        mut inbox: Inbox,
        mut requests: mpsc::Receiver<Asked>,
        stop: impl Future<Output = ()>,
    ) -> Option<(i64, f64)> {
        tokio::pin!(stop);
        let mut observe = tokio::time::interval(OBSERVE);
        observe.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.handle(Event::Start).await;
        while !self.finished {
            let deadline = self.machine.next_deadline().map(|at| self.started + at);
            let deadline = [deadline, self.stopping].into_iter().flatten().min();
            tokio::select! {
                () = &mut stop, if self.stopping.is_none() => self.stop("stopping").await,
                Some(message) = inbox.messages.recv() => self.message(message).await,
                Some(event) = inbox.events.recv() => self.handle(event).await,
                Some(asked) = requests.recv() => self.asked(asked).await,
                _ = observe.tick() => self.observe().await,
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    if self.stopping.is_some_and(|until| Instant::now() >= until) {
                        self.log.error("the encoder does not end");
                        break;
                    }
                    self.handle(Event::Tick).await;
                }
            }
        }
        self.unfinished
    }

    async fn stop(&mut self, why: &str) {
        if self.stopping.is_none() {
            self.stopping = Some(Instant::now() + STOP_WITHIN);
            self.unfinished = self.pump.borrow().on_air.as_ref().map(|item| (item.id, item.position_seconds));
            self.log.info(why);
            self.handle(Event::Stop).await;
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.started.elapsed()
    }

    async fn message(&mut self, message: Message) {
        if self.encoder.as_ref().map(|encoder| encoder.pid) != Some(message.pid) {
            return;
        }
        match message.told {
            Told::Progress(progress) => {
                self.progress = Some(progress);
                let out_time = progress.out_time.map(MediaTime::after_zero);
                if let Some(out_time) = out_time {
                    self.speed.add(self.now(), out_time);
                }
                self.handle(Event::Progress { out_time, total_bytes: progress.total_size }).await;
            }
            Told::Exited(exit) => {
                self.log.info(&format!("encoder[{}] ended: {exit:?}", message.pid));
                self.encoder = None;
                self.confirming.take().inspect(JoinHandle::abort);
                orphan::forget(&self.layout.encoder_pid());
                let _ = self.orders.send(Order::Detach).await;
                self.handle(Event::Exited(exit)).await;
            }
        }
    }

    async fn observe(&mut self) {
        let seen = self.encoder.as_ref().and_then(Encoder::stat);
        match seen {
            Some(stat) => self.handle(Event::Observed(stat.state.into())).await,
            None => self.handle(Event::Tick).await,
        }
    }

    async fn asked(&mut self, asked: Asked) {
        let reply = match asked.request {
            Request::Status => Reply::Status(Box::new(self.status())),
            Request::Stats => Reply::Stats(Box::new(self.stats())),
            Request::Config => self.config_report(),
            Request::Skip => self.skip().await,
            Request::HandOver => {
                // Before the end begins: a daemon that ends does not wait for its clients.
                let _ = asked.answer.send(Reply::HandingOver { daemon_pid: std::process::id() });
                return self.stop("handing over to another daemon").await;
            }
            Request::LogTail { lines } => {
                let log = self.log.clone();
                tokio::spawn(async move { asked.answer.send(Reply::LogTail(log.tail(lines.min(10_000)).await)) });
                return;
            }
            Request::Restart { only_if_changed } => {
                let running = self.encoder.as_ref().map(|encoder| encoder.settings);
                if only_if_changed && running.is_none() {
                    Reply::Deferred
                } else if only_if_changed && self.wanted_settings().is_ok_and(|wanted| running == Some(wanted)) {
                    Reply::Unchanged
                } else {
                    self.last_request += 1;
                    self.answers.insert(self.last_request, asked.answer);
                    return self.handle(Event::Restart { request: self.last_request }).await;
                }
            }
        };
        // A client that went away needs no answer.
        let _ = asked.answer.send(reply);
    }

    async fn skip(&self) -> Reply {
        let on_air = self.pump.borrow().on_air.clone();
        let Some(on_air) = on_air else {
            return Reply::Refused { reason: "nothing is on air but the slate".to_owned() };
        };
        let _ = self.orders.send(Order::Skip).await;
        Reply::Skipped { id: on_air.id, asset_path: on_air.asset_path }
    }

    /// Feeds an event to the machine and performs what it commands, until nothing is left to do.
    async fn handle(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for command in self.machine.step(self.now(), event) {
                if let Some(event) = self.perform(command).await {
                    events.push_back(event);
                }
            }
        }
        let state = self.machine.state(self.now());
        if self.state.send_if_modified(|known| std::mem::replace(known, state) != state) {
            self.log.info(&format!("encoder {state}"));
        }
    }

    async fn perform(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::Spawn => return Some(self.spawn().await),
            Command::DropPublisher => {
                let (client, config, events) = (self.http.clone(), self.config.clone(), self.events.clone());
                let log = self.log.clone();
                tokio::spawn(async move {
                    let within = limits(&config).drop_within;
                    let dropped = server::drop_publisher(&client, &config, within).await;
                    if let Err(error) = &dropped {
                        log.error(&format!("the silent publisher was not dropped: {error:#}"));
                    }
                    events.send(Event::DropAnswered { dropped: dropped.unwrap_or(false) }).await
                });
            }
            Command::Terminate => self.encoder.iter().for_each(Encoder::terminate),
            Command::Kill => self.encoder.iter().for_each(Encoder::kill),
            Command::ConfirmPublishing { pid } => {
                let watch = server::confirm(self.http.clone(), self.config.clone(), pid, self.events.clone());
                self.confirming.replace(tokio::spawn(watch)).inspect(JoinHandle::abort);
            }
            Command::Answer { request, outcome } => {
                let reply = self.outcome_reply(outcome);
                if let Some(answer) = self.answers.remove(&request) {
                    let _ = answer.send(reply);
                }
            }
            Command::Finished => self.finished = true,
        }
        None
    }

    async fn spawn(&mut self) -> Event {
        match self.wanted_settings() {
            Ok(settings) => {
                self.settings = settings;
                self.settings_error = None;
            }
            // The last good settings hold; a broken file must not end the stream.
            Err(error) => {
                let message = format!("{error:#}");
                self.log.error(&format!("flags are not applied: {message}"));
                self.settings_error = Some(message);
            }
        }
        match Encoder::start(&self.config, self.settings, &self.log, &self.messages) {
            Ok((encoder, sink)) => {
                let pid = encoder.pid;
                self.log.info(&format!("encoder[{pid}] started: {:?}", self.settings.report()));
                if let Err(error) = orphan::remember(&self.layout.encoder_pid(), pid) {
                    self.log.error(&format!("{error:#}"));
                }
                self.encoder = Some(encoder);
                self.progress = None;
                self.speed = Speed::default();
                let _ = self.orders.send(Order::Attach(sink)).await;
                Event::Spawned { pid }
            }
            Err(error) => {
                self.log.error(&format!("{error:#}"));
                Event::SpawnFailed
            }
        }
    }

    pub(super) fn wanted_settings(&self) -> anyhow::Result<EncoderSettings> {
        Flags::load(&self.layout.flags())?.over(&self.config.encoder)
    }
}
