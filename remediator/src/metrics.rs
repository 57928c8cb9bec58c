//! What the remediator tells Prometheus of itself. All label values come from closed lists or from the configuration.

mod channels;
mod keeping;
mod people;
mod senders;
mod tasks;

use std::collections::BTreeMap;

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use vvtv_incident::{Entry, EntryKind, Reason, RunbookId, StepId};

pub(crate) use self::channels::ChannelMetrics;
pub(crate) use self::keeping::{Held, KeepingMetrics};
pub(crate) use self::people::{Beat, PeopleMetrics};
pub(crate) use self::senders::SenderMetrics;
pub(crate) use self::tasks::TaskMetrics;
use crate::efficacy::Record;
use crate::journal::outbox::MessageKind;

/// The metrics, registered once and handed on.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// The registry that `/metrics` renders.
    pub registry: Registry,
    /// Decisions of the core, by kind and reason.
    pub decisions: IntCounterVec,
    /// Answers to webhook deliveries, by status code.
    pub webhooks: IntCounterVec,
    /// Alerts that could not be read in deliveries that could.
    pub alerts_refused: IntCounter,
    /// Names, values and fingerprints of alerts that were cut.
    pub alert_texts_cut: IntCounter,
    /// Runs of each change in the last 90 days.
    pub step_runs: IntGaugeVec,
    /// Those of them after which the target was healthy in time.
    pub step_helped: IntGaugeVec,
    /// Median seconds from a change's start to health, where it helped.
    pub step_healthy_after: GaugeVec,
    /// Finished steps, by runbook, step and how they ended.
    pub steps: IntCounterVec,
    /// Seconds from a step's start to its end.
    pub step_duration: Histogram,
    /// Messages to people, by channel, kind and what became of them.
    pub messages: IntCounterVec,
    /// Open incidents, by runbook and phase.
    pub incidents: IntGaugeVec,
    /// Seconds that a journal commit took.
    pub commit_duration: Histogram,
    /// Whether the last commit was written.
    pub journal_up: IntGauge,
    /// Messages to people that cannot be sent because the journal fails.
    pub waiting_messages: IntGauge,
    /// Bytes of the journal on disk.
    pub journal_size: IntGauge,
    /// Rows that retention deleted, by table.
    pub forgotten: IntCounterVec,
    /// Inputs that wait for the event loop.
    pub queue_length: IntGauge,
    /// Whether all new actions are paused.
    pub paused: IntGauge,
    /// Looks at Alertmanager's own list, by result.
    pub reconciliations: IntCounterVec,
    /// Unix time of the last good look at Alertmanager's own list.
    pub reconciled_at: IntGauge,
    /// Unix time of the last webhook delivery that was taken.
    pub webhook_at: IntGauge,
    /// How it stands with the ways to people.
    pub channels: ChannelMetrics,
    /// How it stands with those whom alerts come from.
    pub senders: SenderMetrics,
    /// What became of maintenance.
    pub tasks: TaskMetrics,
    /// What reaches nobody by itself.
    pub people: PeopleMetrics,
    /// How it stands with the journal and the clock.
    pub keeping: KeepingMetrics,
    /// Whether the last reading of the configuration was good.
    pub reload_ok: IntGauge,
    /// Unix time of the last good reading of the configuration.
    pub reloaded_at: IntGauge,
}

const SECONDS_BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// Two metrics have the same name.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("vvtv_remediator".to_owned()), None)?;
        let metrics = Self {
            decisions: counters("decisions_total", "Decisions of the incident core.", &["event", "reason"])?,
            webhooks: counters("webhook_requests_total", "Answers to Alertmanager's deliveries.", &["code"])?,
            alerts_refused: counter("alerts_refused_total", "Alerts refused, in deliveries that were taken.")?,
            alert_texts_cut: counter("alert_texts_cut_total", "Labels and fingerprints that were cut.")?,
            step_runs: gauges("step_runs", "Runs of a change in the last 90 days.", &["runbook", "step"])?,
            step_helped: gauges(
                "step_helped",
                "Runs of a change in the last 90 days after which the target was healthy within its time to settle.",
                &["runbook", "step"],
            )?,
            step_healthy_after: times(
                "step_healthy_after_seconds",
                "Median time from a change's start to health, where it helped.",
                &["runbook", "step"],
            )?,
            steps: counters("steps_total", "Finished steps.", &["runbook", "step", "state"])?,
            step_duration: histogram("step_duration_seconds", "Time from a step's start to its end.")?,
            messages: counters("messages_total", "Messages to people.", &["channel", "kind", "state"])?,
            incidents: gauges("open_incidents", "Open incidents.", &["runbook", "phase"])?,
            commit_duration: histogram("journal_commit_duration_seconds", "Time that a journal commit took.")?,
            journal_up: gauge("journal_up", "Whether the last commit was written to disk.")?,
            waiting_messages: gauge(
                "journal_waiting_messages",
                "Messages to people that wait for the journal to be written again.",
            )?,
            journal_size: gauge("journal_size_bytes", "Bytes of the journal on disk.")?,
            forgotten: counters("journal_deleted_rows_total", "Rows that retention deleted.", &["table"])?,
            queue_length: gauge("queue_length", "Inputs that wait for the event loop.")?,
            paused: gauge("paused", "Whether all new actions are paused.")?,
            reconciliations: counters(
                "reconciliations_total",
                "Looks at Alertmanager's own list of alerts.",
                &["result"],
            )?,
            reconciled_at: gauge(
                "last_reconciliation_timestamp_seconds",
                "Unix time of the last good look at Alertmanager's own list of alerts.",
            )?,
            webhook_at: gauge(
                "last_webhook_timestamp_seconds",
                "Unix time of the last webhook delivery that was taken.",
            )?,
            channels: ChannelMetrics::register(&registry)?,
            senders: SenderMetrics::register(&registry)?,
            tasks: TaskMetrics::register(&registry)?,
            people: PeopleMetrics::register(&registry)?,
            keeping: KeepingMetrics::register(&registry)?,
            reload_ok: gauge(
                "config_last_reload_successful",
                "Whether the configuration was good when it was last read.",
            )?,
            reloaded_at: gauge(
                "config_last_reload_success_timestamp_seconds",
                "Unix time of the last good reading of the configuration.",
            )?,
            registry,
        };
        metrics.register()?;
        metrics.journal_up.set(1);
        metrics.foresee();
        Ok(metrics)
    }

    /// Series that are to be there before there is anything to count: what is first seen as 1 has not increased.
    fn foresee(&self) {
        for table in ["incident", "task", "timeline"] {
            self.forgotten.with_label_values(&[table]);
        }
        for result in ["ok", "error"] {
            self.reconciliations.with_label_values(&[result]);
        }
        let nobody = [EntryKind::PageDelivered.as_str(), Reason::Undeliverable.as_str()];
        self.decisions.with_label_values(&nobody);
        for code in ["200", "400", "401", "408", "413", "503"] {
            self.webhooks.with_label_values(&[code]);
        }
    }

    fn register(&self) -> Result<(), prometheus::Error> {
        let all: [Box<dyn Collector>; 23] = [
            Box::new(self.decisions.clone()),
            Box::new(self.webhooks.clone()),
            Box::new(self.alerts_refused.clone()),
            Box::new(self.alert_texts_cut.clone()),
            Box::new(self.step_runs.clone()),
            Box::new(self.step_helped.clone()),
            Box::new(self.step_healthy_after.clone()),
            Box::new(self.steps.clone()),
            Box::new(self.step_duration.clone()),
            Box::new(self.messages.clone()),
            Box::new(self.incidents.clone()),
            Box::new(self.commit_duration.clone()),
            Box::new(self.journal_up.clone()),
            Box::new(self.waiting_messages.clone()),
            Box::new(self.journal_size.clone()),
            Box::new(self.forgotten.clone()),
            Box::new(self.queue_length.clone()),
            Box::new(self.paused.clone()),
            Box::new(self.reconciliations.clone()),
            Box::new(self.reconciled_at.clone()),
            Box::new(self.webhook_at.clone()),
            Box::new(self.reload_ok.clone()),
            Box::new(self.reloaded_at.clone()),
        ];
        all.into_iter().try_for_each(|collector| self.registry.register(collector))
    }

    /// Shows what the changes came to.
    pub(crate) fn efficacy(&self, records: &BTreeMap<(RunbookId, StepId), Record>) {
        for ((runbook, step), record) in records {
            let labels = [runbook.as_str(), step.as_str()];
            self.step_runs.with_label_values(&labels).set(i64::from(record.runs));
            self.step_helped.with_label_values(&labels).set(i64::from(record.helped()));
            if let Some(median) = record.median() {
                self.step_healthy_after.with_label_values(&labels).set(median.as_secs_f64());
            }
        }
    }

    /// Notes whether there is a journal.
    pub(crate) fn opened(&self, durable: bool) {
        self.journal_up.set(i64::from(durable));
        self.keeping.people_only.set(i64::from(!durable));
    }

    /// Notes whether the configuration was good when it was read just now.
    pub(crate) fn reloaded(&self, good: bool) {
        self.reload_ok.set(i64::from(good));
        if good {
            self.reloaded_at.set(jiff::Timestamp::now().as_second());
        }
    }

    /// Failures of each channel are counted from nothing on: what is first seen as 1 has not increased.
    pub(crate) fn foresee_channels<'a>(&self, names: impl Iterator<Item = &'a String>) {
        for name in names {
            for kind in [MessageKind::Trigger, MessageKind::Update, MessageKind::Resolve] {
                self.messages.with_label_values(&[name, kind.as_str(), "failed"]);
            }
        }
    }

    /// Counts a decision.
    pub(crate) fn decided(&self, entry: &Entry) {
        self.count_decision(entry.event, entry.reason);
    }

    fn count_decision(&self, event: EntryKind, reason: Reason) {
        self.decisions.with_label_values(&[event.as_str(), reason.as_str()]).inc();
    }
}

fn counters(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}

fn counter(name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    IntCounter::new(name, help)
}

fn times(name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
    GaugeVec::new(Opts::new(name, help), labels)
}

fn time(name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
    Gauge::new(name, help)
}

fn gauge(name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    IntGauge::new(name, help)
}

fn histogram(name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(SECONDS_BUCKETS.to_vec()))
}
