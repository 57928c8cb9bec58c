//! One batch, one transaction.

use rusqlite::{Connection, Transaction, params};
use vvtv_incident::{EntryKind, Incident, Phase, StepRecord};

use super::agenda;
use super::audit::{self, Head, Link};
use super::listed;
use super::state::{self, SubjectV1};
use super::{Batch, Delivery, JournalError, PauseChange};
use crate::failpoint::{Point, reached};

/// The setting under which a pause is kept.
pub(super) const PAUSE: &str = "pause";

/// The setting under which known targets are kept, with the times at which each was told last.
pub(super) const TARGETS: &str = "targets";

/// The setting under which the installation is kept.
pub(super) const INSTALLATION: &str = "installation";

/// The setting under which the last sign of life is kept: what is asked of the disk is a write.
const PULSE: &str = "pulse";

/// Writes a batch after the chain's head, which moves on with it.
pub(super) fn commit(connection: &mut Connection, head: &mut Head, batch: &Batch) -> Result<Head, JournalError> {
    match write(connection, head, batch) {
        Ok(new) => {
            *head = new;
            Ok(head.clone())
        }
        Err(source) => {
            // An error does not say whether the transaction is on disk: the journal does.
            if let Ok(found) = audit::head(connection) {
                *head = found;
            }
            Err(JournalError::Query { doing: "commit", source })
        }
    }
}

fn write(connection: &mut Connection, head: &Head, batch: &Batch) -> rusqlite::Result<Head> {
    reached(Point::CommitBegun);
    let transaction = connection.transaction()?;
    for incident in batch.incidents.values() {
        put_incident(&transaction, incident)?;
    }
    let head = put_timeline(&transaction, head, batch)?;
    put_runs(&transaction, batch)?;
    put_messages(&transaction, batch)?;
    agenda::put(&transaction, &batch.agenda)?;
    listed::put(&transaction, &batch.listed)?;
    match &batch.pause {
        None => {}
        Some(PauseChange::Paused(pause)) => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)")?
                .execute(params![PAUSE, state::write(pause)?])?;
        }
        Some(PauseChange::Resumed) => {
            transaction.prepare_cached("DELETE FROM setting WHERE name = ?1")?.execute([PAUSE])?;
        }
    }
    if let Some(targets) = &batch.targets {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)")?
            .execute(params![TARGETS, state::write(targets)?])?;
    }
    if let Some(pulse) = batch.pulse {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)")?
            .execute(params![PULSE, millis(pulse).to_string()])?;
    }
    reached(Point::CommitWritten);
    transaction.commit()?;
    reached(Point::CommitDone);
    Ok(head)
}

/// SQLite's integers are signed.
pub(super) fn millis(at: vvtv_incident::Timestamp) -> i64 {
    i64::try_from(at.millis()).unwrap_or(i64::MAX)
}

pub(super) fn number(id: vvtv_incident::IncidentId) -> i64 {
    i64::try_from(id.get()).unwrap_or(i64::MAX)
}

fn put_incident(transaction: &Transaction<'_>, incident: &Incident) -> rusqlite::Result<()> {
    let closed_at = match incident.phase {
        Phase::Closed { at } => Some(millis(at)),
        Phase::Working(_)
        | Phase::Exhausted
        | Phase::Stabilising
        | Phase::Monitoring { .. }
        | Phase::Restoring(_)
        | Phase::Closing { .. } => None,
    };
    transaction
        .prepare_cached(
            "INSERT INTO incident (id, runbook, target, phase, reason, opened_at, healthy_at, closed_at, level, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (id) DO UPDATE SET phase = ?4, reason = ?5, healthy_at = ?7, closed_at = ?8, level = ?9, state = ?10",
        )?
        .execute(params![
            number(incident.id),
            incident.runbook.as_str(),
            incident.target.as_str(),
            incident.phase_name(),
            incident.reason.as_str(),
            millis(incident.opened_at),
            incident.healthy_at.map(millis),
            closed_at,
            incident.level().map(vvtv_incident::Level::get),
            state::write(incident)?,
        ])?;
    Ok(())
}

fn put_timeline(transaction: &Transaction<'_>, head: &Head, batch: &Batch) -> rusqlite::Result<Head> {
    let mut head = head.clone();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO timeline (id, incident_id, at, event, reason, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (at, entry) in &batch.timeline {
        // What was left alone is counted, not kept: a repeated delivery must not fill the disk.
        if entry.event == EntryKind::Ignored {
            continue;
        }
        let link = Link {
            id: head.row + 1,
            incident: entry.incident.map(number),
            at: millis(*at),
            event: entry.event.as_str().to_owned(),
            reason: entry.reason.as_str().to_owned(),
            detail: entry.detail.clone(),
        };
        let hash = link.hash(&head.hash)?;
        insert.execute(params![link.id, link.incident, link.at, link.event, link.reason, link.detail, hash])?;
        head = Head { row: link.id, hash };
    }
    Ok(head)
}

fn put_runs(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    for (at, intent) in &batch.intents {
        let change = batch
            .incidents
            .get(&intent.incident)
            .and_then(|incident| incident.steps().find(|record| record.id == intent.step))
            .is_some_and(StepRecord::is_change);
        transaction
            .prepare_cached(
                "INSERT INTO step_run (incident_id, step, attempt, change, intent_at, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'running')
                 ON CONFLICT (incident_id, step, attempt) DO UPDATE
                 SET intent_at = ?5, state = 'running', finished_at = NULL, pid = NULL",
            )?
            .execute(params![number(intent.incident), intent.step.as_str(), intent.attempt, change, millis(*at)])?;
    }
    for (key, mark) in &batch.spawned {
        transaction
            .prepare_cached(
                "UPDATE step_run SET pid = ?4, start_ticks = ?5, boot_id = ?6
                 WHERE incident_id = ?1 AND step = ?2 AND attempt = ?3",
            )?
            .execute(params![
                number(key.incident),
                key.step.as_str(),
                key.attempt,
                mark.pid,
                mark.start_ticks.map(|ticks| i64::try_from(ticks).unwrap_or(i64::MAX)),
                mark.boot_id,
            ])?;
    }
    for (key, output) in &batch.outputs {
        transaction
            .prepare_cached(
                "UPDATE step_run SET stdout = ?4, stderr = ?5
                 WHERE incident_id = ?1 AND step = ?2 AND attempt = ?3 AND finished_at IS NULL",
            )?
            .execute(params![number(key.incident), key.step.as_str(), key.attempt, output.stdout, output.stderr])?;
    }
    for (key, result) in &batch.results {
        transaction
            .prepare_cached(
                "UPDATE step_run SET finished_at = ?4, state = ?5, exit_code = ?6, stdout = ?7, stderr = ?8
                 WHERE incident_id = ?1 AND step = ?2 AND attempt = ?3",
            )?
            .execute(params![
                number(key.incident),
                key.step.as_str(),
                key.attempt,
                millis(result.finished_at),
                result.outcome.as_str(),
                result.exit_code,
                result.stdout,
                result.stderr,
            ])?;
    }
    Ok(())
}

fn put_messages(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    for message in &batch.messages {
        let key = &message.key;
        let SubjectV1 { incident_id: incident, page } = key.subject.into();
        transaction
            .prepare_cached(
                // An update tells everything that an earlier one did, so it takes its place.
                "INSERT INTO message (incident_id, page, kind, channel, contact, level, reason, due_at, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'queued')
                 ON CONFLICT (incident_id, page, kind, channel) DO UPDATE
                 SET contact = ?5, level = ?6, reason = ?7, due_at = ?8, state = 'queued', sent_at = NULL, error = NULL
                 WHERE kind = 'update'",
            )?
            .execute(params![
                incident,
                page,
                key.kind.as_str(),
                key.channel,
                message.contact,
                message.level.get(),
                message.reason.as_str(),
                millis(message.due_at),
            ])?;
    }
    for (key, delivery) in &batch.deliveries {
        let SubjectV1 { incident_id: incident, page } = key.subject.into();
        let (state, failed, sent_at, error) = match delivery {
            Delivery::Sent { at } => ("sent", 0, Some(millis(*at)), None),
            Delivery::Moot { at } => ("moot", 0, Some(millis(*at)), None),
            Delivery::Failed { error } => ("failed", 1, None, Some(error)),
        };
        transaction
            .prepare_cached(
                // An update that became due after this one was taken is still to be sent.
                "UPDATE message SET state = ?5, failures = failures + ?6, sent_at = ?7, error = ?8
                 WHERE incident_id = ?1 AND page = ?2 AND kind = ?3 AND channel = ?4
                     AND (kind <> 'update' OR ?7 IS NULL OR due_at <= ?7)",
            )?
            .execute(params![incident, page, key.kind.as_str(), key.channel, state, failed, sent_at, error])?;
    }
    Ok(())
}
