//! Reading the configuration again: on SIGHUP and on `POST /-/reload`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{Mutex, oneshot};

use super::live::Live;
use crate::config::{self, Config, SecretFiles};
use crate::metrics::Metrics;
use crate::reports::Reports;
use crate::runbook::load_dir;

/// Keys of the configuration that say something else than they did at the start, and that only a restart puts in force.
#[must_use]
pub(crate) fn fixed(started: &Config, read: &Config) -> Vec<&'static str> {
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

/// The configuration was read again and is good.
#[derive(Debug)]
pub(crate) struct Reload {
    /// What it says.
    pub live: Arc<Live>,
    /// Answered once it is in force.
    pub done: oneshot::Sender<()>,
}

/// Reads the configuration again.
pub(crate) struct Reloader {
    file: PathBuf,
    /// What the server started with.
    started: Config,
    reports: Reports<Reload>,
    metrics: Metrics,
    /// One at a time, or an older text could come into force after a newer one.
    turn: Mutex<()>,
}

impl Reloader {
    /// A reader of this file. What was read at the start counts as the first good reading.
    #[must_use]
    pub(crate) fn new(file: PathBuf, started: Config, reports: Reports<Reload>, metrics: Metrics) -> Self {
        metrics.reloaded(true);
        Self { file, started, reports, metrics, turn: Mutex::new(()) }
    }

    /// Puts what the files say now in force, or keeps everything as it is. The outcome is logged and counted.
    ///
    /// Gives the changed keys that wait for a restart.
    ///
    /// # Errors
    /// The configuration or a runbook is wrong.
    pub(crate) async fn reload(&self) -> anyhow::Result<Vec<&'static str>> {
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
        self.reports.tell(Reload { live: Arc::new(live), done }).await;
        in_force.await.context("shutting down")?;
        Ok(fixed(&self.started, &config))
    }
}
