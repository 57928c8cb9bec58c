//! `serve`: reads the configuration and the journal, starts the parts, and stops them in order.

mod doors;
mod people_only;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::{Agenda, ClockStep, Event, Fleet, Outcome, StepState};
use vvtv_toolkit::access::{AccessMetrics, Gate};
use vvtv_toolkit::web_config::WebConfig;
use vvtv_toolkit::{logging, serve};

use self::people_only::Opened;
use crate::alerts::alertmanager::Alertmanagers;
use crate::alerts::receivers::Receivers;
use crate::alerts::reconcile::{self, Reconciler};
use crate::alerts::sns::{Amazon, Sns};
use crate::alerts::webhook::Group;
use crate::clock::Clock;
use crate::conditions::PromClient;
use crate::conditions::facts::StepFact;
use crate::conditions::targets::Known;
use crate::config::live::{self, Live};
use crate::config::reload::Reloader;
use crate::config::{self, Config, SecretFiles, WebhookAccess};
use crate::event_loop::{EffectContext, EventLoop, Input, JournalStatus, Parts, QUEUE_MAX, Status, heartbeat, orphans};
use crate::failpoint::{Point, reached};
use crate::http::{Room, Shared, Warnings, router};
use crate::journal::outbox::Message;
use crate::journal::{Journal, PastRun, Restored, RestoredAgenda, RunKey};
use crate::keeping::clock_watch::ClockState;
use crate::keeping::{self, Kept, attachments};
use crate::maintenance::task::TaskSpecs;
use crate::metrics::Metrics;
use crate::paging::delivery::{DeliveryContext, Outgoing};
use crate::paging::message::Addresses;
use crate::reports::Reports;
use crate::runbook::{LoadedRunbook, RunbooksInForce, load_dir};
use crate::steps::{Executor, adopt};
use crate::verbs::ServeArgs;

pub(crate) use self::doors::WEBHOOK_UNDECIDED;

/// How long an answer about health may take; the core takes a later one for "unknown" anyway.
const PROMETHEUS_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// The configuration, a runbook, the journal or a port cannot be used.
pub(crate) fn main(args: &ServeArgs) -> anyhow::Result<()> {
    logging::init(&args.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start tokio")?;
    let mut earlier = None;
    loop {
        let config = config::load(&args.config_file, SecretFiles::Demand)?;
        if config.webhook == WebhookAccess::Undecided {
            anyhow::bail!("{}: {WEBHOOK_UNDECIDED}", args.config_file.display());
        }
        logging::redact_with(&config::redaction::redactor(&config));
        for (message, _place) in &config.marks.unread_secrets {
            tracing::warn!("{message}");
        }
        for warning in keeping::disk::shared(&config) {
            tracing::warn!("{}", warning.message);
        }
        let books = load_dir(&config.runbooks, &config.site)?;
        match runtime.block_on(run(args, config, books, earlier.as_ref()))? {
            End::Stopped => return Ok(()),
            End::JournalBack(gate) => {
                tracing::warn!("the journal can be used again: starting anew with it");
                earlier = Some(gate);
            }
        }
    }
}

/// Why a run is over.
enum End {
    /// It was told to stop.
    Stopped,
    /// It went without the journal, which can be used again. Who was let in by its gate stays so.
    JournalBack(Gate),
}

async fn run(
    args: &ServeArgs,
    config: Config,
    books: Vec<LoadedRunbook>,
    earlier: Option<&Gate>,
) -> anyhow::Result<End> {
    adopt();
    let stop = CancellationToken::new();
    let default = config.listen.parse().with_context(|| format!("`listen: {}` is no address", config.listen))?;
    let listeners = serve::listen(&args.web, &[default]).await?;
    let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let web = match &args.web.config_file {
        None => WebConfig::default(),
        Some(path) => WebConfig::load(path)?,
    };
    for user in web.users_without_role() {
        tracing::warn!(user, "this user may do nothing: name a role under `roles:` of the web configuration");
    }
    let metrics = Metrics::new().context("cannot register metrics")?;
    let limits = doors::limits(args, &config, &metrics).context("cannot register metrics")?;
    let opened = people_only::open(&config.database)?;
    reached(Point::JournalLoaded);
    report_restart(&opened.restored.saved.incidents);
    let journal_back = wait_for_journal(opened.trouble.is_some(), config.database.clone());
    let tasks = TaskTracker::new();
    let live = Arc::new(Live::new(&config, books)?);
    let gate = doors::gate(&config, &web, AccessMetrics::beside(&limits.metrics), opened.journal.is_durable())?;
    if !earlier.is_some_and(|earlier| gate.take_over(earlier)) {
        doors::show_link(&config, &web, &gate)?;
    }
    let room = Room::new(&limits.metrics);
    let file = args.config_file.clone();
    let server = Server { file, config, live, metrics, gate: gate.clone(), room, tasks: tasks.clone() };
    let (event_loop, shared) = server.assemble(opened, &stop)?;
    tasks.spawn(reload_on_hangup(Arc::clone(&shared.reloader))?);
    let app = router(shared, &args.web.telemetry_path);
    let mut looping = tokio::spawn(event_loop.run(stop.clone()));
    let mut serving = tokio::spawn(serve::run(listeners, app, web, limits, stop.clone()));
    for address in addresses {
        tracing::info!(%address, "listening");
    }
    let end = tokio::select! {
        signal = wait_for_signal() => signal.map(|()| End::Stopped)?,
        back = journal_back => back.map(|()| End::JournalBack(gate))?,
        ended = &mut looping => {
            ended.context("the event loop died")?;
            anyhow::bail!("the event loop has ended");
        }
        ended = &mut serving => {
            ended.context("the server died")??;
            anyhow::bail!("the server has ended");
        }
    };
    tracing::info!("stopping");
    stop.cancel();
    serving.await.context("the server died")??;
    looping.await.context("the event loop died")?;
    tasks.close();
    Ok(end)
}

async fn wait_for_journal(needed: bool, path: PathBuf) -> anyhow::Result<()> {
    if needed { people_only::journal_is_back(path).await } else { std::future::pending().await }
}

async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// What reloads on every SIGHUP. It listens once this returns.
fn reload_on_hangup(reloader: Arc<Reloader>) -> anyhow::Result<impl Future<Output = ()>> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            // Logged and counted already.
            drop(reloader.reload().await);
        }
    })
}

struct Server {
    file: PathBuf,
    config: Config,
    live: Arc<Live>,
    metrics: Metrics,
    gate: Gate,
    room: Room,
    tasks: TaskTracker,
}

impl Server {
    /// Connects the parts and starts those that run on their own.
    fn assemble(self, opened: Opened, stop: &CancellationToken) -> anyhow::Result<(EventLoop, Shared)> {
        let Self { file, config, live, metrics, gate, room, tasks } = self;
        let Opened { journal, mut restored, trouble } = opened;
        metrics.opened(journal.is_durable());
        let (clock, clock_step) = start_clock(&mut restored);
        let (inputs, queue) = mpsc::channel(QUEUE_MAX);
        let (changes, changed) = watch::channel(0);
        let (status, stands) = watch::channel(first_status(&journal));
        let (showing, shown) = watch::channel(Arc::clone(&live));
        let addresses = Addresses::new(&config.external_url, live::runbooks(&shown), restored.installation.clone());
        let context = DeliveryContext { reader: journal.reader(), addresses, clock, reports: Reports::to(&inputs) };
        let standing = std::mem::take(&mut restored.standing);
        let outgoing = Outgoing::start(live.channels.clone(), standing, (&context, &metrics.channels), &tasks, stop);
        let prometheus = PromClient::new(&config.prometheus, PROMETHEUS_TIMEOUT)?;
        let executor = executor(&config, clock, &restored, journal.is_durable())?;
        let effect_context = effect_context(&config, &live, (prometheus, &executor, &outgoing), (&inputs, clock));
        let (receivers, sns) = deliveries(&config, &mut restored)?;
        let (reconciler, left_out) =
            reconciler(&config, &context, &effect_context, &receivers, (live::runbooks(&shown), &inputs, &metrics))?;
        let reconcile = Arc::clone(&reconciler.now);
        let clock_state = keep(&config, &journal, &executor, &reconciler, clock_step, (&tasks, stop))?;
        let spares = keeping::spares(&executor, (&tasks, stop));
        reconciler.start(&tasks, stop);
        heartbeat::start(config.heartbeat.as_ref(), (&inputs, &metrics), (&tasks, stop))?;
        let unheard = unheard(&mut restored);
        let orphans = take_up_steps(&mut restored, &live, &executor, (&inputs, clock), &tasks);
        let agenda = take_up(restored.agenda, &live.task_specs, &executor, ((&inputs, clock), &tasks, &metrics));
        restored.messages.into_iter().for_each(|message| send(&outgoing, message));
        let reloader = Arc::new(Reloader::new(file, config.clone(), Reports::to(&inputs), metrics.clone()));
        let shared = Shared {
            inputs,
            reader: journal.reader(),
            live: shown,
            reloader,
            gate,
            attachments: attachments(&config),
            reconcile,
            left_out,
            sns,
            metrics: metrics.clone(),
            room,
            console: config.external_url,
            clock,
            status: stands,
            changes: changed,
            stop: stop.clone(),
            warnings: Warnings { journal: trouble, clock: clock_state, channels: outgoing.troubles() },
        };
        let fleet = Fleet::new(config.policy, live.plans(), restored.saved, clock.now());
        let event_loop = EventLoop::new(Parts {
            fleet: if journal.is_durable() { fleet } else { fleet.for_people_only() },
            agenda,
            journal,
            clock,
            clock_step,
            live: showing,
            facts: facts(restored.results),
            unheard,
            orphans,
            targets: Known::new(config.inventory, restored.targets),
            receivers,
            effect_context: Arc::new(effect_context),
            spares,
            metrics,
            inputs: queue,
            changes,
            status,
        });
        Ok((event_loop, shared))
    }
}

/// How it stands before the first turn.
fn first_status(journal: &Journal) -> Status {
    let journal = if journal.is_durable() { JournalStatus::Written } else { JournalStatus::PeopleOnly };
    Status { journal, paused: false }
}

/// Whom deliveries come from.
fn deliveries(config: &Config, restored: &mut Restored) -> anyhow::Result<(Receivers, Sns)> {
    let receivers = Receivers::new(config.receiver.clone(), std::mem::take(&mut restored.receivers));
    let amazon = Amazon::new().context("cannot set up the HTTP client")?;
    Ok((receivers, Sns::new(config.sns_topics.clone(), amazon)))
}

/// The reconciler, and where it is told of groups of which deliveries left alerts out.
fn reconciler(
    config: &Config,
    context: &DeliveryContext,
    effect_context: &EffectContext,
    receivers: &Receivers,
    (runbooks, inputs, metrics): (RunbooksInForce, &mpsc::Sender<Input>, &Metrics),
) -> anyhow::Result<(Reconciler, mpsc::Sender<Group>)> {
    let (left_out, groups) = mpsc::channel(reconcile::GROUPS_MAX);
    let reconciler = Reconciler {
        alertmanagers: Alertmanagers::new(&config.alertmanager)?,
        scope: receivers.scope(),
        left_out: groups,
        prometheus: effect_context.prometheus.clone(),
        targets_wanted: Arc::clone(&effect_context.targets_wanted),
        targets: config.targets.clone(),
        every: config.reconcile,
        reader: context.reader.clone(),
        runbooks,
        now: Arc::new(Notify::new()),
        clock: context.clock,
        reports: Reports::to(inputs),
        metrics: metrics.clone(),
    };
    Ok((reconciler, left_out))
}

/// Starts what goes on beside the event loop; the clock is compared with those of whom the reconciler asks.
fn keep(
    config: &Config,
    journal: &Journal,
    executor: &Executor,
    reconciler: &Reconciler,
    step: Option<ClockStep>,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> anyhow::Result<watch::Receiver<ClockState>> {
    let (clock, peers) = ((reconciler.clock, step), reconciler.peer_clocks());
    let kept = Kept { config, journal, executor, clock, peers, metrics: &reconciler.metrics };
    keeping::start(kept, tasks, stop)
}

/// Starts steps; the facts files of an earlier run are gone but those that its steps may still read.
fn executor(config: &Config, clock: Clock, restored: &Restored, durable: bool) -> anyhow::Result<Executor> {
    let spool = config.database.with_extension("spool");
    let failed = || format!("cannot make {}", spool.display());
    let executor = Executor::new(&spool, &config.environment, Arc::new(move || clock.now())).with_context(failed)?;
    let steps = restored.open_runs.iter().map(|run| &run.key);
    let steps = steps.map(|key| executor.step_mark(key.incident, &key.step, key.attempt));
    let tasks = restored.agenda.saved.open.iter().map(|task| executor.task_mark(task.id));
    if durable {
        // Who does not hold the journal knows nothing of what runs, and starts nothing.
        executor.prepare(&steps.chain(tasks).collect::<Vec<_>>()).with_context(failed)?;
    }
    Ok(executor)
}

/// A message that finds no room waits in the journal for another start.
fn send(outgoing: &Outgoing, message: Message) {
    let (channel, about) = (message.key.channel.clone(), message.key.subject);
    if let Err(error) = outgoing.send(message) {
        tracing::error!(channel, %about, "{error}");
    }
}

/// The steps that an earlier run left, and how to end each.
fn take_up_steps(
    restored: &mut Restored,
    live: &Live,
    executor: &Executor,
    told: (&mpsc::Sender<Input>, Clock),
    tasks: &TaskTracker,
) -> BTreeMap<RunKey, CancellationToken> {
    let runs = std::mem::take(&mut restored.open_runs);
    orphans::find_orphans(runs, &live.books, &restored.saved.incidents, executor, told, tasks)
}

/// The tasks that an earlier run left, and when each task was last done.
fn take_up(
    restored: RestoredAgenda,
    specs: &TaskSpecs,
    executor: &Executor,
    (told, tasks, metrics): ((&mpsc::Sender<Input>, Clock), &TaskTracker, &Metrics),
) -> Agenda {
    for (name, at) in restored.succeeded.iter().filter(|(name, _)| specs.get(name).is_some()) {
        metrics.tasks.succeeded(name, *at);
    }
    orphans::settle_tasks(&restored, specs, executor, told, tasks);
    Agenda::new(restored.saved)
}

/// Starts the clock; what an earlier run left is brought to where time goes on.
fn start_clock(restored: &mut Restored) -> (Clock, Option<ClockStep>) {
    let (clock, step) = Clock::start_after(restored.newest);
    if let Some(step) = step {
        step.apply(&mut restored.saved);
        step.apply_to_agenda(&mut restored.agenda.saved);
        // When it was done is not known.
        restored.agenda.succeeded.retain(|_, at| *at <= step.to);
        restored.targets.values_mut().for_each(|told_at| step.timer(told_at));
    }
    (clock, step)
}

fn effect_context(
    config: &Config,
    live: &Live,
    (prometheus, executor, outgoing): (PromClient, &Executor, &Outgoing),
    (inputs, clock): (&mpsc::Sender<Input>, Clock),
) -> EffectContext {
    EffectContext {
        prometheus,
        targets_wanted: Arc::new(Notify::new()),
        site: live.site.clone(),
        executor: executor.clone(),
        outgoing: outgoing.clone(),
        attachments: attachments(config),
        inputs: inputs.clone(),
        clock,
        permits: EffectContext::permits(),
        redaction: live.redaction.clone(),
    }
}

/// What steps of open incidents said before the restart.
fn facts(mut results: Vec<PastRun>) -> Vec<(RunKey, StepFact)> {
    results.retain(|run| run.outcome != Outcome::NotRun);
    let fact = |run: PastRun| {
        let ok = run.outcome == Outcome::Ok;
        (run.key, StepFact { exit_code: run.exit_code, stdout: run.stdout.into(), ok })
    };
    results.into_iter().map(fact).collect()
}

/// What the core was not told: incidents that cannot be read, and ends that were written down while the program was stopping, when it
/// did not listen any more.
fn unheard(restored: &mut Restored) -> Vec<Event> {
    let running = |run: &&PastRun| {
        let incident = restored.saved.incidents.iter().find(|incident| incident.id == run.key.incident);
        incident.is_some_and(|incident| {
            incident.steps().any(|record| {
                record.id == run.key.step && record.attempts == run.key.attempt && record.state == StepState::Running
            })
        })
    };
    let event = |run: &PastRun| Event::StepFinished {
        incident: run.key.incident,
        step: run.key.step.clone(),
        attempt: run.key.attempt,
        outcome: run.outcome.clone(),
    };
    let ends = restored.results.iter().filter(running).map(event).collect::<Vec<_>>();
    // First: nothing that belongs to one of those may open another incident.
    let unreadable = std::mem::take(&mut restored.unreadable).into_iter().map(Box::new).map(Event::Unreadable);
    unreadable.chain(ends).collect()
}

fn report_restart(incidents: &[vvtv_incident::Incident]) {
    for incident in incidents {
        let running = incident.steps().filter(|step| step.state == StepState::Running).count();
        tracing::info!(incident = incident.id.get(), phase = incident.phase_name(), running, "incident taken up again");
    }
}

#[cfg(test)]
mod tests;
