//! A stand-in of PagerDuty's Events API v2 by its own rules: a trigger with the key of an alert that is open joins that alert and rings
//! nobody, a resolve ends the alert of its key.
//! <https://developer.pagerduty.com/docs/events-api-v2/overview/#deduplication>

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

/// An alert of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) key: String,
    /// Summaries of its events, the first of which rang.
    pub(crate) triggers: Vec<String>,
    pub(crate) open: bool,
}

type Alerts = Arc<Mutex<Vec<Alert>>>;

/// The service, on a port of its own for as long as it lives.
pub(crate) struct PagerDuty {
    _runtime: tokio::runtime::Runtime,
    alerts: Alerts,
    pub(crate) url: String,
}

impl PagerDuty {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/v2/enqueue", listener.local_addr().unwrap());
        let alerts = Alerts::default();
        let app = Router::new().route("/v2/enqueue", post(enqueue)).with_state(Arc::clone(&alerts));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { _runtime: runtime, alerts, url }
    }

    /// Every alert that there ever was, oldest first.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        self.alerts.lock().unwrap().clone()
    }
}

async fn enqueue(State(alerts): State<Alerts>, Json(event): Json<Value>) -> (StatusCode, Json<Value>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = text(&event["dedup_key"]);
    let mut alerts = alerts.lock().unwrap();
    let open = alerts.iter_mut().find(|alert| alert.open && alert.key == key);
    match (text(&event["event_action"]).as_str(), open) {
        ("trigger", Some(alert)) => alert.triggers.push(text(&event["payload"]["summary"])),
        ("trigger", None) => {
            let triggers = vec![text(&event["payload"]["summary"])];
            alerts.push(Alert { key: key.clone(), triggers, open: true });
        }
        ("resolve", Some(alert)) => alert.open = false,
        ("resolve", None) => {}
        (other, _) => return (StatusCode::BAD_REQUEST, Json(json!({"status": "invalid event", "message": other}))),
    }
    (StatusCode::ACCEPTED, Json(json!({"status": "success", "message": "Event processed", "dedup_key": key})))
}
