//! A shell that crashes: it journals as the real one does, and loses everything else at any moment.

mod invariants;
mod listed;
mod lives;
mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vvtv_incident::{
    Alert, AlertName, Answer, BudgetCall, Channels, Command, Contact, EntryKind, Event, Fingerprint, Fleet,
    HealthWatch, Incident, IncidentId, Kind, LabelName, Level, Mode, Operation, Outcome, PastIncident, Pause, Person,
    Phase, Policy, Reason, Runbook, Saved, Sender, StepId, Target, Targets, Timestamp, Verdict,
};

use crate::books::books;
use crate::dice::Dice;
use crate::maintenance::Maintenance;
use crate::pager::{Pager, channels};
use crate::process::Process;
use invariants::silenced;

const STREAMS: [&str; 4] = ["a", "b", "c", "d"];
/// What alerts speak of: the streams, and a name that somebody made up.
const CLAIMED: [&str; 5] = ["a", "b", "c", "d", "../made-up"];
pub(crate) const ALERTS: [&str; 3] = ["IngestDown", "SegmentAgeHigh", "EncoderDropsHigh"];
const HOUR: Duration = Duration::from_secs(3600);

/// What a journal keeps of it.
fn as_kept(incident: &Incident) -> Incident {
    Incident { health: HealthWatch::default(), ticket: 0, ..incident.clone() }
}

pub(crate) struct Shell {
    dice: Dice,
    now: Timestamp,
    fleet: Fleet,
    policy: Policy,
    books: Vec<Runbook>,
    // On disk.
    incidents: BTreeMap<IncidentId, Incident>,
    intents: Vec<(Timestamp, IncidentId, StepId, u32)>,
    over: Vec<PastIncident>,
    budget_calls: Vec<BudgetCall>,
    pub(crate) pager: Pager,
    /// Attempts that had a process.
    let_go: BTreeSet<(IncidentId, StepId, u32)>,
    pause: Option<Pause>,
    last_id: u64,
    named: BTreeMap<Fingerprint, Timestamp>,
    // In the world.
    sick: BTreeMap<Target, bool>,
    firing: BTreeSet<(&'static str, &'static str)>,
    processes: Vec<Process>,
    started: BTreeMap<(IncidentId, StepId), u32>,
    targets: BTreeMap<IncidentId, Target>,
    closed: BTreeSet<IncidentId>,
    paged: BTreeSet<IncidentId>,
    // Under way in memory.
    /// What the core was last told to exist.
    vouched: BTreeSet<Target>,
    /// The channels that it was last told to fail.
    failing: Channels,
    /// Who had which incident in hand before the event that is being taken in, and until when.
    in_hand: BTreeMap<IncidentId, Timestamp>,
    mail: Vec<(Timestamp, Event)>,
    /// The agenda beside it.
    pub(crate) maintenance: Maintenance,
    /// Starts, the first one included.
    lives: u64,
    /// What was decided, and why.
    pub(crate) seen: BTreeSet<(EntryKind, Reason)>,
    pub(crate) events: u64,
    pub(crate) digest: u64,
}

impl Shell {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let alike = dice.once_in(2);
        let mut contact = |level, minutes: u64| Contact {
            level: Level::new(level),
            respond_within: Duration::from_secs(60 * minutes),
            channels: channels(&mut dice, alike),
        };
        let contacts = vec![contact(1, 5), contact(2, 15), contact(3, 30), contact(4, 60)];
        let policy = Policy {
            concurrent_changes: usize::try_from(1 + dice.below(3)).unwrap(),
            changes_per_hour: usize::try_from(3 + dice.below(20)).unwrap(),
            contacts,
            mode: *dice.pick(&[Mode::Act, Mode::Act, Mode::Act, Mode::Approve]),
            ..Policy::default()
        };
        let now = Timestamp::from_millis(1_000_000);
        let fleet = Fleet::new(policy.clone(), books(), Saved::default(), now);
        let mut shell = Self {
            dice,
            now,
            fleet,
            policy,
            books: books(),
            incidents: BTreeMap::new(),
            intents: Vec::new(),
            over: Vec::new(),
            budget_calls: Vec::new(),
            pager: Pager::default(),
            let_go: BTreeSet::new(),
            pause: None,
            last_id: 0,
            named: BTreeMap::new(),
            sick: BTreeMap::new(),
            firing: BTreeSet::new(),
            processes: Vec::new(),
            started: BTreeMap::new(),
            targets: BTreeMap::new(),
            closed: BTreeSet::new(),
            paged: BTreeSet::new(),
            vouched: BTreeSet::new(),
            failing: Channels::default(),
            in_hand: BTreeMap::new(),
            mail: Vec::new(),
            maintenance: Maintenance::new(seed, now),
            lives: 1,
            seen: BTreeSet::new(),
            events: 0,
            digest: seed,
        };
        let all = shell.targets(None);
        shell.apply(all, false);
        shell
    }

    /// Something happens.
    pub(crate) fn turn(&mut self) {
        match self.dice.below(1000) {
            0..=19 => self.fault(),
            20..=49 => self.heal(),
            50..=54 => self.restart(),
            55..=69 => self.operator(),
            70..=89 => self.repeat_alerts(),
            90..=96 => self.reconcile(),
            97..=99 => self.look_at_targets(),
            100..=109 => self.pager.turn(&mut self.dice),
            110..=124 => self.acknowledge(),
            _ => self.pass_time(),
        }
    }

    fn alert(name: &str, stream: &str) -> Alert {
        Alert {
            fingerprint: Fingerprint::new(format!("{name}/{stream}")),
            name: AlertName::new(name),
            labels: BTreeMap::from([(LabelName::new("stream"), stream.into())]),
            starts_at: Timestamp::default(),
            sender: Sender::Alertmanager,
        }
    }

    fn fault(&mut self) {
        let (name, stream) = (*self.dice.pick(&ALERTS), *self.dice.pick(&CLAIMED));
        self.sick.insert(Target::new(stream), true);
        self.firing.insert((name, stream));
        self.deliver(Event::AlertFiring(Self::alert(name, stream)));
    }

    fn heal(&mut self) {
        let stream = *self.dice.pick(&CLAIMED);
        self.sick.insert(Target::new(stream), false);
        let over: Vec<_> = self.firing.iter().filter(|(_, on)| *on == stream).copied().collect();
        for (name, stream) in over {
            self.firing.remove(&(name, stream));
            // Some resolves never arrive.
            if !self.dice.once_in(4) {
                let fingerprint = Self::alert(name, stream).fingerprint;
                let (starts_at, ends_at) = (Timestamp::default(), Some(self.now));
                self.deliver(Event::AlertResolved { fingerprint, starts_at, ends_at });
            }
        }
    }

    fn repeat_alerts(&mut self) {
        for (name, stream) in self.firing.clone() {
            self.deliver(Event::AlertFiring(Self::alert(name, stream)));
        }
    }

    /// All targets but one, as they are now.
    fn targets(&self, without: Option<&str>) -> Event {
        let streams = || STREAMS.iter().filter(|stream| Some(**stream) != without);
        let (known, number) = (streams().map(|stream| Target::new(*stream)).collect(), streams().count());
        Event::TargetsKnown(Targets { known, number, asked_at: Some(self.now) })
    }

    /// Sometimes one that exists is not there for a while.
    fn look_at_targets(&mut self) {
        let without = self.dice.once_in(5).then(|| *self.dice.pick(&STREAMS));
        let targets = self.targets(without);
        self.deliver(targets);
    }

    fn operator(&mut self) {
        let by = Person::new("ana");
        let event = match self.dice.below(8) {
            0 => Event::Pause { by },
            1 | 2 => Event::Resume { by },
            _ if self.last_id == 0 => return,
            other => {
                let incident = IncidentId::new(1 + self.dice.below(self.last_id));
                let all = [Operation::Ack, Operation::Hold, Operation::Release, self.approval(), Operation::Abort];
                let operation = all[usize::try_from(other - 3).unwrap()].clone();
                Event::Operator { incident, by, operation }
            }
        };
        self.deliver(event);
    }

    /// Mostly for a step that may wait, sometimes for another.
    fn approval(&mut self) -> Operation {
        let steps: Vec<_> = self.books.iter().flat_map(Runbook::all_steps).filter(|step| step.is_change()).collect();
        Operation::Approve(self.dice.pick(&steps).id.clone())
    }

    fn pass_time(&mut self) {
        let limit = if self.dice.once_in(20) { 600_000 } else { 2_000 };
        let end = self.now + Duration::from_millis(self.dice.below(limit));
        self.run_until(end);
    }

    fn run_until(&mut self, end: Timestamp) {
        loop {
            let process = self.processes.iter().map(|process| process.ends_at).min();
            let mail = self.mail.iter().map(|(at, _)| *at).min();
            let pager = self.pager.next_at(self.now);
            let Some(at) =
                [self.fleet.next_deadline(), process, mail, pager].into_iter().flatten().min().filter(|at| *at <= end)
            else {
                break;
            };
            self.maintain_until(at);
            self.now = self.now.max(at);
            if pager.is_some_and(|due| due <= self.now) {
                self.deliver_pages();
            } else if process == Some(at) {
                self.end_process(at);
            } else if mail == Some(at) {
                let index = self.mail.iter().position(|(due, _)| *due == at).unwrap();
                let (_, event) = self.mail.swap_remove(index);
                self.deliver(event);
            } else {
                self.deliver(Event::Tick);
            }
        }
        self.maintain_until(end);
        self.now = self.now.max(end);
    }

    /// The workers of the channels do what they can; a crash between two of their reports loses the rest.
    fn deliver_pages(&mut self) {
        let lives = self.lives;
        for event in self.pager.work(self.now) {
            self.deliver(event);
            if self.lives != lives {
                return;
            }
        }
    }

    fn end_process(&mut self, at: Timestamp) {
        let index = self.processes.iter().position(|process| process.ends_at == at).unwrap();
        let process = self.processes.swap_remove(index);
        if process.heals {
            self.sick.insert(process.target.clone(), false);
        }
        let outcome = if process.orphan { Outcome::Unknown } else { process.outcome };
        let (incident, step, attempt) = (process.incident, process.step, process.attempt);
        let event = Event::StepFinished { incident, step, attempt, outcome };
        if self.dice.once_in(20) {
            self.mail.push((self.now, event.clone()));
        }
        self.deliver(event);
    }

    /// An event, with a crash before its commit, between commit and effects, or not at all.
    fn deliver(&mut self, event: Event) {
        let crash = self.dice.once_in(500);
        self.apply(event, crash);
    }

    fn apply(&mut self, event: Event, crash: bool) {
        self.events += 1;
        if let Event::TargetsKnown(targets) = &event {
            self.vouched.clone_from(&targets.known);
        }
        self.note_channel(&event);
        self.note_in_hand();
        let commands = self.fleet.step(self.now, event);
        self.digest = self.digest.rotate_left(7) ^ commands.len() as u64 ^ self.now.millis();
        if crash && self.dice.once_in(2) {
            self.restart();
            return;
        }
        self.commit(&commands);
        if crash {
            self.restart();
            return;
        }
        for command in commands {
            self.perform(command);
        }
        self.check();
        self.maintenance.turn(self.now, self.besides());
    }

    /// What the real shell makes durable: the state of incidents with a record, the intents, the pause.
    fn commit(&mut self, commands: &[Command]) {
        for command in commands {
            match command {
                Command::Close(incident) => {
                    self.incidents.remove(&incident.id);
                    assert!(matches!(incident.phase, Phase::Closed { .. }));
                    assert!(incident.escalation.pages.iter().all(|page| page.resolved), "closed with an open page");
                    assert!(self.closed.insert(incident.id), "closed twice");
                    self.note_over(incident);
                }
                Command::Record(entry) => {
                    self.seen.insert((entry.event, entry.reason));
                    if let Some(incident) = entry.incident.and_then(|id| self.fleet.incident(id)) {
                        self.last_id = self.last_id.max(incident.id.get());
                        self.targets.insert(incident.id, incident.target.clone());
                        self.incidents.insert(incident.id, as_kept(incident));
                    }
                }
                Command::RunStep { incident, step, attempt } => {
                    let state = self.fleet.incident(*incident).expect("a step of an incident that is not there");
                    assert!(self.vouched.contains(&state.target), "a step started for a target that nobody knows");
                    assert!(state.hold.is_none(), "a step started under a hold");
                    assert!(!state.aborted, "a step started in an aborted incident");
                    assert!(self.fleet.pause().is_none(), "a step started under a pause");
                    assert!(!silenced(state), "a step started although its alerts are silenced");
                    self.intents.push((self.now, *incident, step.clone(), *attempt));
                    self.check_budget();
                }
                Command::Page(order) => {
                    let closing = commands.iter().find_map(|command| {
                        let Command::Close(incident) = command else { return None };
                        (incident.id == order.incident).then_some(&**incident)
                    });
                    let state = self.fleet.incident(order.incident).or(closing).expect("a page of an unknown incident");
                    let page = state.escalation.pages.iter().find(|page| page.page == order.page).unwrap();
                    assert!(page.due_at <= self.now, "a page before its time");
                    let state = state.clone();
                    // Whoever had it in hand is told that it is over.
                    let over = |it: &Command| matches!(it, Command::ResolvePage { incident, .. } if *incident == order.incident);
                    if commands.iter().any(over) {
                        self.in_hand.remove(&order.incident);
                    }
                    self.check_call(order, &state);
                    self.paged.insert(order.incident);
                    let contact = self.policy.contact(order.level).unwrap();
                    self.pager.commit(order, contact);
                }
                Command::UpdatePage { incident, page, .. } => self.check_update(*incident, *page),
                Command::ResolvePage { incident, page } => {
                    assert!(self.pager.has(*incident, *page), "page {page} of {incident} is lost");
                    self.pager.forget(*incident, *page);
                }
                Command::NoteNamed { fingerprint, at: Some(at) } => drop(self.named.insert(fingerprint.clone(), *at)),
                Command::NoteNamed { fingerprint, at: None } => drop(self.named.remove(fingerprint)),
                Command::AskHealth { .. }
                | Command::AskTargets
                | Command::AskCondition { .. }
                | Command::KillStep { .. } => {}
            }
        }
        self.pause = self.fleet.pause().cloned();
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::AskHealth { incident, ticket } => {
                let target = self.targets.get(&incident);
                let sick = target.and_then(|target| self.sick.get(target)).copied().unwrap_or(false);
                let verdict = match self.dice.below(30) {
                    0 => Verdict::Unknown,
                    _ if sick => Verdict::Unhealthy,
                    _ => Verdict::Healthy,
                };
                // Some answers are lost, some come late.
                if !self.dice.once_in(50) {
                    let delay = if self.dice.once_in(20) { 15_000 } else { self.dice.below(100) };
                    self.mail.push((
                        self.now + Duration::from_millis(delay),
                        Event::HealthSample { incident, ticket, verdict },
                    ));
                }
            }
            Command::AskCondition { incident, step, ticket } => {
                let answer = match self.dice.below(6) {
                    0 => Answer::No,
                    1 => Answer::Error("undefined".to_owned()),
                    _ => Answer::Yes,
                };
                if !self.dice.once_in(50) {
                    let at = self.now + Duration::from_millis(self.dice.below(100));
                    self.mail.push((at, Event::ConditionAnswered { incident, step, ticket, answer }));
                }
            }
            Command::AskTargets => {
                let answer = self.targets(None);
                if !self.dice.once_in(10) {
                    self.mail.push((self.now + Duration::from_millis(self.dice.below(3_000)), answer));
                }
            }
            Command::RunStep { incident, step, attempt } => self.spawn(incident, step, attempt),
            Command::KillStep { incident, step, attempt } => {
                let now = self.now;
                let same = |process: &&mut Process| {
                    process.incident == incident && process.step == step && process.attempt == attempt
                };
                if let Some(process) = self.processes.iter_mut().find(same) {
                    process.ends_at = now;
                    process.outcome = Outcome::Failed("killed".to_owned());
                    process.heals = false;
                }
            }
            // The outbox has it.
            Command::Page(_)
            | Command::Record(_)
            | Command::NoteNamed { .. }
            | Command::UpdatePage { .. }
            | Command::ResolvePage { .. }
            | Command::Close(_) => {}
        }
    }

    fn spawn(&mut self, incident: IncidentId, step: StepId, attempt: u32) {
        let spec = self.books.iter().flat_map(Runbook::all_steps).find(|known| known.id == step).unwrap().clone();
        let target = self.targets[&incident].clone();
        let locks: Vec<_> = match &spec.kind {
            Kind::Change { locks, .. } => {
                locks.iter().map(|lock| lock.as_str().replace("$target", target.as_str())).collect()
            }
            Kind::Diagnose { .. } => Vec::new(),
        };
        if spec.is_change() {
            let running: Vec<_> = self.processes.iter().filter(|process| process.change).collect();
            assert!(
                running.len() < self.policy.concurrent_changes,
                "more changes at once than allowed: {running:?} and now {step} of {incident} at {}",
                self.now
            );
            for other in running {
                assert!(other.target != target, "two changes on one target");
                assert!(other.locks.iter().all(|lock| !locks.contains(lock)), "two changes under one lock");
            }
            let count = self.started.entry((incident, step.clone())).or_default();
            *count += 1;
            assert!(*count == 1 || spec.repeatable(), "{step} is not repeatable and ran {count} times");
            assert!(*count <= self.policy.attempts_per_step, "{step} ran {count} times");
        }
        self.let_go.insert((incident, step.clone(), attempt));
        let outcome = match self.dice.below(8) {
            0 => Outcome::Failed("exit code 1".to_owned()),
            1 => Outcome::Timeout,
            _ => Outcome::Ok,
        };
        let ends_at = self.now + Duration::from_millis(50 + self.dice.below(12_000));
        let heals = outcome == Outcome::Ok && spec.is_change() && self.dice.once_in(2);
        let change = spec.is_change();
        self.processes.push(Process {
            incident,
            step,
            attempt,
            target,
            change,
            locks,
            ends_at,
            outcome,
            heals,
            orphan: false,
        });
    }
}
