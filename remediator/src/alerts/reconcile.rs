//! Looking for oneself: what stands in Alertmanager, which targets there are, and what became of processes that a killed
//! remediator left behind. Edges get lost; levels do not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::{Event, Incident, Outcome, Scope, Source, TaskState, Timestamp};

use crate::alerts::alertmanager::{Alertmanager, AlertmanagerError, Alertmanagers, Standing};
use crate::alerts::webhook::Group;
use crate::clock::Clock;
use crate::conditions::{PromClient, PromError};
use crate::config::live::Watched;
use crate::efficacy;
use crate::event_loop::{Input, TaskInput};
use crate::failpoint::{Point, reached};
use crate::journal::{OpenRun, Reader, RestoredAgenda, RunKey, RunResult};
use crate::maintenance::duty::Duties;
use crate::metrics::Metrics;
use crate::runbook::Book;
use crate::steps::{Executor, Identity, Mark, Orphan, settle};

/// Looks at Alertmanager and Prometheus on start, by timer, and when told to.
pub struct Reconciler {
    /// Whom to ask for alerts.
    pub alertmanagers: Alertmanagers,
    /// Whose alerts to ask for.
    pub scope: watch::Receiver<Scope>,
    /// Groups of which deliveries left alerts out.
    pub left_out: mpsc::Receiver<Group>,
    /// Whom to ask for the targets.
    pub prometheus: PromClient,
    /// What to ask.
    pub targets: String,
    /// How often.
    pub every: Duration,
    /// Asks for a look now.
    pub now: Arc<Notify>,
    /// Asks for the targets now.
    pub targets_wanted: Arc<Notify>,
    /// What the past is asked of.
    pub reader: Reader,
    /// Whose steps it is asked about.
    pub live: Watched,
    /// The clock.
    pub clock: Clock,
    /// Where the answers go.
    pub inputs: mpsc::Sender<Input>,
    /// What is counted.
    pub metrics: Metrics,
}

impl Reconciler {
    /// Starts looking.
    pub fn start(self, tasks: &TaskTracker, stop: &CancellationToken) {
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
        let labels = self.live.borrow().books.iter().map(|book| book.plan.target.clone()).collect();
        let asked_at = self.clock.now();
        let answer = self.prometheus.names(&self.targets, &labels).await;
        let lives = answer.as_ref().map_or_else(PromError::is_answer, |_| true);
        match answer {
            Ok(listed) => drop(self.inputs.send(Input::Targets { listed, asked_at }).await),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot list the targets");
            }
        }
        if lives {
            drop(self.inputs.send(Input::Event(Event::Alive(Source::Prometheus))).await);
        }
    }

    /// Whether Alertmanager has answered.
    async fn look(&self, left_out: &[Group]) -> bool {
        match self.reader.changes(efficacy::since(self.clock.now())).await {
            Ok(changes) => {
                let live = self.live.borrow().clone();
                let records = efficacy::records(&changes, &live.books);
                self.metrics.efficacy(&records);
                drop(self.inputs.send(Input::Event(Event::Efficacy(efficacy::table(&records)))).await);
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
            drop(self.inputs.send(Input::Reconciled { updates, scope, asked_at }).await);
            drop(self.inputs.send(Input::Event(Event::Alive(Source::Alertmanager))).await);
        }
        answered > 0
    }
}

/// Groups that wait to be asked for.
pub const GROUPS_MAX: usize = 64;
/// Between two questions for the targets that alerts bring about.
const TARGETS_EVERY: Duration = Duration::from_secs(1);
/// How long the end of an orphan may take beyond its step's timeout.
const GRACE: Duration = Duration::from_secs(5);

/// Attempts whose end nobody wrote down: waits for those that still run, kills what outlives its time, and reports each as unknown.
/// One whose process was never written down was never let go: it has not run, and that is known at once.
pub fn find_orphans(
    runs: Vec<OpenRun>,
    books: &[Arc<Book>],
    incidents: &[Incident],
    executor: &Executor,
    (inputs, clock): (&mpsc::Sender<Input>, Clock),
    tasks: &TaskTracker,
) -> BTreeMap<RunKey, CancellationToken> {
    let mut kills = BTreeMap::new();
    for run in runs {
        let kill = CancellationToken::new();
        kills.insert(run.key.clone(), kill.clone());
        let runbook =
            incidents.iter().find(|incident| incident.id == run.key.incident).map(|incident| &incident.runbook);
        let book = runbook.and_then(|runbook| books.iter().find(|book| book.plan.id == *runbook));
        let timeout = book.and_then(|book| book.step(&run.key.step)).map_or(GRACE, |spec| spec.timeout);
        let wait = time_left(clock, run.intent_at, timeout);
        let mark = executor.step_mark(run.key.incident, &run.key.step, run.key.attempt);
        let inputs = inputs.clone();
        tasks.spawn(async move {
            let (outcome, how) = settled(run.process.as_ref(), &mark, wait, &kill).await;
            let state = outcome.as_str();
            tracing::warn!(incident = run.key.incident.get(), step = %run.key.step, state, how, "looked at after a restart");
            let result = RunResult {
                finished_at: clock.now(),
                outcome,
                exit_code: None,
                stdout: run.output.stdout,
                stderr: format!("{}the remediator was restarted while this ran: {how}\n", run.output.stderr),
            };
            reached(Point::OrphanSettled);
            drop(inputs.send(Input::Finished { key: run.key, result }).await);
        });
    }
    kills
}

/// Tasks whose programs ran when an earlier run ended: the same.
pub fn settle_tasks(
    restored: &RestoredAgenda,
    duties: &Duties,
    executor: &Executor,
    (inputs, clock): (&mpsc::Sender<Input>, Clock),
    tasks: &TaskTracker,
) {
    for task in &restored.saved.open {
        let TaskState::Running { since } = task.state else { continue };
        let chores = duties.get(&task.name).map(|duty| &*duty.chores).unwrap_or_default();
        let longest: Duration = chores.iter().map(|chore| chore.timeout).sum();
        let (wait, mark) = (time_left(clock, since, longest), executor.task_mark(task.id));
        let (id, process, inputs) = (task.id, restored.processes.get(&task.id).cloned(), inputs.clone());
        tasks.spawn(async move {
            let (_, how) = settled(process.as_ref(), &mark, wait, &CancellationToken::new()).await;
            tracing::warn!(task = id.get(), how, "outcome unknown after a restart");
            let output = Some(format!("the remediator was restarted while this ran: {how}\n"));
            reached(Point::OrphanSettled);
            drop(inputs.send(Input::Task(TaskInput::Ended { task: id, outcome: Outcome::Unknown, output })).await);
        });
    }
}

/// How long what was started at a time may still run. Never longer than from now on, whatever that time is.
fn time_left(clock: Clock, started_at: Timestamp, timeout: Duration) -> Duration {
    clock.until(started_at + timeout + GRACE).min(timeout + GRACE)
}

/// Waits for what was left behind of a step, or ends it: what became of it, and how that is said.
async fn settled(
    process: Option<&Identity>,
    mark: &Mark,
    wait: Duration,
    kill: &CancellationToken,
) -> (Outcome, &'static str) {
    // What waited to be let go ends by itself once nobody is there to do it.
    let never_let_go = process.is_none_or(|process| process.is_of_this_boot() && mark.still_waits());
    let wait = if never_let_go { wait.min(GRACE) } else { wait };
    let became = settle_or_kill(process, mark, wait, kill).await;
    // The note stays until the next start: whoever dies before this is written down asks for it again.
    mark.remove_facts();
    match became {
        Orphan::Gone | Orphan::Ended if never_let_go => (Outcome::NotRun, "its process was never let go"),
        Orphan::Gone => (Outcome::Unknown, "its process was gone"),
        Orphan::Ended => (Outcome::Unknown, "its process ended unseen"),
        Orphan::Killed => (Outcome::Unknown, "its process outlived its time and was killed"),
        Orphan::Stuck => (Outcome::Unknown, "its process cannot be killed"),
    }
}

async fn settle_or_kill(process: Option<&Identity>, mark: &Mark, wait: Duration, kill: &CancellationToken) -> Orphan {
    match kill.run_until_cancelled(settle(process, mark, wait)).await {
        Some(became) => became,
        None => settle(process, mark, Duration::ZERO).await,
    }
}
