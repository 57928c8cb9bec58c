//! Looking for oneself: what stands in Alertmanager, and which targets there are. Edges get lost; levels do not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::{EfficacyTable, Scope, Source, Target, Timestamp};

use crate::alerts::alertmanager::{Alertmanager, AlertmanagerError, Alertmanagers, Standing};
use crate::alerts::webhook::{AlertUpdate, Group};
use crate::clock::Clock;
use crate::conditions::{PromClient, PromError};
use crate::efficacy;
use crate::failpoint::{Point, reached};
use crate::journal::Reader;
use crate::metrics::Metrics;
use crate::reports::Reports;
use crate::runbook::RunbooksInForce;
use crate::upstream::clock::PeerClock;

/// What was found.
#[derive(Debug)]
pub(crate) enum Report {
    /// Everything that stands in Alertmanager.
    Standing {
        /// The alerts.
        updates: Vec<AlertUpdate>,
        /// Whose they are.
        scope: Scope,
        /// When they were asked for.
        asked_at: Timestamp,
    },
    /// Every target that Prometheus knows.
    Targets {
        /// Their names.
        listed: BTreeSet<Target>,
        /// When they were asked for.
        asked_at: Timestamp,
    },
    /// How often each change helped.
    Efficacy(EfficacyTable),
    /// Somebody by whom faults are heard of has answered.
    Alive(Source),
}

/// Looks at Alertmanager and Prometheus on start, by timer, and when told to.
pub(crate) struct Reconciler {
    /// Whom to ask for alerts.
    pub alertmanagers: Alertmanagers,
    /// Whose alerts to ask for.
    pub scope: watch::Receiver<Scope>,
    /// Groups of which deliveries left alerts out.
    pub left_out: mpsc::Receiver<Group>,
    /// Whom to ask for the targets.
    pub prometheus: PromClient,
    /// What to ask.
    pub targets: Option<String>,
    /// How often.
    pub every: Duration,
    /// Asks for a look now.
    pub now: Arc<Notify>,
    /// Asks for the targets now.
    pub targets_wanted: Arc<Notify>,
    /// What the past is asked of.
    pub reader: Reader,
    /// Whose steps it is asked about, and by which labels targets are named.
    pub runbooks: RunbooksInForce,
    /// The clock.
    pub clock: Clock,
    /// Where the answers go.
    pub reports: Reports<Report>,
    /// What is counted.
    pub metrics: Metrics,
}

impl Reconciler {
    /// What Prometheus and the Alertmanagers say that the time is.
    #[must_use]
    pub(crate) fn peer_clocks(&self) -> (PeerClock, Vec<PeerClock>) {
        let alertmanagers = self.alertmanagers.iter().map(|peer| peer.clock.clone()).collect();
        (self.prometheus.clock.clone(), alertmanagers)
    }

    /// Starts looking.
    pub(crate) fn start(self, tasks: &TaskTracker, stop: &CancellationToken) {
        let stop = stop.clone();
        tasks.spawn(async move { stop.run_until_cancelled(self.run()).await });
    }

    async fn run(mut self) {
        // Kept until a look has answered.
        let mut left_out = Vec::new();
        loop {
            while let Ok(group) = self.left_out.try_recv() {
                left_out.push(group);
            }
            left_out.truncate(GROUPS_MAX);
            if self.look(&left_out).await {
                left_out.clear();
            }
            let next = tokio::time::Instant::now() + self.every;
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => break,
                    () = self.now.notified() => break,
                    () = self.targets_wanted.notified() => {
                        self.ask_for_targets().await;
                        // Whoever makes up names must not choose how often Prometheus is asked.
                        tokio::time::sleep(TARGETS_EVERY).await;
                    }
                }
            }
        }
    }

    async fn ask_for_targets(&self) {
        let labels = self.runbooks.get().iter().map(|book| book.plan.target.clone()).collect();
        let asked_at = self.clock.now();
        let answer = match &self.targets {
            Some(query) => self.prometheus.names(query, &labels).await,
            None => self.prometheus.answers().await.map(|()| BTreeSet::new()),
        };
        let lives = answer.as_ref().map_or_else(PromError::is_answer, |_| true);
        match answer {
            Ok(listed) => self.reports.tell(Report::Targets { listed, asked_at }).await,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot list the targets");
            }
        }
        if lives {
            self.reports.tell(Report::Alive(Source::Prometheus)).await;
        }
    }

    /// Whether Alertmanager has answered.
    async fn look(&self, left_out: &[Group]) -> bool {
        match self.reader.changes(efficacy::since(self.clock.now())).await {
            Ok(changes) => {
                let records = efficacy::records(&changes, &self.runbooks.get());
                self.metrics.efficacy(&records);
                self.reports.tell(Report::Efficacy(efficacy::table(&records))).await;
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "cannot look back at changes"),
        }
        // First, since a few sick targets of an unknown number look like a systemic fault.
        self.ask_for_targets().await;
        let (asked_at, scope) = (self.clock.now(), self.scope.borrow().clone());
        let mut silent = BTreeSet::new();
        let complain = |peer: &Alertmanager, error: AlertmanagerError| {
            let (alertmanager, error) = (peer.name.as_str(), &error as &dyn std::error::Error);
            tracing::warn!(alertmanager, error, "cannot compare with Alertmanager");
            silent.insert(peer.name.clone());
        };
        let standing = self.alertmanagers.standing(&scope, left_out, complain).await;
        let Standing { updates, refused, cut, answered } = standing;
        for name in self.alertmanagers.iter().map(|peer| &peer.name) {
            self.metrics.senders.alertmanager_up.with_label_values(&[name]).set(i64::from(!silent.contains(name)));
        }
        self.metrics.alert_texts_cut.inc_by(cut);
        self.metrics.alerts_refused.inc_by(refused);
        let result = if answered > 0 { "ok" } else { "error" };
        self.metrics.reconciliations.with_label_values(&[result]).inc();
        if answered > 0 {
            reached(Point::Reconciled);
            self.metrics.reconciled_at.set(jiff::Timestamp::now().as_second());
            self.reports.tell(Report::Standing { updates, scope, asked_at }).await;
            self.reports.tell(Report::Alive(Source::Alertmanager)).await;
        }
        answered > 0
    }
}

/// Groups that wait to be asked for.
pub(crate) const GROUPS_MAX: usize = 64;
/// Between two questions for the targets that alerts bring about.
const TARGETS_EVERY: Duration = Duration::from_secs(1);
