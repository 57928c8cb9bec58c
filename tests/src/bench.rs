//! `vvtv-lab bench`: how long each fault lasts, as a table. Each is done to a stack of its own, so that none is in another's way.
//!
//! Rules, windows and runbooks are the shipped ones, but for [`scene::settings`]: an incident that needs no watching closes after 5 s
//! of health. The moments are the remediator's own, from its timeline.

use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::Value;

use crate::ask::Incident;
use crate::faults::Fault;
use crate::lab::Lab;
use crate::scene;
use crate::wait::{Seen, wait_for};

/// Faults with the runbook that answers them. A queue that is low or whose films are gone raises no alert by itself: the slate plays.
const FAULTS: [(Fault, &str); 8] = [
    (Fault::EncoderKilled, "segment-age"),
    (Fault::EncoderFrozen, "segment-age"),
    (Fault::AudioGone, "segment-age"),
    (Fault::NginxDown, "ingest-down"),
    (Fault::NginxHung, "ingest-down"),
    (Fault::DiskFull, "segment-age"),
    (Fault::EncoderOverload, "encoder-drops"),
    (Fault::BitrateSwings, "bitrate-variance"),
];

/// Runbooks that watch for a quarter of an hour and more before they restore quality and close.
const WATCHED: [&str; 2] = ["encoder-drops", "bitrate-variance"];

/// Signals of quality are windows of a minute: alert, measure and proof take a few of them.
const OVER_WITHIN: Duration = Duration::from_secs(420);

/// Seconds from the fault, as far as things came.
struct Row {
    detected: f64,
    acted: Option<f64>,
    step: String,
    healthy: Option<f64>,
    closed: Option<f64>,
    pages: usize,
}

/// Provokes each fault in turn and prints its line.
///
/// # Errors
/// A fault could not be provoked or did not end; the others are measured all the same.
pub async fn run() -> anyhow::Result<()> {
    println!("Seconds from the fault; `watched`: healthy, and watched before quality is restored.\n");
    println!("| fault | detected | first change | healthy | closed | pages |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut failed = Vec::new();
    for (fault, runbook) in FAULTS {
        match measure(fault, runbook).await {
            Ok(row) => println!("{}", row.line(fault)),
            Err(error) => {
                println!("| {fault} | {error:#} |");
                failed.push(fault.to_string());
            }
        }
    }
    if !failed.is_empty() {
        bail!("not measured: {}", failed.join(", "));
    }
    Ok(())
}

async fn measure(fault: Fault, runbook: &str) -> anyhow::Result<Row> {
    let lab = scene::settings().start().await?;
    let before = Timestamp::now();
    fault.cause(lab.site())?;
    // What takes a while to come counts from when it is there.
    let slow = matches!(fault, Fault::EncoderOverload | Fault::AudioGone);
    let began = if slow { Timestamp::now() } else { before };
    let incident = wait_for("the end of the incident", OVER_WITHIN, || async {
        match over(&lab, runbook).await {
            Ok(Some(incident)) => Seen::Yes(incident),
            Ok(None) => Seen::NotYet("an open incident, or none".to_owned()),
            Err(error) => Seen::NotYet(format!("{error:#}")),
        }
    })
    .await?;
    Row::new(&incident, began, lab.pager().pages().len())
}

/// The incident, if nothing remains but to watch.
async fn over(lab: &Lab, runbook: &str) -> anyhow::Result<Option<Incident>> {
    let incidents = lab.ask().incidents("all").await?;
    let watched = |it: &Incident| it.phase == "monitoring" && WATCHED.contains(&runbook);
    let done = |it: &&Incident| it.runbook == runbook && (it.closed_at.is_some() || watched(it));
    match incidents.iter().find(done) {
        Some(found) => Ok(Some(lab.ask().incident(found.id).await?)),
        None => Ok(None),
    }
}

impl Row {
    fn new(incident: &Incident, began: Timestamp, pages: usize) -> anyhow::Result<Self> {
        let since = |text: &str| -> anyhow::Result<f64> {
            let at: Timestamp = text.parse().with_context(|| format!("{text} is no time"))?;
            Ok(at.duration_since(began).as_secs_f64())
        };
        let text = |line: &Value, key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let change = |line: &&Value| {
            let step = text(line, "detail");
            let step = step.split(' ').next().unwrap_or_default();
            let is_change = incident.steps.iter().any(|it| it.id == step && it.kind == "change");
            text(line, "event") == "step_started" && is_change
        };
        let acted = incident.timeline.iter().find(change);
        let first = incident.timeline.first().context("the incident has no timeline")?;
        let step = acted.map_or_else(|| "none".to_owned(), |line| text(line, "detail"));
        Ok(Self {
            detected: since(&text(first, "at"))?,
            acted: acted.map(|line| since(&text(line, "at"))).transpose()?,
            step: step.split(' ').next().unwrap_or_default().to_owned(),
            healthy: incident.healthy_at.as_deref().map(since).transpose()?,
            closed: incident.closed_at.as_deref().map(since).transpose()?,
            pages,
        })
    }

    fn line(&self, fault: Fault) -> String {
        let seconds = |value: Option<f64>, none: &str| value.map_or_else(|| none.to_owned(), |it| format!("{it:.1}"));
        format!(
            "| {fault} | {:.1} | {} {} | {} | {} | {} |",
            self.detected,
            seconds(self.acted, "–"),
            self.step,
            seconds(self.healthy, "–"),
            seconds(self.closed, "watched"),
            self.pages
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_counts_from_the_fault() {
        let incident: Incident = serde_json::from_value(json!({
            "id": 1, "runbook": "segment-age", "target": "main", "phase": "closed",
            "healthy_at": "2026-01-02T03:00:08.5Z", "closed_at": "2026-01-02T03:00:13.5Z",
            "steps": [
                {"id": "encoder_status", "kind": "diagnose", "state": "ok"},
                {"id": "restart_encoder", "kind": "change", "state": "ok"},
            ],
            "timeline": [
                {"at": "2026-01-02T03:00:03Z", "event": "opened", "detail": "segment-age: main"},
                {"at": "2026-01-02T03:00:03.1Z", "event": "step_started", "detail": "encoder_status (attempt 1)"},
                {"at": "2026-01-02T03:00:03.4Z", "event": "step_started", "detail": "restart_encoder (attempt 1)"},
            ],
        }))
        .unwrap();
        let row = Row::new(&incident, "2026-01-02T03:00:00Z".parse().unwrap(), 0).unwrap();
        let expected = "| encoder-killed | 3.0 | 3.4 restart_encoder | 8.5 | 13.5 | 0 |";
        assert_eq!(row.line(Fault::EncoderKilled), expected);
        let watched = Incident { closed_at: None, timeline: incident.timeline[..2].to_vec(), ..incident };
        let row = Row::new(&watched, "2026-01-02T03:00:00Z".parse().unwrap(), 2).unwrap();
        assert_eq!(row.line(Fault::EncoderKilled), "| encoder-killed | 3.0 | – none | 8.5 | watched | 2 |");
    }
}
