//! What people do: ack, hold, release, approve, abort, note on one incident; pause and resume on all; closing a task.
//!
//! JSON for programs; forms for the console, which answers with a redirect and so works without JavaScript. Who asks, and whether they
//! may, the gate before the routes has found out.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use vvtv_incident::{EntryKind, Event, IncidentId, Operation, Person, Reason, StepId, TaskId};
use vvtv_toolkit::access::{Caller, How};
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
struct OperatorRequest {
    /// A remark about who it was, where several people share a token.
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
    let (by, said, form) = read(request).await?;
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

/// Stops all new actions.
pub(super) async fn pause(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, ApiError> {
    let (by, _, form) = read(request).await?;
    respond(&ask(&shared, Event::Pause { by }).await?, form, "/")
}

/// Lets new actions run again.
pub(super) async fn resume(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, ApiError> {
    let (by, _, form) = read(request).await?;
    respond(&ask(&shared, Event::Resume { by }).await?, form, "/")
}

/// Says that a task is done.
pub(super) async fn on_task(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<u32>,
    request: Request,
) -> Result<Response, ApiError> {
    let (by, said, form) = read(request).await?;
    let note = redaction::text(said.note.trim()).chars().take(TEXT_MAX).collect();
    let (done, answer) = oneshot::channel();
    let input = Input::Task(TaskInput::Done { task: TaskId::new(id), by, note, done });
    respond(&tell(&shared, input, answer).await?, form, "/#tasks")
}

/// Reads the configuration again, as SIGHUP does.
pub(super) async fn reload(State(shared): State<Arc<Shared>>) -> Response {
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
    let entry = entries.find(|entry| matches!(entry.event, EntryKind::Operator | EntryKind::Task | EntryKind::Ignored));
    let Some(entry) = entry else { return Err(ApiError::Unavailable("nothing was decided".to_owned())) };
    match (entry.event, entry.reason) {
        (EntryKind::Ignored, Reason::UnknownIncident) => {
            Err(ApiError::NotFound("there is no such open incident".to_owned()))
        }
        (EntryKind::Ignored, Reason::UnknownTask) => Err(ApiError::NotFound("there is no such open task".to_owned())),
        (EntryKind::Ignored, reason) => Err(ApiError::Conflict(reason.as_str(), reason.explanation().to_owned())),
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

async fn read(request: Request) -> Result<(Person, OperatorRequest, bool), ApiError> {
    let (parts, body) = request.into_parts();
    let caller = parts.extensions.get::<Caller>();
    let caller = caller.ok_or_else(|| ApiError::Forbidden("nobody is named as who asks".to_owned()))?;
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| ApiError::BadRequest(format!("the body cannot be read: {error}")))?.to_bytes();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = kind.starts_with("application/x-www-form-urlencoded");
    let said: OperatorRequest = if form {
        axum::extract::Query::try_from_uri(&uri_of(&body)?).map_err(|error| ApiError::BadRequest(error.to_string()))?.0
    } else if body.is_empty() {
        OperatorRequest::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| ApiError::BadRequest(error.to_string()))?
    };
    Ok((signature(caller, &said.by), said, form))
}

/// Under which name something is written down: the caller's. Who shares a token with others may add who they are, as a remark.
fn signature(caller: &Caller, by: &str) -> Person {
    let shared = match caller.how {
        How::Token | How::Session => true,
        How::Password | How::Proxy | How::Anonymous => false,
    };
    let plain = |c: &char| !c.is_control() && !matches!(c, '(' | ')');
    let remark: String = by.trim().chars().filter(plain).take(NAME_MAX).collect();
    let name: String = caller.name.chars().take(NAME_MAX).collect();
    if shared && !remark.is_empty() && remark != name {
        return Person::new(format!("{name} (says {remark})"));
    }
    Person::new(name)
}

/// A form is a query in a body.
fn uri_of(body: &[u8]) -> Result<axum::http::Uri, ApiError> {
    let text = std::str::from_utf8(body).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    format!("/?{text}").parse().map_err(|_| ApiError::BadRequest("the form cannot be read".to_owned()))
}

#[cfg(test)]
mod tests {
    use vvtv_toolkit::access::Role;

    use super::*;

    #[test]
    fn what_is_written_down_is_the_caller_s_name_and_a_shared_token_s_remark() {
        let caller = |how| Caller { name: "viewer".into(), role: Role::Viewer, how };
        let signed = |how, by: &str| signature(&caller(how), by).to_string();
        assert_eq!(signed(How::Password, "CTO"), "viewer");
        assert_eq!(signed(How::Proxy, "CTO"), "viewer");
        assert_eq!(signed(How::Token, "ana"), "viewer (says ana)");
        assert_eq!(signed(How::Session, " viewer "), "viewer");
        assert_eq!(signed(How::Token, "x) approved by (CTO\n"), "viewer (says x approved by CTO)");
    }
}
