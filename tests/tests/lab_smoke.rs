//! The lab by itself: the system's programs come up on free ports, see a real stream, and leave nothing behind.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use vvtv_tests::config::Edit;
use vvtv_tests::family;
use vvtv_tests::{Lab, Part, Seen, Settings, wait_for};
use vvtv_toolkit::process::Identity;

const PARTS: [Part; 4] = [Part::Nginx, Part::TestPublisher, Part::Alertmanager, Part::Prometheus];

async fn nothing_is_left(root: &std::path::Path) -> anyhow::Result<()> {
    wait_for("the lab's processes to end", Duration::from_secs(10), || async {
        let left = family::marked(root);
        if left.is_empty() { Seen::Yes(()) } else { Seen::NotYet(format!("{left:?}")) }
    })
    .await
}

async fn playlist_grows(lab: &Lab) -> anyhow::Result<()> {
    let port = lab.site().ports.http;
    let first = lab.ask().text(port, "/hls/main.m3u8").await?;
    wait_for("the next segment", Duration::from_secs(15), || async {
        match lab.ask().text(port, "/hls/main.m3u8").await {
            Ok(playlist) if playlist != first => Seen::Yes(()),
            Ok(playlist) => Seen::NotYet(playlist),
            Err(error) => Seen::NotYet(format!("{error:#}")),
        }
    })
    .await
}

#[tokio::test]
async fn the_systems_parts_come_up_carry_a_stream_and_leave_nothing() -> anyhow::Result<()> {
    let soon = [
        Edit::set("alert-rules/meta.yml", "/groups/0/rules/0/for", json!("2s")),
        Edit::set("configs/alertmanager.yml", "/route/group_wait", json!("0s")),
        Edit::set("configs/alertmanager.yml", "/route/group_interval", json!("1s")),
    ];
    let lab = soon.into_iter().fold(Settings::default().parts(&PARTS), Settings::edit).start().await?;
    let root = lab.site().root.clone();

    playlist_grows(&lab).await?;
    let rules = lab.ask().text(lab.site().ports.prometheus, "/api/v1/rules").await?;
    assert!(rules.contains("SegmentAgeHigh"), "{rules}");
    wait_for("Alertmanager to be scraped", Duration::from_secs(20), || async {
        match lab.ask().value(r#"up{job="alertmanager"}"#).await {
            Ok(Some(1.0)) => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await?;
    // Nobody scrapes the exporter here: the alert about that must reach Alertmanager, and from there the pager.
    let page = lab
        .pager()
        .wait_for_page("the page about the missing exporter", Duration::from_secs(90), |page| {
            page.action() == Some("trigger")
        })
        .await?;
    assert_eq!(page.path, "/v2/enqueue");

    drop(lab);
    assert!(!root.exists(), "{} is still there", root.display());
    nothing_is_left(&root).await
}

#[tokio::test]
async fn the_exporter_sees_the_playout_daemons_stream_as_healthy() -> anyhow::Result<()> {
    let parts = [Part::Nginx, Part::Playout, Part::Exporter, Part::Prometheus];
    let lab = Settings::default().parts(&parts).start().await?;
    let healthy = r#"(max(vvtv_segment_age_seconds) < bool 6) * on() min(vvtv_ingest_publishing) * on() min(vvtv_ingest_up)
        * on() min(vvtv_encoder_up) * on() max(vvtv_fault_stage{stage="none"})"#;
    wait_for("all signals to be healthy", Duration::from_secs(30), || async {
        match lab.ask().value(healthy).await {
            Ok(Some(1.0)) => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await?;
    assert_eq!(lab.ask().value("count(vvtv_alert_threshold)").await?, Some(3.0));
    assert!(lab.site().encoder()?.lives());
    Ok(())
}

#[tokio::test]
async fn a_hung_worker_and_a_stopped_publisher_end_with_the_lab() -> anyhow::Result<()> {
    let lab = Settings::default().parts(&[Part::Nginx, Part::TestPublisher]).start().await?;
    let root = lab.site().root.clone();
    assert!(lab.site().nginx_worker()?.signal(Signal::STOP));
    let publisher = lab.pid(Part::TestPublisher).and_then(Identity::find).unwrap();
    assert!(publisher.signal(Signal::STOP));
    drop(lab);
    nothing_is_left(&root).await
}

#[tokio::test]
async fn a_taken_port_is_named() -> anyhow::Result<()> {
    let lab = Settings::default().parts(&[Part::Nginx]).start().await?;
    let error = Settings::default().ports(lab.site().ports).parts(&[Part::Nginx]).start().await.unwrap_err();
    let expected = format!(
        "ports of 127.0.0.1 are taken:\n  {} (NGINX, RTMP): Address already in use (os error 98)\n  \
         {} (NGINX, HTTP): Address already in use (os error 98)\n  \
         {} (NGINX, control): Address already in use (os error 98)",
        lab.site().ports.rtmp,
        lab.site().ports.http,
        lab.site().ports.control
    );
    assert_eq!(error.to_string(), expected);
    Ok(())
}

/// What a lab leaves when it is killed itself (KILL): the guard notices by the end of its input.
#[tokio::test]
async fn the_guard_ends_what_a_killed_lab_left() -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let mut left = Command::new("tail").args(["-f", "/dev/null"]).env(family::MARKER, root.path()).spawn()?;
    let guard = env!("CARGO_BIN_EXE_vvtv-lab");
    let mut guard = Command::new(guard).arg("guard").arg(root.path()).stdin(Stdio::piped()).spawn()?;
    assert_eq!(family::marked(root.path()).len(), 1);
    drop(guard.stdin.take());
    assert!(guard.wait()?.success());
    nothing_is_left(root.path()).await?;
    assert!(!left.wait()?.success());
    Ok(())
}
