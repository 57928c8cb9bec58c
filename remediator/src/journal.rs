//! The journal: what must survive kill -9 at any moment. One narrow interface over one SQLite file.
//!
//! One thread writes, one transaction per [`Batch`], WAL with `synchronous=FULL`: when [`Journal::commit`] returns, the batch is on
//! disk. Readers open the file on their own and never block the writer. Where no file can be used, a journal in memory takes its place
//! for as long as nothing but calling people depends on it.

mod agenda;
mod audit;
mod history;
pub(crate) mod installation;
mod listed;
mod load;
pub mod outbox;
mod place;
mod read;
mod retention;
mod salvage;
mod schema;
mod sound;
mod state;
mod unreadable;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;
use rusqlite::config::DbConfig;
use tokio::sync::{mpsc, oneshot};
use vvtv_incident::{Entry, Incident, IncidentId, Outcome, Pause, StepId, Timestamp};

pub use self::agenda::{AgendaBatch, RestoredAgenda, TaskRow};
pub use self::audit::{AuditError, Gap, Head, StepBack, Verified, export as export_audit, verify as verify_audit};
pub use self::history::{HeldChange, PastChange};
pub use self::listed::ListedBatch;
pub use self::load::{OpenRun, PastRun, Restored};
use self::outbox::{Message, MessageKey};
pub(crate) use self::place::close_to_others;
use self::place::{Location, Place};
pub use self::read::{
    ClosedIn, Delivery as DeliveryRow, ExitCodes, IncidentRow, Listing, ROWS_MAX, Reader, RunRow, TimelineRow,
};
use self::retention::Old;
pub use self::retention::{Forgotten, Most};
pub use self::salvage::{Lost, Salvaged, salvage};
pub use self::sound::{Unsound, look as look_for_damage};
use crate::conditions::targets::Told;
use crate::steps::{Identity, Output};

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
    /// There is no such file, and it cannot be made, or it cannot be written.
    #[error("cannot open the journal {}", path.display())]
    File {
        /// Which file.
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
    /// What is written would not be found again.
    #[error(
        "{} was removed or replaced while it is in use: what is written now is lost with this process. Put it back, or start anew",
        path.display()
    )]
    Replaced {
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
    /// It does not say who wrote it.
    #[error(
        "the journal has no setting `installation`: without an id of its own, its pages could be taken for another one's"
    )]
    Nameless,
    /// The writing thread has ended.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    /// Whether people can be called all the same: the journal is damaged, or its disk is full or broken. Otherwise another program
    /// has it, or the configuration is wrong, and nothing must be done here.
    #[must_use]
    pub fn leaves_people(&self) -> bool {
        match self {
            Self::File { source, .. } => {
                use std::io::ErrorKind as Kind;
                !matches!(
                    source.kind(),
                    Kind::NotFound | Kind::PermissionDenied | Kind::IsADirectory | Kind::NotADirectory
                )
            }
            Self::Open { source, .. } | Self::Query { source, .. } => {
                !matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
            }
            Self::Setting { .. } | Self::Task { .. } | Self::Nameless => true,
            Self::Newer { .. } | Self::InUse { .. } | Self::Replaced { .. } | Self::Closed => false,
        }
    }
}

/// Everything that one turn of the event loop must make durable, in one transaction.
#[derive(Debug, Default)]
pub struct Batch {
    /// The present state of every incident that changed.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Decisions, with their times.
    pub timeline: Vec<(Timestamp, Entry)>,
    /// Steps about to be started: committed before anything of them runs.
    pub intents: Vec<(Timestamp, RunKey)>,
    /// Processes that wait to become them.
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
    /// What changed of what deliveries have named.
    pub listed: ListedBatch,
    /// A change of the global pause.
    pub pause: Option<PauseChange>,
    /// Nothing but that we live.
    pub pulse: Option<Timestamp>,
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
    /// How.
    pub outcome: Outcome,
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
        /// When that was, by our clock.
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
            listed,
            pause,
            pulse,
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
            && listed.is_empty()
            && pause.is_none()
            && pulse.is_none()
            && agenda.is_empty()
    }
}

/// What the writing thread is told.
#[derive(Debug)]
enum Job {
    Commit(Box<Batch>, oneshot::Sender<(Batch, Result<Head, JournalError>)>),
    Forget(Old, Most, oneshot::Sender<Result<Forgotten, JournalError>>),
    Look(oneshot::Sender<Result<(), JournalError>>),
}

/// The writing thread's own.
struct Writer {
    connection: rusqlite::Connection,
    head: Head,
    /// Held for as long as anything can be written; none in memory.
    place: Option<Place>,
}

impl Writer {
    fn look(&mut self) -> Result<(), JournalError> {
        self.place.as_mut().map_or(Ok(()), Place::look)
    }

    /// Whoever ended meanwhile need not be told.
    fn perform(&mut self, job: Job) {
        match job {
            Job::Commit(batch, done) => {
                let result = self.commit(&batch);
                drop(done.send((*batch, result)));
            }
            Job::Forget(old, most, done) => {
                let result = self.look().and_then(|()| retention::forget(&mut self.connection, old, most));
                drop(done.send(result));
            }
            Job::Look(done) => drop(done.send(self.look())),
        }
    }

    /// A file that was replaced meanwhile has not got it.
    fn commit(&mut self, batch: &Batch) -> Result<Head, JournalError> {
        self.look()?;
        let head = write::commit(&mut self.connection, &mut self.head, batch)?;
        self.look()?;
        Ok(head)
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Journal {
    jobs: mpsc::Sender<Job>,
    location: Location,
}

impl Journal {
    /// Opens or creates the file, brings its schema up to date, and reads what an earlier run left.
    ///
    /// # Errors
    /// The file cannot be opened or written, is of a newer version, or holds something that cannot be read.
    pub fn open(path: &Path) -> Result<(Self, Restored), JournalError> {
        let place = Place::take(path)?;
        Self::start(Location::File(path.to_owned()), Some(place))
    }

    /// Whether the file could be opened just now; nothing of it stays open.
    ///
    /// # Errors
    /// It could not.
    pub fn probe(path: &Path) -> Result<(), JournalError> {
        let _place = Place::take(path)?;
        read(&Location::File(path.to_owned())).map(drop)
    }

    /// A journal that is lost with the process.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn in_memory() -> Result<(Self, Restored), JournalError> {
        Self::start(Location::memory(), None)
    }

    fn start(location: Location, place: Option<Place>) -> Result<(Self, Restored), JournalError> {
        let (connection, restored) = read(&location)?;
        let head = audit::head(&connection)
            .map_err(|source| JournalError::Query { doing: "read the timeline's end", source })?;
        let mut writer = Writer { connection, head, place };
        writer.look()?;
        // The event loop and retention wait for each of theirs.
        let (jobs, mut queue) = mpsc::channel::<Job>(1);
        let path = location.path().to_owned();
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    writer.perform(job);
                }
            })
            .map_err(|source| JournalError::File { path, source })?;
        Ok((Self { jobs, location }, restored))
    }

    /// Whether what is written survives the process.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        matches!(self.location, Location::File(_))
    }

    /// Makes a batch durable and gives the timeline's new end. The batch comes back, because its owner still needs it: to act on
    /// it, or to try again.
    ///
    /// # Errors
    /// Nothing of the batch was written, or it was written where the next start does not find it.
    pub async fn commit(&self, batch: Batch) -> (Batch, Result<Head, JournalError>) {
        let (done, answer) = oneshot::channel();
        let job = Job::Commit(Box::new(batch), done);
        if let Err(mpsc::error::SendError(Job::Commit(batch, _))) = self.jobs.send(job).await {
            return (*batch, Err(JournalError::Closed));
        }
        answer.await.unwrap_or_else(|_| (Batch::default(), Err(JournalError::Closed)))
    }

    /// Whether what would be written now would be found again.
    ///
    /// # Errors
    /// It would not.
    pub async fn look(&self) -> Result<(), JournalError> {
        let (done, answer) = oneshot::channel();
        self.jobs.send(Job::Look(done)).await.map_err(|_| JournalError::Closed)?;
        answer.await.map_err(|_| JournalError::Closed)?
    }

    /// A reading end.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::at(self.location.clone())
    }

    /// The end that forgets.
    #[must_use]
    pub fn keeper(&self) -> Keeper {
        Keeper { jobs: self.jobs.clone(), location: self.location.clone() }
    }
}

/// Opens it, and reads what an earlier run left.
fn read(location: &Location) -> Result<(rusqlite::Connection, Restored), JournalError> {
    let mut connection = schema::open_at(location)?;
    // Closing a file that turns out to be damaged leaves it as it was found.
    let keep_log = |connection: &rusqlite::Connection, keep| {
        let failed = |source| JournalError::Open { path: location.path().to_owned(), source };
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(drop).map_err(failed)
    };
    keep_log(&connection, true)?;
    let restored = load::load(&mut connection)?;
    keep_log(&connection, false)?;
    Ok((connection, restored))
}

/// The end that forgets.
#[derive(Clone, Debug)]
pub struct Keeper {
    jobs: mpsc::Sender<Job>,
    location: Location,
}

impl Keeper {
    /// Forgets some of what was closed before a time, at most so much; the result says whether there may be more. Nothing can have been
    /// closed after `now`.
    ///
    /// # Errors
    /// Nothing was forgotten.
    pub async fn forget(&self, before: Timestamp, now: Timestamp, most: Most) -> Result<Forgotten, JournalError> {
        let (done, answer) = oneshot::channel();
        self.jobs.send(Job::Forget(Old { before, now }, most, done)).await.map_err(|_| JournalError::Closed)?;
        answer.await.map_err(|_| JournalError::Closed)?
    }

    /// Bytes on disk, what is not yet in the main file included.
    #[must_use]
    pub fn size(&self) -> u64 {
        let Location::File(path) = &self.location else { return 0 };
        let files = [path.clone(), place::beside(path, "-wal")];
        files.into_iter().filter_map(|file| std::fs::metadata(file).ok()).map(|data| data.len()).sum()
    }
}
