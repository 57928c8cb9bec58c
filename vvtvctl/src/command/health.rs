//! `streaming health`: every link from the playout to the playlist, and the exporter's verdict where it answers.

use std::time::Duration;

use serde::Serialize;
use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::http;
use vvtv_playout_interface::protocol::State;

use super::context::Context;
use super::{metrics, status, test_ingest};
use crate::render;
use crate::verdict::Verdict;

/// For each look at a server.
const WITHIN: Duration = Duration::from_secs(3);

/// A playlist is a few lines.
const PLAYLIST_MAX: usize = 4 << 20;

/// Less content ahead is worth a warning (the runbook's "buffer is low").
const BUFFER_LOW_SECONDS: f64 = 30.0 * 60.0;

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    Ok,
    /// Not good, but viewers are served.
    Warn,
    Bad,
    /// It cannot be seen now.
    Unknown,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    mark: Mark,
    detail: String,
}

#[derive(Serialize)]
struct Report {
    healthy: bool,
    checks: Vec<Check>,
}

pub(super) async fn run(context: &Context) -> Result<Verdict, Failure> {
    let config = context.config()?;
    let client = http::client()?;
    let mut checks = playout(context);
    for part in test_ingest::test(&config, WITHIN).await? {
        checks.push(Check { name: part.name, mark: if part.ok { Mark::Ok } else { Mark::Bad }, detail: part.detail });
    }
    checks.push(playlist(&client, &config).await);
    checks.extend(signals(&client, &config).await);
    let healthy = !checks.iter().any(|check| check.mark == Mark::Bad);
    let report = Report { healthy, checks };
    render::result(context.format, &report, || {
        let rows = report.checks.iter().map(|check| {
            let mark = match check.mark {
                Mark::Ok => "ok",
                Mark::Warn => "WARN",
                Mark::Bad => "BAD",
                Mark::Unknown => "unknown",
            };
            vec![check.name.to_owned(), mark.to_owned(), check.detail.clone()]
        });
        let table = render::table(&["LINK", "STATE", ""], rows.collect());
        format!("{table}{}", if healthy { "healthy" } else { "NOT HEALTHY" })
    })?;
    Ok(if report.healthy { Verdict::Good } else { Verdict::Unhealthy })
}

fn playout(context: &Context) -> Vec<Check> {
    let status = match status::ask_status(context) {
        Ok(status) => status,
        Err(failure) => return vec![Check { name: "playout", mark: Mark::Bad, detail: failure.message() }],
    };
    let mark = match status.state {
        State::Running => Mark::Ok,
        State::Starting => Mark::Warn,
        State::Stuck | State::Dead | State::Stopped => Mark::Bad,
    };
    let reason = status.reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let mut checks = vec![Check { name: "encoder", mark, detail: format!("{}{reason}", status.state) }];
    let low = status.queue_buffer_seconds.is_none_or(|seconds| seconds < BUFFER_LOW_SECONDS);
    checks.push(Check {
        name: "queue",
        mark: if low { Mark::Warn } else { Mark::Ok },
        detail: format!("{} ahead", render::seconds(status.queue_buffer_seconds)),
    });
    checks.extend(status.warnings.into_iter().map(|detail| Check { name: "playout", mark: Mark::Warn, detail }));
    checks
}

async fn playlist(client: &reqwest::Client, config: &Config) -> Check {
    let (mark, detail) = match http::get(client, &config.nginx.playlist, WITHIN, PLAYLIST_MAX).await {
        Err(error) => (Mark::Bad, format!("{error:#}")),
        Ok(body) => {
            let text = String::from_utf8_lossy(&body);
            let listed = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).count();
            match (text.starts_with("#EXTM3U"), listed) {
                (false, _) => (Mark::Bad, format!("{} is no playlist", config.nginx.playlist)),
                (true, 0) => (Mark::Bad, "no segment is listed".to_owned()),
                (true, listed) => (Mark::Ok, format!("{listed} segments listed")),
            }
        }
    };
    Check { name: "playlist", mark, detail }
}

async fn signals(client: &reqwest::Client, config: &Config) -> Vec<Check> {
    let signals = match metrics::fetch(client, config).await {
        Ok(signals) => signals,
        // The stream lives without the exporter; the other links have been looked at directly.
        Err(error) => return vec![Check { name: "exporter", mark: Mark::Unknown, detail: format!("{error:#}") }],
    };
    type Show = fn(f64) -> String;
    let judged: [(&'static str, Option<f64>, &str, Show); 3] = [
        ("segment age", signals.segment_age_seconds, "segment_age", metrics::age),
        ("encoder drops", signals.encoder_drops_ratio, "encoder_drops", metrics::share),
        ("bitrate variance", signals.bitrate_variance_ratio, "bitrate_variance", metrics::share),
    ];
    let check = |(name, value, signal, show): (&'static str, Option<f64>, &str, Show)| {
        let limit = signals.thresholds.get(signal).copied();
        let (mark, detail) = match (value, limit) {
            (Some(value), Some(limit)) => {
                let mark = if value > limit { Mark::Bad } else { Mark::Ok };
                (mark, format!("{}, limit {}", show(value), show(limit)))
            }
            (Some(value), None) => (Mark::Ok, show(value)),
            (None, _) => (Mark::Unknown, "the exporter has no value".to_owned()),
        };
        Check { name, mark, detail }
    };
    judged.into_iter().map(check).collect()
}
