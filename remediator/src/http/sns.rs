//! Amazon SNS' deliveries: open to everybody, and believed by their signature alone.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use vvtv_toolkit::serve::body;

use super::webhook::{answered, take};
use super::{Shared, WEBHOOK_SNS_PATH};
use crate::alerts::sns::{ENVELOPE_BYTES_MAX, Said};
use crate::alerts::webhook::parse;

pub(super) async fn envelope(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    answered(answer(&shared, request).await)
}

async fn answer(shared: &Shared, request: Request) -> (StatusCode, String) {
    if !shared.sns.listens() {
        return (StatusCode::FORBIDDEN, "no topic of Amazon SNS is configured (`webhook: {sns_topics: …}`)".to_owned());
    }
    let body = match body::read(request.into_body(), ENVELOPE_BYTES_MAX, &shared.room.bodies).await {
        Ok(body) => body,
        Err(error) => return (error.status(), error.to_string()),
    };
    let now = shared.clock.now();
    match shared.sns.take(&body, now).await {
        Ok(Said::Published(message)) => match parse(message.as_bytes(), now) {
            Ok(delivery) => take(shared, delivery.of_nobody_s_list()).await,
            Err(error) => (StatusCode::BAD_REQUEST, vvtv_toolkit::logging::chain(&error)),
        },
        Ok(Said::Confirmed) => {
            tracing::info!(path = WEBHOOK_SNS_PATH, "a subscription of Amazon SNS is confirmed");
            (StatusCode::OK, "ok".to_owned())
        }
        Ok(Said::Unsubscribed) => {
            tracing::warn!(
                path = WEBHOOK_SNS_PATH,
                "a subscription of Amazon SNS has ended: nothing comes through it any more"
            );
            (StatusCode::OK, "ok".to_owned())
        }
        Err(error) if error.is_temporary() => (StatusCode::SERVICE_UNAVAILABLE, vvtv_toolkit::logging::chain(&error)),
        Err(error) => (StatusCode::FORBIDDEN, vvtv_toolkit::logging::chain(&error)),
    }
}
