//! The webhook: 200 only once durable, 503 when it should come again, 4xx only for bad credentials and garbage.
//!
//! Alertmanager retries 5xx and nothing else; it ignores `Retry-After`. A receiver that hangs is sent the same again, so the answer
//! never waits for anything but the commit.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;
use vvtv_toolkit::access::Refusal;
use vvtv_toolkit::serve::body::{self, RETRY_AFTER};

use super::{Shared, WEBHOOK_PATH, WEBHOOK_SNS_PATH, WEBHOOK_V2_PATH};
use crate::alerts::webhook::{ALERTS_MAX, BODY_BYTES_MAX, Delivery, parse};
use crate::event_loop::Input;
use crate::failpoint::{Point, reached};

/// How long an answer may wait for the commit; Alertmanager itself gives up after 10 s at the least.
const COMMIT_WITHIN: Duration = Duration::from_secs(8);

pub(super) async fn alertmanager(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    answered(answer(&shared, request).await)
}

/// An answer, and a line in the log for one that is a refusal.
pub(super) fn answered((status, message): (StatusCode, String)) -> Response {
    if !status.is_success() {
        tracing::warn!(status = status.as_u16(), message, "webhook delivery refused");
    }
    let mut response = (status, format!("{message}\n")).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    response
}

/// Counts the answers to deliveries, the gate's too.
pub(super) async fn counted(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let paths = [WEBHOOK_PATH, WEBHOOK_V2_PATH, WEBHOOK_SNS_PATH];
    let delivery = request.method() == Method::POST && paths.contains(&request.uri().path());
    let response = next.run(request).await;
    if delivery {
        shared.metrics.webhooks.with_label_values(&[response.status().as_str()]).inc();
        if response.status().is_success() {
            shared.metrics.webhook_at.set(jiff::Timestamp::now().as_second());
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
    let body = match body::read(request.into_body(), BODY_BYTES_MAX, &shared.room.bodies).await {
        Ok(body) => body,
        Err(error) => return (error.status(), error.to_string()),
    };
    match parse(&body, shared.clock.now()) {
        Ok(delivery) => take(shared, delivery).await,
        Err(error) => (StatusCode::BAD_REQUEST, vvtv_toolkit::logging::chain(&error)),
    }
}

/// Hands a delivery to the event loop, and waits until it is durable.
pub(super) async fn take(shared: &Shared, delivery: Delivery) -> (StatusCode, String) {
    shared.metrics.alert_texts_cut.inc_by(delivery.cut);
    for error in &delivery.refused {
        shared.metrics.alerts_refused.inc();
        tracing::warn!(error = error as &dyn std::error::Error, "alert refused");
    }
    if let (true, Some(error)) = (delivery.alerts.is_empty(), delivery.refused.first()) {
        return (StatusCode::BAD_REQUEST, error.to_string());
    }
    let said = note_left_out(shared, &delivery);
    reached(Point::DeliveryParsed);
    let (done, answer) = oneshot::channel();
    let input = Input::Alerts { updates: delivery.alerts, receiver: delivery.receiver, done };
    if shared.inputs.try_send(input).is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "too much is waiting".to_owned());
    }
    match tokio::time::timeout(COMMIT_WITHIN, answer).await {
        Ok(Ok(Ok(()))) => {
            reached(Point::DeliveryCommitted);
            (StatusCode::OK, said)
        }
        Ok(Ok(Err(unavailable))) => (StatusCode::SERVICE_UNAVAILABLE, unavailable.to_string()),
        Ok(Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "shutting down".to_owned()),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the journal takes too long".to_owned()),
    }
}

/// Says what the delivery has not brought, and asks Alertmanager for it.
fn note_left_out(shared: &Shared, delivery: &Delivery) -> String {
    let Delivery { truncated, left_out, group, .. } = delivery;
    if *left_out > 0 {
        shared.metrics.senders.left_out.inc_by(*left_out);
        tracing::warn!(left_out, taken = ALERTS_MAX, "a delivery holds more alerts than are taken at once");
    }
    if *truncated > 0 {
        tracing::warn!(left_out = truncated, "delivery is truncated by its sender");
    }
    if truncated.saturating_add(*left_out) > 0 {
        // A full queue leads to the same look, and the group's next delivery names it again.
        if let Some(Err(error)) = group.clone().map(|group| shared.left_out.try_send(group)) {
            tracing::warn!(%error, "as many groups wait to be asked for as may");
        }
        shared.reconcile.notify_one();
    }
    match left_out {
        0 => "ok".to_owned(),
        left_out => format!("ok: the first {ALERTS_MAX} alerts are taken, {left_out} are left out"),
    }
}
