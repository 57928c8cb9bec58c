//! The playout queue: how much playable content lies ahead. Reads SQLite without ever writing to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vvtv_streaming::queue;
use vvtv_toolkit::render::{Exposition, Labels};

use crate::clock::Now;
use crate::config::Stream;
use crate::health::{Failure, Health, ProbeError};
use crate::probe::source::{Env, Keyed, Series, Source};
use crate::probe::tools::{Tools, next_tick, record};
use crate::reach::Named;
use crate::series::{Family, Table, gauge};

/// The playout queue, as a kind of source.
#[derive(Debug)]
pub enum Queue {}

impl Source for Queue {
    const LABEL: &'static str = "queue";

    type Spec = QueueSpec;
    type View = QueueView;
    type Series = QueueSeries;

    fn configure(stream: &Stream, _reach: &Arc<Named>) -> Option<QueueSpec> {
        let (interval, timeout) = (stream.timing.interval, stream.timing.timeout);
        stream.sources.queue.clone().map(|path| QueueSpec { path, interval, timeout })
    }

    fn before(_spec: &QueueSpec, _tools: &Tools) -> QueueView {
        QueueView::default()
    }

    fn run(
        spec: QueueSpec,
        env: Env,
        view: watch::Sender<Arc<QueueView>>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        run(spec, env.tools, view, stop)
    }

    fn health(view: &QueueView) -> &Health {
        &view.health
    }
}

impl Keyed for Queue {
    type Key = PathBuf;
    type Config = PathBuf;

    fn understand(path: &PathBuf) -> Result<PathBuf, String> {
        Ok(path.clone())
    }
}

const QUEUES: [Family<()>; 1] =
    [gauge("vvtv_queue_buffer_seconds", "Seconds of playable content ahead in the playout queue.", ())];

/// The families of queues.
#[derive(Default)]
pub struct QueueSeries(Table<{ QUEUES.len() }>);

impl Series<QueueView> for QueueSeries {
    fn push(&mut self, _now: Now, _stream: &Stream, labels: &Labels, view: &QueueView) {
        self.0.push(labels, &Labels::NONE, [Some(view.buffer_seconds)]);
    }

    fn write(&self, out: &mut Exposition) {
        self.0.write(out, &QUEUES);
    }
}

/// What is read: one database, shared by the streams that name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueSpec {
    /// The file of the database.
    pub path: PathBuf,
    /// Between two reads.
    pub interval: Duration,
    /// How long a lock of somebody else is waited for.
    pub timeout: Duration,
}

/// What is known of a queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueView {
    /// Of the database.
    pub health: Health,
    /// Seconds of playable content ahead, when it was last read.
    pub buffer_seconds: f64,
}

/// More than a lock may take, the filesystem hangs.
const HANGS_AFTER: Duration = Duration::from_secs(1);

/// Reads until stopped.
pub async fn run(spec: QueueSpec, tools: Tools, view: watch::Sender<Arc<QueueView>>, stop: CancellationToken) {
    let mut seen = QueueView::default();
    let mut ticks = tools.pace.every(spec.interval);
    let who = spec.path.display().to_string();
    while next_tick(&mut ticks, &stop).await {
        let started = tools.clock.now();
        let (path, timeout) = (spec.path.clone(), spec.timeout);
        // A lock of somebody else is waited for inside, and told as such.
        let limit = timeout + HANGS_AFTER;
        let look = move || buffer_seconds(&path, timeout, started.unix_seconds);
        let read = tools.fetcher.files().look(&spec.path, limit, look);
        let Some(read) = stop.run_until_cancelled(read).await else { return };
        let outcome = read.map(|seconds| seen.buffer_seconds = seconds);
        record(&mut seen.health, &who, "queue", started, tools.clock.now(), outcome);
        if view.send(Arc::new(seen.clone())).is_err() {
            return;
        }
    }
}

/// Seconds of playable content ahead at a wall-clock time. Blocks.
///
/// # Errors
/// There is no such database, it is locked for longer than `timeout`, or it has no queue.
pub fn buffer_seconds(path: &Path, timeout: Duration, now_unix_seconds: f64) -> Result<f64, ProbeError> {
    if !path.exists() {
        return Err(ProbeError::new(Failure::Missing, format!("there is no queue {}", path.display())));
    }
    let failed = |error: rusqlite::Error| {
        let busy = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy);
        let reason = if busy { Failure::Timeout } else { Failure::Malformed };
        ProbeError::new(reason, format!("read queue {}: {error}", path.display()))
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let read = |connection| query(&connection, timeout, now_unix_seconds);
    let seconds = Connection::open_with_flags(path, flags).and_then(read);
    let Err(error) = seconds else { return seconds.map_err(failed) };
    match at_rest(path) {
        Some(address) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen) => {
            let connection = Connection::open_with_flags(address.as_str(), flags | OpenFlags::SQLITE_OPEN_URI);
            let seconds = connection.and_then(read).map_err(failed)?;
            // Somebody opened it meanwhile, and what was read may be half of a change.
            if at_rest(path).is_some() { Ok(seconds) } else { Err(failed(error)) }
        }
        _ => Err(failed(error)),
    }
}

fn query(connection: &Connection, timeout: Duration, now_unix_seconds: f64) -> rusqlite::Result<f64> {
    connection.busy_timeout(timeout)?;
    queue::buffer_seconds(connection, now_unix_seconds)
}

/// How SQLite is told to read a database that nobody has open, and who reads may not write beside.
///
/// A reader of a database in WAL mode needs the `-wal` file, and makes it where it is not there. Without one all of the content is in the
/// one file, and nobody changes it.
fn at_rest(path: &Path) -> Option<url::Url> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if Path::new(&wal).exists() {
        return None;
    }
    let mut address = url::Url::from_file_path(path).ok()?;
    address.set_query(Some("immutable=1"));
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_795_366_800.0;

    fn empty_queue() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let connection = Connection::open(file.path()).unwrap();
        let schema =
            "CREATE TABLE playout_queue (id INTEGER PRIMARY KEY, duration_s REAL, status TEXT, play_started_at);";
        connection.execute_batch(schema).unwrap();
        file
    }

    fn buffer(file: &tempfile::NamedTempFile) -> Result<f64, ProbeError> {
        buffer_seconds(file.path(), Duration::from_millis(50), NOW)
    }

    #[test]
    fn a_database_that_nobody_has_open_is_read_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a queue?#%.sqlite");
        let writer = Connection::open(&path).unwrap();
        let schema = "PRAGMA journal_mode = WAL;
            CREATE TABLE playout_queue (id INTEGER PRIMARY KEY, duration_s REAL, status TEXT, play_started_at);
            INSERT INTO playout_queue (duration_s, status) VALUES (7, 'queued');";
        writer.execute_batch(schema).unwrap();
        assert_eq!(at_rest(&path), None);
        drop(writer);
        let address = at_rest(&path).unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(address.as_str(), flags).unwrap();
        assert_eq!(query(&connection, Duration::ZERO, NOW), Ok(7.0));
        assert_eq!(at_rest(&path), Some(address), "reading made a file");
    }

    #[test]
    fn what_is_missing_locked_or_no_queue_is_named() {
        let missing = buffer_seconds(Path::new("/does/not/exist"), Duration::ZERO, NOW).unwrap_err();
        assert_eq!((missing.reason, missing.message.as_str()), (Failure::Missing, "there is no queue /does/not/exist"));
        let garbage = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(garbage.path(), "this is not a database, and it is long enough to be one".repeat(50)).unwrap();
        assert_eq!(buffer(&garbage).unwrap_err().reason, Failure::Malformed);
        let file = empty_queue();
        let writer = Connection::open(file.path()).unwrap();
        writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
        assert_eq!(buffer(&file).unwrap_err().reason, Failure::Timeout);
    }
}
