//! `streaming status`, `stats` and `config`: what the daemon says of itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use vvtv_playout_interface::client;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::flags::Flags;
use vvtv_playout_interface::http;
use vvtv_playout_interface::nginx;
use vvtv_playout_interface::protocol::{ConfigReport, Reply, Request, Stats, Status};
use vvtv_playout_interface::queue::{Queue, Summary};

use super::context::Context;
use crate::render::{self, or_dash, seconds};
use crate::verdict::Verdict;

/// How long the file system may take to tell its size.
const DISK_WITHIN: Duration = Duration::from_millis(500);

/// What `status` prints when no daemon answers: runbooks read the state all the same.
#[derive(Serialize)]
struct NoDaemon {
    state: &'static str,
    reason: String,
}

/// The daemon's status, and the flags that are set: a measure that somebody took and may have forgotten.
#[derive(Serialize)]
struct Running {
    #[serde(flatten)]
    status: Status,
    flags: BTreeMap<String, String>,
}

/// The answer, and what can be seen without the daemon.
#[derive(Serialize)]
struct Shown<T> {
    #[serde(flatten)]
    answer: T,
    /// Share of the segments' disk that is available; absent when the disk does not answer.
    broadcast_available_ratio: Option<f64>,
}

/// A reply of another kind than asked for: client and daemon are of different versions.
pub(super) fn mismatch() -> Failure {
    Failure::Unhealthy(anyhow::anyhow!("the daemon's answer does not fit the question: is it of another version?"))
}

/// Asks for the status, and adds what is to be said of the flags: one without an effect restarts nothing, so that the daemon does
/// not learn of it.
///
/// # Errors
/// As [`client::ask`].
pub(super) fn ask_status(context: &Context) -> Result<Status, Failure> {
    let Reply::Status(mut status) = client::ask(&context.layout, &Request::Status)? else { return Err(mismatch()) };
    if let Ok(flags) = Flags::load(&context.layout.flags()) {
        status.warnings.extend(flags.without_effect(&status.encoder));
    }
    Ok(*status)
}

pub(super) fn status(context: &Context) -> Result<Verdict, Failure> {
    let broadcast_available_ratio = available(context.layout.hls());
    let status = match ask_status(context) {
        Ok(status) => status,
        Err(failure @ Failure::Unreachable(_)) => {
            let answer = NoDaemon { state: "dead", reason: failure.message() };
            let shown = Shown { answer, broadcast_available_ratio };
            render::result(context.format, &shown, || format!("dead: {}", shown.answer.reason))?;
            return Ok(Verdict::Unreachable);
        }
        Err(failure) => return Err(failure),
    };
    // Flags that cannot be read are among the warnings.
    let flags = Flags::load(&context.layout.flags()).map(|flags| flags.named()).unwrap_or_default();
    let shown = Shown { answer: Running { status, flags }, broadcast_available_ratio };
    render::result(context.format, &shown, || {
        let Running { status, flags } = &shown.answer;
        let mut rows = status_rows(status);
        let disk = broadcast_available_ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.0} %", ratio * 100.0));
        rows.push(("disk free", disk));
        rows.extend(flags.iter().map(|(key, value)| ("flag set", format!("{key}={value}"))));
        rows.extend(status.warnings.iter().map(|warning| ("warning", warning.clone())));
        render::pairs(&rows)
    })?;
    Ok(Verdict::Good)
}

/// Share of a directory's file system that may still be written to. A disk that hangs has no answer, and does not hold people up.
fn available(directory: PathBuf) -> Option<f64> {
    let (answer, answered) = std::sync::mpsc::channel();
    std::thread::spawn(move || answer.send(rustix::fs::statvfs(&directory)));
    let space = answered.recv_timeout(DISK_WITHIN).ok()?.ok()?;
    (space.f_blocks > 0).then(|| space.f_bavail as f64 / space.f_blocks as f64)
}

fn status_rows(status: &Status) -> Vec<(&'static str, String)> {
    let state = match &status.reason {
        Some(reason) => format!("{} ({reason})", status.state),
        None => status.state.to_string(),
    };
    let encoder = &status.encoder;
    let item = status.item.as_ref().map_or_else(
        || "slate (nothing to play)".to_owned(),
        |item| {
            let (at, of) = (seconds(Some(item.position_seconds)), seconds(item.duration_seconds));
            format!("#{} {} {at} of {of}", item.id, item.asset_path)
        },
    );
    let mut rows = vec![
        ("stream", status.stream.clone()),
        ("state", state),
        ("pid", or_dash(status.pid)),
        ("uptime", seconds(status.uptime_seconds)),
        ("restarts", status.restarts.to_string()),
        ("published", if status.published { "yes" } else { "no" }.to_owned()),
        ("last advance", seconds(status.last_advance_seconds)),
        ("speed", status.speed_ratio.map_or_else(|| "-".to_owned(), |speed| format!("{speed:.2}x"))),
        ("on air", item),
        ("queue ahead", seconds(status.queue_buffer_seconds)),
        (
            "encoder",
            format!(
                "{} {} {}k buffer {}k crf {}{}",
                encoder.preset,
                encoder.rate_control,
                encoder.bitrate_kbps,
                encoder.buffer_size_kbps,
                encoder.crf,
                if encoder.rate_control == "crf" { "" } else { " (not used)" }
            ),
        ),
    ];
    if let Some(next) = status.next_start_seconds {
        rows.push(("next start", format!("in {}", seconds(Some(next)))));
    }
    rows
}

/// Everything that `stats --detailed` shows beyond the daemon's own numbers.
#[derive(Serialize)]
struct Detailed {
    #[serde(flatten)]
    stats: Stats,
    publisher_listed: Option<bool>,
    publisher_client_id: Option<u64>,
    publisher_bytes_in: Option<u64>,
    queue: Option<Summary>,
    problems: Vec<String>,
}

pub(super) async fn stats(context: &Context, encoder: bool, detailed: bool) -> Result<Verdict, Failure> {
    let Reply::Stats(stats) = client::ask(&context.layout, &Request::Stats)? else { return Err(mismatch()) };
    let stats = *stats;
    if !detailed {
        render::result(context.format, &stats, || render::pairs(&stats_rows(&stats, encoder)))?;
        return Ok(Verdict::Good);
    }
    let config = context.config()?;
    let mut problems = Vec::new();
    let client = http::client()?;
    let stat = nginx::stream_stat(&client, &config, Duration::from_secs(3)).await;
    let stat = stat.map_err(|error| problems.push(format!("{error:#}"))).ok();
    let queue = Queue::open_existing(&context.layout.queue()).and_then(|queue| queue.summary(jiff::Timestamp::now()));
    let queue = queue.map_err(|error| problems.push(format!("{error:#}"))).ok();
    let all = Detailed {
        stats,
        publisher_listed: stat.map(|stat| stat.publishing),
        publisher_client_id: stat.and_then(|stat| stat.client_id),
        publisher_bytes_in: stat.and_then(|stat| stat.bytes_in),
        queue,
        problems,
    };
    render::result(context.format, &all, || {
        let mut rows = stats_rows(&all.stats, false);
        rows.push(("publisher listed", or_dash(all.publisher_listed)));
        rows.push(("publisher client", or_dash(all.publisher_client_id)));
        rows.push(("publisher bytes", or_dash(all.publisher_bytes_in)));
        rows.push(("queue ahead", seconds(all.queue.map(|queue| queue.buffer_seconds))));
        rows.push(("items queued", or_dash(all.queue.map(|queue| queue.queued))));
        rows.push(("items failed", or_dash(all.queue.map(|queue| queue.failed))));
        rows.extend(all.problems.iter().map(|problem| ("problem", problem.clone())));
        render::pairs(&rows)
    })?;
    Ok(Verdict::Good)
}

fn stats_rows(stats: &Stats, only_encoder: bool) -> Vec<(&'static str, String)> {
    let percent = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.0} %", ratio * 100.0));
    let mut rows = vec![
        ("state", stats.state.to_string()),
        ("pid", or_dash(stats.pid)),
        ("frames encoded", or_dash(stats.frames_encoded)),
        ("frames dropped", or_dash(stats.frames_dropped)),
        ("frames duplicated", or_dash(stats.frames_duplicated)),
        ("frames refused", format!("{} (encoder too slow or stuck)", stats.frames_refused)),
        ("bytes sent", or_dash(stats.bytes_sent)),
        ("speed", stats.speed_ratio.map_or_else(|| "-".to_owned(), |speed| format!("{speed:.2}x"))),
        ("cpu", percent(stats.cpu_ratio)),
        ("memory", stats.memory_bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{} MiB", bytes >> 20))),
    ];
    if !only_encoder {
        rows.push(("frames sent", stats.frames_sent.to_string()));
        rows.push(("slate frames", stats.slate_frames.to_string()));
        rows.push(("frames slipped", format!("{} (daemon came too late)", stats.frames_slipped)));
        rows.push(("log lines lost", stats.log_lines_lost.to_string()));
        rows.push(("daemon uptime", seconds(Some(stats.daemon_uptime_seconds))));
    }
    rows
}

pub(super) fn config(context: &Context, show_encoder: bool) -> Result<Verdict, Failure> {
    let Reply::Config(report) = client::ask(&context.layout, &Request::Config)? else { return Err(mismatch()) };
    render::result(context.format, &report, || config_text(&report, show_encoder))?;
    Ok(Verdict::Good)
}

fn config_text(report: &ConfigReport, show_encoder: bool) -> String {
    let mut rows = vec![("publish", report.publish.clone()), ("video", report.video.clone())];
    let running = report.running.as_ref();
    let next = &report.next;
    let shown = running.unwrap_or(next);
    rows.push(("preset", shown.preset.clone()));
    rows.push(("rate control", shown.rate_control.clone()));
    rows.push(("bitrate", format!("{}k", shown.bitrate_kbps)));
    rows.push(("buffer size", format!("{}k", shown.buffer_size_kbps)));
    rows.push(("crf", shown.crf.to_string()));
    rows.extend(report.flags.iter().map(|(key, value)| ("flag", format!("{key}={value}"))));
    if running.is_some_and(|running| running != next) {
        rows.push(("pending", "flags were changed; the next start of the encoder applies them".to_owned()));
    }
    if show_encoder {
        rows.push(("ffmpeg", report.ffmpeg.join(" ")));
    }
    render::pairs(&rows)
}
