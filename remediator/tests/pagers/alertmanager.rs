//! A page as an alert of the real Alertmanager, which tells a receiver of its own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vvtv_remediator::config;
use vvtv_remediator::paging::channels::{Channel, NoticeKind, Standing};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::page::{WITHIN, notice};
use crate::real::Alertmanager;

const PATIENCE: Duration = Duration::from_secs(30);

/// Tells everything to this receiver.
fn start(receiver: &str) -> Alertmanager {
    Alertmanager::start(&json!({
        "route": {"receiver": "people", "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "people", "webhook_configs": [{"url": receiver}]}],
    }))
}

async fn alerts(of: &Alertmanager) -> Value {
    reqwest::get(of.alerts()).await.unwrap().json().await.unwrap()
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
    let alertmanager = start(&receiver.uri());
    let kind = config::Channel::Alertmanager { urls: vec![alertmanager.alerts()], token: None };
    let channel = Channel::new(kind, WITHIN).unwrap();
    let hostile = "main\"}\n{{ .Labels }} é";

    channel.send(&notice(NoticeKind::Trigger, hostile)).await.unwrap();
    let messages = told(&receiver, 1).await;
    let alerts_there = alerts(&alertmanager).await;
    assert_eq!(alerts_there.as_array().map(Vec::len), Some(1), "{alerts_there}");
    let labels = json!({
        "alertname": "RemediatorPage",
        "page": "vvtv-0123456789abcdef-incident-7-page-1",
        "level": "L2",
        "contact": "Streaming Lead",
        "runbook": "segment-age",
        "target": hostile,
    });
    assert_eq!(alerts_there[0]["labels"], labels);
    assert_eq!(alerts_there[0]["annotations"]["summary"], "High Segment Age on main\"} {{ .Labels }} é");
    assert_eq!(alerts_there[0]["generatorURL"], "http://h/incidents/7");
    assert_eq!(alerts_there[0]["startsAt"], "2026-01-02T03:14:00.000Z");
    let ends_at: jiff::Timestamp = alerts_there[0]["endsAt"].as_str().unwrap().parse().unwrap();
    let lasts = ends_at.duration_since(jiff::Timestamp::now());
    assert!(lasts > jiff::SignedDuration::from_hours(364 * 24), "Alertmanager would end it by itself: {alerts_there}");
    assert_eq!((&messages[0]["status"], &messages[0]["alerts"][0]["labels"]), (&json!("firing"), &labels));

    channel.send(&notice(NoticeKind::Resolve, hostile)).await.unwrap();
    let messages = told(&receiver, 2).await;
    assert_eq!((&messages[1]["status"], &messages[1]["alerts"][0]["labels"]), (&json!("resolved"), &labels));
    assert_eq!(alerts(&alertmanager).await, json!([]));
}

#[tokio::test]
async fn one_of_a_cluster_that_takes_the_page_is_enough_and_none_is_a_failure() {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let alertmanager = start(&receiver.uri());
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = url::Url::parse(&format!("http://{gone}/api/v2/alerts")).unwrap();
    let sent_to = async |urls| {
        let channel = Channel::new(config::Channel::Alertmanager { urls, token: None }, WITHIN).unwrap();
        channel.send(&notice(NoticeKind::Trigger, "main")).await.map_err(|error| error.to_string())
    };
    assert_eq!(sent_to(vec![gone.clone(), alertmanager.alerts()]).await, Ok(()));
    assert_eq!(alerts(&alertmanager).await.as_array().map(Vec::len), Some(1));
    assert_eq!(sent_to(vec![gone]).await, Err("cannot reach Alertmanager".to_owned()));
}

#[tokio::test]
async fn what_alertmanager_forgets_with_a_restart_it_is_told_again_and_an_end_stays_the_end() {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let mut alertmanager = start(&receiver.uri());
    let kind = config::Channel::Alertmanager { urls: vec![alertmanager.alerts()], token: None };
    let channel = Channel::new(kind, WITHIN).unwrap();
    let page = Standing::new(notice(NoticeKind::Trigger, "main"), jiff::Timestamp::now());
    channel.send(&page.notice).await.unwrap();
    told(&receiver, 1).await;
    alertmanager.restart();
    assert_eq!(alerts(&alertmanager).await, json!([]));
    channel.tell_again(std::slice::from_ref(&page)).await.unwrap();
    assert_eq!(alerts(&alertmanager).await[0]["labels"]["page"], json!(page.notice.key));
    let over = Standing::new(notice(NoticeKind::Resolve, "main"), jiff::Timestamp::now());
    for _ in 0..2 {
        channel.tell_again(std::slice::from_ref(&over)).await.unwrap();
        assert_eq!(alerts(&alertmanager).await, json!([]));
    }
    let messages = told(&receiver, 2).await;
    assert_eq!(messages.last().unwrap()["status"], json!("resolved"));
}
