//! `serve`: reads the configuration and the journal, starts the parts, and stops them in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::{Event, Fleet, Outcome, StepState};
use vvtv_toolkit::serve::Limits;
use vvtv_toolkit::web_config::WebConfig;
use vvtv_toolkit::{logging, serve};

use crate::alertmanager::Alertmanager;
use crate::cli::ServeArgs;
use crate::clock::Clock;
use crate::condition::PromClient;
use crate::config::{self, ChannelName, Config, SecretFiles};
use crate::delivery::{Desk, Outgoing};
use crate::event_loop::{EventLoop, Parts, QUEUE_MAX, Surroundings};
use crate::executor::Executor;
use crate::facts::StepFact;
use crate::http::{Shared, router};
use crate::journal::{Journal, PastRun, Restored, RunKey};
use crate::metrics::Metrics;
use crate::notice::Addresses;
use crate::outbox::{MessageKey, MessageKind};
use crate::pager::{Channel, Tries};
use crate::reconcile::{self, Reconciler};
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
    let tasks = TaskTracker::new();
    let house = House { config, books: books.into_iter().map(Arc::new).collect(), metrics, tasks: tasks.clone() };
    let (event_loop, shared) = house.furnish(journal, restored, &stop)?;
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

struct House {
    config: Config,
    books: Vec<Arc<Book>>,
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
        let Self { config, books, metrics, tasks } = self;
        let clock = Clock::start(restored.newest);
        let (inputs, queue) = mpsc::channel(QUEUE_MAX);
        let (changes, changed) = watch::channel(0);
        let client = reqwest::Client::builder().build().context("cannot set up the HTTP client")?;
        let addresses = Addresses::new(&config.external_url, Arc::new(books.clone()));
        let desk = Desk { reader: journal.reader(), addresses, clock, inputs: inputs.clone() };
        let outgoing = Outgoing::start(channels(&config)?, &desk, &tasks, stop);
        let prometheus = PromClient::new(&config.prometheus, PROMETHEUS_TIMEOUT)?;
        let attachments = config.database.with_extension("attachments");
        let executor = executor(&config, clock)?;
        let surroundings = Surroundings {
            prometheus: prometheus.clone(),
            site: config.site.clone(),
            executor,
            outgoing: outgoing.clone(),
            attachments: attachments.clone(),
            inputs: inputs.clone(),
            clock,
            permits: Surroundings::permits(),
        };
        let reconcile = Arc::new(Notify::new());
        let reconciler = Reconciler {
            alertmanager: Alertmanager::new(client, &config.alertmanager),
            prometheus,
            targets: config.targets.clone(),
            every: config.reconcile,
            now: Arc::clone(&reconcile),
            clock,
            inputs: inputs.clone(),
            metrics: metrics.clone(),
        };
        reconciler.start(&tasks, stop);
        let (unheard, undelivered) = (unheard(&restored), undelivered(&restored));
        let orphans =
            reconcile::find_orphans(restored.open_runs, &books, &restored.saved.incidents, (&inputs, clock), &tasks);
        for message in restored.messages {
            outgoing.send(message);
        }
        let facts = facts(restored.results);
        report_restart(&restored.saved.incidents);
        let shared = Shared {
            inputs,
            reader: journal.reader(),
            books: Arc::new(books.clone()),
            webhook_token: config.webhook_token.map(Arc::new),
            attachments: attachments.into(),
            reconcile,
            metrics: metrics.clone(),
            console: config.external_url.host_str().unwrap_or_default().into(),
            policy: Arc::new(config.policy.clone()),
            changes: changed,
            stop: stop.clone(),
        };
        let event_loop = EventLoop::new(Parts {
            fleet: Fleet::new(config.policy, plans(&books), restored.saved, clock.now()),
            journal,
            clock,
            books,
            contacts: config.contacts,
            facts,
            undelivered,
            unheard,
            orphans,
            surroundings,
            metrics,
            inputs: queue,
            changes,
        });
        Ok((event_loop, shared))
    }
}

fn plans(books: &[Arc<Book>]) -> Vec<vvtv_incident::Runbook> {
    books.iter().map(|book| book.plan.clone()).collect()
}

fn executor(config: &Config, clock: Clock) -> anyhow::Result<Executor> {
    let spool = config.database.with_extension("spool");
    Executor::new(&spool, Arc::new(move || clock.now())).with_context(|| format!("cannot make {}", spool.display()))
}

/// Calls that are still to be sent, of pages that no channel has taken.
fn undelivered(restored: &Restored) -> Vec<MessageKey> {
    let keys = restored.messages.iter().map(|message| &message.key);
    let untaken = keys.filter(|key| !restored.delivered.contains(&(key.incident, key.page)));
    untaken.filter(|key| key.kind == MessageKind::Trigger).cloned().collect()
}

fn channels(config: &Config) -> anyhow::Result<BTreeMap<String, Channel>> {
    let channel = |(name, channel): (&ChannelName, &config::Channel)| {
        let channel = Channel::new(channel.clone(), Tries::default()).context("cannot set up the HTTP client")?;
        Ok((name.to_string(), channel))
    };
    config.channels.iter().map(channel).collect()
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
