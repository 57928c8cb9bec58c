//! Maintenance in the random world: schedules whose times come, programs that end as they like, people who close tasks, and deaths
//! between any two commits.
//!
//! It has dice of its own, so that what it does changes nothing in the histories of the incidents beside which it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vvtv_incident::{
    Agenda, AgendaCommand, AgendaEvent, ClockStep, Doer, Duty, EntryKind, Gate, Level, Outcome, Person, Reason,
    SavedAgenda, Task, TaskId, TaskName, TaskState, Timestamp,
};

use crate::dice::Dice;

/// The duties: name, who does it, how often it comes round and how long it may stay undone, in minutes.
const DUTIES: [(&str, Doer, u64, u64); 4] = [
    ("checks", Doer::Machine, 15, 20),
    ("backup", Doer::Machine, 60, 120),
    ("review", Doer::Person, 120, 45),
    ("rotation", Doer::Person, 4 * 24 * 60, 90),
];

/// Turns of a history's quiet weeks.
const QUIET_TURNS: u64 = 4_000;

/// What goes on besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Besides {
    /// Incidents that are open.
    pub(crate) incidents: usize,
    /// Whether all actions are paused.
    pub(crate) paused: bool,
}

/// A task's programs in the world: they go on when the shell dies.
#[derive(Clone, Debug)]
struct Program {
    task: TaskId,
    ends_at: Timestamp,
    outcome: Outcome,
}

pub(crate) struct Maintenance {
    dice: Dice,
    agenda: Agenda,
    // On disk.
    open: BTreeMap<TaskId, Task>,
    handled: BTreeMap<TaskName, Timestamp>,
    last_id: u32,
    paged: BTreeSet<TaskId>,
    resolved: BTreeSet<TaskId>,
    // In the world.
    programs: Vec<Program>,
    started: BTreeSet<TaskId>,
    succeeded: BTreeSet<TaskId>,
    times: BTreeSet<(TaskName, Timestamp)>,
    window: bool,
    /// Whether nothing is done but written down, in this life.
    shadow: bool,
    // Under way in memory.
    look_at: Timestamp,
    /// What was decided, and why.
    pub(crate) seen: BTreeSet<(EntryKind, Reason)>,
    pub(crate) events: u64,
    pub(crate) digest: u64,
}

fn minutes(number: u64) -> Duration {
    Duration::from_secs(60 * number)
}

fn duties() -> Vec<Duty> {
    let duty = |(name, doer, _, due): (&str, Doer, u64, u64)| Duty {
        name: TaskName::new(name),
        title: name.into(),
        owner: Level::new(2),
        due_within: minutes(due),
        doer,
    };
    DUTIES.into_iter().map(duty).collect()
}

impl Maintenance {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        let mut maintenance = Self {
            dice: Dice::new(!seed),
            agenda: Agenda::default(),
            open: BTreeMap::new(),
            handled: BTreeMap::new(),
            last_id: 0,
            paged: BTreeSet::new(),
            resolved: BTreeSet::new(),
            programs: Vec::new(),
            started: BTreeSet::new(),
            succeeded: BTreeSet::new(),
            times: BTreeSet::new(),
            window: false,
            shadow: false,
            look_at: now,
            seen: BTreeSet::new(),
            events: 0,
            digest: seed,
        };
        maintenance.start(now);
        maintenance
    }

    /// A new start, from what is on disk.
    fn start(&mut self, now: Timestamp) {
        let (open, handled) = (self.open.values().cloned().collect(), self.handled.clone());
        self.agenda = Agenda::new(SavedAgenda { open, handled, last_id: self.last_id });
        self.look_at = now;
        let commands = self.agenda.step(now, AgendaEvent::Configured(duties()));
        self.commit(now, &commands, Besides { incidents: 1, paused: true });
        // Programs that go on are waited for; of the others nobody saw the end, if they began at all.
        let running = self.agenda.running().map(|task| task.id);
        if let Some(task) = running.filter(|id| !self.programs.iter().any(|program| program.task == *id)) {
            let outcome = if self.started.contains(&task) { Outcome::Unknown } else { Outcome::NotRun };
            self.programs.push(Program { task, ends_at: now, outcome });
        }
    }

    /// Kill -9 and a new start at another time.
    pub(crate) fn restart(&mut self, now: Timestamp, step: Option<ClockStep>) {
        let (open, handled) = (self.open.values().cloned().collect(), self.handled.clone());
        let mut saved = SavedAgenda { open, handled, last_id: self.last_id };
        if let Some(step) = step {
            step.apply_to_agenda(&mut saved);
            self.open = saved.open.into_iter().map(|task| (task.id, task)).collect();
            self.handled = saved.handled;
        }
        self.shadow = self.dice.once_in(8);
        self.die(now);
    }

    /// Everything in memory is lost. What ends from now on ends unseen.
    fn die(&mut self, now: Timestamp) {
        self.programs.retain(|program| program.ends_at > now);
        self.programs.iter_mut().for_each(|program| program.outcome = Outcome::Unknown);
        self.start(now);
    }

    fn gate(&self, besides: Besides) -> Gate {
        if self.shadow {
            Gate::Shadow
        } else if besides.incidents > 0 || besides.paused || self.window {
            Gate::Held
        } else {
            Gate::Free
        }
    }

    /// When something happens here by itself.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        let program = self.programs.iter().map(|program| program.ends_at).min();
        [Some(self.look_at), program, self.agenda.next_deadline()].into_iter().flatten().min()
    }

    /// The agenda's part of a turn.
    pub(crate) fn turn(&mut self, now: Timestamp, besides: Besides) {
        while let Some(index) = self.programs.iter().position(|program| program.ends_at <= now) {
            let program = self.programs.swap_remove(index);
            self.end(program, now, besides);
        }
        if now >= self.look_at {
            self.look(now, besides);
        }
        if self.dice.once_in(if self.agenda.running().is_some() { 20 } else { 400 }) {
            self.close(now, besides);
        }
        if self.dice.once_in(if self.window { 100 } else { 2_000 }) {
            self.window = !self.window;
        }
        self.tell(now, AgendaEvent::Evaluated(self.gate(besides)), besides);
    }

    /// A task's programs are over; now and then that is told twice.
    fn end(&mut self, program: Program, now: Timestamp, besides: Besides) {
        let Program { task, outcome, .. } = program;
        if outcome == Outcome::Ok {
            self.succeeded.insert(task);
        }
        let event = AgendaEvent::Finished { task, outcome };
        if self.dice.once_in(20) {
            self.tell(now, event.clone(), besides);
        }
        self.tell(now, event, besides);
    }

    /// The latest time of every schedule.
    fn look(&mut self, now: Timestamp, besides: Besides) {
        let latest = |every: u64| Timestamp::from_millis(now.millis() / (every * 60_000) * every * 60_000);
        self.look_at = DUTIES.iter().map(|(.., every, _)| latest(*every) + minutes(*every)).min().unwrap();
        for (name, _, every, _) in DUTIES {
            self.tell(now, AgendaEvent::Scheduled { name: TaskName::new(name), at: latest(every) }, besides);
        }
    }

    /// Somebody says that a task is done, whether there is one or not.
    fn close(&mut self, now: Timestamp, besides: Besides) {
        let any = TaskId::new(self.last_id.saturating_sub(u32::try_from(self.dice.below(4)).unwrap()));
        let running = self.agenda.running().map(|task| task.id).filter(|_| self.dice.once_in(2));
        let id = running.unwrap_or(any);
        self.tell(now, AgendaEvent::Closed { task: id, by: Person::new("ana"), note: Box::default() }, besides);
    }

    /// An event, with a death before its commit, between commit and effects, or not at all.
    fn tell(&mut self, now: Timestamp, event: AgendaEvent, besides: Besides) {
        self.events += 1;
        let ended_badly = match &event {
            AgendaEvent::Finished { task, outcome } if *outcome != Outcome::Ok => {
                self.agenda.running().map(|running| running.id).filter(|running| running == task)
            }
            AgendaEvent::Configured(_)
            | AgendaEvent::Scheduled { .. }
            | AgendaEvent::Finished { .. }
            | AgendaEvent::Closed { .. }
            | AgendaEvent::Evaluated(_) => None,
        };
        let commands = self.agenda.step(now, event.clone());
        self.digest = self.digest.rotate_left(7) ^ commands.len() as u64 ^ now.millis();
        let begins = commands.iter().any(|command| matches!(command, AgendaCommand::Run(_)));
        let crash = self.dice.once_in(if begins { 20 } else { 5_000 });
        if crash && self.dice.once_in(2) {
            return self.die(now);
        }
        self.commit(now, &commands, besides);
        if let Some(task) = ended_badly {
            let kept = &self.open[&task];
            let is_a_persons = matches!(kept.state, TaskState::Person { paged_at: None }) && kept.failure.is_some();
            assert!(is_a_persons, "ended badly and nobody's: {kept:?}");
        }
        if crash {
            return self.die(now);
        }
        for command in commands {
            if let AgendaCommand::Run(task) = command {
                self.run(task, now);
            }
        }
        if let AgendaEvent::Evaluated(gate) = event {
            self.check(now, gate);
        }
    }

    /// What the real shell makes durable.
    fn commit(&mut self, now: Timestamp, commands: &[AgendaCommand], besides: Besides) {
        for command in commands {
            match command {
                AgendaCommand::Record { entry, .. } => drop(self.seen.insert((entry.event, entry.reason))),
                AgendaCommand::Handled(name, at) => {
                    let before = self.handled.insert(name.clone(), *at);
                    assert!(before.is_none_or(|before| before < *at), "{name} goes back from {before:?} to {at}");
                }
                AgendaCommand::Keep(task) => self.keep(task),
                AgendaCommand::Run(id) => {
                    let free = besides.incidents == 0 && !besides.paused && !self.window && !self.shadow;
                    assert!(free, "task {id} runs although something else goes on: {besides:?}");
                    assert!(self.programs.is_empty(), "task {id} runs beside {:?}", self.programs);
                }
                AgendaCommand::Page(id, _) => {
                    let task = &self.open[id];
                    assert!(!self.shadow && task.is_overdue(now), "called before its time: {task:?}");
                    assert!(self.paged.insert(*id), "called twice about task {id}");
                }
                AgendaCommand::ResolvePage(id, _) => {
                    assert!(self.paged.contains(id) && self.resolved.insert(*id), "no page of task {id} to take back");
                }
            }
        }
    }

    fn keep(&mut self, task: &Task) {
        if task.id.get() > self.last_id {
            let time = (task.name.clone(), task.scheduled_at);
            assert!(self.times.insert(time), "a second task for one time: {task:?}");
            let others = self.open.values().any(|other| other.name == task.name);
            assert!(!others, "a task while the one before is open: {task:?}");
            self.last_id = task.id.get();
        }
        match &task.state {
            TaskState::Done { by: None, .. } => {
                assert!(self.succeeded.contains(&task.id), "done, and nobody did it: {task:?}");
                self.open.remove(&task.id);
            }
            TaskState::Done { by: Some(_), .. } => {
                let running = self.programs.iter().any(|program| program.task == task.id);
                assert!(!running, "closed while it runs: {task:?}");
                self.open.remove(&task.id);
            }
            TaskState::Waiting | TaskState::Running { .. } | TaskState::Person { .. } => {
                self.open.insert(task.id, task.clone());
            }
        }
    }

    fn run(&mut self, task: TaskId, now: Timestamp) {
        assert!(self.started.insert(task), "task {task} runs twice");
        let outcome = match self.dice.below(8) {
            0 => Outcome::Failed("exit code 1".to_owned()),
            1 => Outcome::Timeout,
            _ => Outcome::Ok,
        };
        let ends_at = now + Duration::from_millis(1 + self.dice.below(120_000));
        self.programs.push(Program { task, ends_at, outcome });
    }

    /// What holds once everything was told.
    fn check(&self, now: Timestamp, gate: Gate) {
        assert!(self.agenda.open().eq(self.open.values()), "what is on disk is not what is decided by");
        assert!(self.agenda.next_deadline().is_none_or(|at| at > now), "a deadline that has passed wakes nobody");
        let running = self.open.values().filter(|task| matches!(task.state, TaskState::Running { .. })).count();
        assert!(running <= 1, "{running} machines at once");
        for task in self.open.values() {
            let waits = task.state == TaskState::Waiting;
            assert!(!waits || task.due_at > now, "a machine whose turn never came, and nobody's: {task:?}");
            assert!(!waits || gate != Gate::Free || running == 1, "nothing goes on, and it waits: {task:?}");
            let uncalled = matches!(task.state, TaskState::Person { paged_at: None });
            assert!(!uncalled || !task.is_overdue(now) || gate == Gate::Shadow, "overdue, and nobody called: {task:?}");
        }
    }

    /// Weeks in which little else goes on, and machines have their turn.
    fn quiet(&mut self, mut now: Timestamp) -> Timestamp {
        let mut besides = Besides { incidents: 0, paused: false };
        for _ in 0..QUIET_TURNS {
            let at = now + Duration::from_millis(self.dice.below(600_000));
            now = self.next_at().map_or(at, |next| next.max(now).min(at));
            if self.dice.once_in(10) {
                besides.incidents = usize::try_from(self.dice.below(5) / 4).unwrap();
                besides.paused = self.dice.once_in(10);
            }
            if self.dice.once_in(500) {
                let stopped = now;
                now = now + Duration::from_millis(self.dice.below(48 * 3_600_000));
                self.restart(now, ClockStep::found(Some(stopped), now));
            }
            self.turn(now, besides);
        }
        now
    }

    /// Peace: no time comes any more, people do what is theirs, and every task must be done.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        let mut now = self.quiet(now);
        (self.window, self.shadow) = (false, false);
        let nothing = Besides { incidents: 0, paused: false };
        for _ in 0..100 {
            if self.open.is_empty() {
                return;
            }
            self.tell(now, AgendaEvent::Configured(Vec::new()), nothing);
            self.turn(now, nothing);
            let theirs = |task: &&Task| matches!(task.state, TaskState::Person { .. });
            let persons: Vec<_> = self.open.values().filter(theirs).map(|task| task.id).collect();
            for task in persons {
                let done = AgendaEvent::Closed { task, by: Person::new("ana"), note: Box::default() };
                self.tell(now, done, nothing);
            }
            (now, self.window) = (now + minutes(3), false);
        }
        assert!(self.open.is_empty(), "people had hours and nothing else went on: {:#?}", self.open);
    }
}
