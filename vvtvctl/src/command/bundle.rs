//! `ops bundle`: one archive with everything that helps to find a fault. Each source has its own time limit; what fails or hangs is
//! replaced by a note, because half a bundle now is worth more than a whole one later.

mod pack;
mod sources;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;
use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::failure::Failure;

use super::context::Context;
use crate::cli::Scope;
use crate::render;
use crate::verdict::Verdict;
use pack::{Collected, Outcome};

/// How long one source may take. All are asked at the same time.
const SOURCE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Report {
    output: String,
    bytes: u64,
    files: usize,
    /// Sources that failed or hung; the archive has a note in their place.
    missing: Vec<String>,
    duration_seconds: f64,
}

pub(super) async fn run(context: &Context, scope: Scope, output: &Path) -> Result<Verdict, Failure> {
    let Scope::Streaming = scope;
    let began = Instant::now();
    // A broken configuration is a finding, not an obstacle: what does not need it is collected all the same.
    let (config, config_error) = match context.config() {
        Ok(config) => (Some(config), None),
        Err(failure) => (None, Some(failure.message())),
    };
    let redactor = config.as_ref().map(Config::redactor).unwrap_or_default();
    let sources = sources::all(&context.layout, config.as_ref());
    let collecting = sources.into_iter().map(|source| async move {
        let began = Instant::now();
        let outcome = match tokio::time::timeout(SOURCE_WITHIN, source.fetch).await {
            Ok(Ok(text)) => Outcome::Text(text),
            Ok(Err(error)) => Outcome::Missing(format!("{error:#}")),
            Err(_) => Outcome::Missing(format!("no answer within {SOURCE_WITHIN:?}")),
        };
        Collected { name: source.name, outcome, keep: source.keep, took: began.elapsed() }
    });
    let mut collected = join_all(collecting).await;
    if let Some(error) = config_error {
        let outcome = Outcome::Missing(error);
        collected.push(Collected { name: "configuration", outcome, keep: pack::Keep::Head, took: Duration::ZERO });
    }
    let packed = pack::pack(collected, &redactor, Timestamp::now())?;
    let bytes = packed.archive.len() as u64;
    pack::write(output, &packed.archive).with_context(|| format!("cannot write {}", output.display()))?;
    let report = Report {
        output: output.display().to_string(),
        bytes,
        files: packed.files,
        missing: packed.missing,
        duration_seconds: began.elapsed().as_secs_f64(),
    };
    render::result(context.format, &report, || {
        let missing = match report.missing.as_slice() {
            [] => String::new(),
            missing => format!("\nnot available: {}", missing.join(", ")),
        };
        format!(
            "{}: {} files, {} KiB, {:.1} s{missing}",
            report.output,
            report.files,
            report.bytes.div_ceil(1024),
            report.duration_seconds
        )
    })?;
    Ok(Verdict::Good)
}
