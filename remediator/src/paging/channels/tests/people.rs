//! Messages that people read as they are, with hostile texts in them.

use super::*;
use crate::paging::channels::{opsgenie, slack, text};

/// An alert whose labels want to be more than labels.
fn hostile(kind: NoticeKind) -> Notice {
    let target = "main> <!channel> <http://evil.example|Console> & \r\nCalled: nobody\n\nBcc: all@evil.example";
    Notice { summary: format!("High Segment Age on {target}"), target: target.to_owned(), ..notice(kind) }
}

#[tokio::test]
async fn slack_gets_a_message_for_the_call_and_one_for_its_end() {
    let server = server(&[ResponseTemplate::new(200).set_body_string("ok")]).await;
    let url = Secret::new(&format!("{}/services/T0/B0/s3cret", server.uri()));
    let channel = Channel::new(config::Channel::Slack { url }, WITHIN).unwrap();
    channel.send(&notice(NoticeKind::Trigger)).await.unwrap();
    channel.send(&Notice { tried: Vec::new(), ..notice(NoticeKind::Resolve) }).await.unwrap();
    let about = "Called: L2, Streaming Lead
Why: The runbook's escalation timer ran out.
Incident: 7 (segment-age), open since 2026-01-02T03:14:00Z
<http://h/incidents/7|Incident> <http://h/incidents/7/bundle|Diagnostic bundle> <http://h/runbooks/segment-age|Runbook>";
    let tried = "• Restart the encoder: failed (step_failed): vvtvctl: no publisher";
    let message = |text| json!({"text": text, "link_names": false, "unfurl_links": false, "unfurl_media": false});
    let expected = [
        message(format!("High Segment Age on main\n{about}\n{tried}")),
        message(format!("Resolved: High Segment Age on main\n{about}")),
    ];
    assert_eq!(bodies(&server).await, expected);
}

#[tokio::test]
async fn what_keeps_slack_from_taking_it_does_not_show_its_address() {
    let server = server(&[ResponseTemplate::new(404).set_body_string("no_service")]).await;
    let url = Secret::new(&format!("{}/services/T0/B0/s3cret", server.uri()));
    let channel = Channel::new(config::Channel::Slack { url }, WITHIN).unwrap();
    let error = channel.send(&notice(NoticeKind::Trigger)).await.unwrap_err();
    assert_eq!(error.to_string(), "Slack refuses the notice: 404: no_service");
    let gone = Secret::new("http://127.0.0.1:1/services/T0/B0/s3cret");
    let channel = Channel::new(config::Channel::Slack { url: gone }, WITHIN).unwrap();
    let error = channel.send(&notice(NoticeKind::Trigger)).await.unwrap_err();
    assert!(!vvtv_toolkit::logging::chain(&error).contains("s3cret"), "{error:?}");
    assert!(!format!("{channel:?}").contains("s3cret"), "{channel:?}");
}

#[tokio::test]
async fn opsgenie_gets_an_alert_and_later_its_end_under_the_same_alias() {
    let server = server(&[ResponseTemplate::new(202)]).await;
    let url = Url::parse(&format!("{}/v2/alerts", server.uri())).unwrap();
    let kind = config::Channel::Opsgenie { api_key: Secret::new("k3y"), url };
    let channel = Channel::new(kind, WITHIN).unwrap();
    channel.send(&notice(NoticeKind::Trigger)).await.unwrap();
    channel.send(&notice(NoticeKind::Resolve)).await.unwrap();
    let description = "High Segment Age on main

Called: L2, Streaming Lead
Why: The runbook's escalation timer ran out.
Incident: 7 (segment-age), open since 2026-01-02T03:14:00Z

Incident: http://h/incidents/7
Diagnostic bundle: http://h/incidents/7/bundle
Runbook: http://h/runbooks/segment-age

Tried:
- Restart the encoder: failed (step_failed): vvtvctl: no publisher
";
    let expected = [
        json!({
            "message": "High Segment Age on main",
            "alias": "vvtv-7-1",
            "description": description,
            "entity": "main",
            "source": "vvtv-remediator",
            "priority": "P2",
            "tags": ["major", "L2"],
            "details": {
                "incident": "7",
                "runbook": "segment-age",
                "contact": "Streaming Lead",
                "reason": "escalation_timer",
                "console": "http://h/incidents/7",
                "bundle": "http://h/incidents/7/bundle",
            },
        }),
        json!({"source": "vvtv-remediator", "note": "Resolved: High Segment Age on main"}),
    ];
    assert_eq!(bodies(&server).await, expected);
    let requests = server.received_requests().await.unwrap();
    let asked: Vec<_> = requests.iter().map(|request| (request.url.path(), request.url.query())).collect();
    assert_eq!(asked, [("/v2/alerts", None), ("/v2/alerts/vvtv-7-1/close", Some("identifierType=alias"))]);
    assert!(requests.iter().all(|request| request.headers["authorization"] == "GenieKey k3y"));
}

#[tokio::test]
async fn more_about_an_open_page_is_a_note_at_opsgenie_and_an_event_of_the_same_alert_at_pagerduty() {
    let server = server(&[ResponseTemplate::new(202)]).await;
    let url = Url::parse(&format!("{}/v2/alerts", server.uri())).unwrap();
    let kind = config::Channel::Opsgenie { api_key: Secret::new("k3y"), url };
    let mut notice = notice(NoticeKind::Update);
    notice.tried.push(Tried { step: "bundle".to_owned(), title: "Collect".to_owned(), ..notice.tried[0].clone() });
    Channel::new(kind, WITHIN).unwrap().send(&notice).await.unwrap();
    pagerduty(&server).send(&notice).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let asked: Vec<_> = requests.iter().map(|request| (request.url.path(), request.url.query())).collect();
    assert_eq!(asked[0], ("/v2/alerts/vvtv-7-1/notes", Some("identifierType=alias")));
    let [note, event] = bodies(&server).await.try_into().unwrap();
    let text = note["note"].as_str().unwrap();
    let tried = "Tried:\n- Restart the encoder: failed (step_failed): vvtvctl: no publisher\n\
                 - Collect: failed (step_failed): vvtvctl: no publisher\n";
    assert!(text.starts_with("Update: High Segment Age on main\n") && text.ends_with(tried), "{text}");
    assert_eq!(note.as_object().map(serde_json::Map::len), Some(2), "{note}");
    assert_eq!((&event["event_action"], &event["dedup_key"]), (&json!("trigger"), &json!("vvtv-7-1")));
    assert_eq!(event["payload"]["custom_details"]["tried"].as_array().map(Vec::len), Some(2), "{event}");
}

#[test]
fn an_alias_is_one_part_of_the_path_whatever_is_in_it() {
    let mut notice = notice(NoticeKind::Resolve);
    notice.key = "../../v1/heartbeats?x=#".to_owned();
    let address = opsgenie::address(&notice, &Url::parse("https://api.eu.opsgenie.com/v2/alerts").unwrap());
    let expected = "https://api.eu.opsgenie.com/v2/alerts/..%2F..%2Fv1%2Fheartbeats%3Fx=%23/close?identifierType=alias";
    assert_eq!(address.as_str(), expected);
}

#[test]
fn an_alert_s_text_is_neither_a_mention_nor_a_link_nor_a_line_of_ours() {
    let message = slack::message(&hostile(NoticeKind::Trigger));
    let first = message["text"].as_str().unwrap().lines().next().unwrap().to_owned();
    let expected = "High Segment Age on main&gt; &lt;!channel&gt; &lt;http://evil.example|Console&gt; &amp;   \
                    Called: nobody  Bcc: all@evil.example";
    assert_eq!(first, expected);
    let plain = text::plain(&hostile(NoticeKind::Trigger), 1000);
    let ours = text::plain(&notice(NoticeKind::Trigger), 1000);
    assert_eq!(plain.lines().skip(1).collect::<Vec<_>>(), ours.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn what_was_tried_is_told_as_far_as_there_is_room() {
    let mut notice = notice(NoticeKind::Trigger);
    let step = Tried { said: Some("x".repeat(100)), ..notice.tried[0].clone() };
    notice.tried = vec![step; 5];
    let lines = text::tried(&notice, 350);
    assert_eq!((lines.len(), lines[2].as_str()), (3, "and 3 more"));
    let message = slack::message(&Notice { summary: "<".repeat(1024), ..notice });
    assert!(message["text"].as_str().unwrap().len() < 40_000);
}
