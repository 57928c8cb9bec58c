//! `streaming emergency`: content before everything else in the queue. Never a no-op: without files, a test picture is made.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde::Serialize;
use tokio::process::Command;
use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::ffprobe;
use vvtv_playout_interface::queue::{EMERGENCY, Queue};

use super::context::Context;
use super::queue::new_item;
use crate::cli::Emergency;
use crate::render::{self, seconds};
use crate::verdict::Verdict;

/// The made picture stands so long.
const MADE_SECONDS: u32 = 300;

/// How long making it may take.
const MAKE_WITHIN: Duration = Duration::from_secs(30);

/// Files of the emergency directory that are looked at.
const FILES_MAX: usize = 1000;

/// The made picture's name; it is no archive content and is only used when there is none.
const MADE_NAME: &str = ".test-picture.mp4";

#[derive(Serialize)]
struct Injected {
    ids: Vec<i64>,
    files: Vec<String>,
    /// No archive content was found: a test picture was made.
    generated: bool,
    reason: String,
    buffer_seconds: f64,
}

pub(super) async fn run(context: &Context, options: &Emergency) -> Result<Verdict, Failure> {
    let config = context.config()?;
    let directory = context.layout.emergency();
    let mut media = Vec::new();
    for path in candidates(&directory)?.into_iter().take(options.inject as usize) {
        match ffprobe::inspect(&config.ffprobe, &path).await {
            Ok(found) => media.push((path, found)),
            Err(error) => render::complain(&format!("left out: {error:#}")),
        }
    }
    let generated = media.is_empty();
    if generated {
        let path = make_picture(&config, &directory).await?;
        let found = ffprobe::inspect(&config.ffprobe, &path).await?;
        media.push((path, found));
    }
    let items: Vec<_> = media
        .iter()
        .cycle()
        .take(options.inject as usize)
        .map(|(path, media)| {
            new_item(path.clone(), media, 0, Some(format!("emergency: {}", options.reason)), EMERGENCY)
        })
        .collect();
    let mut queue = Queue::open(&context.layout.queue())?;
    let ids = queue.add(&items, Timestamp::now())?;
    let injected = Injected {
        ids,
        files: items.into_iter().map(|item| item.asset_path).collect(),
        generated,
        reason: options.reason.clone(),
        buffer_seconds: queue.summary(Timestamp::now())?.buffer_seconds,
    };
    render::result(context.format, &injected, || {
        let made = match generated {
            true => format!(" (a test picture: nothing can be played in {})", directory.display()),
            false => String::new(),
        };
        let ids: Vec<String> = injected.ids.iter().map(|id| format!("#{id}")).collect();
        format!("injected {}{made}, {} ahead", ids.join(" "), seconds(Some(injected.buffer_seconds)))
    })?;
    Ok(Verdict::Good)
}

/// The directory's files by name; hidden ones and the made picture are left out.
fn candidates(directory: &Path) -> anyhow::Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", directory.display())),
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).take(FILES_MAX).collect();
    paths.sort();
    let visible = |path: &Path| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
    let files = paths.iter().filter(|path| path.is_file() && visible(path));
    files
        .map(|path| {
            let path = std::path::absolute(path)?;
            path.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{}: not UTF-8", path.display()))
        })
        .collect()
}

async fn make_picture(config: &Config, directory: &Path) -> anyhow::Result<String> {
    let named = || format!("cannot make a test picture in {}", directory.display());
    std::fs::create_dir_all(directory).with_context(named)?;
    let path = std::path::absolute(directory.join(MADE_NAME))?;
    let text = path.to_str().with_context(named)?.to_owned();
    if path.exists() && ffprobe::inspect(&config.ffprobe, &text).await.is_ok() {
        return Ok(text);
    }
    let staged = path.with_extension("new.mp4");
    let (width, height) = (config.video.width, config.video.height);
    // One still picture a second: the playout brings it to the channel's rate, and five minutes are made in a moment.
    let picture = format!("smptehdbars=size={width}x{height}:rate=1:duration={MADE_SECONDS}");
    let sound = format!("anullsrc=r=48000:cl=stereo:d={MADE_SECONDS}");
    let run = Command::new(&config.ffmpeg)
        .args([
            "-nostdin",
            "-hide_banner",
            "-loglevel",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            &picture,
            "-f",
            "lavfi",
            "-i",
            &sound,
        ])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-b:a",
            "32k",
            "-shortest",
        ])
        .arg(&staged)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(MAKE_WITHIN, run).await.with_context(named)?.with_context(named)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}", named(), ffprobe::last_line(&words).unwrap_or("ffmpeg failed without a word"));
    }
    std::fs::rename(&staged, &path).with_context(named)?;
    Ok(text)
}
