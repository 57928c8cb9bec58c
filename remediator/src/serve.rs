//! `serve`: reads the configuration and the journal, starts the parts, and stops them in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::{Agenda, Event, Fleet, Outcome, StepState};
use vvtv_toolkit::serve::Limits;
use vvtv_toolkit::web_config::WebConfig;
use vvtv_toolkit::{logging, serve};

use crate::alertmanager::Alertmanager;
use crate::cli::ServeArgs;
use crate::clock::Clock;
use crate::condition::PromClient;
use crate::config::{self, Config, SecretFiles};
use crate::delivery::{Desk, Outgoing};
use crate::duty::Duties;
use crate::event_loop::{EventLoop, Parts, QUEUE_MAX, Surroundings};
use crate::executor::Executor;
use crate::facts::StepFact;
use crate::failpoint::{Point, reached};
use crate::http::{Shared, router};
use crate::journal::{Journal, PastRun, Restored, RestoredAgenda, RunKey};
use crate::live::{Live, Reloader, Watched};
use crate::metrics::Metrics;
use crate::notice::Addresses;
use crate::outbox::{MessageKey, MessageKind, Subject};
use crate::reconcile::{self, Reconciler};
use crate::retention::Retention;
use crate::runbook::{Book, load_dir};

/// How long an answer about health may take; the core takes a later one for "unknown" anyway.
const PROMETHEUS_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// The configuration, a runbook, the journal or a port cannot be used.
pub fn main(args: &ServeArgs) -> anyhow::Result<()> {
    logging::init(&args.log)?;
    let config = config::load(&args.config_file, SecretFiles::Demand)?;
    logging::redact_with(&crate::redaction::redactor(&config));
    for (message, _place) in &config.marks.unread_secrets {
        tracing::warn!("{message}");
    }
    let books = load_dir(&config.runbooks, &config.site)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start tokio")?;
    runtime.block_on(run(args, config, books))
}

async fn run(args: &ServeArgs, config: Config, books: Vec<Book>) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let default = config.listen.parse().with_context(|| format!("`listen: {}` is no address", config.listen))?;
    let listeners = serve::listen(&args.web, &default).await?;
    let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let web = match &args.web.config_file {
        None => WebConfig::default(),
        Some(path) => WebConfig::load(path)?,
    };
    if config.webhook_token.is_some() && web.asks_for_passwords() {
        // Both travel in the one Authorization header, so every delivery would be refused.
        anyhow::bail!(
            "`webhook.token_file` and `basic_auth_users` exclude each other: Alertmanager can show only one of the two"
        );
    }
    let metrics = Metrics::new().context("cannot register metrics")?;
    let limits = Limits {
        metrics: serve::ServeMetrics::register(&metrics.registry, "http").context("cannot register metrics")?,
        ..Limits::default()
    };
    let (journal, restored) = Journal::open(&config.database)?;
    reached(Point::JournalLoaded);
    report_restart(&restored.saved.incidents);
    let tasks = TaskTracker::new();
    let live = Live::new(&config, books)?;
    let house = House { file: args.config_file.clone(), config, live, metrics, tasks: tasks.clone() };
    let (event_loop, shared) = house.furnish(journal, restored, &stop)?;
    tasks.spawn(reload_on_hangup(Arc::clone(&shared.reloader))?);
    let app = router(shared, &args.web.telemetry_path);
    let mut looping = tokio::spawn(event_loop.run(stop.clone()));
    let mut serving = tokio::spawn(serve::run(listeners, app, web, limits, stop.clone()));
    for address in addresses {
        tracing::info!(%address, "listening");
    }
    tokio::select! {
        signal = wait_for_signal() => signal?,
        ended = &mut looping => {
            ended.context("the event loop died")?;
            anyhow::bail!("the event loop has ended");
        }
        ended = &mut serving => {
            ended.context("the server died")??;
            anyhow::bail!("the server has ended");
        }
    }
    tracing::info!("stopping");
    stop.cancel();
    serving.await.context("the server died")??;
    looping.await.context("the event loop died")?;
    tasks.close();
    Ok(())
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

struct House {
    file: PathBuf,
    config: Config,
    live: Live,
    metrics: Metrics,
    tasks: TaskTracker,
}

impl House {
    /// Connects the parts and starts those that run on their own.
    fn furnish(
        self,
        journal: Journal,
        restored: Restored,
        stop: &CancellationToken,
    ) -> anyhow::Result<(EventLoop, Shared)> {
        let Self { file, config, live, metrics, tasks } = self;
        let clock = Clock::start(restored.newest);
        let (inputs, queue) = mpsc::channel(QUEUE_MAX);
        let (changes, changed) = watch::channel(0);
        let live = Arc::new(live);
        let (showing, shown) = watch::channel(Arc::clone(&live));
        let addresses = Addresses::new(&config.external_url, shown.clone());
        let desk = Desk { reader: journal.reader(), addresses, clock, inputs: inputs.clone() };
        let outgoing = Outgoing::start(live.channels.clone(), &desk, &tasks, stop);
        let prometheus = PromClient::new(&config.prometheus, PROMETHEUS_TIMEOUT)?;
        let attachments = attachments(&config);
        let surroundings = Surroundings {
            prometheus: prometheus.clone(),
            site: live.site.clone(),
            executor: executor(&config, clock)?,
            outgoing: outgoing.clone(),
            attachments: attachments.clone(),
            inputs: inputs.clone(),
            clock,
            permits: Surroundings::permits(),
            redaction: live.redaction.clone(),
        };
        let reconciler = reconciler(&config, &desk, prometheus, &shown, &metrics)?;
        let reconcile = Arc::clone(&reconciler.now);
        reconciler.start(&tasks, stop);
        retention(&config, &journal, clock, &metrics).start(&tasks, stop);
        let (unheard, undelivered) = (unheard(&restored), undelivered(&restored));
        let orphans = reconcile::find_orphans(
            restored.open_runs,
            &live.books,
            &restored.saved.incidents,
            (&inputs, clock),
            &tasks,
        );
        let agenda = take_up(restored.agenda, &live.duties, &desk, &tasks, &metrics);
        for message in restored.messages {
            outgoing.send(message);
        }
        let facts = facts(restored.results);
        let reloader = Arc::new(Reloader::new(file, config.clone(), inputs.clone(), metrics.clone()));
        let shared = Shared {
            inputs,
            reader: journal.reader(),
            live: shown,
            reloader,
            webhook_token: config.webhook_token,
            attachments,
            reconcile,
            metrics: metrics.clone(),
            console: config.external_url.host_str().unwrap_or_default().to_owned(),
            clock,
            changes: changed,
            stop: stop.clone(),
        };
        let event_loop = EventLoop::new(Parts {
            fleet: Fleet::new(config.policy, live.plans(), restored.saved, clock.now()),
            agenda,
            journal,
            clock,
            live: showing,
            facts,
            undelivered,
            unheard,
            orphans,
            surroundings: Arc::new(surroundings),
            metrics,
            inputs: queue,
            changes,
        });
        Ok((event_loop, shared))
    }
}

fn reconciler(
    config: &Config,
    desk: &Desk,
    prometheus: PromClient,
    shown: &Watched,
    metrics: &Metrics,
) -> anyhow::Result<Reconciler> {
    let client = reqwest::Client::builder().build().context("cannot set up the HTTP client")?;
    Ok(Reconciler {
        alertmanager: Alertmanager::new(client, &config.alertmanager),
        prometheus,
        targets: config.targets.clone(),
        every: config.reconcile,
        reader: desk.reader.clone(),
        live: shown.clone(),
        now: Arc::new(Notify::new()),
        clock: desk.clock,
        inputs: desk.inputs.clone(),
        metrics: metrics.clone(),
    })
}

fn executor(config: &Config, clock: Clock) -> anyhow::Result<Executor> {
    let spool = config.database.with_extension("spool");
    Executor::new(&spool, Arc::new(move || clock.now())).with_context(|| format!("cannot make {}", spool.display()))
}

/// Calls that are still to be sent, of pages that no channel has taken.
fn undelivered(restored: &Restored) -> Vec<MessageKey> {
    let keys = restored.messages.iter().map(|message| &message.key);
    let untaken = keys.filter(|key| match key.subject {
        Subject::Incident { incident, page } => !restored.delivered.contains(&(incident, page)),
        Subject::Task(_) => false,
    });
    untaken.filter(|key| key.kind == MessageKind::Trigger).cloned().collect()
}

/// The tasks that an earlier run left, and when each duty was last done.
fn take_up(restored: RestoredAgenda, duties: &Duties, desk: &Desk, tasks: &TaskTracker, metrics: &Metrics) -> Agenda {
    for (name, at) in restored.succeeded.iter().filter(|(name, _)| duties.get(name).is_some()) {
        metrics.tasks.succeeded(name, *at);
    }
    reconcile::settle_tasks(&restored, duties, (&desk.inputs, desk.clock), tasks);
    Agenda::new(restored.saved)
}

/// Under which steps leave files, a directory per incident.
fn attachments(config: &Config) -> PathBuf {
    config.database.with_extension("attachments")
}

fn retention(config: &Config, journal: &Journal, clock: Clock, metrics: &Metrics) -> Retention {
    let (keeper, keep, attachments) = (journal.keeper(), config.retention, attachments(config));
    Retention { keeper, keep, attachments, clock, metrics: metrics.clone() }
}

/// What steps of open incidents said before the restart.
fn facts(results: Vec<PastRun>) -> Vec<(RunKey, StepFact)> {
    let fact = |run: PastRun| {
        let ok = run.outcome == Outcome::Ok;
        (run.key, StepFact { exit_code: run.exit_code, stdout: run.stdout.into(), ok })
    };
    results.into_iter().map(fact).collect()
}

/// Ends that were written down while the program was stopping, when the core did not listen any more.
fn unheard(restored: &Restored) -> Vec<Event> {
    let running = |run: &&PastRun| {
        let incident = restored.saved.incidents.iter().find(|incident| incident.id == run.key.incident);
        incident.is_some_and(|incident| {
            incident.steps.iter().any(|record| {
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
    restored.results.iter().filter(running).map(event).collect()
}

fn report_restart(incidents: &[vvtv_incident::Incident]) {
    for incident in incidents {
        let running = incident.steps.iter().filter(|step| step.state == StepState::Running).count();
        tracing::info!(incident = incident.id.get(), phase = incident.phase_name(), running, "incident taken up again");
    }
}
