//! What became of processes that a killed remediator left behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::{Incident, Outcome, TaskState, Timestamp};

use super::{Input, TaskInput};
use crate::clock::Clock;
use crate::failpoint::{Point, reached};
use crate::journal::{OpenRun, RestoredAgenda, RunKey, RunResult};
use crate::maintenance::task::TaskSpecs;
use crate::runbook::LoadedRunbook;
use crate::steps::{Executor, Identity, Mark, Orphan, settle};

/// How long the end of an orphan may take beyond its step's timeout.
const GRACE: Duration = Duration::from_secs(5);

/// Attempts whose end nobody wrote down: waits for those that still run, kills what outlives its time, and reports each as unknown.
/// One whose process was never written down was never let go: it has not run, and that is known at once.
pub(crate) fn find_orphans(
    runs: Vec<OpenRun>,
    books: &[Arc<LoadedRunbook>],
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
pub(crate) fn settle_tasks(
    restored: &RestoredAgenda,
    specs: &TaskSpecs,
    executor: &Executor,
    (inputs, clock): (&mpsc::Sender<Input>, Clock),
    tasks: &TaskTracker,
) {
    for task in &restored.saved.open {
        let TaskState::Running { since } = task.state else { continue };
        let steps = specs.get(&task.name).map(|spec| &*spec.steps).unwrap_or_default();
        let longest: Duration = steps.iter().map(|step| step.timeout).sum();
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
    if never_let_go {
        // The note stays until the next start: whoever dies before this is written down asks for it again.
        mark.remove_facts();
    } else {
        mark.remove_files();
    }
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
