//! Tasks in the journal: what a batch has of them, what an earlier run left, and what is shown of them.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use vvtv_incident::{SavedAgenda, Task, TaskId, TaskName, TaskState, Timestamp};

use super::load::{text, timestamp};
use super::retention::Old;
use super::state;
use super::write::millis;
use super::{JournalError, Reader};
use crate::steps::Identity;

/// Tasks of either kind that one question gives.
const ROWS_MAX: usize = 500;
/// How much of a task's output is shown, from its end.
const OUTPUT_CHARS: usize = 8000;
/// Tasks that one transaction forgets.
pub(super) const FORGET_MAX: usize = 100;

/// What one batch holds of the agenda.
#[derive(Debug, Default)]
pub struct AgendaBatch {
    /// Tasks as they now are.
    pub tasks: Vec<Task>,
    /// Up to when a schedule is dealt with.
    pub handled: Vec<(TaskName, Timestamp)>,
    /// Processes that were started for tasks.
    pub spawned: Vec<(TaskId, Identity)>,
    /// What tasks' programs have written.
    pub outputs: Vec<(TaskId, String)>,
    /// No schedule was dealt with after this time, whatever a clock that was ahead has written.
    pub not_after: Option<Timestamp>,
}

impl AgendaBatch {
    pub(super) const fn is_empty(&self) -> bool {
        let Self { tasks, handled, spawned, outputs, not_after } = self;
        tasks.is_empty() && handled.is_empty() && spawned.is_empty() && outputs.is_empty() && not_after.is_none()
    }
}

/// What an earlier run left of the agenda.
#[derive(Debug, Default)]
pub struct RestoredAgenda {
    /// For the core.
    pub saved: SavedAgenda,
    /// When each duty was last done.
    pub succeeded: BTreeMap<TaskName, Timestamp>,
    /// The last process of each task that was running.
    pub processes: BTreeMap<TaskId, Identity>,
}

/// A task as it is shown.
#[derive(Debug)]
pub struct TaskRow {
    /// The core's state of it.
    pub task: Task,
    /// The end of what its programs have written.
    pub output: String,
}

pub(super) fn put(transaction: &Transaction<'_>, batch: &AgendaBatch) -> rusqlite::Result<()> {
    if let Some(now) = batch.not_after {
        transaction.execute(
            "UPDATE duty SET handled_at = min(handled_at, ?1), succeeded_at = iif(succeeded_at > ?1, NULL, succeeded_at)",
            [millis(now)],
        )?;
    }
    for (name, at) in &batch.handled {
        transaction
            .prepare_cached(
                "INSERT INTO duty (name, handled_at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET handled_at = ?2",
            )?
            .execute(params![name.as_str(), millis(*at)])?;
    }
    for task in &batch.tasks {
        let done_at = match task.state {
            TaskState::Done { at, .. } => Some(millis(at)),
            TaskState::Waiting | TaskState::Running { .. } | TaskState::Person { .. } => None,
        };
        transaction
            .prepare_cached(
                "INSERT INTO task (id, name, scheduled_at, done_at, state) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE SET done_at = ?4, state = ?5",
            )?
            .execute(params![
                task.id.get(),
                task.name.as_str(),
                millis(task.scheduled_at),
                done_at,
                state::write(task)?
            ])?;
        if let Some(at) = done_at {
            transaction
                .prepare_cached("UPDATE duty SET succeeded_at = ?2 WHERE name = ?1")?
                .execute(params![task.name.as_str(), at])?;
        }
    }
    for (id, mark) in &batch.spawned {
        transaction
            .prepare_cached("UPDATE task SET process = ?2 WHERE id = ?1")?
            .execute(params![id.get(), state::write(mark)?])?;
    }
    for (id, output) in &batch.outputs {
        transaction.prepare_cached("UPDATE task SET output = ?2 WHERE id = ?1")?.execute(params![id.get(), output])?;
    }
    Ok(())
}

pub(super) fn load(connection: &Connection) -> Result<RestoredAgenda, JournalError> {
    const DOING: &str = "read what an earlier run left of the agenda";
    let query = |source| JournalError::Query { doing: DOING, source };
    let open = tasks(connection, DOING, "done_at IS NULL ORDER BY id")?;
    let last_id = connection.query_row("SELECT coalesce(max(id), 0) FROM task", [], |row| row.get(0)).map_err(query)?;
    let mut restored = RestoredAgenda {
        saved: SavedAgenda { open: open.into_iter().map(|row| row.task).collect(), handled: BTreeMap::new(), last_id },
        succeeded: succeeded(connection, DOING)?,
        processes: BTreeMap::new(),
    };
    let mut statement = connection.prepare("SELECT name, handled_at FROM duty").map_err(query)?;
    let handled = statement.query_map([], |row| Ok((name(row.get(0)?), timestamp(row.get(1)?)))).map_err(query)?;
    restored.saved.handled = handled.collect::<rusqlite::Result<_>>().map_err(query)?;
    let sql = "SELECT id, process FROM task WHERE done_at IS NULL AND process IS NOT NULL";
    let mut statement = connection.prepare(sql).map_err(query)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?))).map_err(query)?;
    for row in rows {
        let (id, text) = row.map_err(query)?;
        let mark = state::read(&text).map_err(|source| JournalError::Task { task: id, source })?;
        restored.processes.insert(TaskId::new(id), mark);
    }
    Ok(restored)
}

fn name(text: String) -> TaskName {
    TaskName::new(text)
}

fn succeeded(connection: &Connection, doing: &'static str) -> Result<BTreeMap<TaskName, Timestamp>, JournalError> {
    let query = |source| JournalError::Query { doing, source };
    let sql = "SELECT name, succeeded_at FROM duty WHERE succeeded_at IS NOT NULL";
    let mut statement = connection.prepare(sql).map_err(query)?;
    let rows = statement.query_map([], |row| Ok((name(row.get(0)?), timestamp(row.get(1)?)))).map_err(query)?;
    rows.collect::<rusqlite::Result<_>>().map_err(query)
}

fn tasks(connection: &Connection, doing: &'static str, which: &str) -> Result<Vec<TaskRow>, JournalError> {
    let query = |source| JournalError::Query { doing, source };
    let sql = format!("SELECT id, state, substr(coalesce(output, ''), -{OUTPUT_CHARS}) FROM task WHERE {which}");
    let mut statement = connection.prepare(&sql).map_err(query)?;
    let mut found = statement.query([]).map_err(query)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(query)? {
        let (id, state): (u32, String) = (row.get(0).map_err(query)?, row.get(1).map_err(query)?);
        let task = state::read(&state).map_err(|source| JournalError::Task { task: id, source })?;
        rows.push(TaskRow { task, output: text(row, 2).map_err(query)? });
    }
    Ok(rows)
}

/// Forgets some of the done tasks that are old, with their messages; never the newest, whose number must not be used again.
pub(super) fn forget(transaction: &Transaction<'_>, old: Old, most: usize) -> rusqlite::Result<usize> {
    let ids: Vec<u32> = transaction
        .prepare_cached(
            "SELECT id FROM task
             WHERE (done_at < ?1 OR done_at > ?2 AND id < (SELECT max(id) FROM task WHERE done_at < ?1))
                 AND id < (SELECT max(id) FROM task)
             ORDER BY id LIMIT ?3",
        )?
        .query_map(params![millis(old.before), millis(old.now), i64::try_from(most).unwrap_or(i64::MAX)], |row| {
            row.get(0)
        })?
        .collect::<rusqlite::Result<_>>()?;
    for id in &ids {
        transaction.prepare_cached("DELETE FROM message WHERE incident_id = 0 AND page = ?1")?.execute([id])?;
        transaction.prepare_cached("DELETE FROM task WHERE id = ?1")?.execute([id])?;
    }
    Ok(ids.len())
}

impl Reader {
    /// Tasks that are not done, oldest first, and so many that are, newest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn tasks(&self, done: usize) -> Result<(Vec<TaskRow>, Vec<TaskRow>), JournalError> {
        const DOING: &str = "list tasks";
        self.ask(DOING, move |connection| {
            let open = tasks(connection, DOING, &format!("done_at IS NULL ORDER BY id LIMIT {ROWS_MAX}"))?;
            let limit = done.min(ROWS_MAX);
            let which = format!("done_at IS NOT NULL ORDER BY done_at DESC, id DESC LIMIT {limit}");
            Ok((open, tasks(connection, DOING, &which)?))
        })
        .await
    }

    /// One task, if it is kept.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn task(&self, id: TaskId) -> Result<Option<TaskRow>, JournalError> {
        const DOING: &str = "read a task";
        self.ask(DOING, move |connection| Ok(tasks(connection, DOING, &format!("id = {id}"))?.pop())).await
    }

    /// When each duty was last done.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn succeeded(&self) -> Result<BTreeMap<TaskName, Timestamp>, JournalError> {
        const DOING: &str = "look up when duties were last done";
        self.ask(DOING, |connection| succeeded(connection, DOING)).await
    }
}
