//! Deliveries of others than Alertmanager, and of alerts that are not quite what they should be.

use serde_json::{Value, json};

use crate::hostile::{Neighbours, sample};
use crate::program::{Program, firing, wait_for};

fn alert(fingerprint: &str, stream: &str) -> Value {
    json!({
        "status": "firing", "labels": {"alertname": "Demo", "stream": stream}, "annotations": {},
        "startsAt": "2026-11-22T15:07:17.131Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fingerprint,
    })
}

fn of_alertmanager(alerts: &[Value]) -> String {
    json!({"version": "4", "receiver": "remediator", "groupLabels": {}, "truncatedAlerts": 0, "alerts": alerts})
        .to_string()
}

fn metric(program: &Program, name: &str) -> f64 {
    sample(&program.get("/metrics").1, &format!("vvtv_remediator_{name}"))
}

fn post(program: &Program, path: &str, body: &Value) -> (u16, String) {
    let request = reqwest::Client::new().post(format!("{}{path}", program.base));
    program.send(request.header("content-type", "application/json").body(body.to_string()))
}

/// The target and the number of firing alerts of each incident, the oldest first.
fn firing_of(program: &Program) -> Vec<(String, usize)> {
    let line = |it: &Value| {
        let firing = it["alerts"].as_array().unwrap().iter().filter(|alert| alert["ends_at"].is_null()).count();
        (it["target"].as_str().unwrap().to_owned(), firing)
    };
    program.incidents().iter().rev().map(line).collect()
}

#[test]
fn an_alert_that_cannot_be_read_is_refused_without_the_others_of_its_delivery() {
    let program = Program::start();
    let mut endless = alert("endless", "endless");
    endless.as_object_mut().unwrap().remove("endsAt");
    let mut numbered = alert("numbered", "numbered");
    numbered["labels"]["port"] = json!(8080);
    let body = of_alertmanager(&[alert("f1", "good"), endless.clone(), numbered, alert("f2", "too")]);
    assert_eq!(program.deliver(body), (200, "ok\n".to_owned()));
    assert_eq!(firing_of(&program), [("good".to_owned(), 1), ("too".to_owned(), 1)]);
    assert_eq!(metric(&program, "alerts_refused_total"), 2.0);
    let said: Vec<_> = program.logged().into_iter().filter(|line| line.contains("alert refused")).collect();
    assert!(said[0].contains("alert endless has no `endsAt`"), "{said:?}");
    assert!(said[1].contains("`labels.port` of alert numbered is a number, not a text"), "{said:?}");
    let (status, said) = program.deliver(of_alertmanager(&[endless]));
    assert_eq!((status, said.as_str()), (400, "alert endless has no `endsAt`\n"), "nothing of it was taken");
}

#[test]
fn of_more_alerts_than_are_taken_at_once_the_first_are_and_the_rest_is_said() {
    let program = Program::start();
    // No runbook answers them: a build with debug assertions has not the time to open 20,000 incidents.
    let unanswered = |n| {
        let mut alert = alert(&format!("f{n}"), "main");
        alert["labels"]["alertname"] = json!("Unanswered");
        alert
    };
    let alerts: Vec<_> = (0..20_001).map(unanswered).collect();
    let (status, said) = program.deliver(of_alertmanager(&alerts));
    assert_eq!((status, said.as_str()), (200, "ok: the first 20000 alerts are taken, 1 are left out\n"));
    assert_eq!(metric(&program, "alerts_left_out_total"), 1.0);
    assert_eq!(metric(&program, r#"decisions_total{event="ignored",reason="no_runbook"}"#), 20_000.0);
    assert!(program.logged().iter().any(|line| line.contains("more alerts than are taken at once")));
}

#[test]
fn what_grafana_vmalert_and_google_send_opens_incidents_that_no_list_of_alertmanager_ends() {
    let neighbours = Neighbours::start(&json!([])).listing(3);
    let program = neighbours.program().edited(|config| format!("{config}reconcile: 200ms\n"));
    let mut grafana = alert("c6eadffa33fcdf37", "s0");
    (grafana["values"], grafana["startsAt"]) = (Value::Null, json!("2026-11-26T09:51:03.157076+02:00"));
    let body =
        json!({"receiver": "contact point", "orgId": 1, "version": "1", "truncatedAlerts": 0, "alerts": [grafana]});
    assert_eq!(post(&program, "/webhook/alertmanager", &body).0, 200);
    let mut vmalert = json!({"labels": {"alertname": "Demo", "stream": "s1"}, "startsAt": "2026-11-22T15:07:17.131Z"});
    vmalert["endsAt"] = json!("2126-01-01T00:00:00Z");
    assert_eq!(post(&program, "/webhook/alertmanager/api/v2/alerts", &json!([vmalert])).0, 200);
    let incident =
        json!({"incident_id": "0.a", "state": "open", "policy_name": "Demo", "policy_user_labels": {"stream": "s2"}});
    let google = json!({"version": "1.2", "incident": incident});
    assert_eq!(post(&program, "/webhook/alertmanager", &google).0, 200);

    let looked = || metric(&program, r#"reconciliations_total{result="ok"}"#);
    let before = looked();
    wait_for("looks at an empty list", || if looked() >= before + 3.0 { Ok(()) } else { Err(looked().to_string()) });
    let all = ["s0", "s1", "s2"].map(|target| (target.to_owned(), 1));
    assert_eq!(firing_of(&program), all);
    assert_eq!(metric(&program, r#"webhook_requests_total{code="200"}"#), 3.0);

    vmalert["endsAt"] = json!("2026-11-22T15:08:00Z");
    assert_eq!(post(&program, "/webhook/alertmanager/api/v2/alerts", &json!([vmalert])).0, 200);
    let mut closed = google;
    closed["incident"]["state"] = json!("closed");
    assert_eq!(post(&program, "/webhook/alertmanager", &closed).0, 200);
    let ended = [("s0".to_owned(), 1), ("s1".to_owned(), 0), ("s2".to_owned(), 0)];
    assert_eq!(firing_of(&program), ended);
}

#[test]
fn nothing_of_amazon_sns_is_taken_but_for_a_topic_that_is_configured() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:alerts";
    let envelope = |topic: &str| {
        json!({
            "Type": "Notification", "MessageId": "m", "TopicArn": topic, "Message": of_alertmanager(&[alert("f", "main")]),
            "Timestamp": "2020-01-01T00:00:00Z", "SignatureVersion": "2", "Signature": "AAAA",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/cert.pem",
        })
    };
    let program = Program::start();
    let none = "no topic of Amazon SNS is configured (`webhook: {sns_topics: …}`)\n";
    assert_eq!(post(&program, "/webhook/sns", &envelope(topic)), (403, none.to_owned()));
    let program = program.edited(|config| {
        config.replace("{unauthenticated: true}", &format!("{{unauthenticated: true, sns_topics: ['{topic}']}}"))
    });
    let other = envelope("arn:aws:sns:eu-west-1:123456789012:other");
    let not_named = "the topic is not one of `webhook.sns_topics`\n";
    assert_eq!(post(&program, "/webhook/sns", &other), (403, not_named.to_owned()));
    let old = "the message's time is not within two hours of now\n";
    assert_eq!(post(&program, "/webhook/sns", &envelope(topic)), (403, old.to_owned()));
    assert_eq!(metric(&program, r#"webhook_requests_total{code="403"}"#), 2.0);
    assert_eq!(program.incidents().len(), 0);
}

#[test]
fn a_late_end_of_an_earlier_firing_ends_nothing_and_odd_times_are_understood() {
    let program = Program::start();
    let told = |status: &str, starts_at: &str, ends_at: &str| {
        let mut alert = alert("f-main", "main");
        (alert["status"], alert["startsAt"], alert["endsAt"]) = (json!(status), json!(starts_at), json!(ends_at));
        assert_eq!(program.deliver(of_alertmanager(&[alert])).0, 200);
        firing_of(&program)
    };
    let fires = [("main".to_owned(), 1)];
    assert_eq!(told("firing", "2026-11-22T16:00:00Z", "2026-11-22T16:00:01Z"), fires, "its end is when it would lapse");
    assert_eq!(told("resolved", "2026-11-22T15:00:00Z", "2026-11-22T15:10:00Z"), fires);
    assert_eq!(metric(&program, r#"decisions_total{event="ignored",reason="earlier_episode"}"#), 1.0);
    assert_eq!(told("resolved", "2026-11-22T16:00:00Z", "0001-01-01T00:00:00Z"), [("main".to_owned(), 0)]);
    assert_eq!(told("firing", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z").last(), fires.last());
    let alerts = program.incidents()[0]["alerts"].clone();
    assert_eq!(alerts[0]["starts_at"], Value::Null, "it is not known");
    assert_eq!(program.deliver(firing("main")).0, 200);
}
