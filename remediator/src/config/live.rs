//! What of the configuration may change while the server runs, and reading it again: on SIGHUP and on `POST /-/reload`.
//!
//! The event loop puts it in force, between two turns and whole; everybody else looks at the snapshot that it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use vvtv_incident::{Policy, Runbook, Target};
use vvtv_toolkit::redaction::Redactor;

use crate::config::redaction;
use crate::config::{self, ChannelName, Config, Contact, SecretFiles};
use crate::event_loop::Input;
use crate::maintenance::duty::Duties;
use crate::maintenance::windows::Windows;
use crate::metrics::Metrics;
use crate::paging::channels::Channel;
use crate::runbook::{Book, Site, load_dir};

/// How long one try to hand a message over may take.
const TRY_WITHIN: Duration = Duration::from_secs(5);

/// What may change. What [`fixed`] names needs a restart.
#[derive(Clone, Debug)]
pub struct Live {
    /// The runbooks.
    pub books: Vec<Arc<Book>>,
    /// The limits, and the mode.
    pub policy: Policy,
    /// Who is called on which channels.
    pub contacts: Vec<Contact>,
    /// The ways to reach them, by name.
    pub channels: BTreeMap<String, Channel>,
    /// Planned times in which nothing is done.
    pub windows: Windows,
    /// Targets that exist whatever Prometheus says.
    pub inventory: BTreeSet<Target>,
    /// What comes round by the calendar.
    pub duties: Duties,
    /// What runbooks may use of this installation.
    pub site: Site,
    /// What must not be written down.
    pub redaction: Redactor,
}

/// The snapshot that readers look at.
pub type Watched = watch::Receiver<Arc<Live>>;

impl Live {
    /// What a configuration and its runbooks say.
    ///
    /// # Errors
    /// A channel's HTTP client cannot be set up.
    pub fn new(config: &Config, books: Vec<Book>) -> anyhow::Result<Self> {
        let channel = |(name, channel): (&ChannelName, &config::Channel)| {
            let channel = Channel::new(channel.clone(), TRY_WITHIN).context("cannot set up the HTTP client")?;
            Ok((name.to_string(), channel))
        };
        Ok(Self {
            books: books.into_iter().map(Arc::new).collect(),
            policy: config.policy.clone(),
            contacts: config.contacts.clone(),
            channels: config.channels.iter().map(channel).collect::<anyhow::Result<_>>()?,
            windows: Windows::new(config.maintenance_windows.clone()),
            inventory: config.inventory.clone(),
            duties: Duties::new(config.maintenance.clone()),
            site: config.site.clone(),
            redaction: redaction::redactor(config),
        })
    }

    /// The runbooks as the core knows them.
    #[must_use]
    pub fn plans(&self) -> Vec<Runbook> {
        self.books.iter().map(|book| book.plan.clone()).collect()
    }
}

/// Keys of the configuration that say something else than they did at the start, and that only a restart puts in force.
#[must_use]
pub fn fixed(started: &Config, read: &Config) -> Vec<&'static str> {
    // Every key stands here, so that a new one is decided about.
    let Config {
        listen,
        external_url,
        database,
        prometheus,
        alertmanager,
        webhook,
        receiver,
        sns_topics,
        targets,
        environment,
        reconcile,
        heartbeat,
        retention,
        runbooks: _,
        rules: _,
        alertmanager_config: _,
        metrics: _,
        inventory: _,
        site: _,
        policy: _,
        contacts: _,
        channels: _,
        maintenance_windows: _,
        maintenance: _,
        apart_from: _,
        marks: _,
    } = started;
    let keys = [
        ("listen", *listen != read.listen),
        ("external_url", *external_url != read.external_url),
        ("database", *database != read.database),
        ("prometheus", *prometheus != read.prometheus),
        ("alertmanager", *alertmanager != read.alertmanager),
        ("webhook", (webhook, receiver, sns_topics) != (&read.webhook, &read.receiver, &read.sns_topics)),
        ("targets", *targets != read.targets),
        ("environment", *environment != read.environment),
        ("reconcile", *reconcile != read.reconcile),
        ("heartbeat", *heartbeat != read.heartbeat),
        ("journal.retention", *retention != read.retention),
    ];
    keys.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

/// Reads the configuration again.
pub struct Reloader {
    file: PathBuf,
    /// What the server started with.
    started: Config,
    inputs: mpsc::Sender<Input>,
    metrics: Metrics,
    /// One at a time, or an older text could come into force after a newer one.
    turn: Mutex<()>,
}

impl Reloader {
    /// A reader of this file. What was read at the start counts as the first good reading.
    #[must_use]
    pub fn new(file: PathBuf, started: Config, inputs: mpsc::Sender<Input>, metrics: Metrics) -> Self {
        metrics.reloaded(true);
        Self { file, started, inputs, metrics, turn: Mutex::new(()) }
    }

    /// Puts what the files say now in force, or keeps everything as it is. The outcome is logged and counted.
    ///
    /// Gives the changed keys that wait for a restart.
    ///
    /// # Errors
    /// The configuration or a runbook is wrong.
    pub async fn reload(&self) -> anyhow::Result<Vec<&'static str>> {
        let _turn = self.turn.lock().await;
        let result = self.read_and_hand_over().await;
        self.metrics.reloaded(result.is_ok());
        match &result {
            Ok(waiting) => {
                tracing::info!(file = %self.file.display(), "configuration loaded again");
                if !waiting.is_empty() {
                    tracing::warn!(keys = waiting.join(", "), "changed keys need a restart: their old values stay");
                }
            }
            Err(error) => tracing::error!(error = format!("{error:#}"), "configuration not loaded: the old one stays"),
        }
        result
    }

    async fn read_and_hand_over(&self) -> anyhow::Result<Vec<&'static str>> {
        let file = self.file.clone();
        let read = move || {
            let config = config::load(&file, SecretFiles::Demand)?;
            let books = load_dir(&config.runbooks, &config.site)?;
            Ok::<_, anyhow::Error>((Live::new(&config, books)?, config))
        };
        let (live, config) = tokio::task::spawn_blocking(read).await.context("reading the configuration died")??;
        let (done, in_force) = oneshot::channel();
        let input = Input::Reload { live: Arc::new(live), done };
        self.inputs.send(input).await.ok().context("shutting down")?;
        in_force.await.context("shutting down")?;
        Ok(fixed(&self.started, &config))
    }
}
