//! Runs the cases of `*.test.yml` and compares timelines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vvtv_incident::{
    AlertName, Answer, EntryKind, Event, Fingerprint, IncidentId, LabelName, Operation, Outcome, Person, Policy,
    RunbookId, Sender, StepId, Timestamp, Verdict,
};
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::{Document, YamlError};

use super::coverage::Coverage;
use super::file::{self, Case, Deed, File, StepResult};
use super::world::{Ending, Happens, Line, Script, World, default_target};
use crate::conditions::promql::Query;
use crate::config::Config;
use crate::runbook::LoadedRunbook;

/// A step that the case says nothing about ends well after this time.
const TAKES: Duration = Duration::from_millis(100);
const UNTIL: Duration = Duration::from_secs(4 * 3600);

/// How one case went.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// The timeline as it was.
    pub timeline: Vec<String>,
    /// What is wrong, with its place; `None` if the timeline is the expected one.
    pub failure: Option<String>,
}

/// How all cases went.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Each file's cases.
    pub files: Vec<(PathBuf, Vec<CaseReport>)>,
    /// Files that cannot be read.
    pub errors: Vec<YamlError>,
    /// Branches of the runbooks that no case went through.
    pub not_covered: Vec<String>,
}

impl Summary {
    /// Whether every file could be read and every case went as expected.
    #[must_use]
    pub fn good(&self) -> bool {
        self.errors.is_empty() && self.files.iter().flat_map(|(_, cases)| cases).all(|case| case.failure.is_none())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "error: {error}")?;
        }
        for (path, cases) in &self.files {
            writeln!(f, "{}", path.display())?;
            for case in cases {
                match &case.failure {
                    None => writeln!(f, "  ok      {}", case.name)?,
                    Some(failure) => writeln!(f, "  FAILED  {}\n{failure}", case.name)?,
                }
            }
        }
        let all = self.files.iter().flat_map(|(_, cases)| cases);
        let failed = all.clone().filter(|case| case.failure.is_some()).count();
        write!(f, "{} cases, {failed} failed", all.count())
    }
}

/// Runs every `*.test.yml` beside the runbooks.
#[must_use]
pub fn tests_of(config: &Config, books: &[LoadedRunbook]) -> Summary {
    let mut summary = Summary::default();
    let mut coverage = Coverage::of(books);
    for path in test_files(&config.runbooks) {
        match Document::read(&path).and_then(|source| run_file(&source, config, books, &mut coverage)) {
            Ok(cases) => summary.files.push((path, cases)),
            Err(error) => summary.errors.push(error),
        }
    }
    summary.not_covered = coverage.missing();
    summary
}

fn test_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_test = |path: &PathBuf| path.to_str().is_some_and(|name| name.ends_with(".test.yml"));
    entries.filter(is_test).collect::<BTreeSet<_>>().into_iter().collect()
}

fn run_file(
    source: &Document,
    config: &Config,
    books: &[LoadedRunbook],
    coverage: &mut Coverage,
) -> Result<Vec<CaseReport>, YamlError> {
    let file: File = source.parse()?;
    file.tests.iter().map(|case| run_case(case, source, config, books, coverage)).collect()
}

fn run_case(
    case: &Case,
    source: &Document,
    config: &Config,
    books: &[LoadedRunbook],
    coverage: &mut Coverage,
) -> Result<CaseReport, YamlError> {
    names_are_known(case, source, books)?;
    // What a case expects must not depend on one installation's mode or limits; its people are the configured ones.
    let policy = Policy { contacts: config.policy.contacts.clone(), ..Policy::default() };
    let mut world = World::new(policy, books, &config.site, case);
    happenings(case, &mut world);
    let rested = world.run(Timestamp::default() + case.until.map_or(UNTIL, PromDuration::get));
    coverage.note(&world.lines);
    let timeline = timeline(&world.lines);
    let failure = if rested {
        difference(&case.expect.value, &timeline).map(|text| source.error(&case.expect, text).to_string())
    } else {
        Some(source.error(&case.name, "the runbook never comes to rest").to_string())
    };
    Ok(CaseReport { name: case.name.value.clone(), timeline, failure })
}

fn names_are_known(case: &Case, source: &Document, books: &[LoadedRunbook]) -> Result<(), YamlError> {
    for (step, results) in &case.steps {
        if !books.iter().any(|book| book.steps.contains_key(&StepId::new(step.as_str()))) {
            return Err(source.error(results, format!("no runbook has a step `{step}`")));
        }
        if results.value.is_empty() {
            return Err(source.error(results, "a step needs at least one result"));
        }
    }
    for operator in &case.operators {
        if matches!(operator.what.value, Deed::Approve) && operator.step.is_none() {
            return Err(source.error(&operator.what, "an approval names its `step`"));
        }
    }
    for alert in &case.alerts {
        if !books.iter().any(|book| book.plan.alerts.contains(&AlertName::new(alert.name.value.as_str()))) {
            return Err(source.error(&alert.name, format!("no runbook answers {}", alert.name.value)));
        }
    }
    for runbook in case.health.iter().filter_map(|health| health.runbook.as_ref()) {
        if !books.iter().any(|book| book.plan.id.as_str() == runbook.value) {
            return Err(source.error(runbook, format!("no runbook has the id `{}`", runbook.value)));
        }
    }
    Ok(())
}

fn happenings(case: &Case, world: &mut World<'_, Case>) {
    let time = |at: PromDuration| Timestamp::default() + at.get();
    for health in &case.health {
        let runbook = health.runbook.as_ref().map(|id| RunbookId::new(id.value.as_str()));
        world.at(time(health.at), Happens::Health { runbook, verdict: verdict(health.is) });
    }
    for alert in &case.alerts {
        let name = AlertName::new(alert.name.value.as_str());
        let mut labels = BTreeMap::from([(LabelName::new("stream"), default_target().as_str().into())]);
        labels.extend(alert.labels.iter().map(|(name, value)| (LabelName::new(name.as_str()), value.as_str().into())));
        let fingerprint = Fingerprint::new(format!("{name}{labels:?}"));
        let firing = vvtv_incident::Alert {
            fingerprint: fingerprint.clone(),
            name,
            labels,
            starts_at: time(alert.at),
            sender: Sender::default(),
        };
        world.at(time(alert.at), Happens::Event(Event::AlertFiring(firing)));
        if let Some(until) = alert.until {
            let ends_at = time(until);
            world.at(
                ends_at,
                Happens::Event(Event::AlertResolved { fingerprint, starts_at: time(alert.at), ends_at: Some(ends_at) }),
            );
        }
    }
    for operator in &case.operators {
        let operation = match operator.what.value {
            Deed::Ack => Operation::Ack,
            Deed::Hold => Operation::Hold,
            Deed::Release => Operation::Release,
            Deed::Approve => Operation::Approve(StepId::new(operator.step.as_deref().unwrap_or_default())),
            Deed::Abort => Operation::Abort,
        };
        let (incident, by) = (IncidentId::new(1), Person::new("operator"));
        world.at(time(operator.at), Happens::Event(Event::Operator { incident, by, operation }));
    }
}

const fn verdict(health: file::Health) -> Verdict {
    match health {
        file::Health::Healthy => Verdict::Healthy,
        file::Health::Sick => Verdict::Unhealthy,
        file::Health::Unknown => Verdict::Unknown,
    }
}

impl Script for Case {
    fn ending(&self, step: &StepId, attempt: u32, timeout: Duration) -> Ending {
        let results = self.steps.get(step.as_str()).map_or(&[][..], |results| &results.value);
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let unsaid = StepResult::default();
        let result = results.get(index).or(results.last()).unwrap_or(&unsaid);
        let outcome = match (result.hangs, result.lost, result.exit_code) {
            (true, ..) => Outcome::Timeout,
            (_, true, _) => Outcome::Unknown,
            (_, _, 0) => Outcome::Ok,
            (_, _, code) => Outcome::Failed(format!("exit code {code}")),
        };
        let takes = if result.hangs { timeout } else { result.takes.map_or(TAKES, PromDuration::get) };
        let exit_code = (!result.hangs && !result.lost).then_some(result.exit_code);
        let stdout = result.json.as_ref().map_or_else(|| result.stdout.clone(), serde_json::Value::to_string);
        Ending { takes, outcome, exit_code, stdout, health: result.health.map(verdict) }
    }

    fn promql(&self, query: &Query) -> Answer {
        match self.promql.get(query.as_str()) {
            Some(file::Truth::True) => Answer::Yes,
            Some(file::Truth::False) => Answer::No,
            Some(file::Truth::Unknown) => Answer::Error("no sample".to_owned()),
            None => Answer::Error("the case does not say what Prometheus answers".to_owned()),
        }
    }

    fn decided(&self, _: &StepId) -> Option<Answer> {
        None
    }
}

/// What a case expects and people read: what was done and why, not every look at the system.
const fn is_shown(line: &Line) -> bool {
    match line.entry.event {
        EntryKind::Opened
        | EntryKind::StepStarted
        | EntryKind::StepFinished
        | EntryKind::StepSkipped
        | EntryKind::Blocked
        | EntryKind::Paged
        | EntryKind::Told
        | EntryKind::PageResolved
        | EntryKind::Operator
        | EntryKind::Closed => true,
        EntryKind::Alert
        | EntryKind::Ignored
        | EntryKind::Health
        | EntryKind::Phase
        | EntryKind::PageDelivered
        | EntryKind::NotCalled
        | EntryKind::Channel
        | EntryKind::Task
        | EntryKind::Clock
        | EntryKind::Journal => false,
    }
}

/// The lines as cases write them: time, event, detail, reason, and what a change runs. Where several runbooks are at work, each
/// line names its own.
fn timeline(lines: &[Line]) -> Vec<String> {
    let opened = lines.iter().filter(|line| line.entry.event == EntryKind::Opened);
    let runbooks: BTreeMap<Option<IncidentId>, &str> =
        opened.map(|line| (line.entry.incident, line.entry.detail.split(':').next().unwrap_or_default())).collect();
    let shown = lines.iter().filter(|line| is_shown(line));
    if runbooks.len() < 2 {
        return shown.map(|line| text(line, "")).collect();
    }
    shown.map(|line| text(line, runbooks.get(&line.entry.incident).unwrap_or(&""))).collect()
}

fn text(line: &Line, runbook: &str) -> String {
    let at = PromDuration::new(line.at.since(Timestamp::default()));
    let runbook = if runbook.is_empty() { String::new() } else { format!(" {runbook}") };
    let detail = if line.entry.detail.is_empty() { String::new() } else { format!(" {}", line.entry.detail) };
    let run = line.argv.as_ref().map(|argv| format!(" $ {argv}")).unwrap_or_default();
    format!("{at}{runbook} {}{detail} [{}]{run}", line.entry.event.as_str(), line.entry.reason)
}

/// The first line that differs, with both sides whole: the actual one can be copied into the file.
fn difference(expected: &[String], actual: &[String]) -> Option<String> {
    if expected == actual {
        return None;
    }
    let at = expected.iter().zip(actual).take_while(|(expected, actual)| expected == actual).count();
    let side = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "(nothing more)".to_owned());
    let whole: String = actual.iter().map(|line| format!("\n      - {}", quoted(line))).collect();
    Some(format!(
        "line {} differs\n  expected: {}\n  happened: {}\nthe whole timeline:{whole}",
        at + 1,
        side(expected),
        side(actual)
    ))
}

/// A line as YAML reads it back.
fn quoted(line: &str) -> String {
    if line.contains(": ") || line.contains(" #") { format!("'{}'", line.replace('\'', "''")) } else { line.to_owned() }
}
