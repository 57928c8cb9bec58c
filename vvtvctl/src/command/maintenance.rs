//! `ops maintenance`: the runbook's daily, weekly and monthly lists. What a machine can do it does, with evidence; what needs a
//! person is listed as such, and never reported as done.

mod files;
mod live;
mod measured;
mod segments;

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use vvtv_playout_interface::failure::Failure;

use super::context::Context;
use crate::render;
use crate::verdict::Verdict;

/// When a task is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Every {
    Day,
    Week,
    Month,
}

/// Who does a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Machine(Task),
    /// The contact level that owns it.
    Person(u8),
}

/// What a machine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Measured(measured::Question),
    ReviewErrors,
    RotateLogs,
    CleanSegments,
    ReviewPreset,
    /// Interrupts the stream for a moment: runs only when that is allowed.
    Failover,
}

struct Entry {
    name: &'static str,
    every: Every,
    title: &'static str,
    by: By,
}

/// The page's lists, in its order.
const ENTRIES: [Entry; 12] = [
    entry("segment-freshness", Every::Day, "Verify segment freshness < 6s", measured(measured::Question::Freshness)),
    entry("drop-rate", Every::Day, "Check encoder drop rate < 0.1%", measured(measured::Question::Drops)),
    entry("bitrate-stability", Every::Day, "Confirm bitrate stability", measured(measured::Question::Bitrate)),
    entry("error-logs", Every::Day, "Review error logs", By::Machine(Task::ReviewErrors)),
    entry("rotate-logs", Every::Week, "Rotate NGINX logs", By::Machine(Task::RotateLogs)),
    entry("clean-segments", Every::Week, "Clean old HLS segments", By::Machine(Task::CleanSegments)),
    entry("preset-review", Every::Week, "Update encoder presets if needed", By::Machine(Task::ReviewPreset)),
    entry("failover-test", Every::Week, "Test failover procedures", By::Machine(Task::Failover)),
    entry("slo-compliance", Every::Month, "Review SLO compliance", measured(measured::Question::Slo)),
    entry("runbook-review", Every::Month, "Update runbook procedures", By::Person(2)),
    entry("capacity", Every::Month, "Capacity planning review", measured(measured::Question::Capacity)),
    entry("disaster-recovery", Every::Month, "Disaster recovery test", By::Person(3)),
];

const fn entry(name: &'static str, every: Every, title: &'static str, by: By) -> Entry {
    Entry { name, every, title, by }
}

const fn measured(question: measured::Question) -> By {
    By::Machine(Task::Measured(question))
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    Pass,
    /// It was not run: a person's, or not allowed.
    Skipped,
    /// It could not be found out.
    Unknown,
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Evidence {
    what: String,
    value: String,
    /// What the value is held against, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
}

/// What a task found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    mark: Mark,
    summary: String,
    evidence: Vec<Evidence>,
}

impl Finding {
    fn new(good: bool, summary: impl Into<String>, evidence: Vec<Evidence>) -> Self {
        Self { mark: if good { Mark::Pass } else { Mark::Fail }, summary: summary.into(), evidence }
    }

    fn bare(mark: Mark, summary: impl Into<String>) -> Self {
        Self { mark, summary: summary.into(), evidence: Vec::new() }
    }
}

fn evidence(what: impl Into<String>, value: impl Into<String>, limit: Option<&str>) -> Evidence {
    Evidence { what: what.into(), value: value.into(), limit: limit.map(str::to_owned) }
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    every: Every,
    title: &'static str,
    /// `machine`, or the contact level that owns it, as `L2`.
    owner: String,
}

#[derive(Serialize)]
struct Done {
    name: &'static str,
    title: &'static str,
    #[serde(flatten)]
    finding: Finding,
    duration_seconds: f64,
}

#[derive(Serialize)]
struct Report {
    passed: bool,
    tasks: Vec<Done>,
}

pub(super) fn list(context: &Context) -> Result<Verdict, Failure> {
    let owner = |by| match by {
        By::Machine(_) => "machine".to_owned(),
        By::Person(level) => format!("L{level}"),
    };
    let listed =
        ENTRIES.iter().map(|it| Listed { name: it.name, every: it.every, title: it.title, owner: owner(it.by) });
    let listed: Vec<Listed> = listed.collect();
    render::result(context.format, &serde_json::json!({ "tasks": listed }), || {
        let row = |it: &Listed| {
            let every = format!("{:?}", it.every).to_lowercase();
            vec![it.name.to_owned(), every, it.owner.clone(), it.title.to_owned()]
        };
        render::table(&["NAME", "EVERY", "OWNER", "TASK"], listed.iter().map(row).collect())
    })?;
    Ok(Verdict::Good)
}

/// Runs tasks by name, or all of `daily`, `weekly` or `monthly`.
pub(super) async fn run(context: &Context, names: &[String], disruptive: bool) -> Result<Verdict, Failure> {
    let mut chosen = Vec::new();
    for name in names {
        chosen.extend(choose(name)?);
    }
    let mut tasks = Vec::new();
    for entry in chosen {
        let began = Instant::now();
        let finding = match entry.by {
            By::Person(level) => Finding::bare(Mark::Skipped, format!("a task for people: L{level} owns it")),
            By::Machine(Task::Failover) if !disruptive => {
                Finding::bare(Mark::Skipped, "it interrupts the stream for some seconds: allow it with --disruptive")
            }
            By::Machine(task) => {
                perform(context, task).await.unwrap_or_else(|failure| Finding::bare(Mark::Unknown, failure.message()))
            }
        };
        let duration_seconds = began.elapsed().as_secs_f64();
        tasks.push(Done { name: entry.name, title: entry.title, finding, duration_seconds });
    }
    let worst = tasks.iter().map(|task| task.finding.mark).max().unwrap_or(Mark::Skipped);
    let nothing_done = tasks.iter().all(|task| task.finding.mark == Mark::Skipped);
    let report = Report { passed: worst <= Mark::Skipped && !nothing_done, tasks };
    render::result(context.format, &report, || text(&report))?;
    match worst {
        Mark::Skipped if nothing_done => Err(Failure::Refused(anyhow::anyhow!("nothing was done"))),
        Mark::Pass | Mark::Skipped => Ok(Verdict::Good),
        Mark::Unknown => Ok(Verdict::Unreachable),
        Mark::Fail => Ok(Verdict::Unhealthy),
    }
}

fn choose(name: &str) -> Result<Vec<&'static Entry>, Failure> {
    let every = match name {
        "daily" => Some(Every::Day),
        "weekly" => Some(Every::Week),
        "monthly" => Some(Every::Month),
        _ => None,
    };
    let chosen: Vec<&Entry> = ENTRIES.iter().filter(|it| Some(it.every) == every || it.name == name).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = ENTRIES.iter().map(|it| it.name).collect();
        let error = anyhow::anyhow!("there is no task `{name}`: daily, weekly, monthly, {}", names.join(", "));
        return Err(Failure::Usage(error));
    }
    Ok(chosen)
}

async fn perform(context: &Context, task: Task) -> Result<Finding, Failure> {
    match task {
        Task::Measured(question) => measured::ask(&context.config()?, question).await.map_err(Failure::Unreachable),
        Task::ReviewErrors => Ok(files::review_errors(&context.layout, jiff::Timestamp::now())?),
        Task::RotateLogs => Ok(files::rotate(&context.layout).await?),
        Task::CleanSegments => Ok(segments::clean(&context.layout.hls(), std::time::SystemTime::now())?),
        Task::ReviewPreset => live::review_preset(context),
        Task::Failover => live::failover(context, Duration::from_secs(15)).await,
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for Done { name, finding, duration_seconds, .. } in &report.tasks {
        let mark = match finding.mark {
            Mark::Pass => "pass",
            Mark::Skipped => "skipped",
            Mark::Unknown => "UNKNOWN",
            Mark::Fail => "FAIL",
        };
        text.push_str(&format!("{mark:<8} {name:<18} {} ({duration_seconds:.1} s)\n", finding.summary));
        for Evidence { what, value, limit } in &finding.evidence {
            let limit = limit.as_ref().map_or_else(String::new, |limit| format!(" (wanted: {limit})"));
            text.push_str(&format!("           {what}: {value}{limit}\n"));
        }
    }
    text
}
