//! `GET /api/v1/tasks`: what comes round by the calendar, what of it is open, and what was done last.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use vvtv_incident::{Doer, TaskState, Timestamp};

use super::{ApiError, Shared};
use crate::clock::rfc3339;
use crate::journal::TaskRow;

/// Done tasks that one answer tells of.
const DONE: usize = 50;

/// Everything about tasks.
#[derive(Serialize)]
pub(super) struct Tasks {
    /// Oldest first.
    pub(super) open: Vec<TaskView>,
    /// Newest first.
    pub(super) recent: Vec<TaskView>,
    /// What the configuration says.
    pub(super) duties: Vec<DutyView>,
}

/// One task.
#[derive(Serialize)]
pub(super) struct TaskView {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) owner: u8,
    pub(super) state: &'static str,
    pub(super) reason: &'static str,
    pub(super) scheduled_at: String,
    pub(super) due_at: String,
    pub(super) overdue: bool,
    pub(super) paged_at: Option<String>,
    pub(super) failure: Option<String>,
    pub(super) done_at: Option<String>,
    pub(super) done_by: Option<String>,
    pub(super) note: String,
    pub(super) output: String,
}

/// One entry of `maintenance`.
#[derive(Serialize)]
pub(super) struct DutyView {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) owner: u8,
    /// `machine` or `person`.
    pub(super) doer: &'static str,
    pub(super) next_at: Option<String>,
    pub(super) last_success_at: Option<String>,
}

pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Tasks>, ApiError> {
    Ok(Json(Tasks::read(&shared, DONE).await?))
}

impl Tasks {
    pub(super) async fn read(shared: &Shared, done: usize) -> Result<Self, ApiError> {
        let now = shared.clock.now();
        let (open, done) = shared.reader.tasks(done).await?;
        let succeeded = shared.reader.succeeded().await?;
        let live = shared.live();
        let duty = |duty: &crate::maintenance::duty::Duty| DutyView {
            name: duty.plan.name.to_string(),
            title: duty.plan.title.to_string(),
            owner: duty.plan.owner.get(),
            doer: match duty.plan.doer {
                Doer::Machine => "machine",
                Doer::Person => "person",
            },
            next_at: duty.schedule.next(now).map(rfc3339),
            last_success_at: succeeded.get(&duty.plan.name).copied().map(rfc3339),
        };
        Ok(Self {
            open: open.into_iter().map(|row| view(row, now)).collect(),
            recent: done.into_iter().map(|row| view(row, now)).collect(),
            duties: live.duties.all().iter().map(duty).collect(),
        })
    }
}

fn view(row: TaskRow, now: Timestamp) -> TaskView {
    let TaskRow { task, output } = row;
    let (state, overdue) = (task.state.as_str(), task.is_overdue(now));
    let (paged_at, done_at, done_by, note) = match task.state {
        TaskState::Waiting | TaskState::Running { .. } => (None, None, None, String::new()),
        TaskState::Person { paged_at } => (paged_at, None, None, String::new()),
        TaskState::Done { at, by, note } => (None, Some(at), by.map(|by| by.to_string()), note.into()),
    };
    TaskView {
        id: task.id.get(),
        name: task.name.to_string(),
        title: task.title.into(),
        owner: task.owner.get(),
        state,
        reason: task.reason.as_str(),
        scheduled_at: rfc3339(task.scheduled_at),
        due_at: rfc3339(task.due_at),
        overdue,
        paged_at: paged_at.map(rfc3339),
        failure: task.failure.map(Into::into),
        done_at: done_at.map(rfc3339),
        done_by,
        note,
        output,
    }
}
