//! A pager on loopback: takes what PagerDuty's Events API v2 and a generic webhook take, and keeps it for a test to look at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::wait::{Seen, wait_for};

/// Deliveries that are kept; a pager that gets more is in a loop, which the test will notice.
const KEPT: usize = 10_000;

/// One delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Path and query, e.g. `/v2/enqueue`.
    pub path: String,
    /// The Authorization header.
    pub authorization: Option<String>,
    /// The body; a text that is no JSON stands here as a JSON string.
    pub body: Value,
    /// When it came.
    pub at: SystemTime,
}

impl Page {
    /// PagerDuty's `event_action`: trigger, acknowledge or resolve.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        self.body.get("event_action").and_then(Value::as_str)
    }

    /// PagerDuty's `dedup_key`.
    #[must_use]
    pub fn dedup_key(&self) -> Option<&str> {
        self.body.get("dedup_key").and_then(Value::as_str)
    }
}

#[derive(Debug, Default)]
struct Book {
    pages: Vec<Page>,
    refuse_with: Option<StatusCode>,
}

/// The running pager.
#[derive(Debug)]
pub struct Pager {
    port: u16,
    book: Arc<Mutex<Book>>,
    server: JoinHandle<()>,
}

impl Pager {
    /// Starts on a free port.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("open the pager's port")?;
        let port = listener.local_addr().context("learn the pager's port")?.port();
        let book = Arc::new(Mutex::new(Book::default()));
        let app = Router::new().fallback(receive).with_state(Arc::clone(&book));
        let server = tokio::spawn(async move {
            let _runs_until_aborted = axum::serve(listener, app).await;
        });
        Ok(Self { port, book, server })
    }

    /// `http://127.0.0.1:PORT` with a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What came so far, oldest first; refused deliveries too.
    #[must_use]
    pub fn pages(&self) -> Vec<Page> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).pages.clone()
    }

    /// From here on every delivery is kept but answered with this status; `None` = accepted again.
    pub fn refuse_with(&self, status: Option<StatusCode>) {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).refuse_with = status;
    }

    /// Waits for a page that `wanted` accepts.
    ///
    /// # Errors
    /// None came in time; the message has what came.
    pub async fn wait_for_page(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Page) -> bool,
    ) -> anyhow::Result<Page> {
        wait_for(what, within, || {
            let pages = self.pages();
            let seen = match pages.iter().find(|page| wanted(page)) {
                Some(page) => Seen::Yes(page.clone()),
                None => Seen::NotYet(format!("{} pages: {pages:?}", pages.len())),
            };
            async { seen }
        })
        .await
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(book): State<Arc<Mutex<Book>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let body: Value =
        serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let dedup_key = body.get("dedup_key").cloned().unwrap_or(Value::Null);
    let page = Page { path: uri.to_string(), authorization, body, at: SystemTime::now() };
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    if book.pages.len() >= KEPT {
        return (StatusCode::INSUFFICIENT_STORAGE, "the pager's book is full".to_owned());
    }
    book.pages.push(page);
    if let Some(status) = book.refuse_with {
        return (status, "refused on request".to_owned());
    }
    if uri.path() == "/v2/enqueue" {
        let answer = json!({"status": "success", "message": "Event processed", "dedup_key": dedup_key});
        return (StatusCode::ACCEPTED, answer.to_string());
    }
    (StatusCode::OK, "ok".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_what_it_was_sent_and_answers_like_pagerduty() {
        let pager = Pager::start().await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let event = json!({"routing_key": "k", "event_action": "trigger", "dedup_key": "d"});
        let response = http.post(pager.url("/v2/enqueue")).json(&event).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 202);
        pager.refuse_with(Some(StatusCode::SERVICE_UNAVAILABLE));
        let response = http.post(pager.url("/hook")).bearer_auth("t").body("plain").send().await.unwrap();
        assert_eq!(response.status().as_u16(), 503);

        let pages = pager.pages();
        let seen: Vec<_> =
            pages.iter().map(|page| (page.path.as_str(), page.authorization.as_deref(), page.body.clone())).collect();
        assert_eq!(seen, [("/v2/enqueue", None, event), ("/hook", Some("Bearer t"), json!("plain"))]);
        assert_eq!((pages[0].action(), pages[0].dedup_key()), (Some("trigger"), Some("d")));
    }
}
