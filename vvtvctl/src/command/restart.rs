//! `streaming restart-encoder`: without stopping NGINX; done when the new encoder publishes.

use serde::Serialize;
use vvtv_playout_interface::client;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::flags::{self, Change, Key};
use vvtv_playout_interface::protocol::{NotPublished, Reply, Request, Restarted};

use super::context::Context;
use super::flags::warnings;
use super::status::mismatch;
use crate::cli::RestartEncoder;
use crate::render;
use crate::verdict::Verdict;

/// The daemon's answer, and the flags that were changed for it.
#[derive(Serialize)]
struct Shown<T> {
    #[serde(flatten)]
    answer: T,
    changes: Vec<Change>,
    warnings: Vec<String>,
}

pub(super) fn run(context: &Context, options: &RestartEncoder) -> Result<Verdict, Failure> {
    let wanted: Vec<(Key, Option<String>)> =
        [(Key::Preset, &options.preset), (Key::Bitrate, &options.bitrate), (Key::RateControl, &options.mode)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, Some(value.clone()?))))
            .collect();
    for (key, value) in &wanted {
        flags::check(*key, value.as_deref().unwrap_or_default()).map_err(Failure::Usage)?;
    }
    let (mut changes, mut told) = (Vec::new(), Vec::new());
    if !wanted.is_empty() {
        // A daemon that is not there must not leave changed flags behind a failed command.
        client::ask(&context.layout, &Request::Status)?;
        changes = flags::change(&context.layout, &wanted)?;
        told = warnings(context, &changes);
    }
    let reply = client::ask(&context.layout, &Request::Restart { only_if_changed: false })?;
    if let Reply::Restarted(answer) = reply {
        let shown = Shown { answer, changes, warnings: told };
        render::result(context.format, &shown, || text(&shown.answer) + &kept(&shown.changes))?;
        return Ok(Verdict::Good);
    }
    let Reply::NotPublished(answer) = reply else { return Err(mismatch()) };
    let shown = Shown { answer, changes, warnings: told };
    render::result(context.format, &shown, || format!("{}{}", not_published(&shown.answer), kept(&shown.changes)))?;
    Ok(Verdict::Unhealthy)
}

/// The options outlive this restart: how to take them back is said with them.
fn kept(changes: &[Change]) -> String {
    let before = |change: &Change| change.old.clone().unwrap_or_else(|| "not set".to_owned());
    let line = |change: &Change| {
        let Change { key, new, .. } = change;
        format!("\nkept as flag {key}={} (before: {})", new.as_deref().unwrap_or_default(), before(change))
    };
    changes.iter().map(line).collect()
}

fn text(restarted: &Restarted) -> String {
    let Restarted { old_pid, new_pid, dropped_publisher, settings, duration_seconds } = restarted;
    let dropped = if *dropped_publisher { ", the silent publisher was dropped first" } else { "" };
    format!(
        "encoder restarted and publishing: pid {} -> {new_pid} in {duration_seconds:.1} s{dropped} ({} {} {}k)",
        render::or_dash(*old_pid),
        settings.preset,
        settings.rate_control,
        settings.bitrate_kbps
    )
}

/// The line for a restart that did not lead to a published stream.
pub(super) fn not_published(failed: &NotPublished) -> String {
    let NotPublished { state, reason, duration_seconds, .. } = failed;
    format!("the encoder was restarted but does not publish after {duration_seconds:.0} s: {state}: {reason}")
}
