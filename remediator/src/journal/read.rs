//! What the console and the API show. Each question opens the file for itself, read-only, away from the async threads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags, params};
use vvtv_incident::{Incident, IncidentId, Pause, StepId, Timestamp};

use super::JournalError;
use super::load::{incident_id, optional_text, text, timestamp};
use super::place::Location;
use super::retention::Most;
use super::state;
use super::unreadable::{COLUMNS, Stored, stored};
use super::write::{PAUSE, number};

/// The longest list that one question gives.
pub const ROWS_MAX: usize = 500;

/// Which incidents to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedIn {
    /// Those that are open.
    Open,
    /// Those that are over.
    Closed,
    /// All.
    All,
}

/// A page of a list, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// Which.
    pub which: ClosedIn,
    /// Only incidents older than this one.
    pub before: Option<IncidentId>,
    /// How many at most.
    pub limit: usize,
}

/// An incident as it was last committed.
#[derive(Debug)]
pub struct IncidentRow {
    /// The core's state of it.
    pub incident: Incident,
    /// Its phase's name.
    pub phase: String,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// How attempts ended by themselves: incident, step, attempt.
pub type ExitCodes = BTreeMap<(IncidentId, StepId, u32), i32>;

/// One attempt of a step.
#[derive(Debug)]
pub struct RunRow {
    /// Which step.
    pub step: String,
    /// Which attempt.
    pub attempt: u32,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How it stands or ended.
    pub state: String,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// How much of a failed step's stderr is read for people.
const COMPLAINT_CHARS: usize = 2000;

/// One message to one contact on one channel.
#[derive(Debug)]
pub struct Delivery {
    /// The page that it belongs to.
    pub page: u32,
    /// `trigger` or `resolve`.
    pub kind: String,
    /// On which channel.
    pub channel: String,
    /// To whom.
    pub contact: String,
    /// The contact's level.
    pub level: u8,
    /// When it was due.
    pub due_at: Timestamp,
    /// When the channel took it.
    pub sent_at: Option<Timestamp>,
    /// `queued`, `sent` or `failed`.
    pub state: String,
    /// The last failure.
    pub error: Option<String>,
}

/// A line of the timeline.
#[derive(Debug)]
pub struct TimelineRow {
    /// When that was, by our clock.
    pub at: Timestamp,
    /// What.
    pub event: String,
    /// Why.
    pub reason: String,
    /// Particulars.
    pub detail: String,
}

/// The reading end.
#[derive(Clone, Debug)]
pub struct Reader {
    location: Location,
}

impl Reader {
    /// Reads the journal in this file, whoever writes it.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self::at(Location::File(path))
    }

    pub(super) const fn at(location: Location) -> Self {
        Self { location }
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        doing: &'static str,
        question: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let location = self.location.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let failed = |source| JournalError::Query { doing, source };
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = location.open(flags).map_err(failed)?;
            question(&connection)
        });
        answer.await.map_err(|_| JournalError::Closed)?
    }

    /// A page of the list of incidents.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn list(&self, listing: Listing) -> Result<Vec<IncidentRow>, JournalError> {
        const DOING: &str = "list incidents";
        self.ask(DOING, move |connection| {
            let which = match listing.which {
                ClosedIn::Open => "closed_at IS NULL",
                ClosedIn::Closed => "closed_at IS NOT NULL",
                ClosedIn::All => "TRUE",
            };
            let before = listing.before.map_or(i64::MAX, number);
            let limit = i64::try_from(listing.limit.min(ROWS_MAX)).unwrap_or(1);
            let sql = format!(
                "SELECT {COLUMNS}, phase, closed_at FROM incident WHERE {which} AND id < ?1 ORDER BY id DESC LIMIT ?2"
            );
            incident_rows(connection, DOING, &sql, params![before, limit])
        })
        .await
    }

    /// One incident, if it ever was.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<IncidentRow>, JournalError> {
        const DOING: &str = "read an incident";
        self.ask(DOING, move |connection| {
            let sql = format!("SELECT {COLUMNS}, phase, closed_at FROM incident WHERE id = ?1");
            Ok(incident_rows(connection, DOING, &sql, params![number(id)])?.pop())
        })
        .await
    }

    /// All attempts of an incident's steps, in order of their start.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn runs(&self, id: IncidentId) -> Result<Vec<RunRow>, JournalError> {
        const DOING: &str = "read an incident's steps";
        self.ask(DOING, move |connection| {
            rows(
                connection,
                DOING,
                "SELECT step, attempt, intent_at, finished_at, state, exit_code, coalesce(stdout, ''), coalesce(stderr, '')
                 FROM step_run WHERE incident_id = ?1 ORDER BY intent_at, step, attempt LIMIT 1000",
                number(id),
                |row| {
                    Ok(RunRow {
                        step: row.get(0)?,
                        attempt: row.get(1)?,
                        started_at: timestamp(row.get(2)?),
                        finished_at: row.get::<_, Option<i64>>(3)?.map(timestamp),
                        state: row.get(4)?,
                        exit_code: row.get(5)?,
                        stdout: text(row, 6)?,
                        stderr: text(row, 7)?,
                    })
                },
            )
        })
        .await
    }

    /// The end of what each step that failed, took too long, or whose end is not known, wrote to stderr in its last such attempt, at most
    /// `COMPLAINT_CHARS`.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn complaints(&self, id: IncidentId) -> Result<BTreeMap<String, String>, JournalError> {
        const DOING: &str = "read what failed steps said";
        let found = self.ask(DOING, move |connection| {
            rows(
                connection,
                DOING,
                &format!(
                    "SELECT step, substr(coalesce(stderr, ''), -{COMPLAINT_CHARS}) FROM step_run
                     WHERE incident_id = ?1 AND state IN ('failed', 'timeout', 'unknown') ORDER BY attempt LIMIT 1000"
                ),
                number(id),
                |row| Ok((row.get(0)?, text(row, 1)?)),
            )
        });
        Ok(found.await?.into_iter().collect())
    }

    /// The exit codes of these incidents' attempts, of those that ended by themselves.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn exit_codes(&self, of: Vec<IncidentId>) -> Result<ExitCodes, JournalError> {
        const DOING: &str = "read how steps ended";
        let ids = of.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let found = self.ask(DOING, move |connection| {
            rows(
                connection,
                DOING,
                "SELECT incident_id, step, attempt, exit_code FROM step_run
                 WHERE incident_id IN (SELECT value FROM json_each(?1)) AND exit_code IS NOT NULL",
                format!("[{ids}]"),
                |row| {
                    let step = StepId::new(row.get::<_, String>(1)?);
                    Ok(((incident_id(row.get(0)?), step, row.get(2)?), row.get(3)?))
                },
            )
        });
        Ok(found.await?.into_iter().collect())
    }

    /// All messages of an incident, in the order in which they were due.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn deliveries(&self, id: IncidentId) -> Result<Vec<Delivery>, JournalError> {
        const DOING: &str = "read an incident's pages";
        self.ask(DOING, move |connection| {
            rows(
                connection,
                DOING,
                "SELECT page, kind, channel, contact, level, due_at, sent_at, state, error
                 FROM message WHERE incident_id = ?1 ORDER BY due_at, page, CASE kind WHEN 'trigger' THEN 0 WHEN 'update' THEN 1 ELSE 2 END, channel LIMIT 1000",
                number(id),
                |row| {
                    Ok(Delivery {
                        page: row.get(0)?,
                        kind: row.get(1)?,
                        channel: row.get(2)?,
                        contact: row.get(3)?,
                        level: row.get(4)?,
                        due_at: timestamp(row.get(5)?),
                        sent_at: row.get::<_, Option<i64>>(6)?.map(timestamp),
                        state: row.get(7)?,
                        error: optional_text(row, 8)?,
                    })
                },
            )
        })
        .await
    }

    /// An incident's timeline, oldest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn timeline(&self, id: IncidentId) -> Result<Vec<TimelineRow>, JournalError> {
        const DOING: &str = "read an incident's timeline";
        self.ask(DOING, move |connection| {
            rows(
                connection,
                DOING,
                "SELECT at, event, reason, detail FROM timeline WHERE incident_id = ?1 ORDER BY id LIMIT 10000",
                number(id),
                |row| {
                    Ok(TimelineRow {
                        at: timestamp(row.get(0)?),
                        event: row.get(1)?,
                        reason: row.get(2)?,
                        detail: text(row, 3)?,
                    })
                },
            )
        })
        .await
    }

    /// The pause that is in force, if one is.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn pause(&self) -> Result<Option<Pause>, JournalError> {
        const DOING: &str = "look for a pause";
        self.ask(DOING, move |connection| {
            let query = |source| JournalError::Query { doing: DOING, source };
            let mut statement = connection.prepare("SELECT value FROM setting WHERE name = ?1").map_err(query)?;
            let mut rows = statement.query([PAUSE]).map_err(query)?;
            let text: Option<String> =
                rows.next().and_then(|row| row.map(|row| row.get(0)).transpose()).map_err(query)?;
            let pause = text.map(|text| state::read(&text)).transpose();
            pause.map_err(|source| JournalError::Setting { name: PAUSE, source })
        })
        .await
    }

    /// Times of the newest decision and the newest incident: what tells a reader that there is something new.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn newest(&self) -> Result<Timestamp, JournalError> {
        const DOING: &str = "look for news";
        self.ask(DOING, move |connection| {
            let newest = connection
                .query_row("SELECT coalesce(max(at), 0) FROM timeline", [], |row| row.get(0))
                .map_err(|source| JournalError::Query { doing: DOING, source })?;
            Ok(timestamp(newest))
        })
        .await
    }

    /// How much there is that may be forgotten one day.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn kept(&self) -> Result<Most, JournalError> {
        const DOING: &str = "count what is kept";
        self.ask(DOING, move |connection| {
            let sql = "SELECT (SELECT count(*) FROM incident WHERE closed_at IS NOT NULL),
                           (SELECT count(*) FROM task WHERE done_at IS NOT NULL), (SELECT count(*) FROM timeline)";
            let number = |row: &rusqlite::Row<'_>, column| {
                row.get::<_, i64>(column).map(|number| usize::try_from(number).unwrap_or(0))
            };
            let kept = |row: &rusqlite::Row<'_>| {
                Ok(Most { incidents: number(row, 0)?, tasks: number(row, 1)?, rows: number(row, 2)? })
            };
            connection.query_row(sql, [], kept).map_err(|source| JournalError::Query { doing: DOING, source })
        })
        .await
    }
}

pub(super) fn rows<T>(
    connection: &Connection,
    doing: &'static str,
    sql: &str,
    parameter: impl rusqlite::ToSql,
    read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, JournalError> {
    let failed = |source| JournalError::Query { doing, source };
    let mut statement = connection.prepare(sql).map_err(failed)?;
    statement.query_map([parameter], |row| read(row)).and_then(Iterator::collect).map_err(failed)
}

fn incident_rows(
    connection: &Connection,
    doing: &'static str,
    sql: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> Result<Vec<IncidentRow>, JournalError> {
    let failed = |source| JournalError::Query { doing, source };
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let mut found = statement.query(parameters).map_err(failed)?;
    let mut incidents = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        let incident = match stored(connection, row).map_err(failed)? {
            Stored::Readable(incident) => *incident,
            Stored::Unreadable { known, why } => {
                // `audit verify` names it too.
                let incident = known.id.get();
                tracing::error!(incident, error = why, "an incident's state cannot be read: little of it is shown");
                (*known).into()
            }
        };
        let phase = row.get(5).map_err(failed)?;
        let closed_at = row.get::<_, Option<i64>>(6).map_err(failed)?.map(timestamp);
        incidents.push(IncidentRow { incident, phase, closed_at });
    }
    Ok(incidents)
}
