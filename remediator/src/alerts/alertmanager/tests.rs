use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

fn ours(names: &[&str]) -> Scope {
    Scope::Receivers(names.iter().map(|name| ReceiverName::new(*name)).collect())
}

fn group(receiver: &str, stream: &str, alerts: &[Value]) -> Value {
    json!({"labels": {"stream": stream}, "receiver": {"name": receiver}, "alerts": alerts})
}

/// As 0.25 tells it; `muted` as 0.28 does.
fn alert(fingerprint: &str, state: &str, muted: Option<&[&str]>) -> Value {
    let mut status = json!({"state": state, "silencedBy": [], "inhibitedBy": []});
    if let Some(by) = muted {
        status["mutedBy"] = json!(by);
    }
    json!({"fingerprint": fingerprint, "labels": {"alertname": "X"}, "startsAt": "2026-11-22T15:07:17.131Z", "status": status})
}

async fn answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).and(path("/am/api/v2/alerts/groups")).respond_with(response).mount(&server).await;
    server
}

async fn listing(groups: &[Value]) -> MockServer {
    answering(ResponseTemplate::new(200).set_body_json(groups)).await
}

fn asking(servers: &[&MockServer]) -> Alertmanagers {
    let base = |server: &&MockServer| Upstream::open_to_all(format!("{}/am/", server.uri()).parse().unwrap());
    Alertmanagers::new(&servers.iter().map(base).collect::<Vec<_>>()).unwrap()
}

async fn standing(servers: &[&MockServer], scope: &Scope, left_out: &[Group]) -> Vec<String> {
    let standing = asking(servers).standing(scope, left_out, |_, error| panic!("{error}")).await;
    let shown = |update: &AlertUpdate| match update {
        AlertUpdate::Listed(alert, muting) => format!("{} {muting:?}", alert.fingerprint),
        AlertUpdate::Suppressed(alert) => format!("{} kept back", alert.fingerprint),
        AlertUpdate::Firing(_) | AlertUpdate::Resolved { .. } => panic!("{update:?}"),
    };
    standing.updates.iter().map(shown).collect()
}

#[tokio::test]
async fn what_is_kept_back_is_told_apart_and_what_is_not_asked_for_is_not_ours() {
    let alerts = [
        alert("a", "active", None),
        alert("b", "suppressed", None),
        alert("c", "unprocessed", None),
        alert("d", "active", Some(&[])),
        alert("e", "suppressed", Some(&["offhours"])),
        alert("f", "active", Some(&["offhours"])),
        alert("g", "resolved", None),
    ];
    let server =
        listing(&[group("ours", "main", &alerts), group("theirs", "main", &[alert("x", "active", None)])]).await;
    let told = standing(&[&server], &ours(&["ours"]), &[]).await;
    assert_eq!(told, ["a Unknown", "b kept back", "c kept back", "d NotMuted", "e kept back", "f kept back"]);
    let all = standing(&[&server], &Scope::All, &[]).await;
    let expected = ["a Unknown", "b kept back", "c kept back", "d Unknown", "e kept back", "f kept back", "x Unknown"];
    assert_eq!(all, expected, "who is not known to be asked for must not be begun with");
}

#[tokio::test]
async fn receivers_are_asked_for_by_their_names_and_nothing_like_them() {
    let server = listing(&[]).await;
    standing(&[&server], &ours(&["a.b|c", "vvtv (é)"]), &[]).await;
    standing(&[&server], &Scope::All, &[]).await;
    let requests = server.received_requests().await.unwrap();
    let asked: Vec<Vec<_>> = requests.iter().map(|it| it.url.query_pairs().into_owned().collect()).collect();
    assert_eq!(asked, [vec![("receiver".to_owned(), r"a\.b\|c|vvtv \(é\)".to_owned())], Vec::new()]);
}

#[tokio::test]
async fn an_alert_fires_if_it_does_at_one_and_is_kept_back_if_it_is_at_all_that_have_it() {
    let both = |a: Value, b: Value| [group("ours", "main", &[a]), group("ours", "main", &[b])];
    let cases = [
        (alert("1", "active", None), alert("1", "suppressed", None), "1 Unknown"),
        (alert("2", "suppressed", None), alert("2", "suppressed", None), "2 kept back"),
        (alert("3", "active", None), alert("3", "active", Some(&[])), "3 NotMuted"),
        (alert("4", "active", None), alert("4", "suppressed", Some(&["night"])), "4 kept back"),
        (alert("5", "active", Some(&[])), alert("5", "suppressed", Some(&["night"])), "5 NotMuted"),
    ];
    for (one, other, expected) in cases {
        let [first, second] = both(one, other);
        let (first, second) = (listing(&[first]).await, listing(&[second]).await);
        assert_eq!(standing(&[&first, &second], &ours(&["ours"]), &[]).await, [expected]);
        assert_eq!(standing(&[&second, &first], &ours(&["ours"]), &[]).await, [expected]);
    }
    let (one, other) = (listing(&[]).await, listing(&[group("ours", "a", &[alert("6", "suppressed", None)])]).await);
    assert_eq!(standing(&[&one, &other], &ours(&["ours"]), &[]).await, ["6 kept back"], "by all that have it");
}

#[tokio::test]
async fn the_rest_of_a_group_that_was_delivered_in_part_is_delivered() {
    let (a, b) = (group("ours", "a", &[alert("a", "active", None)]), group("ours", "b", &[alert("b", "active", None)]));
    let server = listing(&[a, b, group("ours", "a", &[alert("c", "suppressed", None)])]).await;
    let labels = BTreeMap::from([("stream".to_owned(), "a".to_owned())]);
    let left_out = [Group { receiver: ReceiverName::new("ours"), labels }];
    let told = standing(&[&server], &ours(&["ours"]), &left_out).await;
    assert_eq!(told, ["a LeftOut", "b Unknown", "c kept back"]);
}

#[tokio::test]
async fn one_that_answers_is_enough_and_what_is_wrong_with_the_others_is_said() {
    let good = listing(&[group("ours", "main", &[alert("a", "active", None)])]).await;
    let wrong = answering(ResponseTemplate::new(401).set_body_string("no org id\n")).await;
    let moved = answering(ResponseTemplate::new(302).insert_header("location", good.uri())).await;
    let garbled = answering(ResponseTemplate::new(200).set_body_string("<html>")).await;
    let mut complaints = Vec::new();
    let asked = asking(&[&wrong, &moved, &garbled, &good]);
    let standing =
        asked.standing(&ours(&["ours"]), &[], |peer, error| complaints.push((peer.name.clone(), error))).await;
    assert_eq!((standing.updates.len(), standing.answered), (1, 1));
    let complaints: Vec<_> = complaints.iter().map(|(name, error)| format!("{name}: {error}")).collect();
    let asked_for_alerts = "when asked for its alerts";
    assert_eq!(
        complaints,
        [
            format!("{}/am: Alertmanager answers 401 Unauthorized {asked_for_alerts}: no org id", wrong.uri()),
            format!("{}/am: Alertmanager answers 302 Found {asked_for_alerts}: ", moved.uri()),
            format!("{}/am: Alertmanager's list of alerts cannot be read", garbled.uri()),
        ]
    );
}
