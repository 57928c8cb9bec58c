//! What end-to-end tests have in common: a lab with short timers, a fault, and the way back to health, with its time told.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::time::Instant;

use crate::ask::Incident;
use crate::config::Edit;
use crate::faults::Fault;
use crate::lab::{Lab, Settings};
use crate::wait::{Seen, wait_for};

/// How long a repair may take before a test gives up on it. The aim is far below; a busy machine must not fail a test.
pub const REPAIRED_WITHIN: Duration = Duration::from_secs(150);

/// 1 while segments are young and the publisher's bytes advance, 0 otherwise.
const HEALTHY: &str =
    r#"(vvtv_segment_age_seconds{stream="main"} < bool 5) * on () vvtv_ingest_publishing{stream="main"}"#;

const RUNBOOKS: [&str; 4] = ["segment-age", "encoder-drops", "ingest-down", "bitrate-variance"];

/// A whole lab whose incidents close soon: the shipped files with shorter timers.
#[must_use]
pub fn settings() -> Settings {
    let quick = |settings: Settings, runbook: &str| {
        settings.edit(Edit::set(&format!("runbooks/{runbook}.yml"), "/healthy_for", json!("5s")))
    };
    RUNBOOKS
        .into_iter()
        .fold(Settings::default(), quick)
        .edit(Edit::set("configs/alertmanager.yml", "/route/routes/0/group_interval", json!("1s")))
        .edit(Edit::set("configs/remediator.yml", "/reconcile", json!("2s")))
}

/// A fault under way.
pub struct Scene<'a> {
    lab: &'a Lab,
    began: Instant,
    nginx: i32,
}

impl<'a> Scene<'a> {
    /// Harms the stack.
    ///
    /// # Errors
    /// There is nothing to harm.
    pub fn begin(lab: &'a Lab, fault: Fault) -> anyhow::Result<Self> {
        let nginx = lab.site().nginx_master()?.pid;
        println!("{fault}: {}", fault.cause(lab.site())?);
        Ok(Self { lab, began: Instant::now(), nginx })
    }

    /// Goes on with a fault that began before, for tests that changed the lab meanwhile.
    #[must_use]
    pub const fn resume(lab: &'a Lab, began: Instant, nginx: i32) -> Self {
        Self { lab, began, nginx }
    }

    /// When the fault began.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Process id of NGINX's master when the fault began.
    #[must_use]
    pub const fn nginx_before(&self) -> i32 {
        self.nginx
    }

    /// Waits until `wanted` accepts an incident of `runbook`.
    ///
    /// # Errors
    /// None in time; the message has all incidents.
    pub async fn incident(
        &self,
        what: &str,
        runbook: &str,
        wanted: impl Fn(&Incident) -> bool,
    ) -> anyhow::Result<Incident> {
        wait_for(what, REPAIRED_WITHIN, || async {
            match self.lab.ask().incidents("all").await {
                Err(error) => Seen::NotYet(format!("{error:#}")),
                Ok(incidents) => match incidents.iter().find(|it| it.runbook == runbook && wanted(it)) {
                    Some(incident) => Seen::Yes(incident.clone()),
                    None => Seen::NotYet(format!("{incidents:#?}")),
                },
            }
        })
        .await
    }

    /// Waits until viewers get new segments again, and tells how long that took from the fault.
    ///
    /// What a dying encoder leaves behind is no recovery: the exporter must have seen the fault, and a segment must come after that.
    ///
    /// # Errors
    /// Not in time.
    pub async fn healthy(&self) -> anyhow::Result<Duration> {
        let stale = wait_for("the exporter to see the fault", REPAIRED_WITHIN, || async {
            match self.lab.ask().value(HEALTHY).await {
                Ok(Some(0.0)) => Seen::Yes(self.newest().await),
                other => Seen::NotYet(format!("{other:?}")),
            }
        })
        .await?;
        self.fresh(stale).await
    }

    /// As [`Self::healthy`], for a test that has seen the fault and its repair itself: a segment must come after that.
    ///
    /// # Errors
    /// Not in time.
    pub async fn healthy_again(&self) -> anyhow::Result<Duration> {
        self.fresh(self.newest().await).await
    }

    async fn fresh(&self, stale: Option<String>) -> anyhow::Result<Duration> {
        wait_for("fresh segments", REPAIRED_WITHIN, || async {
            let newest = self.newest().await;
            let new = newest.is_some() && newest != stale;
            match self.lab.ask().value(HEALTHY).await {
                Ok(Some(1.0)) if new => Seen::Yes(()),
                other => Seen::NotYet(format!("newest segment: {newest:?}, healthy: {other:?}")),
            }
        })
        .await?;
        let took = self.began.elapsed();
        println!("fault to fresh segments: {:.1} s", took.as_secs_f64());
        Ok(took)
    }

    /// Name of the newest listed segment.
    async fn newest(&self) -> Option<String> {
        let playlist = self.lab.ask().text(self.lab.site().ports.http, "/hls/main.m3u8").await.ok()?;
        let segment = playlist.lines().rev().find(|line| !line.is_empty() && !line.starts_with('#'));
        segment.map(str::to_owned)
    }

    /// Waits until the incident of `runbook` is closed, and gives it whole.
    ///
    /// # Errors
    /// Not in time.
    pub async fn closed(&self, runbook: &str) -> anyhow::Result<Incident> {
        let closed = self.incident("the incident to close", runbook, |it| it.closed_at.is_some()).await?;
        let whole = self.lab.ask().incident(closed.id).await?;
        println!("fault to closed incident: {:.1} s", self.began.elapsed().as_secs_f64());
        for line in &whole.timeline {
            let text = |key: &str| line.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
            println!("  {} {} {} {}", text("at"), text("event"), text("reason"), text("detail"));
        }
        Ok(whole)
    }
}

impl Incident {
    /// State and attempts of a step.
    ///
    /// # Errors
    /// The runbook has no such step.
    pub fn step(&self, id: &str) -> anyhow::Result<(&str, u32)> {
        let step = self.steps.iter().find(|step| step.id == id).with_context(|| format!("no step {id}: {self:#?}"))?;
        Ok((&step.state, step.attempt.unwrap_or(0)))
    }
}

/// Demands that nobody was called.
///
/// # Errors
/// Somebody was; the message has the pages.
pub fn nobody_was_called(lab: &Lab) -> anyhow::Result<()> {
    let pages = lab.pager().pages();
    ensure!(pages.is_empty(), "somebody was called: {pages:#?}");
    Ok(())
}
