mod people;

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::config::Secret;

const WITHIN: Duration = Duration::from_millis(500);

fn notice(kind: NoticeKind) -> Notice {
    Notice {
        key: "vvtv-7-1".to_owned(),
        kind,
        severity: Severity::Major,
        summary: "High Segment Age on main".to_owned(),
        level: Level::new(2),
        contact: "Streaming Lead".to_owned(),
        reason: Reason::EscalationTimer,
        runbook: RunbookId::new("segment-age"),
        title: "High Segment Age".to_owned(),
        target: "main".to_owned(),
        subject: Subject::Incident { incident: vvtv_incident::IncidentId::new(7), page: 1 },
        opened_at: "2026-01-02T03:14:00Z".to_owned(),
        links: Links {
            incident: "http://h/incidents/7".to_owned(),
            bundle: Some("http://h/incidents/7/bundle".to_owned()),
            runbook: Some("http://h/runbooks/segment-age".to_owned()),
        },
        tried: vec![Tried {
            step: "restart_encoder".to_owned(),
            title: "Restart the encoder".to_owned(),
            state: StepState::Failed,
            reason: Some(Reason::StepFailed),
            said: Some("vvtvctl: no publisher".to_owned()),
        }],
    }
}

async fn server(answers: &[ResponseTemplate]) -> MockServer {
    let server = MockServer::start().await;
    for (answer, priority) in answers.iter().zip(1_u8..) {
        let mock = Mock::given(method("POST")).respond_with(answer.clone()).with_priority(priority);
        let last = usize::from(priority) == answers.len();
        if last { mock.mount(&server).await } else { mock.up_to_n_times(1).mount(&server).await }
    }
    server
}

fn pagerduty(server: &MockServer) -> Channel {
    let url = Url::parse(&format!("{}/v2/enqueue", server.uri())).unwrap();
    Channel::new(config::Channel::Pagerduty { routing_key: Secret::new("R123"), url }, WITHIN).unwrap()
}

fn webhook(server: &MockServer) -> Channel {
    let url = Url::parse(&format!("{}/hook", server.uri())).unwrap();
    let headers = BTreeMap::from([("x-team".to_owned(), "streaming".to_owned())]);
    let token = Some(Secret::new("t0ken"));
    Channel::new(config::Channel::Webhook { url, headers, token }, WITHIN).unwrap()
}

async fn bodies(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[tokio::test]
async fn pagerduty_gets_a_trigger_and_later_a_resolve_under_the_same_key() {
    let server = server(&[ResponseTemplate::new(202)]).await;
    let channel = pagerduty(&server);
    channel.send(&notice(NoticeKind::Trigger)).await.unwrap();
    channel.send(&notice(NoticeKind::Resolve)).await.unwrap();
    let expected = [
        json!({
            "routing_key": "R123",
            "event_action": "trigger",
            "dedup_key": "vvtv-7-1",
            "client": "vvtv-remediator",
            "client_url": "http://h/incidents/7",
            "links": [
                {"href": "http://h/incidents/7", "text": "Incident"},
                {"href": "http://h/incidents/7/bundle", "text": "Diagnostic bundle"},
                {"href": "http://h/runbooks/segment-age", "text": "Runbook"},
            ],
            "payload": {
                "summary": "High Segment Age on main",
                "source": "main",
                "severity": "error",
                "timestamp": "2026-01-02T03:14:00Z",
                "component": "main",
                "group": "segment-age",
                "class": "High Segment Age",
                "custom_details": {
                    "incident": 7,
                    "level": "L2",
                    "contact": "Streaming Lead",
                    "reason": "escalation_timer",
                    "explanation": "The runbook's escalation timer ran out.",
                    "tried": ["Restart the encoder: failed (step_failed): vvtvctl: no publisher"],
                },
            },
        }),
        json!({"routing_key": "R123", "event_action": "resolve", "dedup_key": "vvtv-7-1"}),
    ];
    assert_eq!(bodies(&server).await, expected);
}

#[tokio::test]
async fn a_webhook_gets_everything_with_its_headers() {
    let server = server(&[ResponseTemplate::new(204)]).await;
    webhook(&server).send(&notice(NoticeKind::Trigger)).await.unwrap();
    let expected = json!({
        "version": 1,
        "key": "vvtv-7-1",
        "kind": "trigger",
        "severity": "major",
        "summary": "High Segment Age on main",
        "level": 2,
        "contact": "Streaming Lead",
        "reason": "escalation_timer",
        "explanation": "The runbook's escalation timer ran out.",
        "runbook": "segment-age",
        "title": "High Segment Age",
        "target": "main",
        "incident": 7,
        "task": null,
        "opened_at": "2026-01-02T03:14:00Z",
        "links": {
            "incident": "http://h/incidents/7",
            "bundle": "http://h/incidents/7/bundle",
            "runbook": "http://h/runbooks/segment-age",
        },
        "tried": [{
            "step": "restart_encoder", "title": "Restart the encoder", "state": "failed", "reason": "step_failed",
            "said": "vvtvctl: no publisher",
        }],
    });
    assert_eq!(bodies(&server).await, [expected]);
    let request = &server.received_requests().await.unwrap()[0];
    let header = |name: &str| request.headers.get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!((header("x-team"), header("authorization")), ("streaming".to_owned(), "Bearer t0ken".to_owned()));
}

#[rstest]
#[case(408, None)]
#[case(429, Some(30))]
#[case(500, None)]
#[case(503, Some(7))]
#[tokio::test]
async fn a_busy_receiver_is_asked_once_and_heard(#[case] status: u16, #[case] seconds: Option<u64>) {
    let answer = ResponseTemplate::new(status).set_body_string("down\nfor repair");
    let answer = seconds.map_or(answer.clone(), |seconds| answer.insert_header("Retry-After", seconds.to_string()));
    let server = server(&[answer]).await;
    let error = pagerduty(&server).send(&notice(NoticeKind::Trigger)).await.unwrap_err();
    assert_eq!(error.to_string(), format!("PagerDuty cannot take the notice now: {status}: downfor repair"));
    assert_eq!((error.retryable(), error.retry_after()), (true, seconds.map(Duration::from_secs)));
    assert_eq!(bodies(&server).await.len(), 1);
}

#[rstest]
#[case(400)]
#[case(403)]
#[case(302)]
#[tokio::test]
async fn a_refusal_is_final(#[case] status: u16) {
    let server = server(&[ResponseTemplate::new(status).set_body_string("invalid routing key")]).await;
    let error = pagerduty(&server).send(&notice(NoticeKind::Trigger)).await.unwrap_err();
    assert_eq!(error.to_string(), format!("PagerDuty refuses the notice: {status}: invalid routing key"));
    assert!(!error.retryable());
    assert_eq!(bodies(&server).await.len(), 1);
}

#[tokio::test]
async fn nobody_there_is_retryable_and_shows_no_address() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = Url::parse(&format!("http://{gone}/hook")).unwrap();
    let kind = config::Channel::Webhook { url, headers: BTreeMap::new(), token: None };
    let channel = Channel::new(kind, WITHIN).unwrap();
    let error = channel.send(&notice(NoticeKind::Trigger)).await.unwrap_err();
    assert!(error.retryable());
    assert!(!crate::conditions::chain(&error).contains("/hook"), "{}", crate::conditions::chain(&error));
}

#[tokio::test]
async fn hostile_texts_are_cut_between_characters() {
    let server = server(&[ResponseTemplate::new(202)]).await;
    let mut notice = notice(NoticeKind::Trigger);
    notice.summary = format!("x{}", "é".repeat(600_000));
    notice.target = "\u{1f4fa}".repeat(300_000);
    notice.key = "k".repeat(300);
    notice.tried[0].said = Some("é".repeat(600_000));
    pagerduty(&server).send(&notice).await.unwrap();
    let body = &bodies(&server).await[0];
    assert_eq!(body["payload"]["summary"].as_str().unwrap().len(), 1023);
    assert_eq!(body["payload"]["source"].as_str().unwrap().len(), 1024);
    assert_eq!(body["dedup_key"].as_str().unwrap().len(), 64);
    let tried = body["payload"]["custom_details"]["tried"][0].as_str().unwrap();
    assert_eq!(tried, format!("Restart the encoder: failed (step_failed): {}", "é".repeat(250)));
}
