//! Faults of the encoder on the real stack: measured, alerted, repaired and closed, with nobody at the keyboard.

use anyhow::Context as _;
use serde_json::Value;
use vvtv_tests::ask::Incident;
use vvtv_tests::config::Edit;
use vvtv_tests::faults::Fault;
use vvtv_tests::scene::{REPAIRED_WITHIN, Scene, nobody_was_called, settings};
use vvtv_tests::{Lab, Part, Seen, wait_for};

/// The encoder was restarted once, by this incident, and NGINX was left alone.
fn repaired_once(lab: &Lab, scene: &Scene<'_>, incident: &Incident, was: &str) -> anyhow::Result<()> {
    assert_eq!(incident.step("restart_encoder")?, ("ok", 1));
    let status = lab.site().vvtvctl(&["streaming", "status", "--format", "json"])?;
    assert_eq!(status.get("state").and_then(Value::as_str), Some("running"), "{status}");
    assert_eq!(status.get("restarts").and_then(Value::as_u64), Some(1), "before: {was}; now: {status}");
    assert_eq!(lab.site().nginx_master()?.pid, scene.nginx_before(), "NGINX was restarted");
    nobody_was_called(lab)
}

fn said(incident: &Incident, step: &str) -> anyhow::Result<()> {
    let started = incident.timeline.iter().any(|line| {
        let detail = line.get("detail").and_then(Value::as_str).unwrap_or_default();
        line.get("event").and_then(Value::as_str) == Some("step_started") && detail.starts_with(step)
    });
    started.then_some(()).with_context(|| format!("{step} was not started: {:#?}", incident.timeline))
}

#[tokio::test]
async fn a_frozen_encoder_is_repaired_by_the_early_warning() -> anyhow::Result<()> {
    let lab = settings().start().await?;
    let scene = Scene::begin(&lab, Fault::EncoderFrozen)?;
    let found = scene.incident("an incident", "segment-age", |_| true).await?;
    scene.healthy().await?;
    let incident = scene.closed("segment-age").await?;
    assert_eq!(incident.id, found.id);
    said(&incident, "encoder_status")?;
    repaired_once(&lab, &scene, &incident, "frozen")
}

#[tokio::test]
async fn a_frozen_encoder_is_repaired_by_the_segment_age_alone() -> anyhow::Result<()> {
    let lab = settings().edit(Edit::without_alert("PublisherLost")).start().await?;
    let scene = Scene::begin(&lab, Fault::EncoderFrozen)?;
    scene.healthy().await?;
    let incident = scene.closed("segment-age").await?;
    repaired_once(&lab, &scene, &incident, "frozen")
}

#[tokio::test]
async fn a_killed_encoder_is_repaired() -> anyhow::Result<()> {
    let lab = settings().start().await?;
    let scene = Scene::begin(&lab, Fault::EncoderKilled)?;
    scene.healthy().await?;
    let incident = scene.closed("segment-age").await?;
    repaired_once(&lab, &scene, &incident, "killed")
}

#[tokio::test]
async fn an_encoder_whose_sound_dies_is_named_and_restarted() -> anyhow::Result<()> {
    let lab = settings().start().await?;
    let scene = Scene::begin(&lab, Fault::AudioGone)?;
    let named = r#"max(vvtv_fault_stage{stream="main",stage="encoder"}) * on () min(vvtv_ingest_publishing{stream="main"})
        * on () (max(vvtv_segment_age_seconds{stream="main"}) > bool 10)
        * on () (max(vvtv_ingest_track_bitrate_bytes_per_second{stream="main",kind="video"}) > bool 0)"#;
    wait_for("the encoder to be named while its bytes arrive and no segment comes", REPAIRED_WITHIN, || async {
        match lab.ask().value(named).await {
            Ok(Some(1.0)) => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await?;
    println!("fault to the encoder's name: {:.1} s", scene.began().elapsed().as_secs_f64());
    // What NGINX makes of the old encoder's last pictures is no recovery.
    let restarted = |it: &Incident| it.step("restart_silent_encoder").is_ok_and(|step| step == ("ok", 1));
    scene.incident("the silent encoder to be restarted", "segment-age", restarted).await?;
    scene.healthy_again().await?;
    let incident = scene.closed("segment-age").await?;
    assert_eq!(incident.step("restart_silent_encoder")?, ("ok", 1));
    assert_eq!(lab.site().nginx_master()?.pid, scene.nginx_before(), "NGINX was restarted");
    nobody_was_called(&lab)
}

#[tokio::test]
async fn a_killed_encoder_is_repaired_once_although_the_remediator_is_killed_in_the_middle() -> anyhow::Result<()> {
    let mut lab = settings().start().await?;
    let port = lab.site().ports.remediator;
    assert!(lab.ask().text(port, "/-/ready").await.is_ok());
    let running = |it: &Incident| it.step("restart_encoder").is_ok_and(|step| step == ("running", 1));
    let (nginx, began) = {
        let scene = Scene::begin(&lab, Fault::EncoderKilled)?;
        scene.incident("the restart to run", "segment-age", running).await?;
        (scene.nginx_before(), scene.began())
    };
    lab.kill_part(Part::Remediator)?;
    lab.start_part(Part::Remediator).await?;
    let scene = Scene::resume(&lab, began, nginx);
    scene.healthy().await?;
    let incident = scene.closed("segment-age").await?;
    assert_eq!(incident.step("restart_encoder")?, ("unknown", 1));
    let status = lab.site().vvtvctl(&["streaming", "status", "--format", "json"])?;
    assert_eq!(status.get("restarts").and_then(Value::as_u64), Some(1), "{status}");
    assert_eq!(lab.ask().incidents("all").await?.len(), 1);
    nobody_was_called(&lab)
}

#[tokio::test]
async fn an_alertmanager_that_delivers_everything_twice_makes_one_incident_and_one_run() -> anyhow::Result<()> {
    let twice = Edit::yaml("configs/alertmanager.yml", |document| {
        let hooks = document.pointer_mut("/receivers/0/webhook_configs").and_then(Value::as_array_mut);
        let hooks = hooks.context("no webhook")?;
        let copy = hooks.first().context("no webhook")?.clone();
        hooks.push(copy);
        Ok(())
    });
    let lab = settings().edit(twice).start().await?;
    let scene = Scene::begin(&lab, Fault::EncoderKilled)?;
    scene.healthy().await?;
    let incident = scene.closed("segment-age").await?;
    repaired_once(&lab, &scene, &incident, "killed")?;
    assert_eq!(lab.ask().incidents("all").await?.len(), 1);
    let metrics = lab.ask().text(lab.site().ports.remediator, "/metrics").await?;
    let duplicates = metrics.lines().find(|line| line.contains(r#"event="ignored",reason="duplicate""#));
    assert!(duplicates.is_some_and(|line| !line.ends_with(" 0")), "no duplicate was counted:\n{metrics}");
    Ok(())
}
