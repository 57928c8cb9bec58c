//! The agenda: maintenance that comes round by the calendar. What a machine does waits until nothing else is going on; what it could
//! not do, and what needs a person anyway, is a person's until that person closes it, and is paged once when it is overdue.
//!
//! As pure as [`crate::Fleet`] and beside it: the shell says which times of which schedule have come and what else is going on
//! ([`AgendaEvent`]), writes the changed tasks down, and performs the commands.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::command::{Entry, EntryKind};
use crate::event::Outcome;
use crate::ids::{Level, Person, TaskId, TaskName};
use crate::reason::Reason;
use crate::time::Timestamp;

/// A scheduled time that nobody looked at for this long is let pass.
pub const CATCH_UP: Duration = Duration::from_secs(24 * 3600);

/// Something that comes round by a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Its name, unique.
    pub name: TaskName,
    /// What it is, for people.
    pub title: Box<str>,
    /// Whose it is when it needs a person.
    pub owner: Level,
    /// How long it may stay undone.
    pub due_within: Duration,
    /// Who does it.
    pub doer: Doer,
}

/// Who does a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doer {
    /// The programs that the shell has for the duty, in order.
    Machine,
    /// The owner, who says when it is done.
    Person,
}

/// One time of a duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// The duty. With `scheduled_at` it is unique for ever.
    pub name: TaskName,
    /// What it is, for people.
    pub title: Box<str>,
    /// Whose it is when it needs a person.
    pub owner: Level,
    /// How long it may stay undone.
    pub due_within: Duration,
    /// The time of the schedule.
    pub scheduled_at: Timestamp,
    /// When it is overdue; counted anew when it is handed to a person.
    pub due_at: Timestamp,
    /// How it stands.
    pub state: TaskState,
    /// Why it stands so.
    pub reason: Reason,
    /// Why the machine could not do it, if it could not.
    pub failure: Option<Box<str>>,
}

/// How a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// A machine's, and something else is going on.
    Waiting,
    /// A machine does it.
    Running {
        /// When that was decided.
        since: Timestamp,
    },
    /// A person has to do it.
    Person {
        /// When its owner was called, because it was overdue.
        paged_at: Option<Timestamp>,
    },
    /// It is done.
    Done {
        /// When its end, or the word of a person, was heard of.
        at: Timestamp,
        /// By whom, if not by the machine.
        by: Option<Person>,
        /// What they said.
        note: Box<str>,
    },
}

impl Task {
    /// Whether a person should have done it by now.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        matches!(self.state, TaskState::Person { .. }) && self.due_at <= now
    }
}

impl TaskState {
    /// The state's one spelling.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running { .. } => "running",
            Self::Person { .. } => "person",
            Self::Done { .. } => "done",
        }
    }
}

/// What else is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nothing that a task has to wait for.
    Free,
    /// An incident is open, actions are paused, or a maintenance window is open: machines wait.
    Held,
    /// Shadow mode: machines wait and nobody is called.
    Shadow,
}

/// Something that happened to the agenda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgendaEvent {
    /// These duties are in force. The schedule of one that was never seen counts from now. Open tasks go on.
    Configured(Vec<Duty>),
    /// A time of a duty's schedule has come: the latest one up to now. Only the first telling of a time counts, and of several that
    /// nobody looked at only the last.
    Scheduled {
        /// The duty's name; of one that is not in force it is ignored.
        name: TaskName,
        /// The time of its schedule.
        at: Timestamp,
    },
    /// A task's programs are over.
    Finished {
        /// The task's number; of one that does not run it is ignored.
        task: TaskId,
        /// How they ended.
        outcome: Outcome,
    },
    /// A person says that a task is done.
    Closed {
        /// The task's number; of one that runs, or is done, it is refused.
        task: TaskId,
        /// Who says so.
        by: Person,
        /// What they say; may be empty.
        note: Box<str>,
    },
    /// Nothing else is left to be told just now, and this is what goes on besides: whatever is due is done. To be told in every turn, last.
    Evaluated(Gate),
}

/// Something to do. Records and tasks must be durable before anything is run or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgendaCommand {
    /// Write a decision down.
    Record {
        /// On which duty.
        name: TaskName,
        /// What was decided.
        entry: Entry,
    },
    /// Keep a task as it now is.
    Keep(Task),
    /// Keep the time up to which a duty's schedule is dealt with.
    Handled(TaskName, Timestamp),
    /// Run a task's programs.
    Run(TaskId),
    /// Call the owner.
    Page(TaskId, Level),
    /// Tell the owner that it is done.
    ResolvePage(TaskId, Level),
}

/// What an earlier run kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedAgenda {
    /// Tasks that are not done.
    pub open: Vec<Task>,
    /// Up to when each schedule is dealt with.
    pub handled: BTreeMap<TaskName, Timestamp>,
    /// The newest task's number, 0 if there never was one.
    pub last_id: u32,
}

/// All duties and open tasks, with one entrance: [`Agenda::step`].
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    /// What is in force.
    duties: BTreeMap<TaskName, Duty>,
    /// Up to when each schedule is dealt with, also of duties that are not in force.
    handled: BTreeMap<TaskName, Timestamp>,
    /// Tasks that are not done; those of one duty never at the same time.
    open: BTreeMap<TaskId, Task>,
    /// The newest task's number.
    last_id: u32,
    /// When it was last said what else goes on.
    evaluated_at: Timestamp,
}

impl Agenda {
    /// What an earlier run left; there are no duties yet. What ran then stays running until the shell says how it ended.
    #[must_use]
    pub fn new(saved: SavedAgenda) -> Self {
        let open = saved.open.into_iter().map(|task| (task.id, task)).collect();
        Self { handled: saved.handled, open, last_id: saved.last_id, ..Self::default() }
    }

    /// Takes one event and gives what is to be done about it, in order.
    #[must_use]
    pub fn step(&mut self, now: Timestamp, event: AgendaEvent) -> Vec<AgendaCommand> {
        match event {
            AgendaEvent::Configured(duties) => self.configure(now, duties),
            AgendaEvent::Scheduled { name, at } => self.scheduled(now, name, at),
            AgendaEvent::Finished { task, outcome } => self.finished(now, task, &outcome),
            AgendaEvent::Closed { task, by, note } => self.close(now, task, by, note),
            AgendaEvent::Evaluated(gate) => self.evaluate(now, gate),
        }
    }

    fn configure(&mut self, now: Timestamp, duties: Vec<Duty>) -> Vec<AgendaCommand> {
        self.duties = duties.into_iter().map(|duty| (duty.name.clone(), duty)).collect();
        let unseen: Vec<_> = self.duties.keys().filter(|name| !self.handled.contains_key(*name)).cloned().collect();
        let begin = |name: TaskName| {
            self.handled.insert(name.clone(), now);
            AgendaCommand::Handled(name, now)
        };
        unseen.into_iter().map(begin).collect()
    }

    fn scheduled(&mut self, now: Timestamp, name: TaskName, at: Timestamp) -> Vec<AgendaCommand> {
        let Some(duty) = self.duties.get(&name) else { return Vec::new() };
        if self.handled.get(&name).is_some_and(|handled| at <= *handled) {
            return Vec::new();
        }
        self.handled.insert(name.clone(), at);
        let mut commands = vec![AgendaCommand::Handled(name.clone(), at)];
        if now.since(at) >= CATCH_UP {
            commands.push(record(&name, Reason::Missed, name.to_string()));
        } else if let Some(open) = self.open.values().find(|task| task.name == name) {
            commands.push(record(&name, Reason::StillOpen, format!("{name}: task {}", open.id)));
        } else {
            self.last_id = self.last_id.saturating_add(1);
            let task = Task {
                id: TaskId::new(self.last_id),
                name,
                title: duty.title.clone(),
                owner: duty.owner,
                due_within: duty.due_within,
                scheduled_at: at,
                due_at: now + duty.due_within,
                state: match duty.doer {
                    Doer::Machine => TaskState::Waiting,
                    Doer::Person => TaskState::Person { paged_at: None },
                },
                reason: Reason::Scheduled,
                failure: None,
            };
            keep(&mut commands, &task, String::new());
            self.open.insert(task.id, task);
        }
        commands
    }

    /// Nothing but success ends the task: the rest is a person's, and is never tried again.
    fn finished(&mut self, now: Timestamp, id: TaskId, outcome: &Outcome) -> Vec<AgendaCommand> {
        let mut commands = Vec::new();
        let Some(task) = self.open.get_mut(&id).filter(|task| matches!(task.state, TaskState::Running { .. })) else {
            return commands;
        };
        let (reason, failure) = match outcome {
            Outcome::Ok => {
                task.state = TaskState::Done { at: now, by: None, note: Box::default() };
                task.reason = Reason::StepOk;
                keep(&mut commands, task, String::new());
                self.open.remove(&id);
                return commands;
            }
            Outcome::Failed(why) => (Reason::StepFailed, why.as_str()),
            Outcome::Timeout => (Reason::StepTimeout, "it took too long and was killed"),
            Outcome::Unknown => (Reason::OutcomeUnknown, "how it ended is not known"),
            Outcome::NotRun => (Reason::NotRun, "it was not let go before the remediator ended"),
        };
        hand_over(&mut commands, task, now, reason, failure);
        commands
    }

    /// A task that runs cannot be closed.
    fn close(&mut self, now: Timestamp, id: TaskId, by: Person, note: Box<str>) -> Vec<AgendaCommand> {
        let ignored = |reason| {
            let entry =
                Entry { incident: None, event: EntryKind::Ignored, reason, detail: format!("task {id} by {by}") };
            vec![AgendaCommand::Record { name: TaskName::new(""), entry }]
        };
        let Some(task) = self.open.get_mut(&id) else { return ignored(Reason::UnknownTask) };
        let paged = match &task.state {
            TaskState::Running { .. } => return ignored(Reason::TaskRunning),
            TaskState::Person { paged_at } => paged_at.is_some(),
            TaskState::Waiting | TaskState::Done { .. } => false,
        };
        let said = if note.is_empty() { format!(" by {by}") } else { format!(" by {by}: {note}") };
        task.state = TaskState::Done { at: now, by: Some(by), note };
        task.reason = Reason::Done;
        let mut commands = Vec::new();
        keep(&mut commands, task, said);
        if paged {
            commands.push(AgendaCommand::ResolvePage(id, task.owner));
        }
        self.open.remove(&id);
        commands
    }

    fn evaluate(&mut self, now: Timestamp, gate: Gate) -> Vec<AgendaCommand> {
        self.evaluated_at = now;
        let mut commands = Vec::new();
        for task in self.open.values_mut().filter(|task| task.due_at <= now) {
            match task.state {
                TaskState::Waiting => hand_over(&mut commands, task, now, Reason::TaskBlocked, "it was never its turn"),
                TaskState::Person { paged_at: None } if gate != Gate::Shadow => {
                    task.state = TaskState::Person { paged_at: Some(now) };
                    task.reason = Reason::Overdue;
                    keep(&mut commands, task, format!(": {}", task.owner));
                    commands.push(AgendaCommand::Page(task.id, task.owner));
                }
                TaskState::Running { .. } | TaskState::Person { .. } | TaskState::Done { .. } => {}
            }
        }
        if gate == Gate::Free
            && self.running().is_none()
            && let Some(task) = self.open.values_mut().find(|task| task.state == TaskState::Waiting)
        {
            task.state = TaskState::Running { since: now };
            task.reason = Reason::NextStep;
            keep(&mut commands, task, String::new());
            commands.push(AgendaCommand::Run(task.id));
        }
        commands
    }

    /// When [`AgendaEvent::Evaluated`] is due if nothing happens before. What was due at the last one and could not be done waits for
    /// something to happen.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|task| task.due_at).filter(|at| *at > self.evaluated_at).min()
    }

    /// The task whose programs run.
    #[must_use]
    pub fn running(&self) -> Option<&Task> {
        self.open.values().find(|task| matches!(task.state, TaskState::Running { .. }))
    }

    /// Tasks that are not done, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Task> {
        self.open.values()
    }

    /// A task that is not done.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.open.get(&id)
    }
}

fn hand_over(commands: &mut Vec<AgendaCommand>, task: &mut Task, now: Timestamp, reason: Reason, failure: &str) {
    task.state = TaskState::Person { paged_at: None };
    task.reason = reason;
    task.failure = Some(failure.into());
    task.due_at = now + task.due_within;
    keep(commands, task, format!(": {failure}"));
}

fn keep(commands: &mut Vec<AgendaCommand>, task: &Task, detail: String) {
    commands.push(record(&task.name, task.reason, format!("{}: task {}{detail}", task.name, task.id)));
    commands.push(AgendaCommand::Keep(task.clone()));
}

fn record(name: &TaskName, reason: Reason, detail: String) -> AgendaCommand {
    let entry = Entry { incident: None, event: EntryKind::Task, reason, detail };
    AgendaCommand::Record { name: name.clone(), entry }
}

#[cfg(test)]
mod tests;
