//! Forgetting: closed incidents that are old enough, a bounded number in one transaction, so that commits never wait for long.
//!
//! An incident goes with its steps' output and its messages, a task with its output and its messages. Timeline rows go from the chain's
//! beginning only, up to the first that is young or belongs to an incident that is kept; the anchor stands for them. The newest incident
//! and the newest row stay always: numbers are never used twice, and the clock never goes on from before what was written.
//!
//! What a clock that was ahead has written lies in the future: it is as old as what was written after it.

use rusqlite::{Connection, Transaction, params};
use vvtv_incident::{IncidentId, Timestamp};

use super::JournalError;
use super::agenda;
use super::audit::{self, Head};
use super::load::incident_id;
use super::write::millis;

/// Incidents that one transaction forgets: each may have megabytes of output.
const INCIDENTS_MAX: usize = 10;
/// Timeline rows that one transaction forgets.
const ROWS_MAX: usize = 1000;
/// Pages that are given back to the system at a time.
const PAGES_MAX: u32 = 1000;

/// How much one transaction may forget at most, beside its own limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most {
    /// Closed incidents.
    pub incidents: usize,
    /// Done tasks.
    pub tasks: usize,
    /// Rows of the timeline.
    pub rows: usize,
}

impl Most {
    /// No limit but those of one transaction.
    pub const ANY: Self = Self { incidents: usize::MAX, tasks: usize::MAX, rows: usize::MAX };

    fn of_one_transaction(self) -> Self {
        Self {
            incidents: self.incidents.min(INCIDENTS_MAX),
            tasks: self.tasks.min(agenda::FORGET_MAX),
            rows: self.rows.min(ROWS_MAX),
        }
    }
}

/// What is old.
#[derive(Clone, Copy, Debug)]
pub(super) struct Old {
    pub(super) before: Timestamp,
    pub(super) now: Timestamp,
}

/// What one transaction forgot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Closed incidents.
    pub incidents: Vec<IncidentId>,
    /// Done tasks.
    pub tasks: usize,
    /// Rows of the timeline.
    pub rows: usize,
    /// There may be more.
    pub more: bool,
}

/// Forgets some of what is old.
pub(super) fn forget(connection: &mut Connection, old: Old, most: Most) -> Result<Forgotten, JournalError> {
    let failed = |source| JournalError::Query { doing: "forget what is old", source };
    let transaction = connection.transaction().map_err(failed)?;
    let most = most.of_one_transaction();
    let incidents = incidents(&transaction, old, most.incidents).map_err(failed)?;
    let tasks = agenda::forget(&transaction, old, most.tasks).map_err(failed)?;
    let rows = rows(&transaction, old, most.rows).map_err(failed)?;
    // Nothing of a kind that had no room is no sign of more.
    let full = |number: usize, most: usize| most > 0 && number == most;
    let more = full(incidents.len(), most.incidents) || full(tasks, most.tasks) || full(rows, most.rows);
    transaction.commit().map_err(failed)?;
    if rows > 0 || tasks > 0 || !incidents.is_empty() {
        let pragma = format!("PRAGMA incremental_vacuum({PAGES_MAX})");
        // It frees a page with every row that it gives.
        let mut statement = connection.prepare(&pragma).map_err(failed)?;
        let mut pages = statement.query([]).map_err(failed)?;
        while pages.next().map_err(failed)?.is_some() {}
    }
    Ok(Forgotten { incidents, tasks, rows, more })
}

fn incidents(transaction: &Transaction<'_>, old: Old, most: usize) -> rusqlite::Result<Vec<IncidentId>> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let ids: Vec<i64> = transaction
        .prepare_cached(
            "SELECT id FROM incident
             WHERE (closed_at < ?1 OR closed_at > ?2 AND id < (SELECT max(id) FROM incident WHERE closed_at < ?1))
                 AND id < (SELECT max(id) FROM incident)
             ORDER BY closed_at LIMIT ?3",
        )?
        .query_map(params![millis(old.before), millis(old.now), limit], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &ids {
        for sql in [
            "DELETE FROM step_run WHERE incident_id = ?1",
            "DELETE FROM message WHERE incident_id = ?1",
            "DELETE FROM incident WHERE id = ?1",
        ] {
            transaction.prepare_cached(sql)?.execute([id])?;
        }
    }
    Ok(ids.into_iter().map(incident_id).collect())
}

fn rows(transaction: &Transaction<'_>, old: Old, most: usize) -> rusqlite::Result<usize> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = transaction.prepare_cached(
        "SELECT id, hash, (at < ?1 OR at > ?2 AND id < (SELECT max(id) FROM timeline WHERE at < ?1)) AND NOT EXISTS (SELECT 1 FROM incident WHERE incident.id = timeline.incident_id)
             AND id < (SELECT max(id) FROM timeline)
         FROM timeline ORDER BY id LIMIT ?3",
    )?;
    let mut found = statement.query(params![millis(old.before), millis(old.now), limit])?;
    let (mut last, mut count) = (None, 0);
    while let Some(row) = found.next()? {
        if !row.get(2)? {
            break;
        }
        last = Some(Head { row: row.get(0)?, hash: row.get(1)? });
        count += 1;
    }
    drop(found);
    if let Some(anchor) = last {
        audit::set_anchor(transaction, &anchor)?;
        transaction.prepare_cached("DELETE FROM timeline WHERE id <= ?1")?.execute([anchor.row])?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
