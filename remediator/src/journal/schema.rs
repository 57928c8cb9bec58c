//! The tables, and the steps from each version of them to the next.

use rusqlite::{Connection, OpenFlags};

use super::place::Location;
use super::{JournalError, audit};
use crate::failpoint::{Point, reached};

/// One entry a version: what turns the version before into it. Entries are never edited once released.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE incident (
    id INTEGER PRIMARY KEY,
    runbook TEXT NOT NULL,
    target TEXT NOT NULL,
    phase TEXT NOT NULL,
    reason TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    healthy_at INTEGER,
    closed_at INTEGER,
    level INTEGER,
    state TEXT NOT NULL
) STRICT;
CREATE INDEX incident_open ON incident (id) WHERE closed_at IS NULL;
CREATE TABLE timeline (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX timeline_incident ON timeline (incident_id, id);
CREATE TABLE step_run (
    incident_id INTEGER NOT NULL,
    step TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    change INTEGER NOT NULL,
    intent_at INTEGER NOT NULL,
    pid INTEGER,
    start_ticks INTEGER,
    boot_id TEXT,
    finished_at INTEGER,
    state TEXT NOT NULL,
    exit_code INTEGER,
    stdout TEXT,
    stderr TEXT,
    PRIMARY KEY (incident_id, step, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX step_run_open ON step_run (incident_id) WHERE finished_at IS NULL;
CREATE INDEX step_run_change ON step_run (intent_at) WHERE change = 1;
CREATE TABLE message (
    incident_id INTEGER NOT NULL,
    page INTEGER NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    contact TEXT NOT NULL,
    level INTEGER NOT NULL,
    reason TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER,
    error TEXT,
    PRIMARY KEY (incident_id, page, kind, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_open ON message (incident_id) WHERE sent_at IS NULL;
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
CREATE INDEX timeline_at ON timeline (at);
",
    // The rows get their hashes from `audit::chain_existing`.
    "
ALTER TABLE timeline ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE INDEX incident_closed ON incident (closed_at) WHERE closed_at IS NOT NULL;
",
    // A task's messages are in `message`: its number is their page, and their incident is 0, which no incident is.
    "
CREATE TABLE duty (
    name TEXT PRIMARY KEY,
    handled_at INTEGER NOT NULL,
    succeeded_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    scheduled_at INTEGER NOT NULL,
    done_at INTEGER,
    state TEXT NOT NULL,
    process TEXT,
    output TEXT,
    UNIQUE (name, scheduled_at)
) STRICT;
CREATE INDEX task_open ON task (id) WHERE done_at IS NULL;
CREATE INDEX task_done ON task (done_at) WHERE done_at IS NOT NULL;
",
    NAME_IT,
    "
CREATE TABLE named (
    fingerprint TEXT PRIMARY KEY,
    noted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
",
];

/// The version from which on a journal has an id.
pub(super) const NAMED: i64 = 5;

/// Gives a journal its id, from the system's random numbers. Pages of what is in it already were sent under keys without one, and are
/// resolved under the same. A migration like the others: it does not change.
pub(super) const NAME_IT: &str = "
INSERT OR REPLACE INTO setting (name, value) VALUES ('installation', json_object(
    'id', lower(hex(randomblob(8))),
    'nameless', json_object(
        'incident', (SELECT coalesce(max(id), 0) FROM incident), 'task', (SELECT coalesce(max(id), 0) FROM task))));
";

/// The newest version that is known.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Opens the file and brings it to the present version.
#[cfg(test)]
pub(super) fn open(path: &std::path::Path) -> Result<Connection, JournalError> {
    open_at(&Location::File(path.to_owned()))
}

/// The same wherever it is.
pub(super) fn open_at(location: &Location) -> Result<Connection, JournalError> {
    let failed = |source| JournalError::Open { path: location.path().to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = location.open(flags).map_err(failed)?;
    connection
        .execute_batch(
            // The first counts only for a new file: what retention frees is then given back to the system.
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;",
        )
        .map_err(failed)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let known = known();
    if found > known {
        return Err(JournalError::Newer { path: location.path().to_owned(), found, known });
    }
    for (version, migration) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        if version == audit::SINCE {
            audit::chain_existing(&transaction).map_err(failed)?;
        }
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        reached(Point::MigrationWritten);
        transaction.commit().map_err(failed)?;
        reached(Point::MigrationCommitted);
    }
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_of_a_newer_version_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("remediator.db");
        let connection = open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = open(&path).unwrap_err();
        assert!(matches!(error, JournalError::Newer { found: 99, .. }), "{error}");
    }

    #[test]
    fn opening_twice_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("remediator.db");
        let tables = |connection: &Connection| -> i64 {
            connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap()
        };
        let first = tables(&open(&path).unwrap());
        assert_eq!(first, tables(&open(&path).unwrap()));
    }
}
