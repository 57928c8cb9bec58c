//! Faults of what is played: content that makes the bitrate swing, a queue that runs low, files that vanish.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::content;
use crate::site::Site;

/// Names the items that a fault put into the queue.
const PLAN: &str = "fault-bitrate-swings";

/// How often the film that swings is queued; it lasts four minutes.
const TIMES: usize = 5;

/// Plays a film that is still and noisy by turns, with a rate control that lets the bitrate follow.
pub(super) fn swing(site: &Site) -> anyhow::Result<String> {
    let film = content::swinging(&site.programs.join("lab-content"))?;
    let film = film.to_string_lossy();
    let mut add = vec!["queue", "add", "--priority", "1000", "--plan", PLAN, "--format", "json"];
    add.extend(std::iter::repeat_n(film.as_ref(), TIMES));
    site.vvtvctl(&add)?;
    skip(site)?;
    site.vvtvctl(&["flags", "set", "encoder.rate_control=crf", "--format", "json"])?;
    Ok("encoder.rate_control=crf, and a film on air that is still and noisy by turns".to_owned())
}

pub(super) fn undo_swing(site: &Site) -> anyhow::Result<String> {
    let items = shown(site)?;
    let ours = |item: &&Value| item.get("plan_id").and_then(Value::as_str) == Some(PLAN);
    let state = |item: &Value| item.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
    let waiting: Vec<String> = items
        .iter()
        .filter(ours)
        .filter(|item| state(item) == "queued")
        .filter_map(|item| item.get("id").map(ToString::to_string))
        .collect();
    if !waiting.is_empty() {
        let mut remove = vec!["queue", "remove", "--format", "json"];
        remove.extend(waiting.iter().map(String::as_str));
        site.vvtvctl(&remove)?;
    }
    if items.iter().filter(ours).any(|item| state(item) == "playing") {
        skip(site)?;
    }
    site.vvtvctl(&["flags", "unset", "encoder.rate_control", "--format", "json"])?;
    Ok("the film is taken out, and the rate control is that of playout.yml".to_owned())
}

/// Takes out everything that waits.
pub(super) fn empty(site: &Site) -> anyhow::Result<String> {
    let removed = site.vvtvctl(&["queue", "remove", "--all", "--format", "json"])?;
    let count = removed.get("ids").and_then(Value::as_array).map_or(0, Vec::len);
    let buffer = removed.get("buffer_seconds").and_then(Value::as_f64).unwrap_or(0.0);
    Ok(format!("{count} items taken out of the queue: {buffer:.0} s are left to play"))
}

/// Queues every film again that is ready.
pub(super) fn fill(site: &Site) -> anyhow::Result<String> {
    let directory = site.root.join("storage/ready");
    let entries = std::fs::read_dir(&directory).with_context(|| format!("list {}", directory.display()))?;
    let mut films: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    films.sort();
    let films: Vec<String> = films.into_iter().map(|film| film.to_string_lossy().into_owned()).collect();
    let mut add = vec!["queue", "add", "--format", "json"];
    add.extend(films.iter().map(String::as_str));
    site.vvtvctl(&add)?;
    Ok(format!("{} films queued", films.len()))
}

/// Takes the directory of the films away, and ends what is on air.
pub(super) fn hide(site: &Site) -> anyhow::Result<String> {
    let (here, away) = places(site);
    std::fs::rename(&here, &away).with_context(|| format!("move {} away", here.display()))?;
    skip(site)?;
    Ok(format!("{} is gone, and what was on air has ended", here.display()))
}

pub(super) fn unhide(site: &Site) -> anyhow::Result<String> {
    let (here, away) = places(site);
    if !away.exists() {
        bail!("{} is not away", here.display());
    }
    std::fs::rename(&away, &here).with_context(|| format!("move {} back", here.display()))?;
    // What failed meanwhile stays failed, with its reason.
    Ok(format!("{} is back; {}", here.display(), fill(site)?))
}

fn places(site: &Site) -> (PathBuf, PathBuf) {
    (site.root.join("storage/ready"), site.root.join("storage/ready.gone"))
}

fn shown(site: &Site) -> anyhow::Result<Vec<Value>> {
    let shown = site.vvtvctl(&["queue", "show", "--format", "json"])?;
    Ok(shown.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// Ends the item on air, if there is one.
fn skip(site: &Site) -> anyhow::Result<()> {
    let status = site.vvtvctl(&["streaming", "status", "--format", "json"])?;
    if status.get("item").is_some_and(Value::is_object) {
        site.vvtvctl(&["queue", "skip", "--format", "json"])?;
    }
    Ok(())
}
