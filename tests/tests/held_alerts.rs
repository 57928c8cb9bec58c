//! What an alert does when nobody measures any more, on the real Prometheus: it stands, until a measurement resolves it.

use std::time::Duration;

use serde_json::{Value, json};
use vvtv_tests::config::Edit;
use vvtv_tests::faults::Fault;
use vvtv_tests::{Lab, Part, Seen, Settings, wait_for};

/// The holding is to be seen, not the time that alerts outlive their cause anyway.
fn without_afterglow() -> Edit {
    Edit::yaml("alert-rules/streaming.yml", |document| {
        let rules = document.pointer_mut("/groups/0/rules").and_then(Value::as_array_mut).into_iter().flatten();
        for rule in rules.filter(|rule| rule.get("alert").is_some()) {
            rule["keep_firing_for"] = json!("0s");
        }
        Ok(())
    })
}

async fn wait_until(lab: &Lab, what: &str, promql: &str) -> anyhow::Result<()> {
    wait_for(what, Duration::from_secs(40), || async {
        match lab.ask().query(promql).await {
            Ok(samples) if !samples.is_empty() => Seen::Yes(()),
            Ok(_) => Seen::NotYet(format!("{:?}", lab.ask().query("ALERTS or up or vvtv_ingest_up").await)),
            Err(error) => Seen::NotYet(format!("{error:#}")),
        }
    })
    .await
}

#[tokio::test]
async fn an_alert_outlives_the_exporter_that_raised_it() -> anyhow::Result<()> {
    let parts = [Part::Nginx, Part::TestPublisher, Part::Exporter, Part::Prometheus];
    let mut lab = Settings::default().parts(&parts).edit(without_afterglow()).start().await?;
    Fault::NginxDown.cause(lab.site())?;
    wait_until(&lab, "the alert", r#"ALERTS{alertname="IngestDown",alertstate="firing"}"#).await?;

    lab.stop_part(Part::Exporter)?;
    wait_until(&lab, "ten seconds without the exporter", r#"max_over_time(up{job="vvtv-exporter"}[10s]) == 0"#).await?;

    let held = r#"count_over_time(ALERTS{alertname="IngestDown",alertstate="firing"}[10s])"#;
    assert!(
        lab.ask().value(held).await?.is_some_and(|evaluations| evaluations >= 9.0),
        "the alert flapped or resolved"
    );

    Fault::NginxDown.undo(lab.site())?;
    lab.stop_part(Part::TestPublisher)?;
    lab.start_part(Part::TestPublisher).await?;
    lab.start_part(Part::Exporter).await?;
    let over = r#"up{job="vvtv-exporter"} == 1 unless on () ALERTS{alertname="IngestDown"}"#;
    wait_until(&lab, "the alert to resolve by a measurement", over).await
}
