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
use vvtv_toolkit::access::{AccessMetrics, Gate, Role, Rules, Sender, Token};
use vvtv_toolkit::serve::Limits;
use vvtv_toolkit::web_config::WebConfig;
use vvtv_toolkit::{logging, serve};

use crate::alertmanager::Alertmanager;
use crate::cli::ServeArgs;
use crate::clock::Clock;
use crate::condition::PromClient;
use crate::config::{self, Config, SecretFiles, WebhookAccess};
use crate::delivery::{Desk, Outgoing};
use crate::duty::Duties;
use crate::event_loop::{EventLoop, Parts, QUEUE_MAX, Surroundings};
use crate::executor::Executor;
use crate::facts::StepFact;
use crate::failpoint::{Point, reached};
use crate::http::{Room, Shared, WEBHOOK_PATH, link_to, router};
use crate::journal::{Journal, PastRun, Restored, RestoredAgenda, RunKey};
use crate::live::{Live, Reloader, Watched};
use crate::metrics::Metrics;
use crate::notice::Addresses;
use crate::outbox::{MessageKey, MessageKind, Subject};
use crate::reconcile::{self, Reconciler};
use crate::retention::Retention;
use crate::runbook::{Book, load_dir};
use crate::targets::Known;

/// How long an answer about health may take; the core takes a later one for "unknown" anyway.
const PROMETHEUS_TIMEOUT: Duration = Duration::from_secs(5);

/// What is wrong with a configuration that does not say who may deliver alerts.
pub const WEBHOOK_UNDECIDED: &str = "who may deliver alerts is not said: `webhook: {token_file: …}` names the file of a token that Alertmanager \
                                     shows as well (`authorization: {credentials_file: …}`); `webhook: {unauthenticated: true}` lets everybody \
                                     who reaches the port start runbooks";

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// The configuration, a runbook, the journal or a port cannot be used.
pub fn main(args: &ServeArgs) -> anyhow::Result<()> {
    logging::init(&args.log)?;
    let config = config::load(&args.config_file, SecretFiles::Demand)?;
    if config.webhook == WebhookAccess::Undecided {
        anyhow::bail!("{}: {WEBHOOK_UNDECIDED}", args.config_file.display());
    }
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
    let limits = limits(args, &config, &metrics).context("cannot register metrics")?;
    let (journal, restored) = Journal::open(&config.database)?;
    reached(Point::JournalLoaded);
    report_restart(&restored.saved.incidents);
    let tasks = TaskTracker::new();
    let live = Live::new(&config, books)?;
    let gate = gate(&config, &web, &metrics)?;
    show_link(&config, &web, &gate)?;
    let room = Room::new(&limits.metrics);
    let house = House { file: args.config_file.clone(), config, live, metrics, gate, room, tasks: tasks.clone() };
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

/// The name and the role of the token beside the journal.
const OPERATOR: &str = "operator";

/// Who may do what: those whom the web configuration knows, and whoever can read the token beside the journal, who could write the journal
/// just as well.
fn gate(config: &Config, web: &WebConfig, metrics: &Metrics) -> anyhow::Result<Gate> {
    let own = Token::read_or_make(OPERATOR, Role::Operator, &config.operator_token_file())?;
    let refused = AccessMetrics::register(&metrics.registry, "http_refused_requests_total");
    Ok(Gate::new(
        web.clone(),
        Rules {
            own: vec![own],
            anonymous: None,
            unassigned: None,
            sender: match &config.webhook {
                WebhookAccess::Token(token) => Sender::with_token(token.reveal()),
                WebhookAccess::Anybody => Sender::Anybody,
                WebhookAccess::Undecided => Sender::Nobody,
            },
            names: config.external_url.host_str().map(str::to_owned).into_iter().collect(),
            secure: web.has_tls() || config.external_url.scheme() == "https",
            metrics: refused.context("cannot register metrics")?,
        },
    ))
}

/// Where nobody has a password yet, the way in is logged, as whoever reads the log can read the token too.
fn show_link(config: &Config, web: &WebConfig, gate: &Gate) -> anyhow::Result<()> {
    if web.knows_people() {
        return Ok(());
    }
    let code = gate.own_code().context("cannot make a one-time link to the console")?;
    if let Some(code) = code {
        let url = link_to(&config.external_url, &code);
        tracing::info!(url, "the console opens once with this link, within 15 minutes; `login` prints another");
    }
    Ok(())
}

fn limits(args: &ServeArgs, config: &Config, metrics: &Metrics) -> Result<Limits, prometheus::Error> {
    let mut hosts = args.web.hosts();
    hosts.add(config.external_url.host_str().unwrap_or_default());
    hosts.add(config.listen.rsplit_once(':').map_or("", |(host, _port)| host));
    let always = [WEBHOOK_PATH, &args.web.telemetry_path, "/-/healthy", "/-/ready"];
    Ok(Limits {
        hosts,
        reserved_paths: always.map(str::to_owned).to_vec(),
        large_body_paths: vec![WEBHOOK_PATH.to_owned()],
        // The registry has a prefix already.
        metrics: serve::ServeMetrics::register(&metrics.registry, "")?,
        ..Limits::default()
    })
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
    gate: Gate,
    room: Room,
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
        let Self { file, config, live, metrics, gate, room, tasks } = self;
        let clock = Clock::start(restored.newest);
        let (inputs, queue) = mpsc::channel(QUEUE_MAX);
        let (changes, changed) = watch::channel(0);
        let live = Arc::new(live);
        let (showing, shown) = watch::channel(Arc::clone(&live));
        let addresses = Addresses::new(&config.external_url, shown.clone());
        let desk = Desk { reader: journal.reader(), addresses, clock, inputs: inputs.clone() };
        let outgoing = Outgoing::start(live.channels.clone(), &desk, &tasks, stop);
        let attachments = attachments(&config);
        let surroundings = Surroundings {
            prometheus: PromClient::new(&config.prometheus, PROMETHEUS_TIMEOUT)?,
            targets_wanted: Arc::new(Notify::new()),
            site: live.site.clone(),
            executor: executor(&config, clock)?,
            outgoing: outgoing.clone(),
            attachments: attachments.clone(),
            inputs: inputs.clone(),
            clock,
            permits: Surroundings::permits(),
            redaction: live.redaction.clone(),
        };
        let reconciler = reconciler(&config, &desk, &surroundings, &shown, &metrics)?;
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
        restored.messages.into_iter().for_each(|message| outgoing.send(message));
        let reloader = Arc::new(Reloader::new(file, config.clone(), inputs.clone(), metrics.clone()));
        let shared = Shared {
            inputs,
            reader: journal.reader(),
            live: shown,
            reloader,
            gate,
            attachments,
            reconcile,
            metrics: metrics.clone(),
            room,
            console: config.external_url,
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
            facts: facts(restored.results),
            undelivered,
            unheard,
            orphans,
            targets: Known::new(config.inventory, restored.targets),
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
    surroundings: &Surroundings,
    shown: &Watched,
    metrics: &Metrics,
) -> anyhow::Result<Reconciler> {
    let client = reqwest::Client::builder().build().context("cannot set up the HTTP client")?;
    Ok(Reconciler {
        alertmanager: Alertmanager::new(client, &config.alertmanager),
        prometheus: surroundings.prometheus.clone(),
        targets_wanted: Arc::clone(&surroundings.targets_wanted),
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
    Executor::new(&spool, &config.environment, Arc::new(move || clock.now()))
        .with_context(|| format!("cannot make {}", spool.display()))
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

#[cfg(test)]
mod tests;
