//! Tasks of the agenda.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vvtv_incident::{Level, Person, Task, TaskId, TaskName, TaskState, Timestamp};

use super::Kept;
use super::word::{MillisV1, ReasonV1, at};
use crate::steps::Identity;

/// One time of a duty.
#[derive(Serialize, Deserialize)]
pub(in crate::journal) struct TaskV1 {
    id: u32,
    name: String,
    title: String,
    owner: u8,
    due_within: Duration,
    scheduled_at: MillisV1,
    due_at: MillisV1,
    state: TaskStateV1,
    reason: ReasonV1,
    failure: Option<String>,
}

/// How a task stands.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TaskStateV1 {
    Waiting,
    Running { since: MillisV1 },
    Person { paged_at: Option<MillisV1> },
    Done { at: MillisV1, by: Option<String>, note: String },
}

/// The last process that was started for it.
#[derive(Serialize, Deserialize)]
pub(in crate::journal) struct ProcessV1 {
    pid: i32,
    start_ticks: Option<u64>,
    boot_id: Option<String>,
}

impl Kept for Task {
    type Wire = TaskV1;
}

impl From<&Task> for TaskV1 {
    fn from(task: &Task) -> Self {
        let Task { id, name, title, owner, due_within, scheduled_at, due_at, state, reason, failure } = task;
        Self {
            id: id.get(),
            name: name.to_string(),
            title: title.to_string(),
            owner: owner.get(),
            due_within: *due_within,
            scheduled_at: scheduled_at.millis(),
            due_at: due_at.millis(),
            state: state.into(),
            reason: ReasonV1(*reason),
            failure: failure.as_ref().map(ToString::to_string),
        }
    }
}

impl From<TaskV1> for Task {
    fn from(task: TaskV1) -> Self {
        let TaskV1 {
            id,
            name,
            title,
            owner,
            due_within,
            scheduled_at,
            due_at,
            state,
            reason: ReasonV1(reason),
            failure,
        } = task;
        Self {
            id: TaskId::new(id),
            name: TaskName::new(name),
            title: title.into(),
            owner: Level::new(owner),
            due_within,
            scheduled_at: at(scheduled_at),
            due_at: at(due_at),
            state: state.into(),
            reason,
            failure: failure.map(Into::into),
        }
    }
}

impl Kept for Identity {
    type Wire = ProcessV1;
}

impl From<&Identity> for ProcessV1 {
    fn from(process: &Identity) -> Self {
        let Identity { pid, start_ticks, boot_id } = process;
        Self { pid: *pid, start_ticks: *start_ticks, boot_id: boot_id.clone() }
    }
}

impl From<ProcessV1> for Identity {
    fn from(process: ProcessV1) -> Self {
        let ProcessV1 { pid, start_ticks, boot_id } = process;
        Self { pid, start_ticks, boot_id }
    }
}

impl From<&TaskState> for TaskStateV1 {
    fn from(state: &TaskState) -> Self {
        match state {
            TaskState::Waiting => Self::Waiting,
            TaskState::Running { since } => Self::Running { since: since.millis() },
            TaskState::Person { paged_at } => Self::Person { paged_at: paged_at.map(Timestamp::millis) },
            TaskState::Done { at, by, note } => {
                Self::Done { at: at.millis(), by: by.as_ref().map(Person::to_string), note: note.to_string() }
            }
        }
    }
}

impl From<TaskStateV1> for TaskState {
    fn from(state: TaskStateV1) -> Self {
        match state {
            TaskStateV1::Waiting => Self::Waiting,
            TaskStateV1::Running { since } => Self::Running { since: at(since) },
            TaskStateV1::Person { paged_at } => Self::Person { paged_at: paged_at.map(at) },
            TaskStateV1::Done { at: since, by, note } => {
                Self::Done { at: at(since), by: by.map(Person::new), note: note.into() }
            }
        }
    }
}
