//! `GET /api/v1/incidents`, `GET /api/v1/incidents/ID` and `GET /api/v1/maintenance`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use vvtv_incident::IncidentId;

use super::view::{IncidentView, summary, whole};
use super::{ApiError, OpenWindow, Shared};
use crate::clock::rfc3339;
use crate::journal::{ClosedIn, Listing};

/// Incidents on one page if the caller does not say.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    #[serde(default)]
    state: StateFilter,
    before: Option<u64>,
    limit: Option<usize>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateFilter {
    Open,
    Closed,
    #[default]
    All,
}

#[derive(Serialize)]
pub(super) struct List {
    incidents: Vec<IncidentView>,
    /// The `before` of the next page, if there may be one.
    next_before: Option<u64>,
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<List>, ApiError> {
    let which = match query.state {
        StateFilter::Open => ClosedIn::Open,
        StateFilter::Closed => ClosedIn::Closed,
        StateFilter::All => ClosedIn::All,
    };
    let limit = query.limit.unwrap_or(PAGE).clamp(1, crate::journal::ROWS_MAX);
    let listing = Listing { which, before: query.before.map(IncidentId::new), limit };
    let rows = shared.reader.list(listing).await?;
    let exits = shared.reader.exit_codes(rows.iter().map(|row| row.incident.id).collect()).await?;
    let incidents: Vec<_> = rows.iter().map(|row| summary(row, &exits)).collect();
    let next_before = incidents.last().filter(|_| incidents.len() >= limit).map(|last| last.id);
    Ok(Json(List { incidents, next_before }))
}

pub(super) async fn incident(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Result<Response, ApiError> {
    let _turn = shared.room.read().await;
    let view = whole(&shared.reader, IncidentId::new(id)).await?;
    let view = view.ok_or_else(|| ApiError::NotFound(format!("there is no incident {id}")))?;
    Ok(Json(view).into_response())
}

#[derive(Serialize)]
pub(super) struct Maintenance {
    open: Option<OpenWindow>,
    windows: Vec<WindowView>,
}

#[derive(Serialize)]
struct WindowView {
    name: String,
    lasts_seconds: u64,
    opens_at: Option<String>,
}

pub(super) async fn maintenance(State(shared): State<Arc<Shared>>) -> Json<Maintenance> {
    let now = shared.clock.now();
    let window = |window: &crate::maintenance::windows::Window| WindowView {
        name: window.name.clone(),
        lasts_seconds: window.lasts.as_secs(),
        opens_at: window.opens_at(now).map(rfc3339),
    };
    let live = shared.live();
    Json(Maintenance { open: shared.open_window(), windows: live.windows.all().iter().map(window).collect() })
}

/// What one attempt of a step has written, so far if it still runs.
#[derive(Serialize)]
pub(super) struct Output {
    step: String,
    attempt: u32,
    state: String,
    started_at: String,
    finished_at: Option<String>,
    exit_code: Option<i32>,
    stdout: String,
    stderr: String,
}

pub(super) async fn output(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Result<Response, ApiError> {
    let _turn = shared.room.read().await;
    let runs = shared.reader.runs(IncidentId::new(id)).await?;
    let outputs = runs.into_iter().map(|run| Output {
        step: run.step,
        attempt: run.attempt,
        state: run.state,
        started_at: rfc3339(run.started_at),
        finished_at: run.finished_at.map(rfc3339),
        exit_code: run.exit_code,
        stdout: run.stdout,
        stderr: run.stderr,
    });
    Ok(Json(outputs.collect::<Vec<_>>()).into_response())
}
