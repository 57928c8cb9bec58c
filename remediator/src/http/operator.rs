//! What people do: ack, hold, release, approve, abort, note on one incident; pause and resume on all; closing a task.
//!
//! JSON for programs; forms for the console, which answers with a redirect and so works without JavaScript.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use vvtv_incident::{Event, Happening, IncidentId, Operation, Person, Reason, StepId, TaskId};
use vvtv_toolkit::redaction;

use super::{ApiError, Shared};
use crate::event_loop::{Decided, Input, TaskInput, Unavailable};
use crate::failpoint::{Point, reached};

/// The largest body of an operator's request.
const BODY_BYTES_MAX: usize = 64 << 10;
/// The longest note, and the longest name, that is kept.
const TEXT_MAX: usize = 4096;
const NAME_MAX: usize = 64;

/// What is said when the journal fails just then: the decision is made, and waits for it.
const LATER: &str =
    "The journal cannot be written: this takes effect when it can be again, and is lost if the server ends before.";

/// What an operator may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// Who; the name of the authenticated user counts before it.
    #[serde(default)]
    by: String,
    /// The change that an approval is for.
    #[serde(default)]
    step: String,
    /// A note's text.
    #[serde(default)]
    text: String,
    /// What is said of a task that is done.
    #[serde(default)]
    note: String,
}

#[derive(Serialize)]
struct Done {
    reason: &'static str,
    explanation: String,
}

pub(super) async fn on_incident(
    State(shared): State<Arc<Shared>>,
    Path((id, operation)): Path<(u64, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (by, said, form) = read(request, &shared.console).await?;
    let operation = match operation.as_str() {
        "ack" => Operation::Ack,
        "hold" => Operation::Hold,
        "release" => Operation::Release,
        "approve" if said.step.is_empty() => {
            return Err(ApiError::BadRequest("an approval needs `step`: the change that it is for".to_owned()));
        }
        "approve" => Operation::Approve(StepId::new(said.step)),
        "abort" => Operation::Abort,
        "note" if said.text.trim().is_empty() => return Err(ApiError::BadRequest("a note needs `text`".to_owned())),
        // People paste what they see.
        "note" => Operation::Note(redaction::text(&said.text).chars().take(TEXT_MAX).collect()),
        other => return Err(ApiError::NotFound(format!("there is no operation {other:?}"))),
    };
    let decided = ask(&shared, Event::Operator { incident: IncidentId::new(id), by, operation }).await?;
    respond(&decided, form, &format!("/incidents/{id}"))
}

pub(super) async fn on_all(
    State(shared): State<Arc<Shared>>,
    Path(operation): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (by, _, form) = read(request, &shared.console).await?;
    let event = match operation.as_str() {
        "pause" => Event::Pause { by },
        "resume" => Event::Resume { by },
        other => return Err(ApiError::NotFound(format!("there is no operation {other:?}"))),
    };
    let decided = ask(&shared, event).await?;
    respond(&decided, form, "/")
}

/// Says that a task is done.
pub(super) async fn on_task(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<u32>,
    request: Request,
) -> Result<Response, ApiError> {
    let (by, said, form) = read(request, &shared.console).await?;
    let note = redaction::text(said.note.trim()).chars().take(TEXT_MAX).collect();
    let (done, answer) = oneshot::channel();
    let input = Input::Task(TaskInput::Done { task: TaskId::new(id), by, note, done });
    respond(&tell(&shared, input, answer).await?, form, "/#tasks")
}

/// Reads the configuration again, as SIGHUP does.
pub(super) async fn reload(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if let Err(refused) = read(request, &shared.console).await {
        return refused.into_response();
    }
    match shared.reloader.reload().await {
        Ok(waiting) if waiting.is_empty() => StatusCode::OK.into_response(),
        Ok(waiting) => format!("these changed keys need a restart: {}\n", waiting.join(", ")).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload the configuration: {error:#}\n"))
            .into_response(),
    }
}

/// What the event loop says to a person.
type Answer = Result<Decided, Unavailable>;

async fn ask(shared: &Shared, event: Event) -> Result<Decided, ApiError> {
    let (done, answer) = oneshot::channel();
    tell(shared, Input::Operator { event, done }, answer).await
}

async fn tell(shared: &Shared, input: Input, answer: oneshot::Receiver<Answer>) -> Result<Decided, ApiError> {
    shared.inputs.try_send(input).map_err(|_| ApiError::Unavailable("too much is waiting".to_owned()))?;
    match answer.await {
        Ok(Ok(decided)) => {
            reached(Point::OperatorCommitted);
            Ok(decided)
        }
        Ok(Err(unavailable)) => Err(ApiError::Unavailable(unavailable.to_string())),
        Err(_) => Err(ApiError::Unavailable("shutting down".to_owned())),
    }
}

fn respond(decided: &Decided, form: bool, page: &str) -> Result<Response, ApiError> {
    let mut entries = decided.entries.iter();
    let entry = entries.find(|entry| matches!(entry.event, Happening::Operator | Happening::Task | Happening::Ignored));
    let Some(entry) = entry else { return Err(ApiError::Unavailable("nothing was decided".to_owned())) };
    match (entry.event, entry.reason) {
        (Happening::Ignored, Reason::UnknownIncident) => {
            Err(ApiError::NotFound("there is no such open incident".to_owned()))
        }
        (Happening::Ignored, Reason::UnknownTask) => Err(ApiError::NotFound("there is no such open task".to_owned())),
        (Happening::Ignored, reason) => Err(ApiError::Conflict(reason.as_str(), reason.explanation().to_owned())),
        (_, reason) if !decided.durable => {
            let explanation = format!("{} {LATER}", reason.explanation());
            Ok((StatusCode::ACCEPTED, Json(Done { reason: reason.as_str(), explanation })).into_response())
        }
        (_, _) if form => Ok(Redirect::to(page).into_response()),
        (_, reason) => {
            let explanation = reason.explanation().to_owned();
            Ok(Json(Done { reason: reason.as_str(), explanation }).into_response())
        }
    }
}

async fn read(request: Request, console: &str) -> Result<(Person, Said, bool), ApiError> {
    let (parts, body) = request.into_parts();
    same_site(&parts.headers, console)?;
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| ApiError::BadRequest(format!("the body cannot be read: {error}")))?.to_bytes();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = kind.starts_with("application/x-www-form-urlencoded");
    let said: Said = if form {
        axum::extract::Query::try_from_uri(&uri_of(&body)?).map_err(|error| ApiError::BadRequest(error.to_string()))?.0
    } else if body.is_empty() {
        Said::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| ApiError::BadRequest(error.to_string()))?
    };
    let name = user(&parts.headers).unwrap_or_else(|| said.by.trim().to_owned());
    let name = if name.is_empty() { "somebody".to_owned() } else { name.chars().take(NAME_MAX).collect() };
    Ok((Person::new(name), said, form))
}

/// A form is a query in a body.
fn uri_of(body: &[u8]) -> Result<axum::http::Uri, ApiError> {
    let text = std::str::from_utf8(body).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    format!("/?{text}").parse().map_err(|_| ApiError::BadRequest("the form cannot be read".to_owned()))
}

/// A page of another site must not act in the name of somebody who is logged in here.
///
/// Browsers name the page's origin with every POST, and some tell the relation itself. A host name that is neither ours nor an
/// address may have been pointed here by somebody else.
fn same_site(headers: &HeaderMap, console: &str) -> Result<(), ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("host").unwrap_or_default();
    let refused = |why: String| Err(ApiError::Forbidden(format!("requests from another site are refused ({why})")));
    match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => {}
        Some(other) => return refused(other.to_owned()),
    }
    let Some(origin) = text("origin") else { return Ok(()) };
    let Some((_, authority)) = origin.split_once("://") else { return refused(origin.to_owned()) };
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    let ours = address || name == "localhost" || name == console;
    if authority == host && ours { Ok(()) } else { refused(origin.to_owned()) }
}

/// The user whom the server has authenticated.
fn user(headers: &HeaderMap) -> Option<String> {
    let basic = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(basic).ok()?;
    String::from_utf8(decoded).ok()?.split_once(':').map(|(user, _)| user.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use rstest::rstest;

    #[rstest]
    #[case::a_program(&[("host", "127.0.0.1:10048")], true)]
    #[case::the_console(&[("host", "127.0.0.1:10048"), ("origin", "http://127.0.0.1:10048")], true)]
    #[case::the_console_by_name(&[("host", "ops.example:10048"), ("origin", "http://ops.example:10048")], true)]
    #[case::another_site(&[("host", "127.0.0.1:10048"), ("origin", "http://evil.example")], false)]
    #[case::a_name_pointed_here(&[("host", "evil.example:10048"), ("origin", "http://evil.example:10048")], false)]
    #[case::a_page_without_origin(&[("host", "127.0.0.1:10048"), ("origin", "null")], false)]
    #[case::a_browser_that_says_so(&[("host", "127.0.0.1:10048"), ("sec-fetch-site", "cross-site")], false)]
    fn only_the_console_and_programs_may_act(#[case] headers: &[(&'static str, &'static str)], #[case] may: bool) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value))).collect();
        assert_eq!(same_site(&headers, "ops.example").is_ok(), may);
    }
}
