//! `streaming restart-encoder`: without stopping NGINX; done when the new encoder publishes.

use super::context::Context;
use super::flags::settings_note;
use super::status::mismatch;
use crate::cli::RestartEncoder;
use crate::client;
use crate::failure::{Failure, Verdict};
use crate::flags::{self, Key};
use crate::protocol::{NotPublished, Reply, Request, Restarted};
use crate::render;

pub(super) fn run(context: &Context, options: &RestartEncoder) -> Result<Verdict, Failure> {
    let wanted: Vec<(Key, Option<String>)> =
        [(Key::Preset, &options.preset), (Key::Bitrate, &options.bitrate), (Key::RateControl, &options.mode)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, Some(value.clone()?))))
            .collect();
    for (key, value) in &wanted {
        flags::check(*key, value.as_deref().unwrap_or_default()).map_err(Failure::Usage)?;
    }
    if !wanted.is_empty() {
        // A daemon that is not there must not leave changed flags behind a failed command.
        client::ask(&context.layout, &Request::Status)?;
        let changes = flags::change(&context.layout, &wanted)?;
        settings_note(&changes);
    }
    let reply = client::ask(&context.layout, &Request::Restart { only_if_changed: false })?;
    if let Reply::Restarted(restarted) = &reply {
        render::result(context.format, restarted, || text(restarted))?;
        return Ok(Verdict::Good);
    }
    let Reply::NotPublished(failed) = reply else { return Err(mismatch()) };
    render::result(context.format, &failed, || not_published(&failed))?;
    Ok(Verdict::Unhealthy)
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
