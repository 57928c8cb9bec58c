//! The webhook: 200 only once durable, 503 when it should come again, 4xx only for bad credentials and garbage.
//!
//! Alertmanager retries 5xx and nothing else; it ignores `Retry-After`. A receiver that hangs is sent the same again, so the answer
//! never waits for anything but the commit.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Limited};
use tokio::sync::oneshot;
use vvtv_toolkit::access::Refusal;

use super::Shared;
use crate::event_loop::Input;
use crate::failpoint::{Point, reached};
use crate::metrics::Metrics;
use crate::webhook::{BODY_BYTES_MAX, parse};

/// Where Alertmanager delivers.
pub(super) const PATH: &str = "/webhook/alertmanager";
/// How long an answer may wait for the commit; Alertmanager itself gives up after 10 s at the least.
const COMMIT_WITHIN: Duration = Duration::from_secs(8);

pub(super) async fn alertmanager(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (status, message) = answer(&shared, request).await;
    if !status.is_success() {
        tracing::warn!(status = status.as_u16(), message, "webhook delivery refused");
    }
    (status, format!("{message}\n")).into_response()
}

/// Counts the answers to deliveries, the gate's too.
pub(super) async fn counted(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let delivery = request.method() == Method::POST && request.uri().path() == PATH;
    let response = next.run(request).await;
    if delivery {
        metrics.webhooks.with_label_values(&[response.status().as_str()]).inc();
        if response.status().is_success() {
            metrics.webhook_at.set(jiff::Timestamp::now().as_second());
        }
        if let Some(refusal) = response.extensions().get::<Refusal>() {
            tracing::warn!(status = refusal.status.as_u16(), message = refusal.sentence, "webhook delivery refused");
        }
    }
    response
}

async fn answer(shared: &Shared, request: Request) -> (StatusCode, String) {
    // Browsers send other types across sites without asking first (Fetch Standard, CORS-safelisted request-header).
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json".to_owned());
    }
    let body: Bytes = match Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return (StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {BODY_BYTES_MAX} bytes"));
        }
        Err(error) => return (StatusCode::BAD_REQUEST, format!("the body broke off: {error}")),
    };
    let delivery = match parse(&body) {
        Ok(delivery) => delivery,
        Err(error) => return (StatusCode::BAD_REQUEST, vvtv_toolkit::logging::chain(&error)),
    };
    for error in &delivery.refused {
        shared.metrics.alerts_refused.inc();
        tracing::warn!(error = error as &dyn std::error::Error, "alert refused");
    }
    if let (true, Some(error)) = (delivery.alerts.is_empty(), delivery.refused.first()) {
        return (StatusCode::BAD_REQUEST, error.to_string());
    }
    if delivery.truncated > 0 {
        tracing::warn!(left_out = delivery.truncated, "delivery is truncated: asking Alertmanager for the rest");
        shared.reconcile.notify_one();
    }
    reached(Point::DeliveryParsed);
    let (done, answer) = oneshot::channel();
    if shared.inputs.try_send(Input::Alerts { updates: delivery.alerts, done }).is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "too much is waiting".to_owned());
    }
    match tokio::time::timeout(COMMIT_WITHIN, answer).await {
        Ok(Ok(Ok(()))) => {
            reached(Point::DeliveryCommitted);
            (StatusCode::OK, "ok".to_owned())
        }
        Ok(Ok(Err(unavailable))) => (StatusCode::SERVICE_UNAVAILABLE, unavailable.to_string()),
        Ok(Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "shutting down".to_owned()),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the journal takes too long".to_owned()),
    }
}
