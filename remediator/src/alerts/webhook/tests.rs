use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_360_763_564);

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn read(body: &Value) -> Delivery {
    parse(body.to_string().as_bytes(), NOW).unwrap()
}

fn shape(delivery: &Delivery) -> Vec<String> {
    let line = |update: &AlertUpdate| match update {
        AlertUpdate::Firing(alert) => format!("firing {} {}", alert.name, alert.fingerprint),
        AlertUpdate::Resolved { fingerprint, .. } => format!("resolved {fingerprint}"),
        AlertUpdate::Suppressed(_) | AlertUpdate::Listed(..) => panic!("no delivery says this: {update:?}"),
    };
    delivery.alerts.iter().map(line).collect()
}

fn refused(delivery: &Delivery) -> Vec<String> {
    delivery.refused.iter().map(ToString::to_string).collect()
}

fn one(fingerprint: &str) -> Value {
    json!({
        "status": "firing", "labels": {"alertname": "X", "stream": "main"}, "annotations": {},
        "startsAt": "2026-11-22T15:07:17.131Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fingerprint,
    })
}

fn of_alertmanager(alerts: &[Value]) -> Value {
    json!({"version": "4", "receiver": "remediator", "groupLabels": {"stream": "main"}, "truncatedAlerts": 0, "alerts": alerts})
}

#[test]
fn a_firing_delivery() {
    let delivery = parse(&sample("alertmanager-webhook-ingest-down-firing.json"), NOW).unwrap();
    assert_eq!(shape(&delivery), ["firing IngestDown e50b6bb2ed8b26f9"]);
}

#[test]
fn a_group_that_says_firing_may_hold_resolved_alerts() {
    let delivery = parse(&sample("alertmanager-webhook-group-mixed-firing-and-resolved.json"), NOW).unwrap();
    let kinds: Vec<_> = shape(&delivery).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "firing").count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "resolved").count(), 1, "{kinds:?}");
}

#[test]
fn a_repeat_reads_the_same() {
    let first = parse(&sample("alertmanager-webhook-firing-single.json"), NOW).unwrap();
    assert_eq!(first.alerts, parse(&sample("alertmanager-webhook-firing-repeated.json"), NOW).unwrap().alerts);
}

#[rstest]
#[case(b"", "the body is no Alertmanager webhook")]
#[case(b"{\"version\":\"4\"}", "the body is no Alertmanager webhook")]
#[case(b"{\"alerts\":[]}", "the body is no Alertmanager webhook")]
#[case(b"{\"version\":\"4\",\"alerts\":{}}", "the body is no Alertmanager webhook")]
#[case(
    b"{\"version\":\"3\",\"alerts\":[]}",
    "the body is an Alertmanager webhook of version \"3\"; only \"4\" is understood, and Grafana's \"1\""
)]
#[case(b"\xff\xfe", "the body is no Alertmanager webhook")]
fn the_rest_is_refused(#[case] body: &[u8], #[case] message: &str) {
    assert_eq!(parse(body, NOW).unwrap_err().to_string(), message);
}

#[test]
fn an_alert_that_cannot_be_read_is_refused_alone_and_says_why() {
    let without = |field: &str| {
        let mut alert = one("f");
        alert.as_object_mut().unwrap().remove(field);
        alert
    };
    let with = |field: &str, value: Value| {
        let mut alert = one("f");
        alert[field] = value;
        alert
    };
    let port = |port: Value| with("labels", json!({"alertname": "X", "port": port}));
    let many: serde_json::Map<_, _> = (0..129).map(|n| (format!("l{n}"), json!("x"))).collect();
    let cases = [
        (without("status"), "alert f has no `status`"),
        (without("labels"), "alert f has no `labels`"),
        (without("startsAt"), "alert f has no `startsAt`"),
        (without("endsAt"), "alert f has no `endsAt`"),
        (with("endsAt", Value::Null), "`endsAt` of alert f is null, not a text"),
        (with("status", json!("Firing")), "alert f is \"Firing\", neither \"firing\" nor \"resolved\""),
        (with("startsAt", json!("yesterday")), "alert f has the time \"yesterday\", which is not RFC 3339"),
        (with("labels", json!([])), "`labels` of alert f is a list, not an object"),
        (with("labels", json!(many)), "alert f has 129 labels; at most 128 are taken"),
        (port(json!(8080)), "`labels.port` of alert f is a number, not a text"),
        (port(json!({"a": [1]})), "`labels.port` of alert f is an object, not a text"),
        (port(json!(true)), "`labels.port` of alert f is a boolean, not a text"),
        (with("fingerprint", json!(7)), "`fingerprint` of alert X is a number, not a text"),
        (json!({"labels": 1}), "alert without a name has no `status`"),
        (json!("x"), "an alert is a text, not an object"),
        (json!([{}]), "an alert is a list, not an object"),
        (Value::Null, "an alert is null, not an object"),
    ];
    let (alerts, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let delivery = read(&of_alertmanager(&[&[one("first")], &alerts[..], &[one("last")]].concat()));
    assert_eq!(refused(&delivery), expected);
    assert_eq!(shape(&delivery), ["firing X first", "firing X last"]);
}

#[test]
fn the_first_of_too_many_alerts_are_taken_and_the_rest_is_counted() {
    let alerts: Vec<_> = (0..ALERTS_MAX + 3).map(|n| one(&n.to_string())).collect();
    let delivery = read(&of_alertmanager(&alerts));
    assert_eq!((delivery.alerts.len(), delivery.left_out), (ALERTS_MAX, 3));
    assert_eq!(shape(&delivery).last().unwrap(), "firing X 19999");
}

#[test]
fn what_alertmanager_says_of_its_group_is_kept() {
    let delivery = read(&of_alertmanager(&[one("f")]));
    let receiver = ReceiverName::new("remediator");
    let labels = BTreeMap::from([("stream".to_owned(), "main".to_owned())]);
    assert_eq!(delivery.group, Some(Group { receiver: receiver.clone(), labels }));
    assert_eq!(delivery.receiver, Some(receiver.clone()));
    assert!(matches!(&delivery.alerts[0], AlertUpdate::Firing(it) if it.sender == Sender::Receiver(receiver)));
    let quoted = json!({"version": "4", "receiver": r"a\.b\|\(1\)_\\-\x", "alerts": []});
    assert_eq!(read(&quoted).receiver, Some(ReceiverName::new(r"a.b|(1)_\-\x")));
    let nameless = read(&json!({"version": "4", "receiver": 1, "alerts": null, "truncatedAlerts": 7}));
    assert_eq!((nameless.receiver, nameless.group, nameless.alerts.len(), nameless.truncated), (None, None, 0, 7));
}

#[test]
fn grafana_s_alerts_are_read_and_nobody_s_list_has_them() {
    let alert = json!({
        "status": "firing", "labels": {"alertname": "X", "stream": "main", "grafana_folder": "f"}, "annotations": {},
        "startsAt": "2026-11-26T09:51:03.157076+02:00", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "c6eadffa33fcdf37",
        "silenceURL": "", "values": null, "valueString": "[ var='A' value=1 ]",
    });
    let body = json!({
        "receiver": "contact point", "status": "firing", "orgId": 1, "alerts": [alert], "groupLabels": {}, "version": "1",
        "truncatedAlerts": 0, "title": "[FIRING:1]", "state": "alerting", "message": "m",
    });
    let delivery = read(&body);
    assert_eq!(shape(&delivery), ["firing X c6eadffa33fcdf37"]);
    assert!(matches!(&delivery.alerts[0], AlertUpdate::Firing(it) if it.sender == Sender::Other));
    assert_eq!(delivery.receiver, None);
}

#[test]
fn what_vmalert_posts_fires_until_its_end_has_passed() {
    let posted = |ends_at: Option<&str>| {
        let mut alert =
            json!({"labels": {"alertname": "X", "stream": "main"}, "annotations": {}, "generatorURL": "http://v/"});
        alert["startsAt"] = json!("2026-11-22T15:07:17.131Z");
        if let Some(ends_at) = ends_at {
            alert["endsAt"] = json!(ends_at);
        }
        alert
    };
    let ends = [None, Some("2026-11-22T15:23:23Z"), Some("0001-01-01T00:00:00Z"), Some("2026-11-22T15:19:23Z")];
    let delivery = read(&json!(ends.map(posted)));
    let firing = "firing X 839ec6a837652dcf";
    assert_eq!(shape(&delivery), [firing, firing, firing, "resolved 839ec6a837652dcf"]);
    let AlertUpdate::Firing(alert) = &delivery.alerts[0] else { panic!("{delivery:?}") };
    assert_eq!(alert.sender, Sender::Other);
    let broken = read(&json!([{"labels": {"alertname": "X"}, "startsAt": 1}, {"labels": {"alertname": "Y"}}]));
    assert_eq!(refused(&broken), ["`startsAt` of alert X is a number, not a text"]);
    assert_eq!(broken.alerts.len(), 1);
}

#[test]
fn an_alert_without_a_fingerprint_gets_the_one_that_alertmanager_gives_it() {
    let body = sample("alertmanager-webhook-group-five-firing.json");
    let mut without: Value = serde_json::from_slice(&body).unwrap();
    for alert in without["alerts"].as_array_mut().unwrap() {
        alert.as_object_mut().unwrap().remove("fingerprint");
    }
    assert_eq!(read(&without).alerts, parse(&body, NOW).unwrap().alerts);
}

#[test]
fn an_incident_of_google_s_is_an_alert_of_its_policy() {
    let incident = |state: &str| {
        json!({"version": "1.2", "incident": {
            "incident_id": "0.mabc", "state": state, "started_at": 1_795_360_000, "ended_at": 1_795_360_700,
            "policy_name": "IngestDown", "condition_name": "c", "summary": "s", "scoping_project_number": 1,
            "resource": {"type": "gce_instance", "labels": {"zone": "z", "stream": "of the resource"}},
            "metric": {"type": "t", "displayName": "d", "labels": {"stream": "of the metric"}},
            "policy_user_labels": {"stream": "main"},
        }})
    };
    let delivery = read(&incident("open"));
    let AlertUpdate::Firing(alert) = &delivery.alerts[0] else { panic!("{delivery:?}") };
    let labels: Vec<_> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!((alert.name.as_str(), alert.fingerprint.as_str()), ("IngestDown", "google:0.mabc"));
    assert_eq!(labels, ["alertname=IngestDown", "stream=main", "zone=z"]);
    assert_eq!((alert.starts_at.millis(), &alert.sender), (1_795_360_000_000, &Sender::Other));
    let ends_at = Some(Timestamp::from_millis(1_795_360_700_000));
    let (fingerprint, starts_at) = (alert.fingerprint.clone(), alert.starts_at);
    assert_eq!(read(&incident("closed")).alerts, [AlertUpdate::Resolved { fingerprint, starts_at, ends_at }]);
    let odd = read(&incident("acknowledged"));
    assert_eq!(refused(&odd), ["incident 0.mabc is \"acknowledged\", neither \"open\" nor \"closed\""]);
}

#[test]
fn times_are_what_they_are_and_the_year_1_is_none() {
    let with = |field: &str, time: &str| {
        let mut alert = one("f");
        alert[field] = json!(time);
        alert
    };
    let resolved = |starts_at: &str, ends_at: &str| {
        let mut alert = with("startsAt", starts_at);
        (alert["status"], alert["endsAt"]) = (json!("resolved"), json!(ends_at));
        alert
    };
    let delivery = read(&of_alertmanager(&[
        with("endsAt", "2026-11-22T15:08:00Z"),
        with("startsAt", "0001-01-01T00:00:00Z"),
        with("startsAt", "2026-11-26T20:00:00.123456789+05:30"),
        resolved("2026-11-22T15:07:17.131Z", "2026-11-22T15:08:00Z"),
        resolved("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ]));
    let millis = |update: &AlertUpdate| match update {
        AlertUpdate::Firing(alert) => ("firing", alert.starts_at.millis(), None),
        AlertUpdate::Resolved { starts_at, ends_at, .. } => {
            ("resolved", starts_at.millis(), ends_at.map(Timestamp::millis))
        }
        AlertUpdate::Listed(..) | AlertUpdate::Suppressed(_) => panic!("{update:?}"),
    };
    let told: Vec<_> = delivery.alerts.iter().map(millis).collect();
    assert_eq!(
        told,
        [
            ("firing", 1_795_360_037_131, None),
            ("firing", 0, None),
            ("firing", 1_795_703_400_123, None),
            ("resolved", 1_795_360_037_131, Some(1_795_360_080_000)),
            ("resolved", 0, None),
        ],
        "{:?}",
        delivery.refused
    );
}

#[test]
fn what_is_too_long_is_cut_with_a_mark_and_counted_and_stays_itself() {
    let mut cut = 0;
    let long = |end: &str| "é".repeat(10_000) + end;
    let with = |end: &str, cut: &mut u64| {
        let labels = [("alertname", "X".to_owned()), ("stream", long(end))];
        let labels = labels.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        alert(long(end), labels, Timestamp::default(), Sender::Other, cut)
    };
    let (one, other) = (with("a", &mut cut), with("b", &mut cut));
    assert_eq!(cut, 4);
    let value = one.labels.get(&LabelName::new("stream")).unwrap();
    assert!(value.len() <= LABEL_VALUE_BYTES_MAX && value.len() > LABEL_VALUE_BYTES_MAX - 4, "{}", value.len());
    assert!(value.contains("é… [cut: 20001 bytes, sha256 ") && value.ends_with(']'), "{value}");
    assert!(one.fingerprint.to_string().len() <= FINGERPRINT_BYTES_MAX);
    assert!(one.fingerprint != other.fingerprint && one.labels != other.labels);
    assert_eq!(one, with("a", &mut cut), "and so it is the same alert the next time");
    assert_eq!((one.name.to_string(), one.labels.len()), ("X".to_owned(), 2));
}

#[test]
fn deep_json_is_refused_without_harm() {
    let deep = "[".repeat(200_000);
    assert!(matches!(parse(deep.as_bytes(), NOW), Err(WebhookError::Garbage(_))));
}

#[test]
fn a_mark_before_the_json_is_none_of_it() {
    let body = [b"\xef\xbb\xbf".as_slice(), of_alertmanager(&[one("f")]).to_string().as_bytes()].concat();
    assert_eq!(shape(&parse(&body, NOW).unwrap()), ["firing X f"]);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_an_answer_not_a_panic(body: Vec<u8>) {
        let _: Result<Delivery, _> = parse(&body, NOW);
    }
}
