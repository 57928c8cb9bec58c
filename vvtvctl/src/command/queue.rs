//! `queue summary | show | add | skip | remove`.

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;
use vvtv_playout_interface::client;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::ffprobe::{self, Media};
use vvtv_playout_interface::protocol::{Reply, Request};
use vvtv_playout_interface::queue::{Item, NewItem, Queue};

use super::context::Context;
use super::status::mismatch;
use crate::cli::Queue as Command;
use crate::render::{self, or_dash, seconds};
use crate::verdict::Verdict;

#[derive(Serialize)]
struct Shown {
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Added {
    ids: Vec<i64>,
    buffer_seconds: f64,
}

#[derive(Serialize)]
struct Removed {
    ids: Vec<i64>,
    buffer_seconds: f64,
}

#[derive(Serialize)]
struct Skipped {
    id: i64,
    asset_path: String,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Verdict, Failure> {
    let path = context.layout.queue();
    match command {
        Command::Summary => {
            let summary = Queue::open_existing(&path)?.summary(Timestamp::now())?;
            render::result(context.format, &summary, || {
                render::pairs(&[
                    ("queued", summary.queued.to_string()),
                    ("playing", summary.playing.to_string()),
                    ("played", summary.played.to_string()),
                    ("failed", summary.failed.to_string()),
                    ("buffer", seconds(Some(summary.buffer_seconds))),
                ])
            })?;
        }
        Command::Show { all, limit } => {
            let shown = Shown { items: Queue::open_existing(&path)?.show(all, limit)? };
            render::result(context.format, &shown, || show_text(&shown.items))?;
        }
        Command::Add { files, priority, plan } => {
            let config = context.config()?;
            let mut items = Vec::new();
            for file in &files {
                let path = absolute(file)?;
                let media = ffprobe::inspect(&config.ffprobe, &path).await.map_err(Failure::Refused)?;
                items.push(new_item(path, &media, priority, plan.clone(), "program"));
            }
            let mut queue = Queue::open(&path)?;
            let ids = queue.add(&items, Timestamp::now())?;
            let added = Added { ids, buffer_seconds: queue.summary(Timestamp::now())?.buffer_seconds };
            render::result(context.format, &added, || {
                let ids: Vec<String> = added.ids.iter().map(|id| format!("#{id}")).collect();
                format!("added {}, {} ahead", ids.join(" "), seconds(Some(added.buffer_seconds)))
            })?;
        }
        Command::Skip => skip(context)?,
        Command::Remove { ids, all } => remove(context, (!all).then_some(ids.as_slice()))?,
    }
    Ok(Verdict::Good)
}

fn skip(context: &Context) -> Result<(), Failure> {
    let Reply::Skipped { id, asset_path } = client::ask(&context.layout, &Request::Skip)? else {
        return Err(mismatch());
    };
    let skipped = Skipped { id, asset_path };
    Ok(render::result(context.format, &skipped, || format!("skipped #{id} {}", skipped.asset_path))?)
}

fn remove(context: &Context, ids: Option<&[i64]>) -> Result<(), Failure> {
    let mut queue = Queue::open_existing(&context.layout.queue())?;
    let removed = queue.remove(ids)?;
    let missing: Vec<String> =
        ids.unwrap_or_default().iter().filter(|id| !removed.contains(id)).map(|id| format!("#{id}")).collect();
    let removed = Removed { ids: removed, buffer_seconds: queue.summary(Timestamp::now())?.buffer_seconds };
    render::result(context.format, &removed, || {
        let ids: Vec<String> = removed.ids.iter().map(|id| format!("#{id}")).collect();
        format!("removed {}, {} ahead", ids.join(" "), seconds(Some(removed.buffer_seconds)))
    })?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Unhealthy(anyhow::anyhow!("not waiting in the queue: {}", missing.join(", "))))
}

/// The daemon has another working directory: the queue holds absolute paths.
pub(super) fn absolute(file: &PathBuf) -> Result<String, Failure> {
    let path = std::path::absolute(file).with_context(|| file.display().to_string())?;
    path.into_os_string()
        .into_string()
        .map_err(|path| Failure::Refused(anyhow::anyhow!("{}: the path is not UTF-8", path.display())))
}

pub(super) fn new_item(path: String, media: &Media, priority: i64, plan_id: Option<String>, kind: &str) -> NewItem {
    NewItem {
        asset_path: path,
        plan_id,
        duration_seconds: media.duration_seconds.unwrap_or(0.0),
        priority,
        content_kind: kind.to_owned(),
        width: media.picture.map(|picture| picture.width),
        height: media.picture.map(|picture| picture.height),
        bitrate_bps: media.bitrate_bps,
    }
}

fn show_text(items: &[Item]) -> String {
    if items.is_empty() {
        return "the queue is empty".to_owned();
    }
    let row = |item: &Item| {
        vec![
            item.id.to_string(),
            item.status.clone(),
            item.content_kind.clone(),
            item.priority.to_string(),
            seconds(item.duration_seconds),
            or_dash(item.resolution.clone()),
            item.bitrate.map_or_else(|| "-".to_owned(), |bps| format!("{}k", bps / 1000)),
            item.asset_path.clone(),
            item.failure_reason.clone().unwrap_or_default(),
        ]
    };
    let heading = ["ID", "STATUS", "KIND", "PRIORITY", "DURATION", "SIZE", "BITRATE", "FILE", "REASON"];
    render::table(&heading, items.iter().map(row).collect())
}
