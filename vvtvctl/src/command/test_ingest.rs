//! `streaming test-ingest`: can an encoder publish, and does one? Part by part, so that the answer says which one failed.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::http;
use vvtv_playout_interface::nginx::{self, StreamStat};
use vvtv_playout_interface::rtmp::{self, Stage};

use super::context::Context;
use crate::render;
use crate::verdict::Verdict;

/// Between two looks at the stat page.
const PAUSE: Duration = Duration::from_millis(200);

/// How one part went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) ok: bool,
    pub(super) detail: String,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    /// The first part that failed; later ones were not tried.
    failed: Option<&'static str>,
    url: String,
    parts: Vec<Part>,
}

pub(super) async fn run(context: &Context, timeout: u64) -> Result<Verdict, Failure> {
    let config = context.config()?;
    let parts = test(&config, Duration::from_secs(timeout)).await?;
    let failed = parts.iter().find(|part| !part.ok).map(|part| part.name);
    let report = Report { ok: failed.is_none(), failed, url: config.publish.url.to_string(), parts };
    render::result(context.format, &report, || {
        let line = |part: &Part| {
            vec![part.name.to_owned(), if part.ok { "ok" } else { "FAILED" }.to_owned(), part.detail.clone()]
        };
        format!("{}\n{}", report.url, render::table(&["PART", "RESULT", ""], report.parts.iter().map(line).collect()))
    })?;
    Ok(if report.ok { Verdict::Good } else { Verdict::Unhealthy })
}

/// All parts up to the first that fails.
///
/// # Errors
/// HTTP cannot be set up at all.
pub(super) async fn test(config: &Config, timeout: Duration) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let good = |name, detail: &str| Part { name, ok: true, detail: detail.to_owned() };
    let bad = |name, detail| Part { name, ok: false, detail };
    let failed_stage = match rtmp::check(&config.publish, timeout).await {
        Ok(()) => None,
        Err(error) => Some((error.stage, format!("{:#}", error.source))),
    };
    for (stage, name) in [(Stage::Tcp, "tcp"), (Stage::Handshake, "handshake"), (Stage::Connect, "connect")] {
        match &failed_stage {
            Some((failed, detail)) if *failed == stage => {
                parts.push(bad(name, detail.clone()));
                return Ok(parts);
            }
            Some(_) | None => parts.push(good(name, "answered")),
        }
    }
    let client = http::client()?;
    let deadline = Instant::now() + timeout;
    let first = loop {
        match look(&client, config, deadline).await {
            Ok(stat) if stat.publishing => break stat,
            Ok(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Ok(_) => {
                parts.push(bad("publisher", format!("nobody publishes within {timeout:?}")));
                return Ok(parts);
            }
            Err(error) => {
                parts.push(bad("publisher", format!("{error:#}")));
                return Ok(parts);
            }
        }
    };
    parts.push(good("publisher", "listed"));
    if first.bytes_in.is_none() {
        parts.push(bad("bytes", "the statistics page tells no bytes: whether any arrive is not known".to_owned()));
        return Ok(parts);
    }
    let deadline = Instant::now() + timeout;
    loop {
        match look(&client, config, deadline).await {
            Ok(stat) if stat.publishing && stat.bytes_in > first.bytes_in => {
                parts.push(good("bytes", "advancing"));
                return Ok(parts);
            }
            Ok(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Ok(_) => {
                parts.push(bad("bytes", format!("no byte arrived within {timeout:?}: the publisher is silent")));
                return Ok(parts);
            }
            Err(error) => {
                parts.push(bad("bytes", format!("{error:#}")));
                return Ok(parts);
            }
        }
    }
}

async fn look(client: &reqwest::Client, config: &Config, deadline: Instant) -> anyhow::Result<StreamStat> {
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
    nginx::stream_stat(client, config, left).await
}
