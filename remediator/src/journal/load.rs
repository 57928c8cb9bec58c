//! What an earlier run left: everything that a new one needs to go on.

use std::str::FromStr as _;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _};
use vvtv_incident::{
    BudgetCall, EntryKind, IncidentId, Level, Outcome, PastChange, PastIncident, Reason, ReceiverName, RunbookId,
    Saved, StepId, Target, Timestamp, Unreadable,
};

use super::agenda::{self, RestoredAgenda};
use super::listed::{self, RECEIVERS};
use super::state::{self, SubjectV1};
use super::unreadable::{self, Opened};
use super::write::{INSTALLATION, PAUSE, TARGETS, millis};
use super::{JournalError, RunKey};
use crate::clock::wall;
use crate::conditions::targets::Told;
use crate::journal::installation::Installation;
use crate::journal::outbox::{Message, MessageKey, MessageKind, Subject};
use crate::steps::{Identity, Output};

/// Changes older than this do not count against any budget, and what went away longer ago does not come back.
const LATELY_MS: i64 = 3_600_000;

/// Everything that an earlier run left.
#[derive(Debug)]
pub struct Restored {
    /// Who wrote it: the keys of pages have its id.
    pub installation: Installation,
    /// For the core.
    pub saved: Saved,
    /// Open incidents whose state cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Attempts whose end nobody wrote down.
    pub open_runs: Vec<OpenRun>,
    /// Results of open incidents' steps, oldest attempt first, for later conditions.
    pub results: Vec<PastRun>,
    /// Messages that their channel has not taken yet.
    pub messages: Vec<Message>,
    /// Calls that their channel has taken and that nobody has taken back.
    pub standing: Vec<Message>,
    /// What it left of the agenda.
    pub agenda: RestoredAgenda,
    /// The targets that Prometheus told it of.
    pub targets: Told,
    /// The receivers that deliveries came through.
    pub receivers: Vec<ReceiverName>,
    /// The time of the last entry, if there is one: the clock must not go on from before it.
    pub newest: Option<Timestamp>,
}

/// An attempt that ended.
#[derive(Debug, PartialEq, Eq)]
pub struct PastRun {
    /// The attempt of a step.
    pub key: RunKey,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// How it ended, for a core that was stopped before it heard.
    pub outcome: Outcome,
}

/// An attempt whose end nobody wrote down.
#[derive(Debug, PartialEq, Eq)]
pub struct OpenRun {
    /// The attempt of a step.
    pub key: RunKey,
    /// When it was meant to start.
    pub intent_at: Timestamp,
    /// Its process; without one nothing of it has run: a process is let go only after it was written down.
    pub process: Option<Identity>,
    /// What it had written.
    pub output: Output,
}

pub(super) fn load(connection: &mut Connection) -> Result<Restored, JournalError> {
    let query = |source| JournalError::Query { doing: "read what an earlier run left", source };
    // The last one written, which is not the latest where a clock was ahead once.
    let newest: Option<i64> = connection
        .query_row("SELECT at FROM timeline ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
        .optional()
        .map_err(query)?;
    let now = newest.unwrap_or(0).min(millis(wall()));
    let last_id: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) FROM incident", [], |row| row.get(0)).map_err(query)?;
    let Opened { incidents, unreadable } = unreadable::incidents(connection).map_err(query)?;
    Ok(Restored {
        installation: setting(connection, INSTALLATION)?.ok_or(JournalError::Nameless)?,
        saved: Saved {
            incidents,
            changes: changes(connection, now).map_err(query)?,
            over: over(connection, now).map_err(query)?,
            budget_calls: budget_calls(connection, now).map_err(query)?,
            pause: setting(connection, PAUSE)?,
            last_id: u64::try_from(last_id).unwrap_or(0),
            named: listed::named(connection).map_err(query)?,
        },
        open_runs: open_runs(connection).map_err(query)?,
        results: results(connection).map_err(query)?,
        messages: messages(connection).map_err(query)?,
        standing: standing(connection).map_err(query)?,
        agenda: agenda::load(connection)?,
        targets: setting(connection, TARGETS)?.unwrap_or_default(),
        receivers: setting(connection, RECEIVERS)?.unwrap_or_default(),
        newest: newest.map(timestamp),
        unreadable,
    })
}

/// A setting's value, if it is set.
fn setting<T: state::Kept>(connection: &Connection, name: &'static str) -> Result<Option<T>, JournalError> {
    let query = |source| JournalError::Query { doing: "read what an earlier run left", source };
    let text: Option<String> = connection
        .prepare("SELECT value FROM setting WHERE name = ?1")
        .and_then(|mut statement| statement.query_map([name], |row| row.get(0))?.next().transpose())
        .map_err(query)?;
    text.map(|text| state::read(&text)).transpose().map_err(|source| JournalError::Setting { name, source })
}

/// A text that is only shown: what is not UTF-8 of it is replaced, and one rotten byte keeps nothing from starting.
pub(super) fn text(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<String> {
    match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Null => Ok(String::new()),
        ValueRef::Integer(_) | ValueRef::Real(_) => row.get(column),
    }
}

/// The same of one that may be absent.
pub(super) fn optional_text(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    if row.get_ref(column)? == ValueRef::Null { Ok(None) } else { text(row, column).map(Some) }
}

pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

pub(super) fn incident_id(number: i64) -> IncidentId {
    IncidentId::new(u64::try_from(number).unwrap_or(0))
}

fn changes(connection: &Connection, now: i64) -> rusqlite::Result<Vec<PastChange>> {
    connection
        .prepare(
            "SELECT intent_at, runbook FROM step_run JOIN incident ON incident.id = incident_id
             WHERE change = 1 AND step_run.state != 'not_run' AND intent_at > ?1",
        )?
        .query_map([now - LATELY_MS], |row| {
            Ok(PastChange { started_at: timestamp(row.get(0)?), runbook: RunbookId::new(row.get::<_, String>(1)?) })
        })?
        .collect()
}

/// Incidents that were closed because their trouble had gone away.
fn over(connection: &Connection, now: i64) -> rusqlite::Result<Vec<PastIncident>> {
    let [stabilised, monitored, resolved] = [Reason::Stabilised, Reason::Monitored, Reason::AlertResolved];
    connection
        .prepare(
            "SELECT runbook, target, closed_at, CASE WHEN json_valid(state)
                 THEN coalesce(json_extract(state, '$.returned'), 0) + coalesce(json_extract(state, '$.relapses'), 0)
                 ELSE 0 END
             FROM incident WHERE closed_at > ?1 AND reason IN (?2, ?3, ?4)",
        )?
        .query_map((now - LATELY_MS, stabilised.as_str(), monitored.as_str(), resolved.as_str()), |row| {
            Ok(PastIncident {
                runbook: RunbookId::new(row.get::<_, String>(0)?),
                target: Target::new(text(row, 1)?),
                closed_at: timestamp(row.get(2)?),
                times_back: row.get(3)?,
            })
        })?
        .collect()
}

/// Calls because the budget was spent.
fn budget_calls(connection: &Connection, now: i64) -> rusqlite::Result<Vec<BudgetCall>> {
    connection
        .prepare(
            "SELECT runbook, target, at FROM timeline JOIN incident ON incident.id = incident_id
             WHERE at > ?1 AND event = ?2 AND timeline.reason IN (?3, ?4)",
        )?
        .query_map(
            (
                now - LATELY_MS,
                EntryKind::Paged.as_str(),
                Reason::BudgetSpent.as_str(),
                Reason::RunbookBudgetSpent.as_str(),
            ),
            |row| {
                Ok(BudgetCall {
                    runbook: RunbookId::new(row.get::<_, String>(0)?),
                    target: Target::new(text(row, 1)?),
                    called_at: timestamp(row.get(2)?),
                })
            },
        )?
        .collect()
}

fn run_key(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunKey> {
    Ok(RunKey { incident: incident_id(row.get(0)?), step: StepId::new(row.get::<_, String>(1)?), attempt: row.get(2)? })
}

fn open_runs(connection: &Connection) -> rusqlite::Result<Vec<OpenRun>> {
    connection
        .prepare(
            "SELECT incident_id, step, attempt, intent_at, pid, start_ticks, boot_id,
                 coalesce(stdout, ''), coalesce(stderr, '')
             FROM step_run WHERE finished_at IS NULL",
        )?
        .query_map([], |row| {
            let (pid, ticks): (Option<i32>, Option<i64>) = (row.get(4)?, row.get(5)?);
            let start_ticks = ticks.and_then(|ticks| u64::try_from(ticks).ok());
            let boot_id = row.get(6)?;
            let process = pid.map(|pid| Identity { pid, start_ticks, boot_id });
            let output = Output { stdout: text(row, 7)?, stderr: text(row, 8)? };
            Ok(OpenRun { key: run_key(row)?, intent_at: timestamp(row.get(3)?), process, output })
        })?
        .collect()
}

fn results(connection: &Connection) -> rusqlite::Result<Vec<PastRun>> {
    connection
        .prepare(
            "SELECT incident_id, step, attempt, exit_code, coalesce(stdout, ''), state FROM step_run
             WHERE finished_at IS NOT NULL AND incident_id IN (SELECT id FROM incident WHERE closed_at IS NULL)
             ORDER BY incident_id, step, attempt",
        )?
        .query_map([], |row| {
            let (exit_code, state): (Option<i32>, String) = (row.get(3)?, row.get(5)?);
            let outcome = state::outcome(&state, exit_code);
            Ok(PastRun { key: run_key(row)?, exit_code, stdout: text(row, 4)?, outcome })
        })?
        .collect()
}

/// What a message is made of, in the order of the columns that [`message`] reads.
const MESSAGE: &str = "incident_id, page, kind, channel, contact, level, reason, due_at";

/// None of one of which nobody can say what it does: taken for another it would call, or stop calling, whom it must not.
fn message(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Message>> {
    let columns = SubjectV1 { incident_id: row.get(0)?, page: row.get(1)? };
    let (kind, reason) = (text(row, 2)?, text(row, 6)?);
    let (Ok(subject), Ok(known)) = (Subject::try_from(columns), MessageKind::from_str(&kind)) else {
        let SubjectV1 { incident_id, page } = columns;
        tracing::error!(incident = incident_id, page, kind, "a message cannot be read: it is not sent");
        return Ok(None);
    };
    let reason = Reason::named(&reason).unwrap_or_else(|| {
        tracing::error!(about = %subject, reason, "a message's reason cannot be read");
        Reason::Unreadable
    });
    Ok(Some(Message {
        key: MessageKey { subject, kind: known, channel: row.get(3)? },
        contact: text(row, 4)?,
        level: Level::new(row.get(5)?),
        reason,
        due_at: timestamp(row.get(7)?),
    }))
}

fn standing(connection: &Connection) -> rusqlite::Result<Vec<Message>> {
    let sql = format!(
        "SELECT {MESSAGE} FROM message WHERE kind = 'trigger' AND state = 'sent' AND NOT EXISTS (
             SELECT 1 FROM message AS later WHERE later.incident_id = message.incident_id
                 AND later.page = message.page AND later.channel = message.channel AND later.kind = 'resolve')
         ORDER BY due_at"
    );
    connection.prepare(&sql)?.query_map([], message)?.filter_map(Result::transpose).collect()
}

fn messages(connection: &Connection) -> rusqlite::Result<Vec<Message>> {
    connection
        .prepare(&format!(
            "SELECT {MESSAGE} FROM message
             WHERE sent_at IS NULL
                 -- A call that never went out and is taken back already rings nobody.
                 AND NOT (kind IN ('trigger', 'update') AND EXISTS (
                     SELECT 1 FROM message AS later WHERE later.incident_id = message.incident_id
                         AND later.page = message.page AND later.channel = message.channel AND later.kind = 'resolve'))
             ORDER BY due_at, incident_id, page, CASE kind WHEN 'trigger' THEN 0 WHEN 'update' THEN 1 ELSE 2 END"
        ))?
        .query_map([], message)?
        .filter_map(Result::transpose)
        .collect()
}

#[cfg(test)]
mod tests;
