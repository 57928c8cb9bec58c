//! Faults of quality on the real stack: an encoder that cannot keep up, a bitrate that swings, and a queue that runs low. Measures
//! are taken, seen to help, and taken back when the trouble is over, or put back when it is not.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::Instant;
use vvtv_tests::ask::Incident;
use vvtv_tests::config::Edit;
use vvtv_tests::content;
use vvtv_tests::faults::Fault;
use vvtv_tests::scene::{REPAIRED_WITHIN, Scene, nobody_was_called, settings};
use vvtv_tests::{Lab, Seen, Settings, wait_for};

/// The shipped rule and runbook with shorter times: a window of so many seconds, a rule that holds longer than the window, as the
/// shipped one does, so that what is over does not fire, and measures that are judged after the window, too.
fn short(alert: &'static str, runbook: &str, window: u32) -> Settings {
    let [window, hold, settle] = [window, window + 5, window + 10].map(|seconds| format!("{seconds}s"));
    let rules = Edit::yaml("alert-rules/streaming.yml", move |document| {
        let rules = document.pointer_mut("/groups/0/rules").and_then(Value::as_array_mut).context("no rules")?;
        let named = |rule: &&mut Value| rule.get("alert").and_then(Value::as_str) == Some(alert);
        let rule = rules.iter_mut().find(named).with_context(|| format!("no rule {alert}"))?;
        rule["for"] = json!(hold);
        rule["keep_firing_for"] = json!("3s");
        Ok(())
    });
    let file = format!("runbooks/{runbook}.yml");
    let steps = Edit::yaml(&file, move |document| {
        let changes = document.pointer_mut("/steps").and_then(Value::as_array_mut).context("no steps")?;
        for step in changes.iter_mut().filter(|step| step["kind"] == json!("change")) {
            step["settle"] = json!(settle);
        }
        let stages = document.pointer_mut("/recovery/restore").and_then(Value::as_array_mut).context("no stages")?;
        for stage in stages.iter_mut().flat_map(Value::as_object_mut).flat_map(|stage| stage.values_mut()) {
            stage["settle"] = json!(settle);
        }
        Ok(())
    });
    settings()
        .edit(Edit::set("configs/playout.yml", "/video", json!({"width": 512, "height": 288, "fps": 25})))
        .edit(Edit::set("configs/exporter.yml", "/window", json!(window)))
        .edit(Edit::set(&file, "/recovery/monitor", json!("10s")))
        .edit(rules)
        .edit(steps)
}

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

/// Waits until what is on air is as wanted.
async fn on_air(lab: &Lab, what: &str, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    wait_for(what, Duration::from_secs(15), || async {
        let status = lab.site().vvtvctl(&["streaming", "status", "--format", "json"]);
        let path =
            status.as_ref().ok().and_then(|status| status.pointer("/item/asset_path")?.as_str().map(str::to_owned));
        match path {
            Some(path) if wanted(&path) => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await
}

fn flag(lab: &Lab, key: &str) -> anyhow::Result<Value> {
    let flag = lab.site().vvtvctl(&["flags", "get", key, "--format", "json"])?;
    flag.get("value").cloned().with_context(|| flag.to_string())
}

/// Puts what is hardest to encode on air; tells its path.
async fn noise_on_air(lab: &Lab) -> anyhow::Result<String> {
    let noise = content::noisy(&lab.site().programs.join("lab-content"))?.to_string_lossy().into_owned();
    lab.site().vvtvctl(&["queue", "add", "--priority", "1000", &noise, "--format", "json"])?;
    lab.site().vvtvctl(&["queue", "skip", "--format", "json"])?;
    on_air(lab, "the noise on air", |path| path == noise).await?;
    Ok(noise)
}

/// Waits until a step of the incident has ended well.
async fn done(scene: &Scene<'_>, runbook: &str, step: &str) -> anyhow::Result<Incident> {
    scene
        .incident(&format!("{step} to be done"), runbook, |it| it.step(step).is_ok_and(|(state, _)| state == "ok"))
        .await
}

/// A measure that was put in place again is the first level's to look at, and nobody else's.
fn told_l1_alone(incident: &Incident) {
    let levels: Vec<_> = incident.pages.iter().map(|page| page["level"].clone()).collect();
    assert!(!levels.is_empty() && levels.iter().all(|level| *level == json!(1)), "{:#?}", incident.pages);
}

#[tokio::test]
async fn an_encoder_at_a_fraction_of_the_pace_gets_the_lightest_preset_because_its_segments_are_old()
-> anyhow::Result<()> {
    let size = Edit::set("configs/playout.yml", "/video", json!({"width": 854, "height": 480, "fps": 25}));
    let lab = settings().edit(size).start().await?;
    noise_on_air(&lab).await?;
    let nginx = lab.site().nginx_master()?.pid;
    lab.site().vvtvctl(&["flags", "set", "encoder.preset=placebo", "--format", "json"])?;
    let scene = Scene::resume(&lab, Instant::now(), nginx);
    done(&scene, "segment-age", "lower_load").await?;
    let incident = scene.closed("segment-age").await?;
    assert_eq!(incident.step("lower_load")?, ("ok", 1));
    assert_eq!(incident.step("restart_encoder")?.1, 0, "a restart would have changed nothing: {incident:#?}");
    assert_eq!(flag(&lab, "encoder.preset")?, json!("ultrafast"));
    assert_eq!(lab.site().nginx_master()?.pid, nginx);
    nobody_was_called(&lab)
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
    on_air(&lab, "archive content on air", |path| path.ends_with("storage/emergency/archive.mp4")).await?;
    let took = injected.elapsed();
    let buffer = signal(&lab, "vvtv_queue_buffer_seconds", "the buffer to rise", |seconds| seconds > 1800.0).await?;
    println!("injected to on air: {:.1} s; buffer: {buffer:.0} s", took.as_secs_f64());
    std::fs::rename(root.join("broadcast.gone"), root.join("broadcast"))?;
    let incident = scene.closed("segment-age").await?;
    assert_eq!(incident.step("restart_encoder")?.1, 0, "the encoder was well: {incident:#?}");
    Ok(())
}

/// Minutes each, because what is measured over windows is waited for several times: `make soak`.
mod soak {
    use super::*;

    #[tokio::test]
    async fn an_overloaded_encoder_gets_a_lighter_preset_and_keeps_it_when_the_old_one_loses_frames_again()
    -> anyhow::Result<()> {
        let lab = short("EncoderDropsHigh", "encoder-drops", 20).start().await?;
        noise_on_air(&lab).await?;
        let scene = Scene::begin(&lab, Fault::EncoderOverload)?;
        let heavy = flag(&lab, "encoder.preset")?;
        let lost = signal(&lab, "vvtv_encoder_drops_ratio", "frames to be lost", |ratio| ratio > 0.005).await?;
        done(&scene, "encoder-drops", "lower_preset").await?;
        assert_eq!(flag(&lab, "encoder.preset")?, json!("fast"));
        let left = signal(&lab, "vvtv_encoder_drops_ratio", "losses to end", |ratio| ratio <= 0.005).await?;
        println!(
            "lost: {lost:.3} with preset {heavy}, {left:.4} with fast, after {:.1} s",
            scene.began().elapsed().as_secs_f64()
        );

        done(&scene, "encoder-drops", "restore_preset").await?;
        let incident = scene.closed("encoder-drops").await?;
        assert_eq!(incident.step("lower_preset_again")?, ("ok", 1));
        assert_eq!(incident.step("restart_lower")?.1, 0, "one measure was enough: {incident:#?}");
        told_l1_alone(&incident);
        assert_eq!(flag(&lab, "encoder.preset")?, json!("fast"), "the old preset was {heavy}");
        assert_eq!(lab.site().nginx_master()?.pid, scene.nginx_before());
        Fault::EncoderOverload.undo(lab.site())?;
        Ok(())
    }

    #[tokio::test]
    async fn a_swinging_bitrate_is_made_constant_and_stays_so_as_long_as_the_content_swings() -> anyhow::Result<()> {
        let lab = short("BitrateVarianceHigh", "bitrate-variance", 40).start().await?;
        let scene = Scene::begin(&lab, Fault::BitrateSwings)?;
        let swinging =
            signal(&lab, "vvtv_bitrate_variance_ratio", "the bitrate to swing", |ratio| ratio > 0.25).await?;
        done(&scene, "bitrate-variance", "smooth_rate_control").await?;
        let constant = signal(&lab, "vvtv_bitrate_variance_ratio", "a steady bitrate", |ratio| ratio <= 0.25).await?;
        println!(
            "coefficient of variation: {swinging:.3} under CRF, {constant:.3} under CBR, after {:.1} s",
            scene.began().elapsed().as_secs_f64()
        );
        // The film is on air still: what is taken back hurts, is put in place again, and a person is told.
        let incident = scene.closed("bitrate-variance").await?;
        assert_eq!(incident.step("restore_rate_control")?, ("ok", 1));
        assert_eq!(incident.step("smooth_rate_control_again")?, ("ok", 1));
        assert_eq!(flag(&lab, "encoder.rate_control")?, json!("cbr"));
        assert_eq!(lab.site().nginx_master()?.pid, scene.nginx_before());
        told_l1_alone(&incident);
        Ok(())
    }

    #[tokio::test]
    async fn an_encoder_that_was_overloaded_by_what_it_played_gets_its_quality_back_when_that_is_over()
    -> anyhow::Result<()> {
        let lab = short("EncoderDropsHigh", "encoder-drops", 20).start().await?;
        let noise = noise_on_air(&lab).await?;
        let scene = Scene::begin(&lab, Fault::EncoderOverload)?;
        let heavy = flag(&lab, "encoder.preset")?;
        let lost = signal(&lab, "vvtv_encoder_drops_ratio", "frames to be lost", |ratio| ratio > 0.005).await?;
        done(&scene, "encoder-drops", "lower_preset").await?;
        // What was hard to encode ends; the preset of before is enough again.
        lab.site().vvtvctl(&["queue", "skip", "--format", "json"])?;
        on_air(&lab, "another film on air", |path| path != noise).await?;
        let left = signal(&lab, "vvtv_encoder_drops_ratio", "losses to end", |ratio| ratio <= 0.005).await?;
        let incident = scene.closed("encoder-drops").await?;
        let after = signal(&lab, "vvtv_encoder_drops_ratio", "no losses", |ratio| ratio <= 0.005).await?;
        println!("lost: {lost:.3} with preset {heavy} on noise, {left:.4} with fast, {after:.4} with {heavy} again");
        assert_eq!(incident.step("restore_preset")?, ("ok", 1));
        assert_eq!(incident.step("lower_preset_again")?.1, 0, "it did not hurt: {incident:#?}");
        assert_eq!(flag(&lab, "encoder.preset")?, heavy);
        assert_eq!(lab.site().nginx_master()?.pid, scene.nginx_before());
        nobody_was_called(&lab)
    }
}
