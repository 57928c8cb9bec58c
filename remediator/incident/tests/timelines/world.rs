//! A small world around the core: virtual time, scripted health, steps and conditions, and the timeline as text.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::pager::Pager;
use vvtv_incident::{
    Alert, AlertName, Answer, BudgetCall, ChannelName, ClockStep, Command, Contact, EntryKind, EscalateAt, Event,
    Fingerprint, Fleet, HealthTest, HealthWatch, Incident, IncidentId, Kind, LabelName, Level, LockName, Mode, Muting,
    OnFailure, Operation, Outcome, PastIncident, Person, Phase, Policy, Reason, Recovery, Runbook, RunbookId, Saved,
    Scope, Sender, Severity, Step, StepId, Target, Targets, Timestamp, Verdict,
};

/// What a journal keeps of it.
fn as_kept(incident: &Incident) -> Incident {
    Incident { health: HealthWatch::default(), ticket: 0, ..incident.clone() }
}

pub(crate) const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

pub(crate) fn diagnose(id: &str) -> Step {
    Step {
        id: StepId::new(id),
        kind: Kind::Diagnose { background: false, settle: Duration::ZERO, known_to_read: true },
        conditional: false,
        attempts: None,
        efficacy_floor: None,
        timeout: seconds(10),
    }
}

pub(crate) fn change(id: &str) -> Step {
    Step {
        id: StepId::new(id),
        kind: Kind::Change {
            locks: vec![LockName::new("encoder:$target")],
            settle: seconds(20),
            repeatable: false,
            on_failure: OnFailure::Stop,
        },
        conditional: false,
        attempts: None,
        efficacy_floor: None,
        timeout: seconds(10),
    }
}

pub(crate) fn repeatable(id: &str) -> Step {
    let mut step = change(id);
    if let Kind::Change { repeatable, .. } = &mut step.kind {
        *repeatable = true;
    }
    step
}

pub(crate) fn conditional(step: Step) -> Step {
    Step { conditional: true, ..step }
}

pub(crate) fn runbook(id: &str, alert: &str, steps: Vec<Step>) -> Runbook {
    Runbook {
        id: RunbookId::new(id),
        severity: Severity::Critical,
        alerts: vec![AlertName::new(alert)],
        target: LabelName::new("stream"),
        causes: Vec::new(),
        healthy: HealthTest::new("up"),
        healthy_for: seconds(30),
        respond_within: seconds(300),
        escalate: Some(EscalateAt { level: Level::new(2), after: seconds(600) }),
        steps,
        recovery: Recovery::default(),
        mode: Mode::Act,
        changes_per_hour: None,
    }
}

pub(crate) fn policy() -> Policy {
    let contact = |level, minutes: u64| Contact {
        level: Level::new(level),
        respond_within: seconds(60 * minutes),
        channels: [ChannelName::new("pager")].into(),
    };
    Policy { contacts: vec![contact(1, 5), contact(2, 15), contact(3, 30), contact(4, 60)], ..Policy::default() }
}

pub(crate) fn alert(name: &str, stream: &str) -> Alert {
    Alert {
        fingerprint: Fingerprint::new(format!("{name}/{stream}")),
        name: AlertName::new(name),
        labels: BTreeMap::from([(LabelName::new("stream"), stream.into())]),
        starts_at: Timestamp::default(),
        sender: Sender::Alertmanager,
    }
}

/// What a step does when it runs: how long, and how it ends.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) takes: Duration,
    pub(crate) outcome: Outcome,
    /// Health of the target from then on.
    pub(crate) heals: bool,
}

pub(crate) fn ok(takes: u64) -> Script {
    Script { takes: seconds(takes), outcome: Outcome::Ok, heals: false }
}

pub(crate) fn heals(takes: u64) -> Script {
    Script { heals: true, ..ok(takes) }
}

/// An event under way, and what it does to a target's health when it arrives.
type Due = (Event, Option<(Target, Verdict)>);

/// The world: events wait in order of time, then of arrival.
pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) now: Timestamp,
    pub(crate) verdict: BTreeMap<Target, Verdict>,
    pub(crate) scripts: BTreeMap<StepId, Script>,
    pub(crate) answers: BTreeMap<StepId, Answer>,
    pub(crate) lines: Vec<String>,
    pub(crate) runs: Vec<(IncidentId, StepId, u32)>,
    pub(crate) pages: Vec<(u64, IncidentId, u8)>,
    pub(crate) updates: Vec<(u64, IncidentId, u32, Reason)>,
    pub(crate) resolved_pages: BTreeSet<(IncidentId, u32)>,
    pub(crate) closed: BTreeSet<IncidentId>,
    pub(crate) pager: Pager,
    over: Vec<PastIncident>,
    pub(crate) budget_calls: Vec<BudgetCall>,
    /// What the core is told to exist: everything that fires by [`World::fire`].
    pub(crate) known: Targets,
    /// How often it asked for that.
    pub(crate) asked_for_targets: usize,
    targets: BTreeMap<IncidentId, Target>,
    queue: BTreeMap<(Timestamp, u64), Due>,
    arrivals: u64,
    named: BTreeMap<Fingerprint, Timestamp>,
    pub(crate) policy: Policy,
    books: Vec<Runbook>,
}

impl World {
    pub(crate) fn new(books: Vec<Runbook>) -> Self {
        Self::with_policy(books, policy())
    }

    pub(crate) fn with_policy(books: Vec<Runbook>, policy: Policy) -> Self {
        let now = Timestamp::default();
        Self {
            fleet: Fleet::new(policy.clone(), books.clone(), Saved::default(), now),
            now,
            verdict: BTreeMap::new(),
            scripts: BTreeMap::new(),
            answers: BTreeMap::new(),
            lines: Vec::new(),
            runs: Vec::new(),
            pages: Vec::new(),
            updates: Vec::new(),
            resolved_pages: BTreeSet::new(),
            closed: BTreeSet::new(),
            pager: Pager::default(),
            over: Vec::new(),
            budget_calls: Vec::new(),
            known: Targets::default(),
            asked_for_targets: 0,
            targets: BTreeMap::new(),
            queue: BTreeMap::new(),
            arrivals: 0,
            named: BTreeMap::new(),
            policy,
            books,
        }
    }

    pub(crate) fn script(mut self, step: &str, script: Script) -> Self {
        self.scripts.insert(StepId::new(step), script);
        self
    }

    pub(crate) fn answer(mut self, step: &str, answer: Answer) -> Self {
        self.answers.insert(StepId::new(step), answer);
        self
    }

    pub(crate) fn health(&mut self, stream: &str, verdict: Verdict) {
        self.verdict.insert(Target::new(stream), verdict);
    }

    /// An alert of a target that exists fires, and the target is sick from now on.
    pub(crate) fn fire(&mut self, name: &str, stream: &str) {
        self.know(stream);
        self.claim(name, stream);
    }

    /// An alert fires, and what it names is sick from now on, if it exists.
    pub(crate) fn claim(&mut self, name: &str, stream: &str) {
        self.health(stream, Verdict::Unhealthy);
        self.event(Event::AlertFiring(alert(name, stream)));
    }

    pub(crate) fn know(&mut self, stream: &str) {
        if self.known.known.insert(Target::new(stream)) {
            self.tell_targets();
        }
    }

    /// So many targets exist, of which those that fire are known by name.
    pub(crate) fn count_targets(&mut self, number: usize) {
        self.known.number = number;
        self.tell_targets();
    }

    /// Somebody was asked now and names what is known.
    pub(crate) fn list_targets(&mut self) {
        self.known.asked_at = Some(self.now);
        self.tell_targets();
    }

    pub(crate) fn tell_targets(&mut self) {
        self.event(Event::TargetsKnown(self.known.clone()));
    }

    pub(crate) fn resolve(&mut self, name: &str, stream: &str) {
        let fingerprint = alert(name, stream).fingerprint;
        let (starts_at, ends_at) = (Timestamp::default(), Some(self.now));
        self.event(Event::AlertResolved { fingerprint, starts_at, ends_at });
    }

    /// Alertmanager lists these alerts for our receiver, and no others.
    pub(crate) fn list(&mut self, alerts: &[Alert], muting: Muting) {
        let (active, asked_at) = (alerts.iter().map(|alert| alert.fingerprint.clone()).collect(), self.now);
        for alert in alerts.iter().cloned() {
            self.event(Event::AlertListed { alert, muting });
        }
        self.event(Event::Reconciled { active, scope: Scope::All, asked_at });
    }

    pub(crate) fn operate(&mut self, incident: u64, operation: Operation) {
        let by = Person::new("ana");
        self.event(Event::Operator { incident: IncidentId::new(incident), by, operation });
    }

    pub(crate) fn event(&mut self, event: Event) {
        let commands = self.fleet.step(self.now, event);
        self.perform(commands);
    }

    pub(crate) fn later(&mut self, delay: Duration, event: Event, then: Option<(Target, Verdict)>) {
        self.arrivals += 1;
        self.queue.insert((self.now + delay, self.arrivals), (event, then));
    }

    fn perform(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Record(entry) => {
                    if let (Some(id), EntryKind::Opened) = (entry.incident, entry.event) {
                        let target = entry.detail.rsplit(": ").next().unwrap_or_default();
                        self.targets.insert(id, Target::new(target));
                    }
                    let id = entry.incident.map_or_else(|| "-".to_owned(), |id| format!("#{id}"));
                    let line = format!(
                        "{:>8} {id} {} {} {}",
                        format!("{:.1}s", Duration::from_millis(self.now.millis()).as_secs_f64()),
                        entry.event.as_str(),
                        entry.reason,
                        entry.detail
                    );
                    self.lines.push(line.trim_end().to_owned());
                }
                Command::AskHealth { incident, ticket } => {
                    let target = self.targets.get(&incident);
                    let verdict =
                        target.and_then(|target| self.verdict.get(target)).copied().unwrap_or(Verdict::Unknown);
                    self.later(Duration::from_millis(10), Event::HealthSample { incident, ticket, verdict }, None);
                }
                Command::AskTargets => self.asked_for_targets += 1,
                Command::AskCondition { incident, step, ticket } => {
                    let answer = self.answers.get(&step).cloned().unwrap_or(Answer::Yes);
                    self.later(
                        Duration::from_millis(5),
                        Event::ConditionAnswered { incident, step, ticket, answer },
                        None,
                    );
                }
                Command::RunStep { incident, step, attempt } => {
                    self.runs.push((incident, step.clone(), attempt));
                    let script = self.scripts.get(&step).cloned().unwrap_or_else(|| ok(1));
                    let heals = script.heals.then(|| self.targets.get(&incident).cloned()).flatten();
                    let then = heals.map(|target| (target, Verdict::Healthy));
                    let event = Event::StepFinished { incident, step, attempt, outcome: script.outcome };
                    self.later(script.takes, event, then);
                }
                Command::KillStep { incident, step, attempt } => {
                    let outcome = Outcome::Failed("killed".to_owned());
                    let event = Event::StepFinished { incident, step, attempt, outcome };
                    self.later(Duration::from_millis(20), event, None);
                }
                Command::Page(order) => {
                    self.pages.push((self.now.millis() / 1000, order.incident, order.level.get()));
                    self.note_budget_call(&order);
                    self.send(&order);
                }
                Command::UpdatePage { incident, page, reason } => {
                    assert!(!self.resolved_pages.contains(&(incident, page)), "page {page} of {incident} is over");
                    self.updates.push((self.now.millis() / 1000, incident, page, reason));
                }
                Command::ResolvePage { incident, page } => {
                    assert!(self.resolved_pages.insert((incident, page)), "page {page} of {incident} resolved twice");
                }
                Command::NoteNamed { fingerprint, at: Some(at) } => drop(self.named.insert(fingerprint, at)),
                Command::NoteNamed { fingerprint, at: None } => drop(self.named.remove(&fingerprint)),
                Command::Close(incident) => {
                    assert!(self.closed.insert(incident.id), "{} closed twice", incident.id);
                    self.note_closed(&incident);
                }
            }
        }
    }

    /// What a start finds of it.
    fn note_closed(&mut self, incident: &Incident) {
        let Phase::Closed { at: closed_at } = incident.phase else { return };
        if matches!(incident.reason, Reason::Stabilised | Reason::Monitored | Reason::AlertResolved) {
            let (runbook, target) = (incident.runbook.clone(), incident.target.clone());
            self.over.push(PastIncident { runbook, target, closed_at, times_back: incident.times_back() });
        }
    }

    /// Lets time pass: events and deadlines in their order.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let event = self.queue.keys().next().map(|(at, _)| *at);
            let tick = self.fleet.next_deadline();
            let Some(at) = event.into_iter().chain(tick).min().filter(|at| *at <= end) else { break };
            assert!(
                tick.is_none_or(|tick| tick > self.now) || event == Some(at) || at >= self.now,
                "time stands still"
            );
            self.now = self.now.max(at);
            if event == Some(at) {
                if let Some((_, (event, then))) = self.queue.pop_first() {
                    if self.is_outdated(&event) {
                        continue;
                    }
                    if let Some((target, verdict)) = then {
                        self.verdict.insert(target, verdict);
                    }
                    self.event(event);
                }
            } else {
                self.event(Event::Tick);
                assert!(
                    self.fleet.next_deadline().is_none_or(|next| next > self.now),
                    "a tick must move the next deadline into the future"
                );
            }
        }
        self.now = end;
    }

    /// Nothing may be done any more.
    pub(crate) fn for_people_only(mut self) -> Self {
        self.fleet = self.fleet.for_people_only();
        self
    }

    /// Kill -9, and a start so much later by a clock that may be wrong.
    pub(crate) fn start_at(&mut self, later: Duration) -> ClockStep {
        let from = self.now;
        self.start_after(ClockStep { from, to: from + later })
    }

    /// Kill -9, and a start so much earlier by the clock.
    pub(crate) fn step_back(&mut self, earlier: Duration) -> ClockStep {
        let earlier = u64::try_from(earlier.as_millis()).unwrap();
        let from = self.now;
        self.start_after(ClockStep { from, to: Timestamp::from_millis(from.millis() - earlier) })
    }

    fn start_after(&mut self, step: ClockStep) -> ClockStep {
        assert_eq!(ClockStep::found(Some(step.from), step.to), Some(step));
        self.take_up(step.to, Some(step));
        step
    }

    /// Kill -9: everything under way is lost; only what was journalled comes back.
    pub(crate) fn restart(&mut self, down: Duration) {
        self.take_up(self.now + down, None);
    }

    fn take_up(&mut self, now: Timestamp, step: Option<ClockStep>) {
        let mut saved = Saved {
            incidents: self.fleet.incidents().map(as_kept).collect(),
            changes: Vec::new(),
            over: self.over.clone(),
            budget_calls: self.budget_calls.clone(),
            pause: self.fleet.pause().cloned(),
            last_id: self.targets.keys().map(|id| id.get()).max().unwrap_or(0),
            named: self.named.clone(),
        };
        self.queue.clear();
        self.now = now;
        if let Some(step) = step {
            step.apply(&mut saved);
        }
        self.fleet = Fleet::new(self.policy.clone(), self.books.clone(), saved, self.now);
        self.tell_targets();
        self.event(Event::Tick);
        self.send_again();
    }

    /// Everything but the noise of pages being delivered.
    pub(crate) fn timeline(&self) -> String {
        self.lines.join("\n")
    }

    /// How often a step was started, in all incidents.
    pub(crate) fn runs_of(&self, step: &str) -> usize {
        self.runs.iter().filter(|(_, id, _)| id.as_str() == step).count()
    }

    /// Where an open incident stands.
    pub(crate) fn phase(&self, incident: u64) -> &'static str {
        self.fleet.incident(IncidentId::new(incident)).unwrap().phase_name()
    }

    pub(crate) fn has_closed(&self, incident: u64) -> bool {
        self.closed.contains(&IncidentId::new(incident))
    }

    pub(crate) fn pages_in_short(&self) -> String {
        let line = |(at, incident, level): &(u64, IncidentId, u8)| format!("{at}s #{incident} L{level}");
        self.pages.iter().map(line).collect::<Vec<_>>().join(", ")
    }
}
