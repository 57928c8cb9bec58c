//! The console: pages for people, complete without JavaScript, followed live with it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use futures_util::Stream;
use vvtv_incident::{BuiltIn, IncidentId, Kind, Runbook, Step};
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::serve::headers::PAGE_POLICY;

use super::tasks::Tasks;
use super::view::{IncidentView, NextCall, next_call, summary, whole};
use super::{ApiError, Shared};
use crate::clock::rfc3339;
use crate::efficacy;
use crate::journal::{ClosedIn, ExitCodes, Listing, RunRow};
use crate::runbook::LoadedRunbook;

/// Incidents in each list of the first page.
const ROWS: usize = 50;
/// How long one answer follows the events.
const FOLLOWED_FOR: Duration = Duration::from_secs(15 * 60);
/// Done tasks on the first page.
const TASKS_DONE: usize = 10;

/// What every page shows around its content.
struct Frame {
    runbooks: Vec<String>,
    paused: bool,
    /// By whom, and since when.
    pause: Option<(String, String)>,
    /// The maintenance window that is open, and until when.
    maintenance: Option<(String, String)>,
    warnings: Vec<String>,
}

impl Frame {
    async fn of(shared: &Shared) -> Result<Self, ApiError> {
        let pause = shared.reader.pause().await?;
        Ok(Self {
            runbooks: shared.live().books.iter().map(|book| book.plan.id.to_string()).collect(),
            paused: shared.status.borrow().paused,
            pause: pause.map(|pause| (pause.by.to_string(), rfc3339(pause.at))),
            maintenance: shared.open_window().map(|open| (open.name, open.until)),
            warnings: shared.warnings.now(&shared.live().contacts),
        })
    }
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    frame: Frame,
    open: Vec<IncidentView>,
    closed: Vec<IncidentView>,
    tasks: Tasks,
}

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage {
    frame: Frame,
    it: IncidentView,
    runs: Vec<RunRow>,
    next_call: Option<NextCall>,
    /// Whether there is a page of its runbook.
    has_runbook: bool,
    operations: [(&'static str, &'static str); 4],
}

#[derive(Template)]
#[template(path = "runbook.html")]
struct RunbookPage<'a> {
    frame: Frame,
    book: &'a LoadedRunbook,
    timers: Timers,
    ladder: Vec<StepText>,
    recovery: Vec<StepText>,
}

struct Timers {
    healthy_for: String,
    respond_within: String,
    escalate: Option<String>,
    monitor: String,
}

struct StepText {
    id: String,
    title: String,
    kind: &'static str,
    command: String,
    condition: Option<String>,
    limits: String,
    /// What it came to lately, if it was run.
    record: Option<String>,
}

const OPERATIONS: [(&str, &str); 4] = [
    ("ack", "Acknowledge: I have it"),
    ("hold", "Hold: no more actions"),
    ("release", "Release"),
    ("abort", "Abort: people have it"),
];

pub(super) async fn index(State(shared): State<Arc<Shared>>) -> Result<Response, ApiError> {
    let list = async |which| -> Result<Vec<IncidentView>, ApiError> {
        let rows = shared.reader.list(Listing { which, before: None, limit: ROWS }).await?;
        Ok(rows.iter().map(|row| summary(row, &ExitCodes::new())).collect())
    };
    let (open, closed) = (list(ClosedIn::Open).await?, list(ClosedIn::Closed).await?);
    let tasks = Tasks::read(&shared, TASKS_DONE).await?;
    Ok(page(&Index { frame: Frame::of(&shared).await?, open, closed, tasks }))
}

pub(super) async fn incident(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Result<Response, ApiError> {
    let _turn = shared.room.read().await;
    let id = IncidentId::new(id);
    let missing = || ApiError::NotFound(format!("there is no incident {id}"));
    let it = whole(&shared.reader, id).await?.ok_or_else(missing)?;
    let runs = shared.reader.runs(id).await?;
    let row = shared.reader.incident(id).await?.ok_or_else(missing)?;
    let live = shared.live();
    let book = live.books.iter().find(|book| book.plan.id == row.incident.runbook);
    let built_in = BuiltIn::of(&row.incident.runbook).map(|it| it.runbook(&live.policy));
    let plan = book.map(|book| &book.plan).or(built_in.as_ref());
    let channels = shared.warnings.failing_channels();
    let next_call = plan.and_then(|plan| next_call(&row.incident, plan, &live.policy, &channels));
    let (frame, has_runbook) = (Frame::of(&shared).await?, built_in.is_none());
    Ok(page(&IncidentPage { frame, it, runs, next_call, has_runbook, operations: OPERATIONS }))
}

pub(super) async fn runbook(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let live = shared.live();
    let book = live.books.iter().find(|book| book.plan.id.as_str() == id);
    let book = book.ok_or_else(|| ApiError::NotFound(format!("there is no runbook {id:?}")))?;
    let recovery = book.plan.recovery.restore.iter().map(|restore| text(book, &restore.apply)).collect();
    let records = efficacy::records(&shared.reader.changes(efficacy::since(shared.clock.now())).await?, &live.books);
    let with_record = |step: &Step| {
        let record = records.get(&(book.plan.id.clone(), step.id.clone()));
        StepText { record: record.map(|record| record.words(step, &live.policy)), ..text(book, step) }
    };
    let frame = Frame::of(&shared).await?;
    Ok(page(&RunbookPage {
        frame,
        book,
        timers: timers(&book.plan),
        ladder: book.plan.steps.iter().map(with_record).collect(),
        recovery,
    }))
}

fn timers(plan: &Runbook) -> Timers {
    let show = |duration| PromDuration::new(duration).to_string();
    Timers {
        healthy_for: show(plan.healthy_for),
        respond_within: show(plan.respond_within),
        escalate: plan.escalate.map(|timer| format!("{} after {}", timer.level, show(timer.after))),
        monitor: show(plan.recovery.monitor),
    }
}

fn text(book: &LoadedRunbook, step: &Step) -> StepText {
    let spec = book.step(&step.id);
    let timeout = PromDuration::new(step.timeout);
    let (kind, limits) = match &step.kind {
        Kind::Diagnose { background: false, .. } => ("diagnose", format!("At most {timeout}.")),
        Kind::Diagnose { background: true, .. } => {
            ("diagnose", format!("At most {timeout}; the next step does not wait."))
        }
        Kind::Change { settle, repeatable, .. } => {
            let again = if *repeatable { "may run again" } else { "runs once" };
            ("change", format!("At most {timeout}; {} to work; {again}.", PromDuration::new(*settle)))
        }
    };
    StepText {
        id: step.id.to_string(),
        title: spec.map_or_else(String::new, |spec| spec.title.clone()),
        kind,
        command: spec.map_or_else(String::new, |spec| spec.command.to_string()),
        condition: spec.and_then(|spec| spec.when.as_ref()).map(ToString::to_string),
        limits,
        record: None,
    }
}

pub(super) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

pub(super) async fn asset(Path(file): Path<String>) -> Response {
    let (kind, content) = match file.as_str() {
        "console.css" => ("text/css; charset=utf-8", include_str!("../../static/console.css")),
        "console.js" => ("text/javascript; charset=utf-8", include_str!("../../static/console.js")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

/// Says `changed` whenever something was committed; ends when the server stops, and after a while: browsers come again by themselves, and
/// those who left without a word give their room back.
///
/// A browser drops an event without a data line (HTML Standard §9.2.6), and axum writes none for empty data.
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let room = shared.room.stream()?;
    let over = Box::pin(tokio::time::sleep(FOLLOWED_FOR));
    let following = (shared.changes.clone(), shared.stop.clone(), over, room);
    let stream = futures_util::stream::unfold(following, |(mut changes, stop, mut over, room)| async move {
        let changed = tokio::select! {
            changed = changes.changed() => changed.is_ok(),
            () = stop.cancelled() => false,
            () = over.as_mut() => false,
        };
        changed.then(|| (Ok(Event::default().event("changed").data("changed")), (changes, stop, over, room)))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}
