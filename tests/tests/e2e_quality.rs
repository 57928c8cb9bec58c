//! Faults of quality on the real stack: an encoder that cannot keep up, a bitrate that swings, and a queue that runs low. Measures
//! are taken, seen to help, and taken back when the trouble is over, or put back when it is not.

use std::time::Duration;

use tokio::time::Instant;
use vvtv_tests::ask::Incident;
use vvtv_tests::faults::Fault;
use vvtv_tests::scene::{REPAIRED_WITHIN, Scene, nobody_was_called, settings};
use vvtv_tests::{Lab, Seen, wait_for};

/// Waits until a signal of the stream fulfils a condition; tells the value.
async fn signal(lab: &Lab, metric: &str, what: &str, wanted: impl Fn(f64) -> bool) -> anyhow::Result<f64> {
    let query = format!(r#"{metric}{{stream="main"}}"#);
    wait_for(what, REPAIRED_WITHIN, || async {
        match lab.ask().value(&query).await {
            Ok(Some(value)) if wanted(value) => Seen::Yes(value),
            other => Seen::NotYet(format!("{metric}: {other:?}; alerts: {:?}", lab.ask().alerts().await)),
        }
    })
    .await
}

/// Waits until a step of the incident has ended well.
async fn done(scene: &Scene<'_>, runbook: &str, step: &str) -> anyhow::Result<Incident> {
    scene
        .incident(&format!("{step} to be done"), runbook, |it| it.step(step).is_ok_and(|(state, _)| state == "ok"))
        .await
}

#[tokio::test]
async fn a_full_disk_is_named_and_cleaned_and_the_encoder_left_alone() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("left out: a small disk can only be mounted by root");
        return Ok(());
    }
    let lab = settings().start().await?;
    let scene = Scene::begin(&lab, Fault::DiskFull)?;
    let stage = r#"max(vvtv_fault_stage{stream="main",stage="packager"})
        * on () (min(vvtv_broadcast_filesystem_available_bytes) < bool 1e6)"#;
    wait_for("the packager to be named, on a full disk", REPAIRED_WITHIN, || async {
        match lab.ask().value(stage).await {
            Ok(Some(1.0)) => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await?;
    done(&scene, "segment-age", "clean_segments").await?;
    scene.healthy_again().await?;
    let incident = scene.closed("segment-age").await?;
    assert_eq!(incident.step("restart_encoder")?.1, 0, "the encoder was well: {incident:#?}");
    nobody_was_called(&lab)
}

#[tokio::test]
async fn an_empty_queue_gets_emergency_content_while_segments_are_old() -> anyhow::Result<()> {
    let lab = settings().start().await?;
    let root = lab.site().root.clone();
    std::fs::create_dir_all(root.join("storage/emergency"))?;
    std::fs::copy(root.join("storage/ready/cinema-24fps-mono.mp4"), root.join("storage/emergency/archive.mp4"))?;
    let scene = Scene::begin(&lab, Fault::QueueLow)?;
    lab.site().vvtvctl(&["queue", "skip", "--format", "json"])?;
    signal(&lab, "vvtv_queue_buffer_seconds", "the queue to be empty", |seconds| seconds == 0.0).await?;
    // The place of the segments vanishes: the encoder runs on, and only segments get old.
    std::fs::rename(root.join("broadcast"), root.join("broadcast.gone"))?;
    done(&scene, "segment-age", "inject_emergency").await?;
    let injected = Instant::now();
    wait_for("archive content on air", Duration::from_secs(15), || async {
        let status = lab.site().vvtvctl(&["streaming", "status", "--format", "json"]);
        let path =
            status.as_ref().ok().and_then(|status| status.pointer("/item/asset_path")?.as_str().map(str::to_owned));
        match path {
            Some(path) if path.ends_with("storage/emergency/archive.mp4") => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await?;
    let on_air = injected.elapsed();
    let buffer = signal(&lab, "vvtv_queue_buffer_seconds", "the buffer to rise", |seconds| seconds > 1800.0).await?;
    println!("injected to on air: {:.1} s; buffer: {buffer:.0} s", on_air.as_secs_f64());
    std::fs::rename(root.join("broadcast.gone"), root.join("broadcast"))?;
    let incident = scene.closed("segment-age").await?;
    assert_eq!(incident.step("restart_encoder")?.1, 0, "the encoder was well: {incident:#?}");
    Ok(())
}
