//! One incident: its data, and how far it goes on with every event.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::command::{Command, EntryKind};
use crate::escalation::{Escalation, Next};
use crate::event::Verdict;
use crate::health::{Health, HealthWatch, SampleEffect};
use crate::ids::{Fingerprint, IncidentId, Level, RunbookId, StepId, Target};
use crate::reason::Reason;
use crate::runbook::{Runbook, Step};
use crate::state::{AlertRecord, Hold, Phase, RestoreRecord, Stage, StepMachine, StepRecord, StepRef, StepState};
use crate::time::Timestamp;
use crate::turn::{Relevance, Turn};

/// One runbook at work on one target, from the first firing alert to closing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// Which runbook is at work.
    pub runbook: RunbookId,
    /// What it acts on, by the alerts' label.
    pub target: Target,
    /// When it began.
    pub opened_at: Timestamp,
    /// When the target was last found to have become healthy, if it is.
    pub healthy_at: Option<Timestamp>,
    /// The alerts that belong to it.
    pub alerts: BTreeMap<Fingerprint, AlertRecord>,
    /// Where it stands.
    pub phase: Phase,
    /// Why it stands there.
    pub reason: Reason,
    /// The ladder's steps, in order.
    pub ladder: Vec<StepRecord>,
    /// The temporary measures, in the order in which they are taken back.
    pub restores: Vec<RestoreRecord>,
    /// Steps that it ran and that the runbook's present text does not have.
    pub retired: Vec<StepRecord>,
    /// Until when the last change is given time to work.
    pub settle_until: Option<Timestamp>,
    /// A change failed that says to stop then.
    pub changes_stopped_by: Option<StepId>,
    /// How often the trouble came back while it was open.
    pub relapses: u32,
    /// How often it had come back, each time soon, when it was opened.
    pub returned: u32,
    /// The first restore that has not been tried.
    pub restore_next: usize,
    /// A person's hold.
    pub hold: Option<Hold>,
    /// A person ended what the remediator does, or nobody can say what it has done; the incident goes on for people alone, until none of
    /// its alerts fires.
    pub aborted: bool,
    /// Who is called.
    pub escalation: Escalation,
    /// What is known of the target's health. Asked anew after a restart.
    pub health: HealthWatch,
    /// Number of the last condition asked about.
    pub ticket: u64,
}

/// How long the ends of killed steps are waited for: longer than the shell's own TERM, KILL and report.
const CLOSE_WITHIN: Duration = Duration::from_secs(60);

/// Whether a turn changed something, so that another may too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Look again.
    Again,
    /// Nothing more to do until something happens.
    Wait,
}

impl Incident {
    pub(crate) fn open(id: IncidentId, runbook: &Runbook, target: Target, returned: u32, now: Timestamp) -> Self {
        let pending = |step: &Step| StepRecord::pending(step.id.clone(), step.remembered_kind());
        let restores = runbook.recovery.restore.iter();
        Self {
            id,
            runbook: runbook.id.clone(),
            target,
            opened_at: now,
            healthy_at: None,
            alerts: BTreeMap::new(),
            phase: Phase::Working(StepMachine::ready(StepRef::Step(0))),
            reason: Reason::AlertFiring,
            retired: Vec::new(),
            ladder: runbook.steps.iter().map(pending).collect(),
            restores: restores.map(|it| RestoreRecord { apply: pending(&it.apply), undo: pending(&it.undo) }).collect(),
            settle_until: None,
            changes_stopped_by: None,
            relapses: 0,
            returned,
            restore_next: 0,
            hold: None,
            aborted: false,
            escalation: Escalation::new(now),
            health: HealthWatch::new(now),
            ticket: 0,
        }
    }

    /// One that is people's from its beginning, and why.
    pub(crate) fn open_for_people(
        id: IncidentId,
        runbook: &Runbook,
        target: Target,
        (why, returned): (Reason, u32),
        now: Timestamp,
    ) -> Self {
        Self { phase: Phase::Exhausted, reason: why, ..Self::open(id, runbook, target, returned, now) }
    }

    /// What became of every step: the ladder's, then each measure's way back with its way in again.
    pub fn steps(&self) -> impl Iterator<Item = &StepRecord> {
        self.ladder.iter().chain(self.restores.iter().flat_map(|it| [&it.apply, &it.undo]))
    }

    /// The same, to be changed.
    pub(crate) fn steps_mut(&mut self) -> impl Iterator<Item = &mut StepRecord> {
        self.ladder.iter_mut().chain(self.restores.iter_mut().flat_map(|it| [&mut it.apply, &mut it.undo]))
    }

    /// What became of one step.
    #[must_use]
    pub fn step(&self, at: StepRef) -> Option<&StepRecord> {
        match at {
            StepRef::Step(number) => self.ladder.get(number),
            StepRef::Apply(number) => self.restores.get(number).map(|it| &it.apply),
            StepRef::Undo(number) => self.restores.get(number).map(|it| &it.undo),
        }
    }

    pub(crate) fn step_mut(&mut self, at: StepRef) -> Option<&mut StepRecord> {
        match at {
            StepRef::Step(number) => self.ladder.get_mut(number),
            StepRef::Apply(number) => self.restores.get_mut(number).map(|it| &mut it.apply),
            StepRef::Undo(number) => self.restores.get_mut(number).map(|it| &mut it.undo),
        }
    }

    /// Where a step stands.
    pub(crate) fn place_of(&self, step: &StepId) -> Option<StepRef> {
        let ladder = (0..self.ladder.len()).map(StepRef::Step);
        let restores = (0..self.restores.len()).flat_map(|number| [StepRef::Apply(number), StepRef::Undo(number)]);
        ladder.chain(restores).find(|at| self.step(*at).is_some_and(|record| record.id == *step))
    }

    /// Whether one of its alerts fires.
    #[must_use]
    pub fn firing(&self) -> bool {
        self.alerts.values().any(|alert| alert.ends_at.is_none())
    }

    /// Whether the target still has the trouble, as far as is known: what counts for causes and for the systemic limit.
    #[must_use]
    pub const fn in_trouble(&self) -> bool {
        match self.phase {
            Phase::Working(_) | Phase::Exhausted => true,
            Phase::Stabilising
            | Phase::Monitoring { .. }
            | Phase::Restoring(_)
            | Phase::Closing { .. }
            | Phase::Closed { .. } => false,
        }
    }

    /// The phase's name: `held` and `blocked` are told apart because a person can do something about them.
    #[must_use]
    pub const fn phase_name(&self) -> &'static str {
        match &self.phase {
            Phase::Closed { .. } => "closed",
            Phase::Closing { .. } => "closing",
            _ if self.hold.is_some() => "held",
            Phase::Working(machine) | Phase::Restoring(machine) => match machine.stage {
                Stage::Blocked { .. } => "blocked",
                Stage::AwaitingApproval { .. } => "awaiting_approval",
                Stage::Running { .. } => "running",
                Stage::Settling { .. } => "settling",
                Stage::Verifying { .. } => "verifying",
                Stage::Ready | Stage::AskedCondition { .. } | Stage::Deciding { .. } => "deciding",
            },
            Phase::Exhausted => "exhausted",
            Phase::Stabilising => "stabilising",
            Phase::Monitoring { .. } => "monitoring",
        }
    }

    /// The change that waits for a person's approval, if one does.
    #[must_use]
    pub fn awaits_approval(&self) -> Option<&StepId> {
        match self.phase.machine() {
            Some(StepMachine { at, stage: Stage::AwaitingApproval { .. } }) => self.step(*at).map(|record| &record.id),
            Some(_) | None => None,
        }
    }

    /// The level called last in the present trouble.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.escalation.reached.map(|(level, _)| level)
    }

    /// Goes on until nothing moves any more: phases, then people, then the next question about health.
    pub(crate) fn run_to_quiescence(&mut self, turn: &mut Turn<'_>) {
        // Every transition moves a cursor on, or into another phase; the bound only guards against a mistake in that claim.
        for _ in 0..(8 * self.steps().count() + 32) {
            if self.advance(turn) == Flow::Wait {
                break;
            }
        }
        if matches!(self.phase, Phase::Closing { .. } | Phase::Closed { .. }) {
            return;
        }
        self.escalate(turn);
        if !turn.for_people {
            self.ask_health(turn);
        }
    }

    fn advance(&mut self, turn: &mut Turn<'_>) -> Flow {
        match self.phase.clone() {
            Phase::Working(machine) => self.advance_ladder(&machine, turn),
            Phase::Exhausted => self.exhausted(turn),
            Phase::Stabilising => self.stabilising(turn),
            Phase::Monitoring { until } => self.monitoring(until, turn),
            Phase::Restoring(machine) => self.advance_restore(&machine, turn),
            Phase::Closing { reason, give_up_at } => self.closing(reason, give_up_at, turn),
            Phase::Closed { .. } => Flow::Wait,
        }
    }

    pub(crate) fn record(&mut self, turn: &mut Turn<'_>, event: EntryKind, reason: Reason, detail: impl Into<String>) {
        turn.decided.record(Some(self.id), event, reason, detail);
    }

    pub(crate) fn enter(&mut self, phase: Phase, reason: Reason, turn: &mut Turn<'_>) -> Flow {
        self.phase = phase;
        self.reason = reason;
        let name = self.phase_name();
        self.record(turn, EntryKind::Phase, reason, name);
        Flow::Again
    }

    fn ask_health(&mut self, turn: &mut Turn<'_>) {
        if turn.now < self.next_question_at(turn) {
            return;
        }
        let (ticket, effect) = self.health.ask(turn.now);
        self.note_health(effect, turn);
        turn.push(Command::AskHealth { incident: self.id, ticket });
    }

    /// Takes the answer to a question about health.
    pub(crate) fn health_answered(&mut self, ticket: u64, verdict: Verdict, turn: &mut Turn<'_>) -> Relevance {
        let effect = self.health.hear(ticket, turn.now, verdict);
        self.note_health(effect, turn);
        if effect == SampleEffect::Stale { Relevance::Stale } else { Relevance::Current }
    }

    /// Writes a change of health down.
    pub(crate) fn note_health(&mut self, effect: SampleEffect, turn: &mut Turn<'_>) {
        if effect != SampleEffect::Changed {
            return;
        }
        let reason = match self.health.health() {
            Health::Healthy { since } => {
                self.healthy_at = Some(since);
                Reason::Healthy
            }
            Health::Unhealthy { .. } => {
                self.healthy_at = None;
                Reason::Unhealthy
            }
            Health::Unknown { .. } => Reason::HealthUnknown,
        };
        self.record(turn, EntryKind::Health, reason, "");
    }

    fn next_question_at(&self, turn: &Turn<'_>) -> Timestamp {
        let fresh_since = self.phase.machine().and_then(|machine| machine.stage.wants_answer_since());
        self.health.next_question_at(fresh_since, self.health_interval(turn), turn.policy)
    }

    fn health_interval(&self, turn: &Turn<'_>) -> Duration {
        let waiting = match &self.phase {
            Phase::Working(machine) | Phase::Restoring(machine) => machine.stage.waits_for_health(),
            Phase::Stabilising => true,
            Phase::Exhausted | Phase::Monitoring { .. } | Phase::Closing { .. } | Phase::Closed { .. } => false,
        };
        let interval = if waiting { turn.policy.health_interval } else { turn.policy.health_interval_idle };
        let open = u32::try_from(turn.open).unwrap_or(u32::MAX);
        interval.max(Duration::from_secs(1) * open / turn.policy.health_questions_per_second.max(1))
    }

    /// When to be looked at again if nothing happens before.
    pub(crate) fn next_deadline(&self, turn: &Turn<'_>) -> Option<Timestamp> {
        let phase = match &self.phase {
            Phase::Closed { .. } => return None,
            Phase::Working(machine) | Phase::Restoring(machine) => machine.stage.deadline(),
            Phase::Monitoring { until } => {
                [Some(*until), self.settle_until].into_iter().flatten().filter(|at| *at > turn.now).min()
            }
            Phase::Closing { give_up_at, .. } => Some(*give_up_at),
            Phase::Stabilising => self.settle_until,
            Phase::Exhausted => None,
        };
        let people = if self.resting(turn) || self.escalation.still_since.is_some() {
            None
        } else {
            self.escalation.next(turn.runbook, turn.people()).map(Next::at)
        };
        let ends = self.escalation.ends.map(|ends| ends.at);
        let health = (!turn.for_people).then(|| self.next_question_at(turn));
        // What is overdue after a drive waits for an answer, not for the clock.
        [phase, people, ends, health].into_iter().flatten().filter(|at| *at > turn.now).min()
    }

    /// Ends the incident: kills what runs, takes pages back, and lets go of everything once nothing runs any more.
    pub(crate) fn close(&mut self, reason: Reason, turn: &mut Turn<'_>) -> Flow {
        self.resolve_pages(reason, turn);
        if !self.kill_running(turn) {
            self.finish(reason, turn);
            return Flow::Wait;
        }
        self.enter(Phase::Closing { reason, give_up_at: turn.now + CLOSE_WITHIN }, reason, turn)
    }

    /// Without its runbook nothing can be decided any more: what runs is ended, and people have it.
    pub(crate) fn runbook_gone(&mut self, turn: &mut Turn<'_>) {
        let over = matches!(self.phase, Phase::Closing { .. } | Phase::Closed { .. });
        if over || matches!(self.reason, Reason::RunbookGone | Reason::Unreadable | Reason::LimitReached) {
            return;
        }
        self.kill_running(turn);
        self.enter(Phase::Exhausted, Reason::RunbookGone, turn);
        self.page_first_level(Reason::RunbookGone, turn);
    }

    /// A person ends what the remediator does. What still fires is people's from here on: they are called at once unless somebody has
    /// it in hand, and their timers run; what does not fire is over.
    pub(crate) fn abort(&mut self, by: &str, turn: &mut Turn<'_>) {
        self.record(turn, EntryKind::Operator, Reason::Aborted, by);
        if !self.firing() {
            self.close(Reason::Aborted, turn);
            return;
        }
        if std::mem::replace(&mut self.aborted, true) {
            return;
        }
        self.hold = None;
        self.settle_until = None;
        self.kill_running(turn);
        self.enter(Phase::Exhausted, Reason::Aborted, turn);
        if !self.resting(turn) && !self.waits_for_others(turn) {
            self.page_first_level(Reason::Aborted, turn);
        }
    }

    /// There are no steps: people have it at once, unless another incident or their own plan accounts for it.
    pub(crate) fn people_only(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.phase, Phase::Working(_)) {
            return;
        }
        let elsewhere = self.waits_for_others(turn);
        self.enter(Phase::Exhausted, Reason::PeopleOnly, turn);
        if !elsewhere {
            self.page_first_level(Reason::PeopleOnly, turn);
        }
    }

    /// Ends the steps that run; whether any did.
    pub(crate) fn kill_running(&self, turn: &mut Turn<'_>) -> bool {
        let running = self.steps().filter(|record| record.state == StepState::Running);
        let kill = |record: &StepRecord| Command::KillStep {
            incident: self.id,
            step: record.id.clone(),
            attempt: record.attempts,
        };
        let kills: Vec<_> = running.map(kill).collect();
        let any = !kills.is_empty();
        turn.decided.commands.extend(kills);
        any
    }

    fn closing(&mut self, reason: Reason, give_up_at: Timestamp, turn: &mut Turn<'_>) -> Flow {
        let running = self.steps().any(|record| record.state == StepState::Running);
        if running && turn.now < give_up_at {
            return Flow::Wait;
        }
        self.finish(reason, turn);
        Flow::Wait
    }

    /// The last record and the last state.
    fn finish(&mut self, reason: Reason, turn: &mut Turn<'_>) {
        self.phase = Phase::Closed { at: turn.now };
        self.reason = reason;
        self.record(turn, EntryKind::Closed, reason, "");
        turn.push(Command::Close(Box::new(self.clone())));
    }
}
