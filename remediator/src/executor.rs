//! Runs steps: one process group each, without terminal, input or inherited environment, with a timeout and capped output.
//!
//! Boundary: it runs what it is told. Whether and what to run is the core's and the runbook's business, keeping results the journal's.

mod capture;
mod environment;
mod group;
mod orphan;
mod proc;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use vvtv_incident::{AlertName, IncidentId, Outcome, RunbookId, StepId, TaskId, TaskName, Timestamp};

use capture::lock;

pub use capture::Captured;
pub use environment::search_path;
pub use orphan::{Identity, Orphan, settle};

use crate::facts::Facts;
use group::{End, Group};

/// How long output is still read after the last process of the group is gone: something that left the group may hold the pipe.
const DRAIN: Duration = Duration::from_millis(500);

/// Between two tellings of a running step's output.
const TELL: Duration = Duration::from_secs(1);

/// One step to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// What it is part of.
    pub job: Job,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The longest it may run.
    pub timeout: Duration,
    /// What is known so far: for the environment, and whole in the file named by `VVTV_FACTS`.
    pub facts: Facts,
}

/// What a launch is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// An incident.
    Step {
        /// Which.
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
        /// Which.
        task: TaskId,
        /// Of which duty.
        name: TaskName,
    },
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { incident, step, attempt, .. } => write!(f, "{incident}-{step}-{attempt}"),
            Self::Task { task, .. } => write!(f, "task-{task}"),
        }
    }
}

/// A step that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
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
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Starts steps.
#[derive(Clone)]
pub struct Executor {
    spool: PathBuf,
    environment: Arc<[String]>,
    clock: Clock,
}

impl Executor {
    /// An executor that keeps the running steps' facts files in `spool`, a directory of its own that it makes if need be, and hands
    /// the variables of these names on to them.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn new(spool: &Path, environment: &[String], clock: Clock) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(spool)?;
        Ok(Self { spool: std::path::absolute(spool)?, environment: environment.into(), clock })
    }

    /// Runs one step to its end. The process's identity is sent on `spawned` as soon as there is one, its output so far on `output`
    /// while it runs; `kill` ends the step at once.
    ///
    /// If the returned future is dropped, the step's processes are killed.
    pub async fn run(
        &self,
        launch: Launch,
        spawned: oneshot::Sender<Identity>,
        output: mpsc::Sender<Output>,
        kill: CancellationToken,
    ) -> Finished {
        let started_at = (self.clock)();
        let file = self.spool.join(format!("{}.json", launch.job));
        let ran = match write_facts(&file, &launch.facts).await {
            Ok(()) => run_group((&launch, &self.environment), &file, (spawned, output), &kill).await,
            Err(error) => Ran::failed(format!("cannot write the facts file {}: {error}", file.display())),
        };
        if let Err(error) = tokio::fs::remove_file(&file).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(file = %file.display(), %error, "cannot remove a facts file");
        }
        Finished {
            outcome: ran.outcome,
            exit_code: ran.exit_code,
            stdout: ran.stdout,
            stderr: ran.stderr,
            started_at,
            finished_at: (self.clock)(),
        }
    }
}

impl Launch {
    /// The alert that the step answers.
    #[must_use]
    pub fn alert(&self) -> AlertName {
        AlertName::new(self.facts.alert.name.as_str())
    }
}

impl Finished {
    /// Standard output as JSON, if it is complete and parses.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        self.stdout.complete().and_then(|bytes| serde_json::from_slice(bytes).ok())
    }
}

struct Ran {
    outcome: Outcome,
    exit_code: Option<i32>,
    stdout: Captured,
    stderr: Captured,
}

impl Ran {
    fn failed(message: String) -> Self {
        Self {
            outcome: Outcome::Failed(message),
            exit_code: None,
            stdout: Captured::default(),
            stderr: Captured::default(),
        }
    }
}

/// On one thread at one go: each step waits for it.
async fn write_facts(file: &Path, facts: &Facts) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let json = serde_json::to_vec(facts)?;
    let file = file.to_owned();
    let write = move || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).open(file)?.write_all(&json)
    };
    tokio::task::spawn_blocking(write).await?
}

async fn run_group(
    (launch, named): (&Launch, &[String]),
    facts: &Path,
    (spawned, output): (oneshot::Sender<Identity>, mpsc::Sender<Output>),
    kill: &CancellationToken,
) -> Ran {
    let Some((program, arguments)) = launch.argv.split_first() else {
        return Ran::failed("nothing to run".to_owned());
    };
    let environment = match environment::of(launch, named, facts) {
        Ok(environment) => environment,
        Err(message) => return Ran::failed(message),
    };
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Ran::failed(format!("cannot start {program}: {error}")),
    };
    let pipes = (child.stdout.take(), child.stderr.take());
    let Some(mut group) = Group::of(child) else { return Ran::failed(format!("{program} has no process id")) };
    // Nobody listening is no reason not to run.
    let _ = spawned.send(group.identity());
    let (stdout, stderr) = (Mutex::default(), Mutex::default());
    let end = {
        let drain = async { tokio::join!(capture::drain(pipes.0, &stdout), capture::drain(pipes.1, &stderr)) };
        tokio::pin!(drain);
        let ending = group.end(launch.timeout, kill);
        tokio::pin!(ending);
        let mut drained = false;
        let telling = tell_output(&stdout, &stderr, &output);
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
