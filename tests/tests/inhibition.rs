//! Causes silence their symptoms, on the real Alertmanager with the shipped configuration.

use std::time::Duration;

use serde_json::json;
use vvtv_tests::ask::ActiveAlert;
use vvtv_tests::config::Edit;
use vvtv_tests::{Part, Seen, Settings, wait_for};

/// Alert and stream of those that are suppressed, sorted.
fn suppressed(alerts: &[ActiveAlert]) -> Vec<String> {
    let held = alerts.iter().filter(|alert| alert.status.state == "suppressed");
    let mut names: Vec<String> =
        held.map(|alert| format!("{} {}", alert.labels["alertname"], alert.labels["stream"])).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_ingest_that_is_down_holds_back_the_symptoms_of_its_own_stream() -> anyhow::Result<()> {
    let lab = Settings::default().parts(&[Part::Alertmanager]).start().await?;
    let alert =
        |name: &str, stream: &str| json!({"labels": {"alertname": name, "stream": stream, "severity": "critical"}});
    let alerts = json!([
        alert("IngestDown", "main"),
        alert("SegmentAgeHigh", "main"),
        alert("PublisherLost", "main"),
        alert("EncoderDropsHigh", "main"),
        alert("EncoderFallingBehind", "main"),
        alert("BitrateVarianceHigh", "main"),
        alert("BitrateSwinging", "main"),
        alert("SegmentAgeHigh", "other"),
        alert("PublisherLost", "third"),
        alert("BitrateVarianceHigh", "third"),
        alert("BitrateSwinging", "third"),
        alert("EncoderFallingBehind", "third"),
        alert("SegmentAgeHigh", "third"),
    ]);
    let (status, said) = lab.ask().post(lab.site().ports.alertmanager, "/api/v2/alerts", &alerts).await?;
    assert_eq!((status, said.as_str()), (200, ""));

    let expected = [
        "BitrateSwinging main",
        "BitrateSwinging third",
        "BitrateVarianceHigh main",
        "BitrateVarianceHigh third",
        "EncoderDropsHigh main",
        "EncoderFallingBehind main",
        "EncoderFallingBehind third",
        "PublisherLost main",
        "SegmentAgeHigh main",
    ];
    wait_for("the symptoms to be held back", Duration::from_secs(10), || async {
        match lab.ask().alerts().await {
            Ok(alerts) if alerts.len() == 13 && suppressed(&alerts) == expected => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await
}

#[tokio::test]
async fn an_alert_that_is_silenced_in_the_middle_calls_nobody_until_the_silence_ends() -> anyhow::Result<()> {
    let limit = |key: &str, value| Edit::set("configs/remediator.yml", key, json!(value));
    // Without Prometheus health is unknown, and somebody is called about that unless the alert is silenced.
    let settings = Settings::default().parts(&[Part::Alertmanager, Part::Remediator]);
    let lab = settings.edit(limit("/reconcile", "1s")).edit(limit("/limits/health_unknown_for", "12s")).start().await?;
    let alertmanager = lab.site().ports.alertmanager;
    let labels = json!({"alertname": "SegmentAgeHigh", "stream": "main", "severity": "critical"});
    lab.ask().post(alertmanager, "/api/v2/alerts", &json!([{"labels": labels}])).await?;
    wait_for("the incident", Duration::from_secs(10), || async {
        match lab.ask().incidents("open").await {
            Ok(incidents) if incidents.len() == 1 => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await?;
    let now = jiff::Timestamp::now();
    let silence = json!({
        "matchers": [{"name": "stream", "value": "main", "isRegex": false, "isEqual": true}],
        "startsAt": now.to_string(), "endsAt": (now + Duration::from_secs(20)).to_string(),
        "createdBy": "ana", "comment": "planned",
    });
    let (status, said) = lab.ask().post(alertmanager, "/api/v2/silences", &silence).await?;
    assert_eq!(status, 200, "{said}");

    let seen = wait_for("somebody to be called", Duration::from_secs(60), || async {
        let Ok(incident) = lab.ask().incident(1).await else { return Seen::NotYet("no incident".to_owned()) };
        let told = |line: &serde_json::Value| matches!(line["event"].as_str(), Some("alert" | "paged"));
        let word = |line: &serde_json::Value| format!("{} {}", line["event"], line["reason"]).replace('"', "");
        let seen: Vec<_> = incident.timeline.iter().filter(|line| told(line)).map(word).collect();
        if seen.iter().any(|line| line.starts_with("paged")) {
            Seen::Yes(seen)
        } else {
            Seen::NotYet(format!("{seen:?}"))
        }
    })
    .await?;
    assert_eq!(seen, ["alert alert_firing", "alert suppressed", "alert alert_firing", "paged health_unknown"]);
    Ok(())
}
