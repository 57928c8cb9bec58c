//! The agenda's part of the loop: which scheduled times have come, what else is going on, and the programs of a task that runs.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use vvtv_incident::{
    AgendaCommand, AgendaEvent, Entry, EntryKind, Gate, Level, Mode, Outcome, Person, Reason, Task, TaskId, TaskName,
};
use vvtv_incident::{TaskState, Timestamp};

use super::effects::{Effect, EffectContext};
use super::turn::Asked;
use super::{EventLoop, Input};
use crate::conditions::facts::{Facts, HostFacts};
use crate::failpoint::{Point, reached};
use crate::journal::outbox::{Message, MessageKey, MessageKind, Subject};
use crate::runbook::TaskStep;
use crate::steps::{Job, Launch, Process, Waiting};

/// What the loop is told of tasks.
#[derive(Debug)]
pub(crate) enum TaskInput {
    /// A process exists.
    Spawned {
        /// For which task.
        task: TaskId,
        /// How it is known again, and how it is let go.
        waiting: Waiting,
    },
    /// A task's programs are over.
    Ended {
        /// The task.
        task: TaskId,
        /// How.
        outcome: Outcome,
        /// What they have written, if that is known.
        output: Option<String>,
    },
    /// A person says that a task is done; answered as [`Input::Operator`] is.
    Done {
        /// The task.
        task: TaskId,
        /// Whoever did it, as they were authenticated.
        by: Person,
        /// What they say.
        note: String,
        /// Where the answer goes.
        done: Asked,
    },
}

impl EventLoop {
    pub(super) fn task(&mut self, now: Timestamp, input: TaskInput) {
        match input {
            TaskInput::Done { done, .. } if self.journal_failing => drop(done.send(Err(super::Unavailable))),
            TaskInput::Done { task, by, note, done } => {
                let entries = self.step_agenda(now, AgendaEvent::Closed { task, by, note: note.into() });
                self.pending.operators.push((done, entries));
            }
            TaskInput::Spawned { .. } | TaskInput::Ended { .. } => self.note_task(now, input),
        }
    }

    /// Takes down how a task's programs go on.
    pub(super) fn note_task(&mut self, now: Timestamp, input: TaskInput) {
        match input {
            TaskInput::Spawned { task, waiting } => {
                self.pending.batch.agenda.spawned.push((task, waiting.identity));
                self.pending.effects.push(Effect::LetGo(waiting.go));
            }
            TaskInput::Ended { task, outcome, output } => {
                self.pending.batch.agenda.outputs.extend(output.map(|output| (task, output)));
                self.step_agenda(now, AgendaEvent::Finished { task, outcome });
            }
            TaskInput::Done { .. } => {}
        }
    }

    /// Puts what the configuration says in force.
    pub(super) fn configure_agenda(&mut self, now: Timestamp) {
        let tasks = self.task_specs.all().iter().map(|task| task.plan.clone()).collect();
        self.metrics.tasks.duties(self.task_specs.all().iter().map(|task| &task.plan.name));
        self.step_agenda(now, AgendaEvent::Configured(tasks));
    }

    /// Everything that is due. While the journal fails, nothing new is begun.
    pub(super) fn look_at_agenda(&mut self, now: Timestamp) {
        if self.journal_failing {
            return;
        }
        for (name, at) in self.task_specs.look(now) {
            self.step_agenda(now, AgendaEvent::Scheduled { name, at });
        }
        self.step_agenda(now, AgendaEvent::Evaluated(self.gate()));
        self.metrics.tasks.agenda(self.agenda.open(), now);
    }

    /// How long until the next look.
    pub(super) fn agenda_wakes_in(&self) -> Duration {
        let next = self.task_specs.look_at();
        self.clock.until(self.agenda.next_deadline().map_or(next, |at| at.min(next)))
    }

    fn gate(&self) -> Gate {
        // Without a journal a task would be forgotten, and done again.
        if self.live.borrow().policy.mode == Mode::Shadow || !self.journal.is_durable() {
            Gate::Shadow
        } else if self.fleet.pause().is_some() || self.windows.is_open() || self.fleet.incidents().next().is_some() {
            Gate::Held
        } else {
            Gate::Free
        }
    }

    /// Tells the agenda what happened and notes everything that follows; gives the decisions.
    fn step_agenda(&mut self, now: Timestamp, event: AgendaEvent) -> Vec<Entry> {
        let mut entries = Vec::new();
        for command in self.agenda.step(now, event) {
            match command {
                AgendaCommand::Record { name, entry } => {
                    if entry.event == EntryKind::Task {
                        self.metrics.tasks.decided(&name, entry.reason);
                    }
                    entries.push(entry.clone());
                    self.record(now, entry);
                }
                AgendaCommand::Keep(task) => {
                    self.note_success(&task);
                    self.pending.batch.agenda.tasks.push(task);
                }
                AgendaCommand::Handled(name, at) => self.pending.batch.agenda.handled.push((name, at)),
                AgendaCommand::Run(task) => self.pending.effects.push(Effect::RunTask(task)),
                AgendaCommand::Page(task, owner) => self.tell_owner(now, task, owner, MessageKind::Trigger),
                AgendaCommand::ResolvePage(task, owner) => self.tell_owner(now, task, owner, MessageKind::Resolve),
            }
        }
        entries
    }

    fn note_success(&self, task: &Task) {
        if let TaskState::Done { at, .. } = task.state {
            self.metrics.tasks.succeeded(&task.name, at);
        }
    }

    /// The ladder may have become shorter since the task was opened: then it is its last person's.
    fn tell_owner(&mut self, now: Timestamp, task: TaskId, owner: Level, kind: MessageKind) {
        let last = self.contacts.last().map_or(owner, |contact| contact.level);
        let level = owner.min(last);
        for (channel, contact) in self.ways_to(level) {
            let key = MessageKey { subject: Subject::Task(task), kind, channel };
            let message = Message { key, contact, level, reason: Reason::Overdue, due_at: now };
            self.pending.batch.messages.push(message.clone());
            self.pending.effects.push(Effect::Send(message));
        }
    }

    pub(super) fn run_task(&self, id: TaskId) {
        let Some(task) = self.agenda.task(id) else { return };
        let steps = self.task_specs.get(&task.name).map(|task| task.steps.clone()).unwrap_or_default();
        let (name, context) = (task.name.clone(), self.effect_context.clone());
        self.background.spawn(async move {
            let (outcome, output) = run_all(&context, id, &name, &steps).await;
            reached(Point::StepEnded);
            context.tell(Input::Task(TaskInput::Ended { task: id, outcome, output: Some(output) })).await;
        });
    }
}

/// Runs a task's steps in their order, up to the first that does not end well.
async fn run_all(context: &EffectContext, id: TaskId, name: &TaskName, steps: &[TaskStep]) -> (Outcome, String) {
    let mut written = String::new();
    if steps.is_empty() {
        return (Outcome::Failed("the configuration has no steps for it any more".to_owned()), written);
    }
    for step in steps {
        let launch = Launch {
            job: Job::Task { task: id, name: name.clone() },
            argv: step.argv.clone(),
            timeout: step.timeout,
            facts: Facts {
                host: HostFacts { platform: context.site.platform.as_str().to_owned() },
                ..Facts::default()
            },
            attachments: None,
        };
        reached(Point::StepIntended);
        let (spawned, identity) = oneshot::channel();
        // Nobody watches it while it runs.
        let (output, _) = mpsc::channel(1);
        let running = context.executor.run(launch, Process::Made(spawned), output, CancellationToken::new());
        let telling = async {
            if let Ok(waiting) = identity.await {
                context.tell(Input::Task(TaskInput::Spawned { task: id, waiting })).await;
            }
        };
        let (finished, ()) = tokio::join!(running, telling);
        let command = context.redaction.arguments(&step.argv);
        written.push_str(&format!("$ {command}\n"));
        for output in [&finished.stdout, &finished.stderr] {
            written.push_str(&context.redaction.text(&output.text()));
        }
        match finished.outcome {
            Outcome::Ok => {}
            Outcome::Failed(why) => {
                let why = context.redaction.text(&format!("{}: {why}", step.title)).into_owned();
                return (Outcome::Failed(why), written);
            }
            ended @ (Outcome::Timeout | Outcome::Unknown | Outcome::NotRun) => return (ended, written),
        }
    }
    (Outcome::Ok, written)
}
