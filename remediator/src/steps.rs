//! Runs steps: one process group each, without terminal, input or inherited environment, with a timeout and capped output. What a step
//! started ends with it, wherever it went.
//!
//! Boundary: it runs what it is told. Whether and what to run is the core's and the runbook's business, keeping results the journal's.

mod capture;
mod descendants;
mod environment;
mod gate;
mod group;
mod orphan;
mod spool;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vvtv_incident::{IncidentId, Outcome, RunbookId, StepId, TaskId, TaskName, Timestamp};

use capture::lock;

pub(crate) use capture::Captured;
pub(crate) use descendants::{Mark, adopt};
pub(crate) use environment::search_path;
pub(crate) use gate::{Go, Held, Process, Spare, Waiting};
pub(crate) use orphan::{Orphan, settle};
pub(crate) use vvtv_toolkit::process::Identity;

use crate::conditions::facts::Facts;
use crate::failpoint::{Point, reached};
use descendants::Leaders;
use group::{End, Group};

/// How long output is still read after the last process of the step is gone: what was left behind on purpose may hold the pipe.
const DRAIN: Duration = Duration::from_millis(500);

/// Between two burials of processes that were left to us.
const BURY: Duration = Duration::from_millis(100);

/// Processes that are kept ready.
const SPARES: usize = 2;

/// From the taking of one to the start of the next: the step that took it comes first.
const SPARE_LATER: Duration = Duration::from_millis(1);

/// Between two tries to keep one ready.
const SPARE_AGAIN: Duration = Duration::from_secs(1);

/// Between two tellings of a running step's output.
const TELL: Duration = Duration::from_secs(1);

/// One step to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Launch {
    /// What it is part of.
    pub job: Job,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The longest it may run.
    pub timeout: Duration,
    /// What is known so far: for the environment, and whole in the file named by `VVTV_FACTS`.
    pub facts: Facts,
    /// Where it may leave files: made before it runs, for nobody else to read.
    pub attachments: Option<PathBuf>,
}

/// What a launch is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// An incident.
    Step {
        /// The incident.
        incident: IncidentId,
        /// Of which runbook.
        runbook: RunbookId,
        /// Which step.
        step: StepId,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// A task of the agenda.
    Task {
        /// The task.
        task: TaskId,
        /// The name under which it is configured.
        name: TaskName,
    },
}

/// A step that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// Its exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: Captured,
    /// What it wrote to standard error.
    pub stderr: Captured,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it, and everything that it started, was over.
    pub finished_at: Timestamp,
}

/// What a running step has written so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// To standard output.
    pub stdout: String,
    /// To standard error.
    pub stderr: String,
}

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Starts steps.
#[derive(Clone)]
pub(crate) struct Executor {
    spool: PathBuf,
    /// What the environments of all steps have in common.
    environment: Arc<[(OsString, OsString)]>,
    clock: Clock,
    leaders: Leaders,
}

impl Executor {
    /// An executor that keeps the running steps' facts files in `spool`, a directory of its own that [`Self::prepare`] makes, and
    /// hands the variables of these names on to them.
    ///
    /// # Errors
    /// The path cannot be made absolute.
    pub(crate) fn new(spool: &Path, environment: &[String], clock: Clock) -> std::io::Result<Self> {
        let spool = std::path::absolute(spool)?;
        let environment = environment::common(environment).into();
        Ok(Self { spool, environment, clock, leaders: Leaders::default() })
    }

    /// Makes the spool, and removes the facts files that runs which were killed left in it, but those of `running` steps. It is only
    /// for who holds the journal: nobody else's steps have files there.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub(crate) fn prepare(&self, running: &[Mark]) -> std::io::Result<()> {
        spool::make(&self.spool)?;
        spool::sweep(&self.spool, running);
        Ok(())
    }

    /// What an incident's step is known by.
    #[must_use]
    pub(crate) fn step_mark(&self, incident: IncidentId, step: &StepId, attempt: u32) -> Mark {
        self.mark(&spool::of_step(incident, step, attempt))
    }

    /// What a task's steps are known by.
    #[must_use]
    pub(crate) fn task_mark(&self, task: TaskId) -> Mark {
        self.mark(&spool::of_task(task))
    }

    fn mark(&self, name: &str) -> Mark {
        Mark::new(self.spool.join(name))
    }

    /// Buries what steps left to us (see [`adopt`]) as soon as it is dead; never ends.
    ///
    /// # Errors
    /// It cannot be heard of the death of children.
    pub(crate) fn bury(&self) -> std::io::Result<impl Future<Output = ()> + use<>> {
        let mut deaths = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child())?;
        let leaders = self.leaders.clone();
        Ok(async move {
            while deaths.recv().await.is_some() {
                descendants::reap(&leaders);
                tokio::time::sleep(BURY).await;
            }
        })
    }

    /// Keeps processes ready for the next steps, to be taken by one owner; the future never ends.
    pub(crate) fn spares(&self) -> (mpsc::Receiver<Spare>, impl Future<Output = ()> + use<>) {
        let (give, take) = mpsc::channel(SPARES);
        let executor = self.clone();
        let keep = async move {
            while let Ok(room) = give.reserve().await {
                tokio::time::sleep(SPARE_LATER).await;
                match executor.spare().await {
                    Ok(spare) => room.send(spare),
                    // The next step tries it itself, and says why it cannot be started.
                    Err(_) => tokio::time::sleep(SPARE_AGAIN).await,
                }
            }
        };
        (take, keep)
    }

    /// On a thread of its own: where memory is large or short, the kernel takes its time.
    async fn spare(&self) -> std::io::Result<Spare> {
        let executor = self.clone();
        let start = move || Spare::start(&executor.environment, &executor.leaders);
        tokio::task::spawn_blocking(start).await.map_err(std::io::Error::other)?
    }

    /// Runs one step to its end, as the program that `process` becomes once it is let go. Its output so far is sent on `output` while
    /// it runs; `kill` ends the step at once.
    ///
    /// If the returned future is dropped, the step's processes are killed.
    pub(crate) async fn run(
        &self,
        launch: Launch,
        process: Process,
        output: mpsc::Sender<Output>,
        kill: CancellationToken,
    ) -> Finished {
        let started_at = (self.clock)();
        let mark = match &launch.job {
            Job::Step { incident, step, attempt, .. } => self.step_mark(*incident, step, *attempt),
            Job::Task { task, .. } => self.task_mark(*task),
        };
        let ran = match spool::write(&mark, &launch.facts, launch.attachments.as_deref()).await {
            Ok(()) => match self.waiting(process, &launch, &mark).await {
                Ok((held, script)) => run_group(held, &script, (launch.timeout, &mark), &output, &kill).await,
                Err(message) => Ran::failed(message),
            },
            Err(message) => Ran::failed(message),
        };
        mark.remove_files();
        Finished {
            outcome: ran.outcome,
            exit_code: ran.exit_code,
            stdout: ran.stdout,
            stderr: ran.stderr,
            started_at,
            finished_at: (self.clock)(),
        }
    }

    /// A process that waits, and what it is to become.
    async fn waiting(&self, process: Process, launch: &Launch, mark: &Mark) -> Result<(Held, Vec<u8>), String> {
        let program = launch.argv.first().ok_or("nothing to run")?;
        let cannot_start = |error: std::io::Error| format!("cannot start {program}: {error}");
        let variables = environment::of(launch, mark.file())?;
        gate::find(program, &self.environment).map_err(cannot_start)?;
        let script = gate::script(&mark.note(), &variables, &launch.argv).map_err(cannot_start)?;
        let held = match process {
            Process::Held(held) => *held,
            Process::Made(tell) => {
                let spare = self.spare().await.map_err(cannot_start)?;
                let identity = spare.identity().clone();
                let (held, go) = spare.hold();
                if let Err(waiting) = tell.send(Waiting { identity, go }) {
                    // Nobody listening is no reason not to run.
                    waiting.go.ahead();
                }
                held
            }
        };
        reached(Point::StepSpawned);
        Ok((held, script))
    }
}

/// From a process that waits to the end of all that it started.
async fn run_group(
    held: Held,
    script: &[u8],
    (timeout, mark): (Duration, &Mark),
    output: &mpsc::Sender<Output>,
    kill: &CancellationToken,
) -> Ran {
    let (mut child, leader, never) = held.pass(script, kill).await;
    let pipes = (child.stdout.take(), child.stderr.take());
    let mut group = Group::of(child, leader, mark.clone());
    if let Some(outcome) = never {
        group.end(gate::ENDS_WITHIN, kill).await;
        return Ran::without_a_word(outcome);
    }
    let (stdout, stderr) = (Mutex::default(), Mutex::default());
    let end = {
        let drain = async { tokio::join!(capture::drain(pipes.0, &stdout), capture::drain(pipes.1, &stderr)) };
        tokio::pin!(drain);
        let ending = group.end(timeout, kill);
        tokio::pin!(ending);
        let mut drained = false;
        let telling = tell_output(&stdout, &stderr, output);
        tokio::pin!(telling);
        let end = loop {
            tokio::select! {
                end = &mut ending => break end,
                _ = &mut drain, if !drained => drained = true,
                () = &mut telling => {}
            }
        };
        if !drained {
            let _ = tokio::time::timeout(DRAIN, drain).await;
        }
        end
    };
    let (outcome, exit_code) = outcome(end);
    let whole = |captured: Mutex<Captured>| captured.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ran { outcome, exit_code, stdout: whole(stdout), stderr: whole(stderr) }
}

struct Ran {
    outcome: Outcome,
    exit_code: Option<i32>,
    stdout: Captured,
    stderr: Captured,
}

impl Ran {
    fn failed(message: String) -> Self {
        Self::without_a_word(Outcome::Failed(message))
    }

    fn without_a_word(outcome: Outcome) -> Self {
        Self { outcome, exit_code: None, stdout: Captured::default(), stderr: Captured::default() }
    }
}

/// Tells the output so far, whenever there is more of it; never ends.
async fn tell_output(stdout: &Mutex<Captured>, stderr: &Mutex<Captured>, output: &mpsc::Sender<Output>) {
    let mut told = 0;
    loop {
        tokio::time::sleep(TELL).await;
        let read = lock(stdout).len() + lock(stderr).len();
        if read == told {
            continue;
        }
        let now = Output { stdout: lock(stdout).text(), stderr: lock(stderr).text() };
        // Who has not taken the last one yet takes a later one.
        if output.try_send(now).is_ok() {
            told = read;
        }
    }
}

fn outcome(end: End) -> (Outcome, Option<i32>) {
    use std::os::unix::process::ExitStatusExt as _;
    match end {
        End::Exited(Ok(status)) => match (status.code(), status.signal()) {
            (Some(0), _) => (Outcome::Ok, Some(0)),
            (Some(code), _) => (Outcome::Failed(format!("exit code {code}")), Some(code)),
            (None, Some(signal)) => (Outcome::Failed(format!("killed by signal {signal}")), None),
            (None, None) => (Outcome::Unknown, None),
        },
        End::Exited(Err(error)) => (Outcome::Failed(format!("cannot wait for it: {error}")), None),
        End::TimedOut => (Outcome::Timeout, None),
        End::Killed => (Outcome::Failed("ended on request".to_owned()), None),
    }
}

#[cfg(test)]
mod tests;
