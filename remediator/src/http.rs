//! HTTP: the webhook, the API, the console, the metrics. Handlers read the journal and ask the event loop; none of them decides.

mod api;
mod attachment;
mod bundle;
mod console;
mod escape;
mod login;
mod operator;
mod room;
mod sns;
mod tasks;
mod view;
mod webhook;

pub(crate) use self::login::link_to;

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use url::Url;
use vvtv_incident::{ChannelName, Channels};
use vvtv_toolkit::access::{Access, App, Gate, Routes};
use vvtv_toolkit::render::{Exposition, Format};
use vvtv_toolkit::serve::body::RETRY_AFTER;

pub(crate) use self::room::Room;
use crate::alerts::sns::Sns;
use crate::alerts::webhook::Group;
use crate::clock::{Clock, rfc3339};
use crate::config::live::{Live, Watched};
use crate::config::reload::Reloader;
use crate::contacts::Contact;
use crate::event_loop::{Input, JournalStatus, Status};
use crate::journal::{JournalError, Reader};
use crate::keeping::clock_watch::ClockState;
use crate::metrics::Metrics;
use crate::paging::delivery::{Troubles, sentences};

/// Where Alertmanager delivers.
pub(crate) const WEBHOOK_PATH: &str = "/webhook/alertmanager";
/// Where those deliver that take us for an Alertmanager at [`WEBHOOK_PATH`]: vmalert, Prometheus.
pub(crate) const WEBHOOK_V2_PATH: &str = "/webhook/alertmanager/api/v2/alerts";

/// Where Amazon SNS delivers.
pub(crate) const WEBHOOK_SNS_PATH: &str = "/webhook/sns";

/// What handlers need.
pub(crate) struct Shared {
    /// The way to the event loop.
    pub inputs: mpsc::Sender<Input>,
    /// The journal.
    pub reader: Reader,
    /// The runbooks for their pages, the limits and people for the countdowns, the maintenance windows.
    pub live: Watched,
    /// Reads them again.
    pub reloader: Arc<Reloader>,
    /// Who may do what; it makes sessions.
    pub gate: Gate,
    /// Where steps leave files for the bundle.
    pub attachments: PathBuf,
    /// Wakes the reconciler, when a delivery says that it left alerts out.
    pub reconcile: Arc<tokio::sync::Notify>,
    /// The topics of Amazon SNS that are listened to.
    pub sns: Sns,
    /// The groups of which deliveries left alerts out, for the reconciler.
    pub left_out: mpsc::Sender<Group>,
    /// What is counted.
    pub metrics: Metrics,
    /// For what is held in memory, or goes on for long.
    pub room: Room,
    /// The address under which people reach the console.
    pub console: Url,
    /// The clock.
    pub clock: Clock,
    /// How it stands with the event loop and its journal.
    pub status: watch::Receiver<Status>,
    /// Changes with every commit.
    pub changes: watch::Receiver<u64>,
    /// When streams must end.
    pub stop: CancellationToken,
    /// What every page says first.
    pub warnings: Warnings,
}

/// What people must know before anything else that is shown.
pub(crate) struct Warnings {
    /// Why there is no journal, if there is none.
    pub journal: Option<String>,
    /// What is known of the clock.
    pub clock: watch::Receiver<ClockState>,
    /// Channels that take no messages.
    pub channels: watch::Receiver<Troubles>,
}

impl Warnings {
    /// The channels that take no messages, as the core knows them.
    fn failing_channels(&self) -> Channels {
        let mut channels = Channels::default();
        for name in self.channels.borrow().keys() {
            channels.fails(ChannelName::new(name.as_str()));
        }
        channels
    }

    /// A sentence or two for each.
    fn now(&self, contacts: &[Contact]) -> Vec<String> {
        let journal = self.journal.as_ref().map(|trouble| {
            format!(
                "People only: the journal cannot be used ({trouble}). Nothing is repaired, and people are called for every alert. What \
                 is shown here is in memory and ends with it. If the journal is damaged: vvtv-remediator journal salvage."
            )
        });
        let channels = sentences(&self.channels.borrow(), contacts);
        journal.into_iter().chain(channels).chain(self.clock.borrow().doubts.iter().cloned()).collect()
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

/// Everything that is served, each route with the role that it asks for.
///
/// A viewer reads. An operator acts on what goes on, the whole of it too: who is called at 3 a.m. must be able to stop everything; and takes
/// bundles along, in which files of steps are as they are. Reading the configuration again puts in force who is called and what runs, and is
/// an administrator's. Alertmanager's token delivers, and may nothing else. Amazon SNS shows no token: its messages are signed.
pub(crate) fn router(shared: Shared, telemetry_path: &str) -> App {
    let shared = Arc::new(shared);
    // By pointer: whatever a layer holds is copied for every request.
    let counted = Arc::clone(&shared);
    Routes::new(shared.gate.clone())
        .get(Access::Open, "/-/healthy", || async { "vvtv-remediator is healthy.\n" })
        .get(Access::Open, "/-/ready", ready)
        .get(Access::Open, "/login", login::page)
        .post(Access::Open, "/login", login::enter)
        .post(Access::Open, "/logout", login::leave)
        .get(Access::Viewer, "/", console::index)
        .get(Access::Viewer, "/incidents/{id}", console::incident)
        .get(Access::Viewer, "/runbooks/{id}", console::runbook)
        .get(Access::Viewer, "/static/{file}", console::asset)
        .get(Access::Viewer, "/events", console::events)
        .get(Access::Viewer, telemetry_path, metrics)
        .get(Access::Viewer, "/api/v1/incidents", api::list)
        .get(Access::Viewer, "/api/v1/incidents/{id}", api::incident)
        .get(Access::Viewer, "/api/v1/incidents/{id}/output", api::output)
        .get(Access::Viewer, "/api/v1/maintenance", api::maintenance)
        .get(Access::Viewer, "/api/v1/tasks", tasks::list)
        .post(Access::Viewer, "/api/v1/login", login::link)
        .get(Access::Operator, "/incidents/{id}/bundle", bundle::bundle)
        .post(Access::Operator, "/api/v1/incidents/{id}/{operation}", operator::on_incident)
        .post(Access::Operator, "/api/v1/tasks/{id}/done", operator::on_task)
        .post(Access::Operator, "/api/v1/pause", operator::pause)
        .post(Access::Operator, "/api/v1/resume", operator::resume)
        .post(Access::Admin, "/-/reload", operator::reload)
        .post(Access::Webhook, WEBHOOK_PATH, webhook::alertmanager)
        .post(Access::Webhook, WEBHOOK_V2_PATH, webhook::alertmanager)
        .post(Access::Open, WEBHOOK_SNS_PATH, sns::envelope)
        .with_state(shared)
        .layer(middleware::from_fn(login::refusals))
        .layer(middleware::from_fn_with_state(counted, webhook::counted))
        .layer(CatchPanicLayer::new())
}

async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::negotiate(accept);
    let mut exposition = Exposition::new(format);
    exposition.registry(&shared.metrics.registry);
    ([(header::CONTENT_TYPE, format.content_type())], exposition.finish())
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let journal = shared.status.borrow().journal;
    let refused = match journal {
        JournalStatus::Written if shared.reader.newest().await.is_ok() => {
            return "vvtv-remediator is ready.\n".into_response();
        }
        JournalStatus::Written | JournalStatus::Failing => "the journal cannot be used\n",
        JournalStatus::PeopleOnly => "people only: the journal cannot be used\n",
    };
    (StatusCode::SERVICE_UNAVAILABLE, refused).into_response()
}

/// A failure that a caller is told of, as JSON.
pub(crate) enum ApiError {
    NotFound(String),
    BadRequest(String),
    Forbidden(String),
    Conflict(&'static str, String),
    Unavailable(String),
    /// So many of these go on already: later.
    Busy(&'static str),
}

impl From<JournalError> for ApiError {
    fn from(error: JournalError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "request failed");
        Self::Unavailable(error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let busy = matches!(self, Self::Busy(_));
        let (status, error, reason) = match self {
            Self::NotFound(error) => (StatusCode::NOT_FOUND, error, None),
            Self::BadRequest(error) => (StatusCode::BAD_REQUEST, error, None),
            Self::Forbidden(error) => (StatusCode::FORBIDDEN, error, None),
            Self::Conflict(reason, error) => (StatusCode::CONFLICT, error, Some(reason)),
            Self::Unavailable(error) => (StatusCode::SERVICE_UNAVAILABLE, error, None),
            Self::Busy(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_owned(), None),
        };
        let mut response = (status, axum::Json(serde_json::json!({"error": error, "reason": reason}))).into_response();
        if busy {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}
