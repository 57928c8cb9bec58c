//! The journal: what must survive kill -9 at any moment. One narrow interface over one SQLite file.
//!
//! One thread writes, one transaction per [`Batch`], WAL with `synchronous=FULL`: when [`Journal::commit`] returns, the batch is on
//! disk. Readers open the file on their own and never block the writer.

mod agenda;
mod audit;
mod history;
mod load;
mod read;
mod retention;
mod schema;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use vvtv_incident::{Entry, Incident, IncidentId, Pause, StepId, Timestamp};

pub use self::agenda::{AgendaBatch, RestoredAgenda, TaskRow};
pub use self::audit::{AuditError, Head, Verified, export as export_audit, verify as verify_audit};
pub use self::history::{HeldChange, PastChange};
pub use self::load::{OpenRun, PastRun, Restored};
pub use self::read::{
    ClosedIn, Delivery as DeliveryRow, ExitCodes, IncidentRow, Listing, ROWS_MAX, Reader, RunRow, TimelineRow,
};
pub use self::retention::Forgotten;
use crate::executor::{Identity, Output};
use crate::outbox::{Message, MessageKey};
use crate::targets::Told;

/// How long a reader or the writer waits for the other's lock.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened or created.
    #[error("cannot open the journal {}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// SQLite's reason.
        #[source]
        source: rusqlite::Error,
    },
    /// The file was written by a newer version of this program.
    #[error("the journal {} has schema {found}, newer than the {known} of this program; it is left untouched", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that is known here.
        known: i64,
    },
    /// The file that keeps other processes away cannot be made beside it.
    #[error("cannot open the journal {}: no lock file can be made beside it", path.display())]
    Lock {
        /// Which journal.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// Another process uses the file.
    #[error("the journal {} is in use by another process", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// A query failed.
    #[error("the journal cannot {doing}")]
    Query {
        /// What was being done.
        doing: &'static str,
        /// SQLite's reason.
        #[source]
        source: rusqlite::Error,
    },
    /// A stored incident cannot be understood.
    #[error("the journal's state of incident {incident} cannot be read")]
    State {
        /// Which incident.
        incident: i64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A stored setting cannot be understood.
    #[error("the journal's setting `{name}` cannot be read")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A stored task cannot be understood.
    #[error("the journal's state of task {task} cannot be read")]
    Task {
        /// Which task.
        task: u32,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The writing thread has ended.
    #[error("the journal is closed")]
    Closed,
}

/// Everything that one turn of the event loop must make durable, in one transaction.
#[derive(Debug, Default)]
pub struct Batch {
    /// The present state of every incident that changed.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Decisions, with their times.
    pub timeline: Vec<(Timestamp, Entry)>,
    /// Steps about to be started: committed before any process exists.
    pub intents: Vec<(Timestamp, RunKey)>,
    /// Processes that were started for them.
    pub spawned: Vec<(RunKey, Identity)>,
    /// What running ones have written so far.
    pub outputs: BTreeMap<RunKey, Output>,
    /// How they ended.
    pub results: Vec<(RunKey, RunResult)>,
    /// Messages to people, to be sent once this is committed.
    pub messages: Vec<Message>,
    /// What became of earlier messages.
    pub deliveries: Vec<(MessageKey, Delivery)>,
    /// The targets that are known, if they are to be written anew.
    pub targets: Option<Told>,
    /// A change of the global pause.
    pub pause: Option<PauseChange>,
    /// What changed of the agenda.
    pub agenda: AgendaBatch,
}

/// One attempt of one step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// Whose.
    pub incident: IncidentId,
    /// Which step.
    pub step: StepId,
    /// Which attempt, from 1.
    pub attempt: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// When.
    pub finished_at: Timestamp,
    /// `ok`, `failed`, `timeout` or `unknown`.
    pub state: &'static str,
    /// The exit code, if the process had one.
    pub exit_code: Option<i32>,
    /// Head and tail of what it wrote to stdout.
    pub stdout: String,
    /// Head and tail of what it wrote to stderr.
    pub stderr: String,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The channel took it.
    Sent {
        /// When.
        at: Timestamp,
    },
    /// It was never sent, and the trouble is over: nobody needs it any more.
    Moot {
        /// Since when.
        at: Timestamp,
    },
    /// The channel did not take it in as many tries as one delivery has; it is tried again later.
    Failed {
        /// Why.
        error: String,
    },
}

/// A change of the global pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PauseChange {
    /// It began.
    Paused(Pause),
    /// It ended.
    Resumed,
}

impl Batch {
    /// Whether there is anything to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            incidents,
            timeline,
            intents,
            spawned,
            outputs,
            results,
            messages,
            deliveries,
            targets,
            pause,
            agenda,
        } = self;
        incidents.is_empty()
            && timeline.is_empty()
            && intents.is_empty()
            && spawned.is_empty()
            && outputs.is_empty()
            && results.is_empty()
            && messages.is_empty()
            && deliveries.is_empty()
            && targets.is_none()
            && pause.is_none()
            && agenda.is_empty()
    }
}

/// Two writers would act on the same incidents, each with locks and budgets of its own.
fn lock(path: &Path) -> Result<std::fs::File, JournalError> {
    let failed = |source| JournalError::Lock { path: path.to_owned(), source };
    let file = std::fs::File::create(path.with_extension("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::InUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// What the writing thread is told.
#[derive(Debug)]
enum Job {
    Commit(Box<Batch>, oneshot::Sender<(Batch, Result<Head, JournalError>)>),
    Forget(Timestamp, oneshot::Sender<Result<Forgotten, JournalError>>),
}

/// The writing end.
#[derive(Debug)]
pub struct Journal {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
}

impl Journal {
    /// Opens or creates the file, brings its schema up to date, and reads what an earlier run left.
    ///
    /// # Errors
    /// The file cannot be opened or written, is of a newer version, or holds something that cannot be read.
    pub fn open(path: &Path) -> Result<(Self, Restored), JournalError> {
        let lock = lock(path)?;
        let mut connection = schema::open(path)?;
        let restored = load::load(&mut connection)?;
        let mut head = audit::head(&connection)
            .map_err(|source| JournalError::Query { doing: "read the timeline's end", source })?;
        // The event loop and retention wait for each of theirs.
        let (jobs, mut queue) = mpsc::channel::<Job>(1);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                // Held for as long as anything can be written.
                let _lock = lock;
                while let Some(job) = queue.blocking_recv() {
                    // Whoever ended meanwhile need not be told.
                    match job {
                        Job::Commit(batch, done) => {
                            let result = write::commit(&mut connection, &mut head, &batch);
                            drop(done.send((*batch, result)));
                        }
                        Job::Forget(before, done) => drop(done.send(retention::forget(&mut connection, before))),
                    }
                }
            })
            .map_err(|error| JournalError::Open {
                path: path.to_owned(),
                source: rusqlite::Error::ToSqlConversionFailure(Box::new(error)),
            })?;
        Ok((Self { jobs, path: path.to_owned() }, restored))
    }

    /// Makes a batch durable and gives the timeline's new end. The batch comes back, because its owner still needs it: to act on
    /// it, or to try again.
    ///
    /// # Errors
    /// Nothing of the batch was written.
    pub async fn commit(&self, batch: Batch) -> (Batch, Result<Head, JournalError>) {
        let (done, answer) = oneshot::channel();
        let job = Job::Commit(Box::new(batch), done);
        if let Err(mpsc::error::SendError(Job::Commit(batch, _))) = self.jobs.send(job).await {
            return (*batch, Err(JournalError::Closed));
        }
        answer.await.unwrap_or_else(|_| (Batch::default(), Err(JournalError::Closed)))
    }

    /// A reading end.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(self.path.clone())
    }

    /// The end that forgets.
    #[must_use]
    pub fn keeper(&self) -> Keeper {
        Keeper { jobs: self.jobs.clone(), path: self.path.clone() }
    }
}

/// The end that forgets.
#[derive(Clone, Debug)]
pub struct Keeper {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
}

impl Keeper {
    /// Forgets some of what was closed before a time; the result says whether there may be more.
    ///
    /// # Errors
    /// Nothing was forgotten.
    pub async fn forget(&self, before: Timestamp) -> Result<Forgotten, JournalError> {
        let (done, answer) = oneshot::channel();
        self.jobs.send(Job::Forget(before, done)).await.map_err(|_| JournalError::Closed)?;
        answer.await.map_err(|_| JournalError::Closed)?
    }

    /// Bytes on disk, what is not yet in the main file included.
    #[must_use]
    pub fn size(&self) -> u64 {
        let wal = self.path.with_file_name({
            let mut name = self.path.file_name().unwrap_or_default().to_owned();
            name.push("-wal");
            name
        });
        [self.path.as_path(), wal.as_path()]
            .into_iter()
            .filter_map(|file| std::fs::metadata(file).ok())
            .map(|data| data.len())
            .sum()
    }
}
