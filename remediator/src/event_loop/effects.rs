//! What follows once a decision is durable: questions, processes, messages. Each runs on its own and reports back as an input.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use vvtv_incident::{Answer, Event, Incident, IncidentId, Outcome, StepId, TaskId, Timestamp, Verdict};
use vvtv_toolkit::redaction::Redactor;

use super::turn::Ahead;
use super::{EventLoop, Input};
use crate::clock::{Clock, rfc3339};
use crate::conditions::facts::{AlertFacts, Facts, HostFacts, IncidentFacts, StepOutputs};
use crate::conditions::{PromClient, holds};
use crate::failpoint::{Point, reached};
use crate::journal::outbox::Message;
use crate::journal::{RunKey, RunResult};
use crate::paging::delivery::Outgoing;
use crate::runbook::LoadedRunbook;
use crate::site::SiteValues;
use crate::steps::{self, Captured, Executor, Finished, Go, Held, Job, Launch, Process, Spare};

/// Questions to Prometheus at one time.
const QUESTIONS_MAX: usize = 64;
/// A change that could not be started for this long is not started: what it was decided on may be over.
const DECISION_KEEPS: Duration = Duration::from_secs(10);
/// How long a question may wait for its turn; an answer after that comes too late for the core.
const QUESTION_WAITS: Duration = Duration::from_secs(5);
/// What is shown of a running step's output, of each stream.
const OUTPUT_BYTES_MAX: usize = 16 << 10;
/// Processes at one time. Changes have a limit of their own; this one bounds diagnoses.
const PROCESSES_MAX: usize = 64;

/// Something to do now that its decision is on disk.
#[derive(Debug)]
pub(super) enum Effect {
    AskHealth { incident: IncidentId, ticket: u64 },
    AskTargets,
    AskCondition { incident: IncidentId, step: StepId, ticket: u64 },
    Run { key: RunKey, decided_at: Timestamp },
    LetGo(Go),
    Kill(RunKey),
    Send(Message),
    RunTask(TaskId),
}

/// Everything that effects need and the loop does not own.
#[derive(Clone)]
pub(crate) struct EffectContext {
    /// Prometheus.
    pub prometheus: PromClient,
    /// What runbooks may use of this installation.
    pub site: SiteValues,
    /// Asks Prometheus for every target.
    pub targets_wanted: Arc<Notify>,
    /// Starts processes.
    pub executor: Executor,
    /// The ways to people.
    pub outgoing: Outgoing,
    /// Under which steps leave files for the bundle, a directory per incident.
    pub attachments: PathBuf,
    /// The way back to the loop.
    pub inputs: mpsc::Sender<Input>,
    /// The clock.
    pub clock: Clock,
    /// How much may go on at a time.
    pub permits: Permits,
    /// What must not be written down.
    pub redaction: Redactor,
}

/// How much may go on at a time.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    questions: Arc<Semaphore>,
    processes: Arc<Semaphore>,
}

impl EffectContext {
    /// As many questions and processes at a time as there may be.
    #[must_use]
    pub(crate) fn permits() -> Permits {
        Permits {
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            processes: Arc::new(Semaphore::new(PROCESSES_MAX)),
        }
    }

    pub(super) async fn tell(&self, input: Input) {
        // The loop has ended; what is lost here is asked or found again at the next start.
        drop(self.inputs.send(input).await);
    }
}

impl EventLoop {
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::AskHealth { incident, ticket } => self.ask_health(incident, ticket),
            Effect::AskTargets => self.effect_context.targets_wanted.notify_one(),
            Effect::AskCondition { incident, step, ticket } => self.ask_condition(incident, step, ticket),
            Effect::Run { key, decided_at } => drop(self.run_step(key, decided_at, None)),
            Effect::LetGo(go) => {
                reached(Point::StepNoted);
                go.ahead();
            }
            Effect::Kill(key) => {
                if let Some(kill) = self.running.get(&key) {
                    kill.cancel();
                }
            }
            Effect::Send(message) => self.send(message),
            Effect::RunTask(task) => self.run_task(task),
        }
    }

    /// What finds no room stays in the journal as unsent, and the next start takes it up.
    fn send(&self, message: Message) {
        let key = message.key.clone();
        if let Err(error) = self.effect_context.outgoing.send(message) {
            self.metrics.messages.with_label_values(&[&key.channel, key.kind.as_str(), "no_room"]).inc();
            tracing::error!(channel = key.channel, about = %key.subject, "{error}");
        }
    }

    fn ask_health(&self, incident: IncidentId, ticket: u64) {
        let Some((state, book)) = self.state_and_book(incident) else { return };
        let (book, target, context) = (book.clone(), state.target.clone(), Arc::clone(&self.effect_context));
        self.background.spawn(async move {
            let verdict = match tokio::time::timeout(QUESTION_WAITS, context.permits.questions.acquire()).await {
                Ok(_permit) => context.prometheus.health(&book.healthy, &target).await,
                Err(_) => Verdict::Unknown,
            };
            context.tell(Input::Event(Event::HealthSample { incident, ticket, verdict })).await;
        });
    }

    fn ask_condition(&self, incident: IncidentId, step: StepId, ticket: u64) {
        let Some((state, book)) = self.state_and_book(incident) else { return };
        let facts = self.facts(state, book);
        let (book, context) = (book.clone(), Arc::clone(&self.effect_context));
        self.background.spawn(async move {
            let answer =
                match (context.permits.questions.acquire().await, book.step(&step).and_then(|spec| spec.when.as_ref()))
                {
                    (Ok(_permit), Some(condition)) => {
                        holds(condition, &facts, &context.site, &context.prometheus).await
                    }
                    (Ok(_permit), None) => Answer::Yes,
                    (Err(error), _) => Answer::Error(error.to_string()),
                };
            let answer = match answer {
                Answer::Error(why) => Answer::Error(context.redaction.text(&why).into_owned()),
                told @ (Answer::Yes | Answer::No) => told,
            };
            context.tell(Input::Event(Event::ConditionAnswered { incident, step, ticket, answer })).await;
        });
    }

    fn state_and_book(&self, incident: IncidentId) -> Option<(&Incident, &Arc<LoadedRunbook>)> {
        let state = self.fleet.incident(incident)?;
        Some((state, self.books.get(&state.runbook)?))
    }

    /// Gives a step its process while its decision is written: it waits, is let go once both are on disk, and ends without having run
    /// if we end before. While the journal fails none is taken that would only wait.
    pub(super) fn start(&mut self, decided_at: Timestamp, key: RunKey) {
        if self.journal_failing {
            self.pending.effects.push(Effect::Run { key, decided_at });
            return;
        }
        let held = self.spare().map(|spare| {
            self.pending.batch.spawned.push((key.clone(), spare.identity().clone()));
            let (held, go) = spare.hold();
            self.pending.effects.push(Effect::LetGo(go));
            held
        });
        let process = self.run_step(key.clone(), decided_at, held);
        self.pending.ahead.push(Ahead { key, decided_at, process });
    }

    /// The process that is ready, if there is one.
    fn spare(&mut self) -> Option<Spare> {
        while let Ok(mut spare) = self.spares.try_recv() {
            if spare.waits() {
                return Some(spare);
            }
        }
        None
    }

    /// Ends what waits for a transaction that could not be written, and makes it anew once it is.
    pub(super) fn take_back(&mut self) {
        let ahead = std::mem::take(&mut self.pending.ahead);
        self.pending.batch.spawned.retain(|(key, _)| !ahead.iter().any(|it| it.key == *key));
        let again = ahead.into_iter().map(|Ahead { key, decided_at, process }| {
            process.abort();
            self.running.remove(&key);
            Effect::Run { key, decided_at }
        });
        // Before what was decided about them afterwards.
        self.pending.effects.splice(..0, again);
    }

    fn run_step(&mut self, key: RunKey, decided_at: Timestamp, held: Option<Held>) -> AbortHandle {
        let kill = CancellationToken::new();
        let launch = self.launch(&key);
        let change = self.is_change(&key);
        let (context, told, stop) = (Arc::clone(&self.effect_context), key.clone(), kill.clone());
        let process = self.background.spawn(async move {
            // Changes are bounded by the core; a crowd of diagnoses must not hold them back.
            let permit = if change { None } else { context.permits.processes.acquire().await.ok() };
            let age = context.clock.now().since(decided_at);
            let finished = match launch {
                Ok(_) if stop.is_cancelled() => never_started("ended before it was started".to_owned(), decided_at),
                Ok(_) if change && age > DECISION_KEEPS => {
                    never_started(format!("decided {} s ago: too long to act on it", age.as_secs()), decided_at)
                }
                Ok(launch) => run(&context, launch, &told, held, stop).await,
                Err(why) => never_started(why, context.clock.now()),
            };
            drop(permit);
            let result = into_result(finished, &context.redaction);
            reached(Point::StepEnded);
            context.tell(Input::Finished { key: told, result }).await;
        });
        self.running.insert(key, kill);
        process.abort_handle()
    }

    fn is_change(&self, key: &RunKey) -> bool {
        let steps = self.fleet.incident(key.incident).into_iter().flat_map(Incident::steps);
        steps.into_iter().any(|record| record.id == key.step && record.is_change())
    }

    fn launch(&self, key: &RunKey) -> Result<Launch, String> {
        let (state, book) = self.state_and_book(key.incident).ok_or("the incident has no runbook any more")?;
        let spec = book.step(&key.step).ok_or("the runbook has no such step any more")?;
        let facts = self.facts(state, book);
        Ok(Launch {
            job: Job::Step {
                incident: key.incident,
                runbook: state.runbook.clone(),
                step: key.step.clone(),
                attempt: key.attempt,
            },
            argv: spec.argv(&facts, &self.effect_context.site)?,
            timeout: spec.timeout,
            facts,
            attachments: Some(self.attachments_of(key.incident)),
        })
    }

    fn attachments_of(&self, incident: IncidentId) -> PathBuf {
        self.effect_context.attachments.join(incident.to_string())
    }

    /// What conditions and arguments can name.
    fn facts(&self, state: &Incident, book: &LoadedRunbook) -> Facts {
        let alert = state.alerts.values().min_by_key(|alert| alert.heard_at);
        Facts {
            target: state.target.to_string(),
            steps: self
                .facts
                .get(&state.id)
                .unwrap_or(&StepOutputs::default())
                .steps(state, |step| book.writes_json(step)),
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
            host: HostFacts { platform: self.effect_context.site.platform.as_str().to_owned() },
        }
    }
}

async fn run(
    context: &EffectContext,
    launch: Launch,
    key: &RunKey,
    held: Option<Held>,
    kill: CancellationToken,
) -> Finished {
    reached(Point::StepIntended);
    let (spawned, identity) = oneshot::channel();
    let (output, mut written) = mpsc::channel(1);
    let process = held.map_or(Process::Made(spawned), |held| Process::Held(Box::new(held)));
    let running = context.executor.run(launch, process, output, kill);
    let telling = async {
        if let Ok(waiting) = identity.await {
            context.tell(Input::Spawned { key: key.clone(), waiting }).await;
        }
    };
    let streaming = async {
        while let Some(output) = written.recv().await {
            let shown = |text: String| excerpt(&context.redaction.text(&text));
            let output = steps::Output { stdout: shown(output.stdout), stderr: shown(output.stderr) };
            context.tell(Input::Output { key: key.clone(), output }).await;
        }
    };
    tokio::join!(running, telling, streaming).0
}

/// The beginning and the end of what a running step has written.
fn excerpt(text: &str) -> String {
    if text.len() <= OUTPUT_BYTES_MAX {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(OUTPUT_BYTES_MAX / 2);
    let tail = text.ceil_char_boundary(text.len() - OUTPUT_BYTES_MAX / 2);
    let (begin, end) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    format!("{begin}\n[{} bytes left out while it runs]\n{end}", tail - head)
}

fn never_started(why: String, at: Timestamp) -> Finished {
    Finished {
        outcome: Outcome::Failed(why),
        exit_code: None,
        stdout: Captured::default(),
        stderr: Captured::default(),
        started_at: at,
        finished_at: at,
    }
}

fn into_result(finished: Finished, redaction: &Redactor) -> RunResult {
    let mut stderr = finished.stderr.text();
    if let (Outcome::Failed(why), None, true) = (&finished.outcome, finished.exit_code, stderr.trim().is_empty()) {
        // What was refused, or ended from outside, has said nothing itself; people are told why in its place.
        stderr = format!("vvtv-remediator: {why}\n");
    }
    RunResult {
        finished_at: finished.finished_at,
        outcome: match finished.outcome {
            Outcome::Failed(why) => Outcome::Failed(redaction.text(&why).into_owned()),
            ended @ (Outcome::Ok | Outcome::Timeout | Outcome::Unknown | Outcome::NotRun) => ended,
        },
        exit_code: finished.exit_code,
        stdout: redaction.text(&finished.stdout.text()).into_owned(),
        stderr: redaction.text(&stderr).into_owned(),
    }
}
