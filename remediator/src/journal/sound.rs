//! Damage that the timeline's hashes do not cover: the file's own structure, texts that are none, states that mean nothing.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use vvtv_incident::{Incident, Pause, ReceiverName, Task};

use super::JournalError;
use super::listed::RECEIVERS;
use super::state;
use super::write::{INSTALLATION, PAUSE, TARGETS};
use crate::conditions::targets::Told;
use crate::installation::Installation;

/// What is wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// It cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// SQLite finds its structure broken.
    #[error("the file is damaged: {0}")]
    Structure(String),
    /// A value is not what belongs there.
    #[error("{table} {row}: {column} {what}")]
    Value {
        /// In which table.
        table: &'static str,
        /// Its key.
        row: String,
        /// Which column.
        column: String,
        /// What is wrong with it.
        what: String,
    },
}

/// A table, with the number of leading columns that name a row.
pub(super) const TABLES: [(&str, usize, &[&str]); 8] = [
    (
        "incident",
        1,
        &["id", "runbook", "target", "phase", "reason", "opened_at", "healthy_at", "closed_at", "level", "state"],
    ),
    ("timeline", 1, &["id", "incident_id", "at", "event", "reason", "detail", "hash"]),
    (
        "step_run",
        3,
        &[
            "incident_id",
            "step",
            "attempt",
            "change",
            "intent_at",
            "pid",
            "start_ticks",
            "boot_id",
            "finished_at",
            "state",
            "exit_code",
            "stdout",
            "stderr",
        ],
    ),
    (
        "message",
        4,
        &[
            "incident_id",
            "page",
            "kind",
            "channel",
            "contact",
            "level",
            "reason",
            "due_at",
            "state",
            "failures",
            "sent_at",
            "error",
        ],
    ),
    ("setting", 1, &["name", "value"]),
    ("named", 1, &["fingerprint", "noted_at"]),
    ("duty", 1, &["name", "handled_at", "succeeded_at"]),
    ("task", 1, &["id", "name", "scheduled_at", "done_at", "state", "process", "output"]),
];

/// Columns that are only shown to people.
const SHOWN: [(&str, &str); 5] =
    [("step_run", "stdout"), ("step_run", "stderr"), ("message", "contact"), ("message", "error"), ("task", "output")];

/// Whether a column is only shown to people.
pub(super) fn is_shown(table: &str, column: &str) -> bool {
    SHOWN.contains(&(table, column))
}

/// What is wrong with a state that is kept as JSON.
pub(super) fn meaning(table: &str, key: &str, column: &str, text: &str) -> Result<(), serde_json::Error> {
    match (table, column, key) {
        ("incident", "state", _) => state::read::<Incident>(text).map(drop),
        ("task", "state", _) => state::read::<Task>(text).map(drop),
        ("setting", "value", PAUSE) => state::read::<Pause>(text).map(drop),
        ("setting", "value", TARGETS) => state::read::<Told>(text).map(drop),
        ("setting", "value", INSTALLATION) => state::read::<Installation>(text).map(drop),
        ("setting", "value", RECEIVERS) => state::read::<Vec<ReceiverName>>(text).map(drop),
        _ => Ok(()),
    }
}

/// Goes through everything.
///
/// # Errors
/// The first thing that is wrong.
pub fn look(connection: &Connection) -> Result<(), Unsound> {
    let failed = |source| JournalError::Query { doing: "look for damage", source };
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found != "ok" {
        return Err(Unsound::Structure(found));
    }
    for (table, keys, columns) in TABLES {
        look_at(connection, table, keys, columns)?;
    }
    Ok(())
}

fn look_at(connection: &Connection, table: &'static str, keys: usize, columns: &[&str]) -> Result<(), Unsound> {
    let failed = |source| JournalError::Query { doing: "look for damage", source };
    let mut statement = match connection.prepare(&format!("SELECT {} FROM {table}", columns.join(", "))) {
        Ok(statement) => statement,
        // An older version has no such table.
        Err(error) if error.to_string().contains("no such table") => return Ok(()),
        Err(error) => return Err(failed(error).into()),
    };
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let value = |index| row.get_ref(index).map_err(failed);
        let key = (0..keys).map(|index| Ok(shown(value(index)?))).collect::<Result<Vec<_>, JournalError>>()?.join(" ");
        for (index, column) in columns.iter().enumerate() {
            let ValueRef::Text(bytes) = value(index)? else { continue };
            let wrong = match std::str::from_utf8(bytes) {
                Ok(text) => {
                    meaning(table, &key, column, text).err().map(|error| format!("cannot be understood: {error}"))
                }
                Err(error) => Some(format!("is no text: {error}")),
            };
            if let Some(what) = wrong {
                return Err(Unsound::Value { table, row: key, column: (*column).to_owned(), what });
            }
        }
    }
    Ok(())
}

/// A key's part for people.
pub(super) fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
