//! A page as an alert of the real Alertmanager, which tells a receiver of its own.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;
use vvtv_remediator::config;
use vvtv_remediator::pager::{Channel, NoticeKind};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::page::{WITHIN, notice};

const PATIENCE: Duration = Duration::from_secs(30);

struct Alertmanager {
    child: Child,
    base: Url,
    _dir: tempfile::TempDir,
}

impl Alertmanager {
    fn start(receiver: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = json!({
            "route": {"receiver": "people", "group_wait": "0s", "group_interval": "1s"},
            "receivers": [{"name": "people", "webhook_configs": [{"url": receiver}]}],
        });
        let file = dir.path().join("alertmanager.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command.arg("--config.file").arg(file).arg("--storage.path").arg(dir.path().join("data"));
        command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]);
        // A file: a pipe that nobody reads would end it.
        let log = dir.path().join("log");
        command.stderr(std::fs::File::create(&log).unwrap());
        let child = command.spawn().expect("prometheus-alertmanager is installed");
        let deadline = Instant::now() + PATIENCE;
        let address = loop {
            let said = std::fs::read_to_string(&log).unwrap();
            let line = said.lines().find(|line| line.contains("Listening on"));
            if let Some(address) = line.and_then(|line| line.split("address=").nth(1)?.split_whitespace().next()) {
                break address.to_owned();
            }
            assert!(Instant::now() < deadline, "it does not listen after {PATIENCE:?}:\n{said}");
            std::thread::park_timeout(Duration::from_millis(25));
        };
        Self { child, base: Url::parse(&format!("http://{address}/api/v2/alerts")).unwrap(), _dir: dir }
    }

    async fn alerts(&self) -> Value {
        reqwest::get(self.base.clone()).await.unwrap().json().await.unwrap()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// What the receiver was told, in short, once it was told so often.
async fn told(receiver: &MockServer, times: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(Duration::from_millis(25));
    loop {
        let requests = receiver.received_requests().await.unwrap();
        if requests.len() >= times {
            return requests.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
        }
        assert!(Instant::now() < deadline, "{} of {times} messages after {PATIENCE:?}", requests.len());
        looks.tick().await;
    }
}

#[tokio::test]
async fn a_page_is_an_alert_that_lasts_until_its_end_is_told() {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let alertmanager = Alertmanager::start(&receiver.uri());
    let kind = config::Channel::Alertmanager { url: alertmanager.base.clone(), token: None };
    let channel = Channel::new(kind, WITHIN).unwrap();
    let hostile = "main\"}\n{{ .Labels }} é";

    channel.send(&notice(NoticeKind::Trigger, hostile)).await.unwrap();
    let messages = told(&receiver, 1).await;
    let alerts = alertmanager.alerts().await;
    assert_eq!(alerts.as_array().map(Vec::len), Some(1), "{alerts}");
    let labels = json!({
        "alertname": "RemediatorPage",
        "page": "vvtv-incident-7-page-1",
        "level": "L2",
        "contact": "Streaming Lead",
        "runbook": "segment-age",
        "target": hostile,
    });
    assert_eq!(alerts[0]["labels"], labels);
    assert_eq!(alerts[0]["annotations"]["summary"], "High Segment Age on main\"} {{ .Labels }} é");
    assert_eq!(alerts[0]["generatorURL"], "http://h/incidents/7");
    assert_eq!(alerts[0]["startsAt"], "2026-01-02T03:14:00.000Z");
    let ends_at: jiff::Timestamp = alerts[0]["endsAt"].as_str().unwrap().parse().unwrap();
    let lasts = ends_at.duration_since(jiff::Timestamp::now());
    assert!(lasts > jiff::SignedDuration::from_hours(364 * 24), "Alertmanager would end it by itself: {alerts}");
    assert_eq!((&messages[0]["status"], &messages[0]["alerts"][0]["labels"]), (&json!("firing"), &labels));

    channel.send(&notice(NoticeKind::Resolve, hostile)).await.unwrap();
    let messages = told(&receiver, 2).await;
    assert_eq!((&messages[1]["status"], &messages[1]["alerts"][0]["labels"]), (&json!("resolved"), &labels));
    assert_eq!(alertmanager.alerts().await, json!([]));
}
