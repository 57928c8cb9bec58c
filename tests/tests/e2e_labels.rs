//! Alerts that somebody made up: what their labels say reaches no part of the stack.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use vvtv_tests::scene::settings;
use vvtv_tests::{Lab, Seen, wait_for};

/// Drops the publisher as a path whose escapes are undone, and asks five times as a pattern of curl's.
const TARGETS: [&str; 2] = ["%2e%2e/control/drop/publisher?app=live&name=main&x=", "{1..3}x[1-5]"];
const WITHIN: Duration = Duration::from_secs(60);

/// Requests to NGINX that neither the lab nor the exporter makes by itself.
fn strange_requests(lab: &Lab) -> anyhow::Result<Vec<String>> {
    let log = std::fs::read_to_string(lab.site().root.join("logs/nginx_access.log")).context("read NGINX's log")?;
    let strange = |line: &&str| ["control", "%2e", "{1", "\"curl/"].iter().any(|text| line.contains(text));
    Ok(log.lines().filter(strange).map(str::to_owned).collect())
}

#[tokio::test]
async fn alerts_about_made_up_targets_send_nginx_nothing_and_call_a_person() -> anyhow::Result<()> {
    let lab = settings().start().await?;
    let encoder = lab.site().vvtvctl(&["streaming", "status", "--format", "json"])?;
    for target in TARGETS {
        let alert = json!([{"labels": {"alertname": "IngestDown", "severity": "critical", "stream": target}}]);
        let (status, said) = lab.ask().post(lab.site().ports.alertmanager, "/api/v2/alerts", &alert).await?;
        ensure!(status == 200, "Alertmanager answered {status}: {said}");
    }
    for target in TARGETS {
        let incident = wait_for("the incident to wait for its target", WITHIN, || async {
            let incidents = lab.ask().incidents("all").await.unwrap_or_default();
            match incidents.iter().find(|it| it.target == target && it.reason.as_deref() == Some("unknown_target")) {
                Some(incident) => Seen::Yes(incident.clone()),
                None => Seen::NotYet(format!("{incidents:#?}")),
            }
        })
        .await?;
        assert_eq!(incident.phase, "blocked");
        assert!(incident.steps.iter().all(|step| step.attempt == Some(0)), "{:#?}", incident.steps);
        let about = format!("incidents/{}", incident.id);
        let called =
            |page: &vvtv_tests::pager::Page| page.action() == Some("trigger") && page.body.to_string().contains(&about);
        lab.pager().wait_for_page("the page of L1", WITHIN, called).await?;
    }
    assert_eq!(strange_requests(&lab)?, Vec::<String>::new());
    let pid = |status: &Value| status.pointer("/encoder/pid").or_else(|| status.pointer("/pid")).cloned();
    let after = lab.site().vvtvctl(&["streaming", "status", "--format", "json"])?;
    assert_eq!((pid(&after), &after["state"]), (pid(&encoder), &encoder["state"]), "the publisher goes on");
    Ok(())
}
