//! The virtual world: a clock that jumps from event to event, and answers to everything that the core asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt as _;
use vvtv_incident::{
    Answer, Command, Entry, Event, Fleet, Incident, IncidentId, Outcome, Policy, RunbookId, Saved, StepId, Target,
    Targets, Timestamp, Verdict,
};
use vvtv_toolkit::redaction;

use crate::conditions::facts::{AlertFacts, Facts, HostFacts, IncidentFacts, StepFact, StepOutputs};
use crate::conditions::holds_with;
use crate::conditions::promql::Query;
use crate::runbook::LoadedRunbook;
use crate::site::SiteValues;

/// Answers take this long, so that nothing happens in the instant in which it was asked for.
const ANSWER: Duration = Duration::from_millis(10);
/// More turns than any runbook needs: a world that does not come to rest is a finding.
const TURNS_MAX: usize = 200_000;

/// How a step ends.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) takes: Duration,
    pub(super) outcome: Outcome,
    pub(super) exit_code: Option<i32>,
    pub(super) stdout: String,
    /// The health of the incident's target from then on.
    pub(super) health: Option<Verdict>,
}

/// What the world answers.
pub(super) trait Script: Sync {
    /// How an attempt of a step ends.
    fn ending(&self, step: &StepId, attempt: u32, timeout: Duration) -> Ending;
    /// What Prometheus says to a condition.
    fn promql(&self, query: &Query) -> Answer;
    /// Whether a step's condition holds without looking at it.
    fn decided(&self, step: &StepId) -> Option<Answer>;
}

/// Something of the script that happens at its time.
#[derive(Clone, Debug)]
pub(super) enum Happens {
    Event(Event),
    Health { runbook: Option<RunbookId>, verdict: Verdict },
    StepEnds { incident: IncidentId, step: StepId, attempt: u32, ending: Ending },
}

/// A line of what was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) entry: Entry,
    /// What is run, if the line starts a change.
    pub(super) argv: Option<String>,
}

pub(super) struct World<'a, S> {
    fleet: Fleet,
    books: &'a [LoadedRunbook],
    site: &'a SiteValues,
    script: &'a S,
    now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), Happens>,
    queued: u64,
    health: BTreeMap<RunbookId, Verdict>,
    /// Health of runbooks that nothing was said about.
    health_of_others: Verdict,
    said: BTreeMap<IncidentId, StepOutputs>,
    alert: BTreeMap<RunbookId, AlertFacts>,
    targets: Targets,
    pub(super) lines: Vec<Line>,
}

impl<'a, S: Script> World<'a, S> {
    pub(super) fn new(policy: Policy, books: &'a [LoadedRunbook], site: &'a SiteValues, script: &'a S) -> Self {
        let plans = books.iter().map(|book| book.plan.clone()).collect();
        let now = Timestamp::default();
        let fleet = Fleet::new(policy, plans, Saved::default(), now);
        Self {
            fleet,
            books,
            site,
            script,
            now,
            queue: BTreeMap::new(),
            queued: 0,
            health: BTreeMap::new(),
            health_of_others: Verdict::Unhealthy,
            said: BTreeMap::new(),
            alert: BTreeMap::new(),
            // A single sick target of many is not a systemic fault.
            targets: Targets { number: 100, ..Targets::default() },
            lines: Vec::new(),
        }
    }

    pub(super) fn at(&mut self, at: Timestamp, happens: Happens) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happens);
    }

    /// Lets time pass until `until`, or until nothing is left to happen. Gives whether the world came to rest by itself or by the
    /// end of its time, rather than by running out of turns.
    pub(super) fn run(&mut self, until: Timestamp) -> bool {
        for _ in 0..TURNS_MAX {
            let scripted = self.queue.first_key_value().map(|((at, _), _)| *at);
            let due = self.fleet.next_deadline().map(|at| at.max(self.now));
            let idle = self.fleet.incidents().next().is_none();
            let next = match (scripted, due) {
                (Some(scripted), Some(due)) => scripted.min(due),
                (Some(scripted), None) => scripted,
                (None, Some(due)) if !idle => due,
                (None, _) => return true,
            };
            if next > until {
                return true;
            }
            self.now = self.now.max(next);
            if scripted == Some(next) {
                if let Some((_, happens)) = self.queue.pop_first() {
                    self.happen(happens);
                }
            } else {
                self.step(Event::Tick);
            }
        }
        false
    }

    fn happen(&mut self, happens: Happens) {
        match happens {
            Happens::Event(event) => {
                if let Event::AlertFiring(alert) = &event {
                    self.remember(alert);
                    self.vouch_for(alert);
                }
                self.step(event);
            }
            Happens::Health { runbook: Some(runbook), verdict } => _ = self.health.insert(runbook, verdict),
            Happens::Health { runbook: None, verdict } => {
                self.health.clear();
                self.health_of_others = verdict;
            }
            Happens::StepEnds { incident, step, attempt, ending } => {
                let runbook = self.fleet.incident(incident).map(|incident| incident.runbook.clone());
                if let (Some(runbook), Some(verdict)) = (runbook, ending.health) {
                    self.health.insert(runbook, verdict);
                }
                let outcome = ending.outcome.clone();
                let fact =
                    StepFact { exit_code: ending.exit_code, ok: outcome == Outcome::Ok, stdout: ending.stdout.into() };
                self.said.entry(incident).or_default().note(step.clone(), fact);
                self.step(Event::StepFinished { incident, step, attempt, outcome });
            }
        }
    }

    /// What a case speaks of exists.
    fn vouch_for(&mut self, alert: &vvtv_incident::Alert) {
        let book = self.books.iter().find(|book| book.plan.alerts.contains(&alert.name));
        let Some(target) = book.and_then(|book| alert.labels.get(&book.plan.target)) else { return };
        if self.targets.known.insert(Target::new(target.clone())) {
            self.step(Event::TargetsKnown(self.targets.clone()));
        }
    }

    fn remember(&mut self, alert: &vvtv_incident::Alert) {
        let Some(book) = self.books.iter().find(|book| book.plan.alerts.contains(&alert.name)) else { return };
        self.alert.entry(book.plan.id.clone()).or_insert_with(|| AlertFacts {
            name: alert.name.to_string(),
            labels: alert.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            annotations: BTreeMap::new(),
        });
    }

    fn step(&mut self, event: Event) {
        for command in self.fleet.step(self.now, event) {
            self.perform(command);
        }
    }

    fn perform(&mut self, command: Command) {
        let soon = self.now + ANSWER;
        match command {
            Command::Record(entry) => self.lines.push(Line { at: self.now, entry, argv: None }),
            Command::AskHealth { incident, ticket } => {
                let runbook = self.fleet.incident(incident).map(|incident| &incident.runbook);
                let verdict = runbook.and_then(|id| self.health.get(id)).copied().unwrap_or(self.health_of_others);
                self.at(soon, Happens::Event(Event::HealthSample { incident, ticket, verdict }));
            }
            Command::AskCondition { incident, step, ticket } => {
                let answer = self.condition(incident, &step);
                self.at(soon, Happens::Event(Event::ConditionAnswered { incident, step, ticket, answer }));
            }
            Command::RunStep { incident, step, attempt } => self.start(incident, step, attempt),
            Command::KillStep { incident, step, attempt } => {
                let outcome = Outcome::Failed("ended on request".to_owned());
                self.at(soon, Happens::Event(Event::StepFinished { incident, step, attempt, outcome }));
            }
            Command::Page(order) => {
                let delivered = Event::PageDelivered { incident: order.incident, page: order.page };
                self.at(soon, Happens::Event(delivered));
            }
            Command::AskTargets
            | Command::UpdatePage { .. }
            | Command::ResolvePage { .. }
            | Command::NoteNamed { .. }
            | Command::Close { .. } => {}
        }
    }

    fn condition(&self, incident: IncidentId, step: &StepId) -> Answer {
        if let Some(answer) = self.script.decided(step) {
            return answer;
        }
        let Some((incident, book)) = self.of(incident) else { return Answer::Error("no incident".to_owned()) };
        let Some(condition) = book.step(step).and_then(|spec| spec.when.as_ref()) else { return Answer::Yes };
        let facts = self.facts(incident, book);
        let ask = |query: &Query| std::future::ready(self.script.promql(query));
        let never_waits = || Answer::Error("the condition waits for something".to_owned());
        holds_with(condition, &facts, self.site, ask).now_or_never().unwrap_or_else(never_waits)
    }

    fn start(&mut self, id: IncidentId, step: StepId, attempt: u32) {
        let Some((incident, book)) = self.of(id) else { return };
        let Some(spec) = book.step(&step) else { return };
        let argv = spec.argv(&self.facts(incident, book), self.site);
        let ending = match &argv {
            // Where conditions are decided without facts, templates have none to read either.
            Err(error) if self.script.decided(&step).is_none() => Ending {
                takes: ANSWER,
                outcome: Outcome::Failed(error.clone()),
                exit_code: None,
                stdout: String::new(),
                health: None,
            },
            Ok(_) | Err(_) => self.script.ending(&step, attempt, spec.timeout),
        };
        let is_change = book.plan.all_steps().any(|plan| plan.id == step && plan.is_change());
        if let (Some(line), Ok(argv), true) = (self.lines.last_mut(), argv, is_change) {
            line.argv = Some(redaction::text(&argv.join(" ")).into_owned());
        }
        self.at(self.now + ending.takes, Happens::StepEnds { incident: id, step, attempt, ending });
    }

    fn of(&self, id: IncidentId) -> Option<(&Incident, &'a LoadedRunbook)> {
        let incident = self.fleet.incident(id)?;
        let book = self.books.iter().find(|book| book.plan.id == incident.runbook)?;
        Some((incident, book))
    }

    fn facts(&self, incident: &Incident, book: &LoadedRunbook) -> Facts {
        Facts {
            target: incident.target.to_string(),
            steps: self
                .said
                .get(&incident.id)
                .unwrap_or(&StepOutputs::default())
                .steps(incident, |step| book.writes_json(step)),
            alert: self.alert.get(&incident.runbook).cloned().unwrap_or_default(),
            incident: IncidentFacts {
                id: incident.id.get(),
                runbook: incident.runbook.to_string(),
                relapses: incident.relapses,
                opened_at: "1970-01-01T00:00:00Z".to_owned(),
                attachments: format!("/attachments/{}", incident.id),
            },
            host: HostFacts { platform: self.site.platform.as_str().to_owned() },
        }
    }
}

/// The target that scripts speak of unless they name another.
pub(super) fn default_target() -> Target {
    Target::new("main")
}
