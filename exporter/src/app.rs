//! The program's life: flags, configuration, probes, server, signals, reload.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use vvtv_toolkit::access::{AccessMetrics, Gate, Role, Rules};
use vvtv_toolkit::flags::{LogArgs, WebArgs};
use vvtv_toolkit::logging::chain;
use vvtv_toolkit::serve::{self, Limits, ListenAddress, ServeMetrics};
use vvtv_toolkit::web_config::WebConfig;

use crate::clock::Clock;
use crate::config::{Config, StreamsFrom};
use crate::discovery::Discovered;
use crate::fetch::{Fetcher, shown};
use crate::files::Files;
use crate::health::{Failure, ProbeError};
use crate::probe::playlist::Remembered;
use crate::probe::{Pace, Tools};
use crate::probe_fleet::ProbeFleet;
use crate::recorder::Recorder;
use crate::server::{self, Site};
use crate::thresholds::Warnings;

/// The port that is listened on by default.
const PORT: u16 = 10047;

/// How long the first scrape may be held back until every source was asked once.
const FIRST_ROUND: Duration = Duration::from_secs(1);

/// How often ages are kept.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// How long that may take: signals wait for it.
const SAVE_LIMIT: Duration = Duration::from_secs(2);

/// How often servers are looked at for new publishers; their pages are read by the probes.
const DISCOVER_EVERY: Duration = Duration::from_secs(1);

/// Measures live channels for Prometheus: segment age, encoder drops, ingest, bitrate variance.
#[derive(Clone, Debug, Parser)]
#[command(name = "vvtv-exporter", version)]
pub struct Args {
    /// What to do other than measure.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Configuration file; without it the runbook's own layout is watched.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// File that keeps the age of each stream across restarts; without it, ages begin anew.
    #[arg(long = "state.file", value_name = "FILE")]
    pub state_file: Option<PathBuf>,
    /// How it serves.
    #[command(flatten)]
    pub web: WebArgs,
    /// How it logs.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What to do other than measure.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Provokes faults on servers of its own on loopback, and checks that each metric trips and clears; exit code 1 if one does not.
    Selftest,
}

/// Asks for a reload; the answer says what is wrong with the file.
pub type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// Runs until a signal ends it.
///
/// # Errors
/// The configuration cannot be read, a port is taken, TLS cannot be set up.
pub async fn run(args: Args) -> anyhow::Result<()> {
    // First of all: a signal during the start must not meet the system's default, which for SIGHUP is death.
    let signals = Signals::install().context("handle signals")?;
    let config = load(&args)?;
    let web = match &args.web.config_file {
        Some(path) => WebConfig::load(path).map_err(anyhow::Error::new)?,
        None => WebConfig::default(),
    };
    let listeners = serve::listen(&args.web, &ListenAddress::loopbacks(PORT)).await?;
    for listener in &listeners {
        info!(address = %listener.local_addr().context("read the address of a listener")?, "listening");
    }

    let registry = Registry::new();
    let own = OwnMetrics::register(&registry).context("register metrics")?;
    let limits = limits(&args.web, &registry).context("register metrics")?;
    let gate = gate(&web, AccessMetrics::beside(&limits.metrics));
    let recorder = Recorder::start();
    let fetcher = Arc::new(Fetcher::new().context("set an HTTP client up")?);
    let remembered = Arc::new(remembered(args.state_file.as_deref()));
    let pace = Pace::register(&registry).context("register metrics")?;
    let tools = Tools { clock: Clock::start(), fetcher, recorder, remembered, pace };
    let mut fleet = ProbeFleet::new(tools.clone());
    fleet.apply(&config).await;
    own.reloaded(tools.clock, true);
    info!(streams = config.streams.len(), "watching");
    fleet.first_round(FIRST_ROUND).await;

    let stop = CancellationToken::new();
    let (reload, requests) = mpsc::channel(1);
    let site = Site::new(fleet.watched(), tools.clone(), registry, reload, &args.web.telemetry_path)
        .context("register metrics")?;
    let app = server::router(site, gate);
    let control = tokio::spawn(
        Control {
            args,
            fleet,
            clock: tools.clock,
            own,
            files: tools.fetcher.files().clone(),
            stop: stop.clone(),
            saved: Remembered::default(),
            warnings: Warnings::default(),
        }
        .run(signals, requests),
    );
    let served = serve::run(listeners, app, web, limits, stop.clone()).await;
    stop.cancel();
    control.await.context("the control task died")?;
    Ok(served?)
}

/// Where nobody can show who they are, everybody who reaches the port may do everything; so may users to whom no `roles` were given.
fn gate(web: &WebConfig, metrics: AccessMetrics) -> Gate {
    let rules = Rules { anonymous: Some(Role::Admin), unassigned: Some(Role::Admin), metrics, ..Rules::default() };
    Gate::new(web.clone(), rules)
}

fn limits(web: &WebArgs, registry: &Registry) -> Result<Limits, prometheus::Error> {
    Ok(Limits {
        hosts: web.hosts(),
        reserved_paths: vec![web.telemetry_path.clone(), "/-/healthy".to_owned(), "/-/ready".to_owned()],
        metrics: ServeMetrics::register(registry, "vvtv_exporter")?,
        ..Limits::default()
    })
}

/// What an earlier run left. A file that cannot be read is no reason not to measure; it is replaced at the next save.
fn remembered(path: Option<&Path>) -> Remembered {
    let Some(path) = path else { return Remembered::default() };
    Remembered::load(path).unwrap_or_else(|error| {
        error!("ages begin anew: {}", chain(&error));
        Remembered::default()
    })
}

fn load(args: &Args) -> anyhow::Result<Config> {
    let config = match &args.config_file {
        Some(path) => Config::load(path),
        None => Config::builtin(),
    };
    config.map_err(anyhow::Error::new)
}

/// The signals that are heeded.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Owns the probes: reloads when asked or signalled, and ends everything at last.
struct Control {
    args: Args,
    fleet: ProbeFleet,
    clock: Clock,
    own: OwnMetrics,
    files: Files,
    stop: CancellationToken,
    /// What the state file holds.
    saved: Remembered,
    warnings: Warnings,
}

impl Control {
    async fn run(mut self, mut signals: Signals, mut requests: mpsc::Receiver<ReloadRequest>) {
        let mut saves = tokio::time::interval(SAVE_EVERY);
        let mut discoveries = tokio::time::interval(DISCOVER_EVERY);
        loop {
            let answer = tokio::select! {
                _ = saves.tick() => {
                    self.warnings.look(&self.fleet.watched().borrow());
                    self.save().await;
                    continue;
                }
                _ = discoveries.tick() => {
                    self.own.discovered(self.fleet.discover().await);
                    continue;
                }
                _ = signals.hangup.recv() => None,
                Some(request) = requests.recv() => Some(request),
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                () = self.stop.cancelled() => break,
            };
            let outcome = self.reload().await;
            if let Some(answer) = answer {
                // The asker may have hung up.
                let _: Result<(), _> = answer.send(outcome);
            }
        }
        info!("stopping");
        self.stop.cancel();
        self.save().await;
        self.fleet.stop().await;
    }

    async fn save(&mut self) {
        let Some(path) = self.args.state_file.clone() else { return };
        let known = self.fleet.watched().borrow().remembered(self.clock.now());
        if known == self.saved {
            return;
        }
        let file = path.clone();
        let save = move || match known.save(&file) {
            Ok(()) => Ok(known),
            Err(error) => Err(ProbeError::new(Failure::Io, chain(&error))),
        };
        match self.files.look(&path, SAVE_LIMIT, save).await {
            Ok(known) => self.saved = known,
            Err(error) => error!("ages are not kept: {error}"),
        }
    }

    async fn reload(&mut self) -> Result<(), String> {
        let outcome = match load(&self.args) {
            Ok(config) => {
                self.fleet.apply(&config).await;
                info!(streams = config.streams.len(), "configuration reloaded");
                Ok(())
            }
            Err(error) => {
                error!("reload failed, the old configuration goes on: {error:#}");
                Err(format!("{error:#}"))
            }
        };
        self.own.reloaded(self.clock, outcome.is_ok());
        outcome
    }
}

/// What the program says of itself.
struct OwnMetrics {
    reload_successful: IntGauge,
    reload_success_timestamp: Gauge,
    discovered: IntGaugeVec,
    refused: IntGaugeVec,
}

impl OwnMetrics {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let build = IntGaugeVec::new(
            Opts::new("vvtv_exporter_build_info", "Always 1; the label tells the version."),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let successful = "vvtv_exporter_config_last_reload_successful";
        let reload_successful = IntGauge::new(successful, "1 if the configuration was read the last time.")?;
        let timestamp = "vvtv_exporter_config_last_reload_success_timestamp_seconds";
        let reload_success_timestamp = Gauge::new(timestamp, "Unix time at which the configuration was last read.")?;
        registry.register(Box::new(build))?;
        registry.register(Box::new(reload_successful.clone()))?;
        registry.register(Box::new(reload_success_timestamp.clone()))?;
        let found = "Streams that are watched because they publish on a server.";
        let discovered = IntGaugeVec::new(Opts::new("vvtv_exporter_discovered_streams", found), &["server"])?;
        let more =
            "Publishers on a server that are not watched: beyond its limit, or of a name that another stream has.";
        let refused = IntGaugeVec::new(Opts::new("vvtv_exporter_discovery_refused_streams", more), &["server"])?;
        registry.register(Box::new(discovered.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        Ok(Self { reload_successful, reload_success_timestamp, discovered, refused })
    }

    fn discovered<'a>(&self, servers: impl Iterator<Item = (&'a StreamsFrom, &'a Discovered)>) {
        for (from, found) in servers {
            let server = shown(&from.location);
            let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            self.discovered.with_label_values(&[&server]).set(count(found.streams.len()));
            self.refused.with_label_values(&[&server]).set(count(found.refused));
        }
    }

    fn reloaded(&self, clock: Clock, successful: bool) {
        self.reload_successful.set(i64::from(successful));
        if successful {
            self.reload_success_timestamp.set(clock.now().unix_seconds);
        }
    }
}
