//! Incidents as they stand in the journal, and what the other tables still say of those whose state cannot be read.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use vvtv_incident::{
    Arrival, Incident, IncidentId, Level, Outcome, PageRecord, Reason, RunbookId, StepId, StepKind, StepRecord,
    StepState, Target, Unreadable,
};

use super::load::{incident_id, text, timestamp};
use super::outbox::MessageKind;
use super::state;
use super::write::number;

/// The most of a state that goes into the timeline, in bytes: it is what people have to go by.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The most pages that are looked for: a number beyond is no page's.
const PAGES_MAX: u32 = 10_000;

/// What [`stored`] reads, in this order; others may follow.
pub(super) const COLUMNS: &str = "id, runbook, target, opened_at, state";

/// Every open incident.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) incidents: Vec<Incident>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// What a row has.
pub(super) enum Stored {
    Readable(Box<Incident>),
    Unreadable { known: Box<Unreadable>, why: String },
}

pub(super) fn incidents(connection: &Connection) -> rusqlite::Result<Opened> {
    let mut opened = Opened::default();
    let sql = format!("SELECT {COLUMNS} FROM incident WHERE closed_at IS NULL ORDER BY id");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match stored(connection, row)? {
            Stored::Readable(incident) => opened.incidents.push(*incident),
            Stored::Unreadable { known, why } => {
                let incident = known.id.get();
                tracing::error!(incident, error = why, "an incident's state cannot be read: it is left to people");
                opened.unreadable.push(*known);
            }
        }
    }
    Ok(opened)
}

pub(super) fn stored(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Stored> {
    let id = incident_id(row.get(0)?);
    let why = match row.get_ref(4)? {
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes).map(state::read::<Incident>) {
            Ok(Ok(incident)) if incident.id == id => return Ok(Stored::Readable(Box::new(incident))),
            Ok(Ok(other)) => format!("it is the state of incident {}", other.id),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        },
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => "it is no text".to_owned(),
    };
    let state = text(row, 4)?;
    let known = Unreadable {
        id,
        runbook: RunbookId::new(text(row, 1)?),
        target: Target::new(text(row, 2)?),
        opened_at: timestamp(row.get(3)?),
        alerts: state::alerts_of(&state),
        steps: steps(connection, id)?,
        pages: pages(connection, id)?,
        text: beginning(state),
    };
    Ok(Stored::Unreadable { known: Box::new(known), why })
}

fn beginning(mut text: String) -> String {
    let whole = text.len();
    if whole > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push_str(&format!("… [{whole} bytes in all]"));
    }
    text
}

/// The steps that were started, each as its last attempt left it.
fn steps(connection: &Connection, incident: IncidentId) -> rusqlite::Result<Vec<StepRecord>> {
    let sql = "SELECT step, attempt, change, state, intent_at, finished_at, exit_code FROM step_run
               WHERE incident_id = ?1 ORDER BY step, attempt";
    let mut found: BTreeMap<StepId, StepRecord> = BTreeMap::new();
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([number(incident)])?;
    while let Some(row) = rows.next()? {
        let id = StepId::new(text(row, 0)?);
        let before = found.get(&id).map_or(0, |record| record.not_run);
        let finished_at = row.get::<_, Option<i64>>(5)?.map(timestamp);
        let outcome = match finished_at {
            Some(_) => Some(state::outcome(&text(row, 3)?, row.get(6)?)),
            None => None,
        };
        let record = StepRecord {
            id: id.clone(),
            kind: if row.get(2)? { StepKind::Change } else { StepKind::Diagnose },
            state: outcome.as_ref().map_or(StepState::Running, state_after),
            reason: None,
            attempts: row.get(1)?,
            not_run: before + u32::from(outcome == Some(Outcome::NotRun)),
            started_at: Some(timestamp(row.get(4)?)),
            finished_at,
            approved_by: None,
        };
        found.insert(id, record);
    }
    Ok(found.into_values().collect())
}

const fn state_after(outcome: &Outcome) -> StepState {
    match outcome {
        Outcome::Ok => StepState::Ok,
        Outcome::Failed(_) => StepState::Failed,
        Outcome::Timeout => StepState::Timeout,
        Outcome::Unknown => StepState::Unknown,
        Outcome::NotRun => StepState::Pending,
    }
}

/// Every page up to the last that there is a message of. Those without one led to nobody, and are over.
fn pages(connection: &Connection, incident: IncidentId) -> rusqlite::Result<Vec<PageRecord>> {
    let sql = "SELECT page, kind, level, reason, due_at, sent_at, state FROM message WHERE incident_id = ?1 AND page BETWEEN 1 AND ?2 ORDER BY page";
    let mut found: Vec<PageRecord> = Vec::new();
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query((number(incident), PAGES_MAX))?;
    while let Some(row) = rows.next()? {
        let (page, kind, state): (u32, _, _) = (row.get(0)?, text(row, 1)?, text(row, 6)?);
        let due_at = timestamp(row.get(4)?);
        let reason = Reason::named(&text(row, 3)?).unwrap_or(Reason::Unreadable);
        let level = Level::new(row.get(2)?);
        while found.last().map_or(0, |last| last.page) < page {
            let next = found.last().map_or(1, |last| last.page + 1);
            let resolved = next < page;
            found.push(PageRecord { page: next, level, reason, due_at, arrival: Arrival::Awaited, resolved });
        }
        let Some(record) = found.last_mut() else { continue };
        if kind == MessageKind::Resolve.as_str() {
            record.resolved = true;
        } else if kind == MessageKind::Trigger.as_str() {
            (record.reason, record.due_at) = (reason, due_at);
            if let (Some(at), "sent") = (row.get::<_, Option<i64>>(5)?, state.as_str()) {
                record.arrival = Arrival::Taken { at: timestamp(at) };
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
