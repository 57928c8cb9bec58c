//! Everything that can be kept, once each. Successions are matches, so that what is new does not compile before it stands in one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vvtv_incident::{
    AlertName, AlertRecord, Arrival, Block, Ending, EntryKind, Escalation, Fingerprint, HealthWatch, Hold, Incident,
    IncidentId, LabelName, Level, Outcome, PageRecord, Pause, Person, Phase, Reason, ReceiverName, RestoreRecord,
    RunbookId, Sender, Stage, Standing, StepId, StepKind, StepMachine, StepRecord, StepRef, StepState, Target, Task,
    TaskId, TaskName, TaskState, Timestamp,
};

use crate::journal::outbox::MessageKind;

pub(super) type Named<T> = Vec<(String, T)>;

pub(super) const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn person(name: &str) -> Person {
    Person::new(name)
}

fn step(id: &str, kind: StepKind, state: StepState) -> StepRecord {
    StepRecord {
        id: StepId::new(id),
        kind,
        state,
        reason: None,
        attempts: 0,
        not_run: 0,
        started_at: None,
        finished_at: None,
        approved_by: None,
    }
}

/// One of which nothing more is known than that it stands there.
pub(super) fn bare(phase: Phase) -> Incident {
    let [look, mend] =
        [step("look", StepKind::Diagnose, StepState::Pending), step("mend", StepKind::Change, StepState::Pending)];
    let (ladder, restores) = match phase {
        Phase::Restoring(_) => (Vec::new(), vec![RestoreRecord { apply: look, undo: mend }]),
        Phase::Working(_)
        | Phase::Exhausted
        | Phase::Stabilising
        | Phase::Monitoring { .. }
        | Phase::Closing { .. }
        | Phase::Closed { .. } => (vec![look, mend], Vec::new()),
    };
    Incident {
        id: IncidentId::new(7),
        runbook: RunbookId::new("demo"),
        target: Target::new("main"),
        opened_at: at(1000),
        healthy_at: None,
        alerts: BTreeMap::new(),
        phase,
        reason: Reason::AlertFiring,
        ladder,
        restores,
        retired: Vec::new(),
        settle_until: None,
        changes_stopped_by: None,
        relapses: 0,
        returned: 0,
        restore_next: 0,
        hold: None,
        aborted: false,
        escalation: Escalation {
            since: at(1000),
            standing: Standing::Open,
            reached: None,
            pages: Vec::new(),
            still_since: None,
            ends: None,
        },
        health: HealthWatch::default(),
        ticket: 0,
    }
}

/// One with two steps and two measures, that takes one of these back.
pub(super) fn with_measures(at: StepRef, restore_next: usize) -> Incident {
    let pending = |id: &str| step(id, StepKind::Change, StepState::Pending);
    let measure = |id: &str| RestoreRecord { apply: pending(id), undo: pending(&format!("undo-{id}")) };
    Incident {
        ladder: vec![pending("look"), pending("mend")],
        restores: vec![measure("a"), measure("b")],
        restore_next,
        ..bare(Phase::Restoring(StepMachine { at, stage: Stage::Ready }))
    }
}

fn alert(name: &str, sender: Sender) -> AlertRecord {
    let labels = [("alertname", name), ("stream", "main"), ("text", "\"quoted\" ü")];
    AlertRecord {
        name: AlertName::new(name),
        labels: labels.into_iter().map(|(name, value)| (LabelName::new(name), value.into())).collect(),
        starts_at: at(900),
        heard_at: at(1000),
        ends_at: Some(at(5000)),
        suppressed: true,
        sender,
    }
}

/// One that has something of everything.
pub(super) fn full() -> Incident {
    let ran = StepRecord {
        reason: Some(Reason::StepFailed),
        attempts: 3,
        not_run: 1,
        started_at: Some(at(1500)),
        finished_at: Some(at(1600)),
        approved_by: Some(person("ada")),
        ..step("mend", StepKind::Change, StepState::Failed)
    };
    let page = |page, arrival, resolved| PageRecord {
        page,
        level: Level::new(2),
        reason: Reason::NoAcknowledgement,
        due_at: at(2000),
        arrival,
        resolved,
    };
    Incident {
        healthy_at: Some(at(4000)),
        alerts: BTreeMap::from([
            (Fingerprint::new("f-a"), alert("Demo", Sender::Alertmanager)),
            (
                Fingerprint::new("f-b"),
                AlertRecord { ends_at: None, suppressed: false, ..alert("Other", Sender::Other) },
            ),
            (Fingerprint::new("f-c"), alert("Third", Sender::Receiver(ReceiverName::new("vvtv")))),
        ]),
        reason: Reason::Stabilised,
        ladder: vec![step("look", StepKind::Diagnose, StepState::Ok), ran.clone()],
        retired: vec![StepRecord { id: StepId::new("gone"), ..ran }],
        settle_until: Some(at(3000)),
        changes_stopped_by: Some(StepId::new("mend")),
        relapses: 2,
        returned: 1,
        restore_next: 1,
        hold: Some(Hold { by: person("ada"), at: at(3500) }),
        aborted: true,
        escalation: Escalation {
            since: at(1200),
            standing: Standing::InHand {
                by: person("grace"),
                until: at(9000),
                told: BTreeSet::from([Reason::Relapse, Reason::StepFailed]),
            },
            reached: Some((Level::new(2), at(2000))),
            pages: vec![
                page(1, Arrival::Awaited, true),
                page(2, Arrival::Undeliverable, false),
                page(3, Arrival::Taken { at: at(2100) }, false),
            ],
            still_since: Some(at(2500)),
            ends: Some(Ending { at: at(8000), quiet_for: Duration::from_millis(20_500) }),
        },
        ..bare(Phase::Monitoring { until: at(7000) })
    }
}

fn next_stage(after: &Stage) -> Option<(&'static str, Stage)> {
    Some(match after {
        Stage::Ready => ("asked_condition", Stage::AskedCondition { ticket: 3, give_up_at: at(2000) }),
        Stage::AskedCondition { .. } => ("deciding", Stage::Deciding { since: at(1500) }),
        Stage::Deciding { .. } => ("blocked", Stage::Blocked { by: Block::Held, retry_at: at(2000) }),
        Stage::Blocked { .. } => ("awaiting_approval", Stage::AwaitingApproval { until: at(2000) }),
        Stage::AwaitingApproval { .. } => ("running", Stage::Running { attempt: 2, deadline: at(2000) }),
        Stage::Running { .. } => ("settling", Stage::Settling { since: at(1500), until: at(2000) }),
        Stage::Settling { .. } => ("verifying", Stage::Verifying { since: at(1500), until: at(2000) }),
        Stage::Verifying { .. } => return None,
    })
}

fn stages() -> Vec<(&'static str, Stage)> {
    std::iter::successors(Some(("ready", Stage::Ready)), |(_, stage)| next_stage(stage)).collect()
}

const fn working(stage: Stage) -> Phase {
    Phase::Working(StepMachine { at: StepRef::Step(1), stage })
}

const fn restoring(stage: Stage) -> Phase {
    Phase::Restoring(StepMachine { at: StepRef::Undo(0), stage })
}

fn next_phase(after: &Phase) -> Option<(&'static str, Phase)> {
    Some(match after {
        Phase::Working(_) => ("exhausted", Phase::Exhausted),
        Phase::Exhausted => ("stabilising", Phase::Stabilising),
        Phase::Stabilising => ("monitoring", Phase::Monitoring { until: at(2000) }),
        Phase::Monitoring { .. } => ("restoring", restoring(Stage::Ready)),
        Phase::Restoring(_) => ("closing", Phase::Closing { reason: Reason::Stabilised, give_up_at: at(2000) }),
        Phase::Closing { .. } => ("closed", Phase::Closed { at: at(2000) }),
        Phase::Closed { .. } => return None,
    })
}

/// Every phase, and every stage of those that have one.
pub(super) fn phases() -> Named<Phase> {
    let first = ("working", working(Stage::Ready));
    let mut found = Vec::new();
    for (name, phase) in std::iter::successors(Some(first), |(_, phase)| next_phase(phase)) {
        let of = |stage: Stage| match &phase {
            Phase::Working(_) => Some(working(stage)),
            Phase::Restoring(_) => Some(restoring(stage)),
            Phase::Exhausted
            | Phase::Stabilising
            | Phase::Monitoring { .. }
            | Phase::Closing { .. }
            | Phase::Closed { .. } => None,
        };
        let staged: Named<Phase> = stages()
            .into_iter()
            .filter_map(|(stage_name, stage)| Some((format!("{name}/{stage_name}"), of(stage)?)))
            .collect();
        if staged.is_empty() {
            found.push((name.to_owned(), phase));
        } else {
            found.extend(staged);
        }
    }
    found
}

fn next_block(after: Block) -> Option<Block> {
    Some(match after {
        Block::Held => Block::Paused,
        Block::Paused => Block::Maintenance,
        Block::Maintenance => Block::Suppressed,
        Block::Suppressed => Block::UnknownTarget,
        Block::UnknownTarget => Block::TargetUnverified,
        Block::TargetUnverified => Block::CauseOpen,
        Block::CauseOpen => Block::Systemic,
        Block::Systemic => Block::HealthUnknown,
        Block::HealthUnknown => Block::Settling,
        Block::Settling => Block::LockBusy,
        Block::LockBusy => Block::BudgetSpent,
        Block::BudgetSpent => Block::RunbookBudgetSpent,
        Block::RunbookBudgetSpent => return None,
    })
}

/// An incident that waits for each of them.
pub(super) fn blocks() -> Named<Incident> {
    let blocked = |by: Block| (by.reason().to_string(), bare(working(Stage::Blocked { by, retry_at: at(2000) })));
    std::iter::successors(Some(Block::Held), |block| next_block(*block)).map(blocked).collect()
}

/// An incident for each reason.
pub(super) fn reasons() -> Named<Incident> {
    let of = |reason: &Reason| (reason.to_string(), Incident { reason: *reason, ..bare(Phase::Exhausted) });
    Reason::ALL.iter().map(of).collect()
}

fn next_state(after: StepState) -> Option<StepState> {
    Some(match after {
        StepState::Pending => StepState::Skipped,
        StepState::Skipped => StepState::Running,
        StepState::Running => StepState::Ok,
        StepState::Ok => StepState::Failed,
        StepState::Failed => StepState::Timeout,
        StepState::Timeout => StepState::Unknown,
        StepState::Unknown => return None,
    })
}

/// An incident with a step in each of its states.
pub(super) fn step_states() -> Named<Incident> {
    let of = |state: StepState| {
        (
            state.as_str().to_owned(),
            Incident { ladder: vec![step("mend", StepKind::Change, state)], ..bare(Phase::Exhausted) },
        )
    };
    std::iter::successors(Some(StepState::Pending), |state| next_state(*state)).map(of).collect()
}

fn next_task_state(after: &TaskState) -> Option<TaskState> {
    Some(match after {
        TaskState::Waiting => TaskState::Running { since: at(1500) },
        TaskState::Running { .. } => TaskState::Person { paged_at: Some(at(2000)) },
        TaskState::Person { .. } => TaskState::Done { at: at(2500), by: Some(person("ada")), note: "by hand".into() },
        TaskState::Done { .. } => return None,
    })
}

/// A task in each of its states.
pub(super) fn tasks() -> Named<Task> {
    let of = |state: TaskState| {
        let task = Task {
            id: TaskId::new(3),
            name: TaskName::new("daily-checks"),
            title: "Daily checks".into(),
            owner: Level::FIRST,
            due_within: Duration::from_secs(3600),
            scheduled_at: at(1000),
            due_at: at(3_601_000),
            reason: Reason::Scheduled,
            failure: matches!(state, TaskState::Person { .. }).then(|| "exit code 1".into()),
            state,
        };
        (task.state.as_str().to_owned(), task)
    };
    std::iter::successors(Some(TaskState::Waiting), next_task_state).map(of).collect()
}

pub(super) fn pause() -> Pause {
    Pause { by: person("ada"), at: at(1000) }
}

pub(super) fn told() -> BTreeMap<Target, Timestamp> {
    BTreeMap::from([(Target::new("backup"), at(1000)), (Target::new("main"), at(2000))])
}

pub(super) fn receivers() -> Vec<ReceiverName> {
    vec![ReceiverName::new("vvtv"), ReceiverName::new("other")]
}

fn next_event(after: EntryKind) -> Option<EntryKind> {
    Some(match after {
        EntryKind::Opened => EntryKind::Alert,
        EntryKind::Alert => EntryKind::Ignored,
        EntryKind::Ignored => EntryKind::StepStarted,
        EntryKind::StepStarted => EntryKind::StepFinished,
        EntryKind::StepFinished => EntryKind::StepSkipped,
        EntryKind::StepSkipped => EntryKind::Blocked,
        EntryKind::Blocked => EntryKind::Health,
        EntryKind::Health => EntryKind::Phase,
        EntryKind::Phase => EntryKind::Paged,
        EntryKind::Paged => EntryKind::PageDelivered,
        EntryKind::PageDelivered => EntryKind::Told,
        EntryKind::Told => EntryKind::NotCalled,
        EntryKind::NotCalled => EntryKind::PageResolved,
        EntryKind::PageResolved => EntryKind::Channel,
        EntryKind::Channel => EntryKind::Task,
        EntryKind::Task => EntryKind::Clock,
        EntryKind::Clock => EntryKind::Journal,
        EntryKind::Journal => EntryKind::Operator,
        EntryKind::Operator => EntryKind::Closed,
        EntryKind::Closed => return None,
    })
}

/// Every kind of line that a timeline can have.
pub(super) fn events() -> Vec<EntryKind> {
    std::iter::successors(Some(EntryKind::Opened), |event| next_event(*event)).collect()
}

fn next_outcome(after: &Outcome) -> Option<Outcome> {
    Some(match after {
        Outcome::Ok => Outcome::Failed("exit code 3".to_owned()),
        Outcome::Failed(_) => Outcome::Timeout,
        Outcome::Timeout => Outcome::Unknown,
        Outcome::Unknown => Outcome::NotRun,
        Outcome::NotRun => return None,
    })
}

pub(super) fn outcomes() -> Vec<Outcome> {
    std::iter::successors(Some(Outcome::Ok), next_outcome).collect()
}

const fn next_kind(after: MessageKind) -> Option<MessageKind> {
    match after {
        MessageKind::Trigger => Some(MessageKind::Update),
        MessageKind::Update => Some(MessageKind::Resolve),
        MessageKind::Resolve => None,
    }
}

pub(super) fn message_kinds() -> Vec<MessageKind> {
    std::iter::successors(Some(MessageKind::Trigger), |kind| next_kind(*kind)).collect()
}
