//! What Alertmanager says stands now. A webhook is a hint; this is the truth.
//!
//! Source: Alertmanager API v2, `GET /api/v2/alerts`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::clock::parse_rfc3339;
use crate::peer_clock::PeerClock;
use crate::webhook::{AlertUpdate, LABELS_MAX, alert};

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why it is not known what stands.
#[derive(Debug, thiserror::Error)]
pub enum AlertmanagerError {
    /// It cannot be reached, or breaks off.
    #[error("cannot ask Alertmanager for its alerts")]
    Request(#[from] reqwest::Error),
    /// It answers with an error.
    #[error("Alertmanager answers {0} when asked for its alerts")]
    Status(reqwest::StatusCode),
    /// Its answer is larger than is read.
    #[error("Alertmanager's list of alerts is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    /// Its answer cannot be understood.
    #[error("Alertmanager's list of alerts cannot be read")]
    Answer(#[from] serde_json::Error),
}

/// What stands.
#[derive(Debug)]
pub struct Standing {
    /// The alerts.
    pub updates: Vec<AlertUpdate>,
    /// Alerts that have more labels than are kept.
    pub refused: u64,
    /// Texts that were too long and were cut.
    pub cut: u64,
}

/// Asks Alertmanager.
#[derive(Clone, Debug)]
pub struct Alertmanager {
    client: reqwest::Client,
    alerts: Url,
    /// What its answers say that it is.
    pub clock: PeerClock,
}

#[derive(Deserialize)]
struct WireAlert {
    fingerprint: String,
    labels: BTreeMap<String, String>,
    #[serde(rename = "startsAt")]
    starts_at: String,
    status: WireStatus,
}

#[derive(Deserialize)]
struct WireStatus {
    state: String,
}

impl Alertmanager {
    /// Asks the Alertmanager at `base`.
    #[must_use]
    pub fn new(client: reqwest::Client, base: &Url) -> Self {
        let mut alerts = base.clone();
        alerts.set_path(&format!("{}/api/v2/alerts", base.path().trim_end_matches('/')));
        Self { client, alerts, clock: PeerClock::default() }
    }

    /// Every alert that stands now; silenced and inhibited ones are told apart.
    ///
    /// # Errors
    /// Alertmanager does not answer, or not with a list of alerts.
    pub async fn alerts(&self) -> Result<Standing, AlertmanagerError> {
        let mut response = self.client.get(self.alerts.clone()).timeout(TIMEOUT).send().await?;
        self.clock.hear(response.headers());
        if !response.status().is_success() {
            return Err(AlertmanagerError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(AlertmanagerError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let alerts: Vec<WireAlert> = serde_json::from_slice(&body)?;
        let all = alerts.len();
        let alerts: Vec<WireAlert> = alerts.into_iter().filter(|alert| alert.labels.len() <= LABELS_MAX).collect();
        let refused = (all - alerts.len()) as u64;
        let mut cut = 0;
        let updates = alerts.into_iter().filter_map(|wire| update(wire, &mut cut)).collect();
        Ok(Standing { updates, refused, cut })
    }
}

fn update(wire: WireAlert, cut: &mut u64) -> Option<AlertUpdate> {
    let starts_at = parse_rfc3339(&wire.starts_at).unwrap_or_default();
    let alert = alert(wire.fingerprint, wire.labels, starts_at, cut);
    match wire.status.state.as_str() {
        "active" => Some(AlertUpdate::Firing(alert)),
        // "unprocessed": Alertmanager itself does not know yet. It stands, and nothing is done about it before it does.
        "suppressed" | "unprocessed" => Some(AlertUpdate::Suppressed(alert)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    #[tokio::test]
    async fn suppressed_alerts_are_told_apart() {
        let server = MockServer::start().await;
        let body = r#"[
            {"fingerprint":"a","labels":{"alertname":"X"},"startsAt":"2026-11-22T15:07:17.131Z","status":{"state":"active"}},
            {"fingerprint":"b","labels":{"alertname":"Y"},"startsAt":"2026-11-22T15:07:17.131Z","status":{"state":"suppressed"}},
            {"fingerprint":"c","labels":{},"startsAt":"2026-11-22T15:07:17.131Z","status":{"state":"unprocessed"}}]"#;
        Mock::given(method("GET"))
            .and(path("/am/api/v2/alerts"))
            .respond_with(ResponseTemplate::new(200).set_body_raw(body, "application/json"))
            .mount(&server)
            .await;
        let base = Url::parse(&format!("{}/am/", server.uri())).unwrap();
        let alerts = Alertmanager::new(reqwest::Client::new(), &base).alerts().await.unwrap().updates;
        let shape = [AlertUpdate::is_firing as fn(&AlertUpdate) -> bool; 3].iter().zip(&alerts).map(|(f, it)| f(it));
        assert_eq!(shape.collect::<Vec<_>>(), [true, false, false], "{alerts:?}");
    }

    #[tokio::test]
    async fn an_error_is_named() {
        let server = MockServer::start().await;
        let base = Url::parse(&server.uri()).unwrap();
        let error = Alertmanager::new(reqwest::Client::new(), &base).alerts().await.unwrap_err();
        assert_eq!(error.to_string(), "Alertmanager answers 404 Not Found when asked for its alerts");
    }
}
