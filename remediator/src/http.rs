//! HTTP: the webhook, the API, the console, the metrics. Handlers read the journal and ask the event loop; none of them decides.

mod api;
mod bundle;
mod console;
mod operator;
mod tasks;
mod view;
mod webhook;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use vvtv_toolkit::render::{Exposition, Format};

use crate::clock::{Clock, rfc3339};
use crate::config::Secret;
use crate::event_loop::Input;
use crate::journal::{JournalError, Reader};
use crate::live::{Live, Reloader, Watched};
use crate::metrics::Metrics;
use crate::peer_clock::ClockState;

/// What handlers need.
pub struct Shared {
    /// The way to the event loop.
    pub inputs: mpsc::Sender<Input>,
    /// The journal.
    pub reader: Reader,
    /// The runbooks for their pages, the limits and people for the countdowns, the maintenance windows.
    pub live: Watched,
    /// Reads them again.
    pub reloader: Arc<Reloader>,
    /// The token that Alertmanager must show, if one is configured.
    pub webhook_token: Option<Secret>,
    /// Where steps leave files for the bundle.
    pub attachments: PathBuf,
    /// Wakes the reconciler, when a delivery says that it left alerts out.
    pub reconcile: Arc<tokio::sync::Notify>,
    /// What is counted.
    pub metrics: Metrics,
    /// The host name under which people reach the console.
    pub console: String,
    /// The clock.
    pub clock: Clock,
    /// Changes with every commit.
    pub changes: watch::Receiver<u64>,
    /// When streams must end.
    pub stop: CancellationToken,
    /// What every page says first.
    pub warnings: Warnings,
}

/// What people must know before anything else that is shown.
pub struct Warnings {
    /// Why there is no journal, if there is none.
    pub journal: Option<String>,
    /// What is known of the clock.
    pub clock: watch::Receiver<ClockState>,
}

impl Warnings {
    /// A sentence or two for each.
    fn now(&self) -> Vec<String> {
        let journal = self.journal.as_ref().map(|trouble| {
            format!(
                "People only: the journal cannot be used ({trouble}). Nothing is repaired, and people are called for every alert. What \
                 is shown here is in memory and ends with it. If the journal is damaged: vvtv-remediator journal salvage."
            )
        });
        journal.into_iter().chain(self.clock.borrow().doubts.iter().cloned()).collect()
    }
}

/// A maintenance window that is open.
#[derive(Serialize)]
pub(crate) struct OpenWindow {
    pub(crate) name: String,
    pub(crate) until: String,
}

impl Shared {
    fn live(&self) -> Arc<Live> {
        self.live.borrow().clone()
    }

    fn open_window(&self) -> Option<OpenWindow> {
        let live = self.live();
        let (window, until) = live.windows.open(self.clock.now())?;
        Some(OpenWindow { name: window.name.clone(), until: rfc3339(until) })
    }
}

/// Everything that is served.
pub fn router(shared: Shared, telemetry_path: &str) -> Router {
    Router::new()
        .route("/", get(console::index))
        .route("/incidents/{id}", get(console::incident))
        .route("/incidents/{id}/bundle", get(bundle::bundle))
        .route("/runbooks/{id}", get(console::runbook))
        .route("/static/{file}", get(console::asset))
        .route("/events", get(console::events))
        .route("/webhook/alertmanager", post(webhook::alertmanager))
        .route("/api/v1/incidents", get(api::list))
        .route("/api/v1/incidents/{id}", get(api::incident))
        .route("/api/v1/incidents/{id}/output", get(api::output))
        .route("/api/v1/incidents/{id}/{operation}", post(operator::on_incident))
        .route("/api/v1/maintenance", get(api::maintenance))
        .route("/api/v1/tasks", get(tasks::list))
        .route("/api/v1/tasks/{id}/done", post(operator::on_task))
        .route("/api/v1/{operation}", post(operator::on_all))
        .route(telemetry_path, get(metrics))
        .route("/-/healthy", get(|| async { "vvtv-remediator is healthy.\n" }))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(operator::reload))
        .layer(CatchPanicLayer::new())
        .with_state(Arc::new(shared))
}

async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::negotiate(accept);
    let mut exposition = Exposition::new(format);
    exposition.registry(&shared.metrics.registry);
    ([(header::CONTENT_TYPE, format.content_type())], exposition.finish())
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    if shared.metrics.journal_up.get() == 1 && shared.reader.newest().await.is_ok() {
        "vvtv-remediator is ready.\n".into_response()
    } else if shared.metrics.keeping.people_only.get() == 1 {
        (StatusCode::SERVICE_UNAVAILABLE, "people only: the journal cannot be used\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the journal cannot be used\n").into_response()
    }
}

/// A failure that a caller is told of, as JSON.
pub(crate) enum ApiError {
    NotFound(String),
    BadRequest(String),
    Forbidden(String),
    Conflict(&'static str, String),
    Unavailable(String),
}

impl From<JournalError> for ApiError {
    fn from(error: JournalError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "request failed");
        Self::Unavailable(error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, error, reason) = match self {
            Self::NotFound(error) => (StatusCode::NOT_FOUND, error, None),
            Self::BadRequest(error) => (StatusCode::BAD_REQUEST, error, None),
            Self::Forbidden(error) => (StatusCode::FORBIDDEN, error, None),
            Self::Conflict(reason, error) => (StatusCode::CONFLICT, error, Some(reason)),
            Self::Unavailable(error) => (StatusCode::SERVICE_UNAVAILABLE, error, None),
        };
        (status, axum::Json(serde_json::json!({"error": error, "reason": reason}))).into_response()
    }
}
