//! The timeline as a chain: every row's hash covers the row and the hash before it, so that none can be changed, removed, inserted or
//! moved without breaking the chain there.
//!
//! `hash = SHA-256(previous hash ‖ row)`, in lower-case hex, the row as the JSON array
//! `[id, incident, at in ms, event, reason, detail]`; before the first row stand 64 zeros. What retention removed is replaced by an
//! anchor: number and hash of the last removed row. Where a salvage could not read rows, it notes where the chain goes on. Rows that were cut off at the end leave a chain that is whole: only a hash that was
//! kept elsewhere (every closed incident logs one) tells of them.

use std::io::Write;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sha2::{Digest as _, Sha256};

use vvtv_incident::Timestamp;

use super::JournalError;
use super::load::timestamp;

/// The version of the schema since which rows have hashes.
pub(super) const SINCE: i64 = 3;
/// Before the first row.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The setting under which the anchor is kept.
pub(super) const ANCHOR: &str = "audit_anchor";
/// The setting under which a salvage's gaps are kept.
pub(super) const GAPS: &str = "audit_gaps";
/// A row so much older than the one before it was written after the clock was set back.
const STEP_BACK_MILLIS: i64 = 300_000;
/// Steps back that are told of.
const STEPS_BACK_MAX: usize = 100;

/// The newest end of a chain, or the end of what is gone from it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// The number of the last row.
    pub row: i64,
    /// Its hash.
    pub hash: String,
}

/// A place where a salvage lost rows: nothing can be compared there.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Gap {
    /// The last row before it.
    pub after: i64,
    /// The row with which the chain goes on.
    pub row: i64,
    /// That row's hash.
    pub hash: String,
}

/// A place where time goes back, because the clock was ahead before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepBack {
    /// The first row after it.
    pub row: i64,
    /// The time of the row before.
    pub from: Timestamp,
    /// Its own.
    pub to: Timestamp,
}

/// A timeline row as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) id: i64,
    pub(super) incident: Option<i64>,
    pub(super) at: i64,
    pub(super) event: String,
    pub(super) reason: String,
    pub(super) detail: String,
}

/// A chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Rows that were compared.
    pub rows: u64,
    /// Where retention left off, if it removed anything.
    pub anchor: Option<Head>,
    /// Where a salvage lost rows.
    pub gaps: Vec<Gap>,
    /// Where time goes back, the first of them.
    pub steps_back: Vec<StepBack>,
    /// The end.
    pub head: Head,
}

/// Why a chain cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal is of a version without hashes.
    #[error("the journal has schema {0}, which has no hashes yet; `serve` migrates it")]
    TooOld(i64),
    /// A row is not what its hash says.
    #[error(
        "row {row} breaks the chain after row {after}: it was changed, or rows before it were changed, removed, inserted or moved"
    )]
    Broken {
        /// The first such row.
        row: i64,
        /// The last row that holds.
        after: i64,
    },
    /// A hash that was kept elsewhere is not in the chain.
    #[error("the chain does not go through {0}: its end was cut off, or it was written anew")]
    NotThrough(String),
    /// The rows cannot be written out.
    #[error("cannot write the rows")]
    Output(#[from] std::io::Error),
}

impl Link {
    /// The hash of this row after another.
    pub(super) fn hash(&self, previous: &str) -> rusqlite::Result<String> {
        let row = (self.id, self.incident, self.at, &self.event, &self.reason, &self.detail);
        let row = serde_json::to_vec(&row).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let digest = Sha256::new().chain_update(previous).chain_update(row).finalize();
        Ok(format!("{digest:x}"))
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<(Self, String)> {
        let link = Self {
            id: row.get(0)?,
            incident: row.get(1)?,
            at: row.get(2)?,
            event: row.get(3)?,
            reason: row.get(4)?,
            detail: row.get(5)?,
        };
        Ok((link, row.get(6)?))
    }
}

/// What stands before the first row that is kept.
fn anchor(connection: &Connection) -> rusqlite::Result<Option<Head>> {
    let text: Option<String> =
        connection.query_row("SELECT value FROM setting WHERE name = ?1", [ANCHOR], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

pub(super) fn gaps(connection: &Connection) -> rusqlite::Result<Vec<Gap>> {
    let text: Option<String> =
        connection.query_row("SELECT value FROM setting WHERE name = ?1", [GAPS], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Notes what stands before the first row that is kept.
pub(super) fn set_anchor(connection: &Connection, anchor: &Head) -> rusqlite::Result<()> {
    let text =
        serde_json::to_string(anchor).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)")?
        .execute(params![ANCHOR, text])?;
    Ok(())
}

pub(super) fn start(connection: &Connection) -> rusqlite::Result<Head> {
    Ok(anchor(connection)?.unwrap_or_else(|| Head { row: 0, hash: GENESIS.to_owned() }))
}

/// The end of the chain, after which the next row is written.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<Head> {
    let last = connection
        .query_row("SELECT id, hash FROM timeline ORDER BY id DESC LIMIT 1", [], |row| {
            Ok(Head { row: row.get(0)?, hash: row.get(1)? })
        })
        .optional()?;
    last.map_or_else(|| start(connection), Ok)
}

/// Gives rows from before there were hashes theirs.
pub(super) fn chain_existing(connection: &Connection) -> rusqlite::Result<()> {
    let mut previous = GENESIS.to_owned();
    let mut update = connection.prepare("UPDATE timeline SET hash = ?2 WHERE id = ?1")?;
    let mut statement = connection.prepare(ROWS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (link, _) = Link::read(row)?;
        previous = link.hash(&previous)?;
        update.execute(params![link.id, previous])?;
    }
    Ok(())
}

pub(super) const ROWS: &str = "SELECT id, incident_id, at, event, reason, detail, hash FROM timeline ORDER BY id";

/// Goes through the whole chain and hands every row that holds to `each`.
///
/// # Errors
/// The first row that does not hold, or `through`, a hash kept elsewhere, which is in no row.
fn walk(
    connection: &Connection,
    through: Option<&str>,
    mut each: impl FnMut(&Link, &str) -> std::io::Result<()>,
) -> Result<Verified, AuditError> {
    let failed = |source| AuditError::Journal(JournalError::Query { doing: "read the timeline", source });
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if version < SINCE {
        return Err(AuditError::TooOld(version));
    }
    // One transaction: retention may move the anchor meanwhile.
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let anchor = anchor(&transaction).map_err(failed)?;
    let known_gaps = gaps(&transaction).map_err(failed)?;
    let head = start(&transaction).map_err(failed)?;
    let mut found = through.is_none_or(|hash| hash == head.hash);
    let mut verified = Verified { rows: 0, anchor, gaps: Vec::new(), steps_back: Vec::new(), head };
    let mut time = None;
    let mut statement = transaction.prepare(ROWS).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (id, after): (i64, i64) = (row.get(0).map_err(failed)?, verified.head.row);
        // A text that is not UTF-8 is not what was written.
        let Ok((link, hash)) = Link::read(row) else { return Err(AuditError::Broken { row: id, after }) };
        if link.hash(&verified.head.hash).map_err(failed)? != hash {
            match known_gaps.iter().find(|gap| gap.row == id && gap.hash == hash && gap.after == after) {
                Some(gap) => verified.gaps.push(gap.clone()),
                None => return Err(AuditError::Broken { row: id, after }),
            }
        }
        each(&link, &hash)?;
        if let Some(from) = time.replace(link.at).filter(|from| from - link.at > STEP_BACK_MILLIS)
            && verified.steps_back.len() < STEPS_BACK_MAX
        {
            verified.steps_back.push(StepBack { row: id, from: timestamp(from), to: timestamp(link.at) });
        }
        found = found || through == Some(hash.as_str());
        verified.head = Head { row: link.id, hash };
        verified.rows += 1;
    }
    match through {
        Some(hash) if !found => Err(AuditError::NotThrough(hash.to_owned())),
        Some(_) | None => Ok(verified),
    }
}

/// Compares every row of a journal with its hash; `through` is a hash that was kept elsewhere and must be in the chain.
///
/// # Errors
/// The journal cannot be read, or its chain does not hold.
pub fn verify(connection: &Connection, through: Option<&str>) -> Result<Verified, AuditError> {
    walk(connection, through, |_, _| Ok(()))
}

/// Writes every row as a line of JSON: `{"hash": "…", "row": […]}`, the array being what the hash covers.
///
/// # Errors
/// As [`verify`]: what is written before the error is whole. The rows cannot be written.
pub fn export(connection: &Connection, to: &mut impl Write) -> Result<Verified, AuditError> {
    walk(connection, None, |link, hash| {
        let row = (link.id, link.incident, link.at, &link.event, &link.reason, &link.detail);
        writeln!(to, "{}", serde_json::json!({"row": row, "hash": hash}))
    })
}

#[cfg(test)]
mod tests;
