//! `ops maintenance` with numbers from a real Prometheus.

use std::time::Duration;

use serde_json::{Value, json};
use vvtv_tests::config::Edit;
use vvtv_tests::{Part, Seen, Settings, Site, wait_for};

fn task(site: &Site, name: &str) -> anyhow::Result<(String, Vec<Value>)> {
    let report = site.vvtvctl(&["ops", "maintenance", "run", name, "--format", "json"])?;
    let task = &report["tasks"][0];
    let evidence = task["evidence"].as_array().cloned().unwrap_or_default();
    Ok((task["mark"].as_str().unwrap_or("no task").to_owned(), evidence))
}

async fn wait_for_mark(site: &Site, name: &str, mark: &str) -> anyhow::Result<Vec<Value>> {
    wait_for(&format!("{name}: {mark}"), Duration::from_secs(60), || async {
        match task(site, name) {
            Ok((seen, evidence)) if seen == mark => Seen::Yes(evidence),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await
}

#[tokio::test]
async fn measured_checks_pass_on_a_good_stream_fail_on_a_stopped_one_and_read_the_recorded_objectives()
-> anyhow::Result<()> {
    let parts = [Part::Nginx, Part::TestPublisher, Part::Exporter, Part::Prometheus];
    let slo = "alert-rules/slo.yml";
    // Windows of seconds, and a value that nothing else in this lab has.
    let edits = [
        Edit::set(slo, "/groups/0/interval", json!("1s")),
        Edit::set(slo, "/groups/1/interval", json!("1s")),
        Edit::set(slo, "/groups/1/rules/5/expr", json!("vvtv:slo_met:avg5m * 0 + 0.5")),
    ];
    let mut lab = edits.into_iter().fold(Settings::default().parts(&parts), Settings::edit).start().await?;

    let fresh = wait_for_mark(lab.site(), "segment-freshness", "pass").await?;
    assert_eq!(fresh.len(), 2, "{fresh:?}");
    wait_for("the recorded month", Duration::from_secs(30), || async {
        match lab.ask().value("count(vvtv:slo_met:avg30d)").await {
            Ok(Some(2.0)) => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await?;
    let recorded = wait_for_mark(lab.site(), "slo-compliance", "fail").await?;
    let values: Vec<&str> = recorded.iter().filter_map(|it| it["value"].as_str()).take(2).collect();
    assert_eq!(values, ["50.000 %", "50.000 %"], "{recorded:?}");

    lab.stop_part(Part::TestPublisher)?;
    let old = wait_for_mark(lab.site(), "segment-freshness", "fail").await?;
    assert_eq!(old[0]["limit"], json!("below 6.0 s"), "{old:?}");

    lab.stop_part(Part::Prometheus)?;
    let (mark, _) = task(lab.site(), "segment-freshness")?;
    assert_eq!(mark, "unknown");
    Ok(())
}
