//! Faults of NGINX on the real stack, and a fault that no step can repair: people are called, in time, once.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use vvtv_tests::config::Edit;
use vvtv_tests::faults::Fault;
use vvtv_tests::pager::Page;
use vvtv_tests::scene::{REPAIRED_WITHIN, Scene, nobody_was_called, settings};
use vvtv_tests::{Lab, Seen, wait_for};

/// NGINX was restarted once, and no symptom acted meanwhile.
async fn only_nginx_was_restarted(lab: &Lab, scene: &Scene<'_>) -> anyhow::Result<()> {
    let incident = scene.closed("ingest-down").await?;
    assert_eq!(incident.step("restart_nginx")?, ("ok", 1));
    assert_ne!(lab.site().nginx_master()?.pid, scene.nginx_before());
    for symptom in lab.ask().incidents("all").await?.iter().filter(|it| it.runbook != "ingest-down") {
        let acted = symptom.steps.iter().find(|step| step.kind == "change" && step.attempt.unwrap_or(0) > 0);
        assert!(acted.is_none(), "a symptom acted: {symptom:#?}");
    }
    nobody_was_called(lab)
}

#[tokio::test]
async fn a_stopped_nginx_is_started_and_the_encoder_comes_back() -> anyhow::Result<()> {
    let lab = settings().start().await?;
    let scene = Scene::begin(&lab, Fault::NginxDown)?;
    scene.healthy().await?;
    only_nginx_was_restarted(&lab, &scene).await
}

#[tokio::test]
async fn a_hung_nginx_is_seen_although_tcp_connects_and_is_restarted() -> anyhow::Result<()> {
    let lab = settings().start().await?;
    let scene = Scene::begin(&lab, Fault::NginxHung)?;
    wait_for("ingest_up to be 0", REPAIRED_WITHIN, || async {
        tokio::net::TcpStream::connect(("127.0.0.1", lab.site().ports.rtmp))
            .await
            .map_or_else(|error| Seen::NotYet(format!("TCP does not connect: {error}")), |_connected| Seen::Yes(()))
    })
    .await?;
    wait_for("ingest_up to be 0", REPAIRED_WITHIN, || async {
        match lab.ask().value(r#"vvtv_ingest_state{stream="main",state="server_hung"}"#).await {
            Ok(Some(1.0)) => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    })
    .await?;
    scene.healthy().await?;
    only_nginx_was_restarted(&lab, &scene).await
}

fn calls(page: &Page, action: &str, level: u64) -> bool {
    let details = page.body.pointer("/payload/custom_details/level").cloned().unwrap_or(Value::Null);
    page.action() == Some(action) && (details == json!(level) || details == json!(format!("L{level}")))
}

#[tokio::test]
async fn what_no_step_can_repair_calls_l2_at_its_timer_once_and_takes_it_back_when_health_returns() -> anyhow::Result<()>
{
    let lab = settings()
        .edit(Edit::set("runbooks/ingest-down.yml", "/respond_within", json!("5s")))
        .edit(Edit::set("runbooks/ingest-down.yml", "/escalate/after", json!("20s")))
        .start()
        .await?;
    // A configuration that NGINX refuses: the runbook finds that out, and leaves the restart alone.
    let conf = lab.site().root.join("configs/nginx/rtmp.conf");
    let good = std::fs::read_to_string(&conf).context("read NGINX's configuration")?;
    std::fs::write(&conf, format!("{good}\nnonsense;\n")).context("break NGINX's configuration")?;
    let scene = Scene::begin(&lab, Fault::NginxDown)?;

    // Who is called first reads what is wrong with the configuration without opening anything.
    let ours = |page: &Page| page.body.pointer("/payload/group") == Some(&json!("ingest-down"));
    let wanted = |page: &Page| ours(page) && calls(page, "trigger", 1);
    let first = lab.pager().wait_for_page("the page of L1", REPAIRED_WITHIN, wanted).await?;
    let tried = first.body.pointer("/payload/custom_details/tried").cloned().unwrap_or(Value::Null);
    let line = good.lines().count() + 2;
    let told = format!("unknown directive \"nonsense\" in {}:{line} |", conf.display());
    let tells = |it: &str| it.starts_with("Check NGINX configuration: failed (step_failed): ") && it.contains(&told);
    let mut tried_steps = tried.as_array().into_iter().flatten().filter_map(Value::as_str);
    assert!(tried_steps.any(tells), "{told} is not in {tried:#}");
    let restarts = scene.incident("the incident", "ingest-down", |_| true).await?.step("restart_nginx")?.1;
    assert_eq!(restarts, 0, "NGINX was restarted blindly");

    let page = lab.pager().wait_for_page("the page of L2", REPAIRED_WITHIN, |page| calls(page, "trigger", 2)).await?;
    let incident = scene.incident("the incident", "ingest-down", |_| true).await?;
    assert_eq!(incident.step("check_nginx_config")?.0, "failed");
    assert_eq!(incident.step("restart_nginx")?, ("skipped", 0));
    let incident = lab.ask().incident(incident.id).await?;
    let due = incident.pages.iter().find(|page| page.get("level") == Some(&json!(2))).context("no page of L2")?;
    let opened = time(incident.timeline.first().and_then(|line| line.get("at")))?;
    let late = time(due.get("sent_at"))?.saturating_sub(opened);
    assert!((20_000..22_000).contains(&late), "L2 was called {late} ms after the incident opened, not at 20 s");

    let bundle = page
        .body
        .pointer("/links")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find_map(|link| link.get("href").and_then(Value::as_str).filter(|href| href.ends_with("/bundle")));
    let bundle = bundle.with_context(|| format!("no link to the bundle: {}", page.body))?;
    let archive = lab.ask().download(bundle).await?;
    assert_eq!(archive.first_chunk(), Some(&[0x1f, 0x8b]), "the bundle is no gzip archive");

    std::fs::write(&conf, good).context("mend NGINX's configuration")?;
    Fault::NginxDown.undo(lab.site())?;
    scene.healthy().await?;
    let key = page.dedup_key().map(str::to_owned);
    lab.pager()
        .wait_for_page("the page of L2 to be taken back", REPAIRED_WITHIN, |page| {
            page.action() == Some("resolve") && page.dedup_key() == key.as_deref()
        })
        .await?;
    scene.closed("ingest-down").await?;
    let pages = lab.pager().pages();
    let l2 = pages.iter().filter(|page| calls(page, "trigger", 2)).count();
    let l3 = pages.iter().filter(|page| calls(page, "trigger", 3)).count();
    assert_eq!((l2, l3), (1, 0), "{pages:#?}");
    Ok(())
}

/// Milliseconds since the epoch.
fn time(text: Option<&Value>) -> anyhow::Result<u64> {
    let text = text.and_then(Value::as_str).context("no time")?;
    let time: jiff::Timestamp = text.parse().with_context(|| format!("{text} is no time"))?;
    Ok(u64::try_from(Duration::from_millis(u64::try_from(time.as_millisecond())?).as_millis())?)
}
