//! `flags set | get | list | unset`.
//!
//! A set flag is meant as a remedy, so it is applied: the running encoder is restarted once if its settings differ. Without a
//! daemon, or without a running encoder, the next start applies it.

use serde::Serialize;
use vvtv_playout_interface::client;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::flags::{self, Change, Flags, KEYS, Key};
use vvtv_playout_interface::protocol::{Reply, Request};
use vvtv_playout_interface::settings::Preset;

use super::context::Context;
use super::restart::not_published;
use super::status::mismatch;
use crate::cli::Flags as Command;
use crate::render;
use crate::verdict::Verdict;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Applied {
    /// The encoder was restarted and publishes with it.
    Restarted,
    /// The running encoder's settings are not changed by it.
    NoEffect,
    /// The next start of the encoder applies it.
    NextStart,
    /// The encoder was restarted, but does not publish.
    NotPublished,
}

/// The answer to one change. With several, `changes` alone has them all.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Option<&'a str>>,
    changes: &'a [Change],
    applied: Applied,
    warnings: Vec<String>,
}

/// One flag in `get` and `list`.
#[derive(Serialize)]
struct Listed {
    key: &'static str,
    value: Option<String>,
    description: &'static str,
}

pub(super) fn run(context: &Context, command: Command) -> Result<Verdict, Failure> {
    match command {
        Command::Set { assignments, no_apply } => {
            let wanted: Result<Vec<_>, _> = assignments.iter().map(|text| assignment(text)).collect();
            change(context, &wanted.map_err(Failure::Usage)?, no_apply)
        }
        Command::Unset { keys, no_apply } => {
            let wanted: Result<Vec<_>, anyhow::Error> = keys.iter().map(|key| Ok((key.parse()?, None))).collect();
            change(context, &wanted.map_err(Failure::Usage)?, no_apply)
        }
        Command::Get { key } => {
            let key: Key = key.parse().map_err(Failure::Usage)?;
            let flags = Flags::load(&context.layout.flags()).map_err(Failure::Usage)?;
            let found = listed(&flags).into_iter().find(|listed| listed.key == key.name());
            render::result(context.format, &found, || {
                found.as_ref().and_then(|listed| listed.value.clone()).unwrap_or_else(|| "(not set)".to_owned())
            })?;
            Ok(Verdict::Good)
        }
        Command::List => {
            let flags = Flags::load(&context.layout.flags()).map_err(Failure::Usage)?;
            let all = listed(&flags);
            render::result(context.format, &serde_json::json!({ "flags": all }), || {
                let row = |flag: &Listed| {
                    let value = flag.value.clone().unwrap_or_else(|| "(not set)".to_owned());
                    vec![flag.key.to_owned(), value, flag.description.to_owned()]
                };
                render::table(&["FLAG", "VALUE", "MEANING"], all.iter().map(row).collect())
            })?;
            Ok(Verdict::Good)
        }
    }
}

fn listed(flags: &Flags) -> Vec<Listed> {
    KEYS.iter()
        .map(|(key, name, description)| Listed { key: name, value: flags.get(*key).map(str::to_owned), description })
        .collect()
}

fn assignment(text: &str) -> anyhow::Result<(Key, Option<String>)> {
    let (key, value) = text.split_once('=').ok_or_else(|| anyhow::anyhow!("`{text}`: expected KEY=VALUE"))?;
    let key: Key = key.parse()?;
    flags::check(key, value)?;
    Ok((key, Some(value.to_owned())))
}

fn change(context: &Context, wanted: &[(Key, Option<String>)], no_apply: bool) -> Result<Verdict, Failure> {
    let changes = flags::change(&context.layout, wanted)?;
    let warnings = warnings(context, &changes);
    let applied = if no_apply { Applied::NextStart } else { apply(context)? };
    let only = if let [only] = changes.as_slice() { Some(only) } else { None };
    let answer = Answer {
        key: only.map(|change| change.key),
        old: only.map(|change| change.old.as_deref()),
        new: only.map(|change| change.new.as_deref()),
        changes: &changes,
        applied,
        warnings,
    };
    render::result(context.format, &answer, || {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not set)".to_owned());
        let lines =
            changes.iter().map(|change| format!("{}: {} -> {}\n", change.key, shown(&change.old), shown(&change.new)));
        let applied = match applied {
            Applied::Restarted => "applied: the encoder was restarted and publishes",
            Applied::NoEffect => "the running encoder is not affected",
            Applied::NextStart => "the next start of the encoder applies it",
            Applied::NotPublished => "the encoder was restarted, but does not publish",
        };
        lines.collect::<String>() + applied
    })?;
    Ok(if applied == Applied::NotPublished { Verdict::Unhealthy } else { Verdict::Good })
}

fn apply(context: &Context) -> Result<Applied, Failure> {
    match client::ask(&context.layout, &Request::Restart { only_if_changed: true }) {
        Ok(Reply::Restarted(_)) => Ok(Applied::Restarted),
        Ok(Reply::Unchanged) => Ok(Applied::NoEffect),
        Ok(Reply::Deferred) => Ok(Applied::NextStart),
        Ok(Reply::NotPublished(failed)) => {
            render::complain(&not_published(&failed));
            Ok(Applied::NotPublished)
        }
        Ok(_) => Err(mismatch()),
        Err(failure @ Failure::Unreachable(_)) => {
            render::complain(&format!("saved, not applied: {}", failure.message()));
            Ok(Applied::NextStart)
        }
        Err(failure) => Err(failure),
    }
}

/// What people should know of a change, also told on standard error: it needs more CPU, or it has no effect.
pub(super) fn warnings(context: &Context, changes: &[Change]) -> Vec<String> {
    let mut warnings: Vec<String> = heavier_preset(changes).into_iter().collect();
    // A configuration or flags that cannot be read are told where they are needed.
    if let (Ok(config), Ok(flags)) = (context.config(), Flags::load(&context.layout.flags()))
        && let Ok(settings) = flags.over(&config.encoder)
    {
        warnings.extend(flags.without_effect(&settings.report()));
    }
    for warning in &warnings {
        render::complain(&format!("warning: {warning}"));
    }
    warnings
}

/// Preset names do not tell which one is heavier.
fn heavier_preset(changes: &[Change]) -> Option<String> {
    let change = changes.iter().find(|change| change.key == Key::Preset.name())?;
    let (old, new): (Preset, Preset) = (change.old.as_ref()?.parse().ok()?, change.new.as_ref()?.parse().ok()?);
    (new > old).then(|| format!("preset {new} needs more CPU than {old}"))
}
