//! What follows once a decision is durable: questions, processes, messages. Each runs on its own and reports back as an input.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use vvtv_incident::{Answer, Event, Incident, IncidentId, Outcome, StepId, Timestamp, Verdict};

use super::{EventLoop, Input, StepFact};
use crate::clock::{Clock, rfc3339};
use crate::condition::{PromClient, holds};
use crate::delivery::Outgoing;
use crate::executor::{self, Launch};
use crate::facts::{AlertFacts, Facts, HostFacts, IncidentFacts, StepFacts};
use crate::journal::{ProcessMark, RunKey, RunResult};
use crate::outbox::Message;
use crate::runbook::{Book, Output, Site};

/// Questions to Prometheus at one time.
const QUESTIONS_MAX: usize = 64;
/// Processes at one time. Changes have a limit of their own; this one bounds diagnoses.
const PROCESSES_MAX: usize = 32;

/// Something to do now that its decision is on disk.
#[derive(Debug)]
pub(super) enum Effect {
    AskHealth { incident: IncidentId, ticket: u64 },
    AskCondition { incident: IncidentId, step: StepId, ticket: u64 },
    Run(RunKey),
    Kill(RunKey),
    Send(Message),
}

/// Everything that effects need and the loop does not own.
#[derive(Clone)]
pub struct Surroundings {
    /// Prometheus.
    pub prometheus: PromClient,
    /// What runbooks may use of this installation.
    pub site: Site,
    /// The ways to people.
    pub outgoing: Outgoing,
    /// Under which steps leave files for the bundle, a directory per incident.
    pub attachments: PathBuf,
    /// The way back to the loop.
    pub inputs: mpsc::Sender<Input>,
    /// The clock.
    pub clock: Clock,
    questions: Arc<Semaphore>,
    processes: Arc<Semaphore>,
}

impl Surroundings {
    /// Puts them together.
    #[must_use]
    pub fn new(
        prometheus: PromClient,
        site: Site,
        outgoing: Outgoing,
        attachments: PathBuf,
        (inputs, clock): (mpsc::Sender<Input>, Clock),
    ) -> Self {
        Self {
            prometheus,
            site,
            outgoing,
            attachments,
            inputs,
            clock,
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            processes: Arc::new(Semaphore::new(PROCESSES_MAX)),
        }
    }

    async fn tell(&self, input: Input) {
        // The loop has ended; what is lost here is asked or found again at the next start.
        drop(self.inputs.send(input).await);
    }
}

impl EventLoop {
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::AskHealth { incident, ticket } => self.ask_health(incident, ticket),
            Effect::AskCondition { incident, step, ticket } => self.ask_condition(incident, step, ticket),
            Effect::Run(key) => self.run_step(key),
            Effect::Kill(key) => {
                if let Some(kill) = self.running.get(&key) {
                    kill.cancel();
                }
            }
            Effect::Send(message) => self.surroundings.outgoing.send(message),
        }
    }

    fn ask_health(&self, incident: IncidentId, ticket: u64) {
        let Some((state, book)) = self.state_and_book(incident) else { return };
        let (book, target, around) = (book.clone(), state.target.clone(), self.surroundings.clone());
        self.tasks.spawn(async move {
            let verdict = match around.questions.acquire().await {
                Ok(_permit) => around.prometheus.health(&book.healthy, &target).await,
                Err(_) => Verdict::Unknown,
            };
            around.tell(Input::Event(Event::HealthSample { incident, ticket, verdict })).await;
        });
    }

    fn ask_condition(&self, incident: IncidentId, step: StepId, ticket: u64) {
        let Some((state, book)) = self.state_and_book(incident) else { return };
        let facts = self.facts(state, book);
        let (book, target, around) = (book.clone(), state.target.clone(), self.surroundings.clone());
        self.tasks.spawn(async move {
            let answer = match (around.questions.acquire().await, book.step(&step).and_then(|spec| spec.when.as_ref())) {
                (Ok(_permit), Some(condition)) => holds(condition, &facts, &around.prometheus, &target).await,
                (Ok(_permit), None) => Answer::Yes,
                (Err(error), _) => Answer::Error(error.to_string()),
            };
            around.tell(Input::Event(Event::ConditionAnswered { incident, step, ticket, answer })).await;
        });
    }

    fn state_and_book(&self, incident: IncidentId) -> Option<(&Incident, &Arc<Book>)> {
        let state = self.fleet.incident(incident)?;
        Some((state, self.books.get(&state.runbook)?))
    }

    fn run_step(&mut self, key: RunKey) {
        let Some((state, book)) = self.state_and_book(key.incident) else { return };
        let facts = self.facts(state, book);
        let launch = book
            .step(&key.step)
            .ok_or_else(|| "the runbook has no such step any more".to_owned())
            .and_then(|spec| Launch::prepare(spec, &facts, &self.surroundings.site, self.attachments_of(key.incident)));
        let kill = CancellationToken::new();
        let around = self.surroundings.clone();
        let (told, stop) = (key.clone(), kill.clone());
        self.tasks.spawn(async move {
            let finished = match (launch, around.processes.acquire().await) {
                (Ok(launch), Ok(_permit)) => {
                    let started = |mark: ProcessMark| {
                        // A full queue loses only the mark; the attempt is then taken for one that may never have started.
                        drop(around.inputs.try_send(Input::Spawned { key: told.clone(), mark }));
                    };
                    executor::run(launch, stop, started).await
                }
                (Err(why), _) => executor::Finished::never_started(why),
                (_, Err(error)) => executor::Finished::never_started(error.to_string()),
            };
            let (outcome, result) = into_result(finished, around.clock.now());
            around.tell(Input::Finished { key: told, outcome, result }).await;
        });
        self.running.insert(key, kill);
    }

    fn attachments_of(&self, incident: IncidentId) -> PathBuf {
        self.surroundings.attachments.join(incident.to_string())
    }

    /// What conditions and arguments can name.
    fn facts(&self, state: &Incident, book: &Book) -> Facts {
        let said = self.facts.get(&state.id);
        let steps = state.steps.iter().map(|record| {
            let fact = said.and_then(|said| said.get(&record.id));
            let json = book.step(&record.id).is_some_and(|spec| spec.output == Output::Json);
            (record.id.to_string(), step_facts(record.state.as_str(), fact, json))
        });
        let alert = state.alerts.values().min_by_key(|alert| alert.heard_at);
        Facts {
            target: state.target.to_string(),
            steps: steps.collect(),
            alert: alert.map_or_else(AlertFacts::default, |alert| AlertFacts {
                name: alert.name.to_string(),
                labels: alert.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
                annotations: BTreeMap::new(),
            }),
            incident: IncidentFacts {
                id: state.id.get(),
                runbook: state.runbook.to_string(),
                relapses: state.relapses,
                opened_at: rfc3339(state.opened_at),
                attachments: self.attachments_of(state.id).display().to_string(),
            },
            host: HostFacts { platform: self.surroundings.site.platform.to_string() },
        }
    }
}

fn step_facts(state: &str, fact: Option<&StepFact>, json: bool) -> StepFacts {
    StepFacts {
        state: state.to_owned(),
        exit_code: fact.and_then(|fact| fact.exit_code),
        json: fact.filter(|_| json).and_then(|fact| serde_json::from_str(&fact.stdout).ok()),
        stdout: fact.map(|fact| fact.stdout.to_string()),
    }
}

fn into_result(finished: executor::Finished, finished_at: Timestamp) -> (Outcome, RunResult) {
    let state = match &finished.outcome {
        Outcome::Ok => "ok",
        Outcome::Failed(_) => "failed",
        Outcome::Timeout => "timeout",
        Outcome::Unknown => "unknown",
    };
    let result = RunResult {
        finished_at,
        state,
        exit_code: finished.exit_code,
        stdout: finished.stdout,
        stderr: finished.stderr,
    };
    (finished.outcome, result)
}
