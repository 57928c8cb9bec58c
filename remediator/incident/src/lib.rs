//! The incident core: decides, and does nothing else.
//!
//! [`Fleet::step`] takes the time and one [`Event`] and returns the [`Command`]s to perform; [`Fleet::next_deadline`] says when to
//! call again if nothing happens before. The shell around it journals the changed incidents, performs the commands, and feeds their
//! results back as events.
//!
//! Invariants:
//! - **Pure.** No clock, no I/O, no randomness, no hash-map order: the same events at the same times give the same commands.
//! - **Total.** Any event at any time is answered; nothing here can fail or panic.
//! - **Explained.** Every decision, doing nothing included, is a [`Command::Record`] with a [`Reason`] from a closed list.
//! - **Act once.** A change runs again only if its step is `repeatable`; an outcome that is not known is verified first.
//! - **Only what exists is touched.** No step for a target that only its alert knows.
//! - **Only what is ours is acted on.** Alertmanager's own list begins nothing that it cannot be known to deliver.
//! - **Health is asked, never assumed.** No change without a fresh "sick"; unknown health makes no change and, if it stays, a page.
//! - **People run beside.** Escalation looks at health, acknowledgements and holds, never at what the steps are doing.
//! - **A failing channel calls nobody.** What it does not take waits; another level is called only if another channel leads there.
//! - **Whoever has it in hand keeps it.** Until an acknowledgement expires, more trouble is told, and nobody else is called.

mod agenda;
mod alerts;
mod align;
mod blocks;
mod budget;
mod built_in;
mod channels;
mod clock_step;
mod command;

mod efficacy;
mod escalation;
mod event;
mod fleet;
mod health;
mod ids;
mod incident;
mod ladder;
mod listed;
mod operator;
mod people;
mod policy;
mod reason;
mod recovery;
mod returns;
mod runbook;
mod silence;
mod state;
mod step_machine;
mod targets;
mod time;
mod turn;

pub use agenda::{Agenda, AgendaCommand, AgendaEvent, CATCH_UP, Doer, Duty, Gate, SavedAgenda, Task, TaskState};
pub use budget::Budget;
pub use built_in::{BuiltIn, Unanswered};
pub use channels::Channels;
pub use clock_step::ClockStep;
pub use command::{Command, Entry, EntryKind, PageOrder};
pub use efficacy::{Efficacy, EfficacyFloor, EfficacyTable};
pub use escalation::{Arrival, Ending, Escalation, PageRecord, Standing};
pub use event::{Alert, Answer, Event, Operation, Outcome, Verdict};
pub use fleet::{Fleet, OpenCounts, PastChange, Pause, Saved, Unreadable};
pub use health::{Health, HealthWatch};
pub use ids::{
    AlertName, ChannelName, Fingerprint, HealthTest, IncidentId, LabelName, Level, LockName, Person, ReceiverName,
    RunbookId, StepId, Target, TaskId, TaskName,
};
pub use incident::Incident;
pub use listed::{Muting, NAMED_MAX, Scope, Sender};
pub use policy::{Contact, Mode, Policy};
pub use reason::Reason;
pub use returns::{BudgetCall, PastIncident};
pub use runbook::{EscalateAt, Kind, OnFailure, Recovery, Restore, Runbook, Severity, Step};
pub use silence::{Source, Watch};
pub use state::{
    AlertRecord, Block, Hold, Phase, RestoreRecord, Stage, StepKind, StepMachine, StepRecord, StepRef, StepState,
};
pub use targets::Targets;
pub use time::Timestamp;
