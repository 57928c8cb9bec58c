//! Causes silence their symptoms, on the real Alertmanager with the shipped configuration.

use std::time::Duration;

use serde_json::json;
use vvtv_tests::ask::ActiveAlert;
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
        alert("BitrateVarianceHigh", "main"),
        alert("SegmentAgeHigh", "other"),
        alert("PublisherLost", "third"),
        alert("BitrateVarianceHigh", "third"),
        alert("SegmentAgeHigh", "third"),
    ]);
    let (status, said) = lab.ask().post(lab.site().ports.alertmanager, "/api/v2/alerts", &alerts).await?;
    assert_eq!((status, said.as_str()), (200, ""));

    let expected = [
        "BitrateVarianceHigh main",
        "BitrateVarianceHigh third",
        "EncoderDropsHigh main",
        "PublisherLost main",
        "SegmentAgeHigh main",
    ];
    wait_for("the symptoms to be held back", Duration::from_secs(10), || async {
        match lab.ask().alerts().await {
            Ok(alerts) if alerts.len() == 9 && suppressed(&alerts) == expected => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await
}
