//! Tasks that ask the playout daemon: are temporary measures left behind, and does a restart of the encoder work.

use std::time::Duration;

use vvtv_playout_interface::client;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::protocol::State;
use vvtv_playout_interface::protocol::{Reply, Request, Restarted};

use super::{Finding, Mark, evidence};
use crate::command::context::Context;
use crate::command::status::{ask_status, mismatch};
use crate::command::test_ingest;

/// For each look at the server.
const WITHIN: Duration = Duration::from_secs(5);

/// An encoder that works at less than this of real time loses frames.
const SPEED_MIN: f64 = 0.99;

/// Flags are for hours, not for weeks: one that is still set either belongs into playout.yml or was forgotten. The encoder must
/// keep up with what is set.
pub(super) fn review_preset(context: &Context) -> Result<Finding, Failure> {
    let Reply::Config(config) = client::ask(&context.layout, &Request::Config)? else { return Err(mismatch()) };
    let Reply::Stats(stats) = client::ask(&context.layout, &Request::Stats)? else { return Err(mismatch()) };
    let shown = config.running.as_ref().unwrap_or(&config.next);
    let speed = stats.speed_ratio;
    let flags: Vec<String> = config.flags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let set = if flags.is_empty() { "none".to_owned() } else { flags.join(" ") };
    let seen = vec![
        evidence("preset", shown.preset.clone(), None),
        evidence("rate control", format!("{} {}k", shown.rate_control, shown.bitrate_kbps), None),
        evidence("CPU", stats.cpu_ratio.map_or_else(|| "unknown".to_owned(), |cpu| format!("{cpu:.2} cores")), None),
        evidence(
            "speed",
            speed.map_or_else(|| "unknown".to_owned(), |speed| format!("{speed:.2}x")),
            Some("at least 0.99x"),
        ),
        evidence("flags still set", set, Some("none")),
    ];
    let Some(speed) = speed else {
        let summary = match config.running {
            Some(_) => "the encoder has just started: its speed is not known yet",
            None => "no encoder runs",
        };
        return Ok(Finding { mark: Mark::Unknown, summary: summary.to_owned(), evidence: seen });
    };
    let summary = match (flags.is_empty(), speed >= SPEED_MIN) {
        (true, true) => "the encoder keeps up, and no temporary measure is left",
        (false, true) => "measures are left: unset them, or write them into playout.yml",
        (_, false) => "the encoder does not keep up: a lighter preset is needed",
    };
    Ok(Finding::new(flags.is_empty() && speed >= SPEED_MIN, summary, seen))
}

/// Restarts the encoder of a healthy stream, and sees that it publishes again in time.
pub(super) async fn failover(context: &Context, within: Duration) -> Result<Finding, Failure> {
    let before = ask_status(context)?;
    if before.state != State::Running || !before.published {
        return Ok(Finding::new(false, format!("not tried: the encoder is {}", before.state), Vec::new()));
    }
    let reply = client::ask(&context.layout, &Request::Restart { only_if_changed: false })?;
    let Reply::Restarted(Restarted { old_pid, new_pid, duration_seconds, .. }) = reply else {
        return Ok(Finding::new(false, "the encoder was restarted but does not publish", Vec::new()));
    };
    let limit = format!("{} s", within.as_secs());
    let old = old_pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string());
    let mut seen = vec![
        evidence("encoder", format!("{old} -> {new_pid}"), None),
        evidence("until it published", format!("{duration_seconds:.1} s"), Some(&limit)),
    ];
    let parts = test_ingest::test(&context.config()?, WITHIN).await?;
    let good = parts.iter().all(|part| part.ok);
    seen.extend(parts.into_iter().map(|part| evidence(part.name, part.detail, None)));
    let good = good && duration_seconds <= within.as_secs_f64();
    Ok(Finding::new(good, if good { "a new encoder took over" } else { "the stream did not come back well" }, seen))
}
