//! `streaming logs`: the newest lines, read from the files, so that it works without the daemon.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::layout::turned_over;

use super::context::Context;
use crate::cli::{Format, Logs};
use crate::render;
use crate::verdict::Verdict;

/// Only the end of a file is read.
const TAIL_BYTES: u64 = 4 << 20;

/// Marks of a line that tells of an error.
const NGINX_ERRORS: [&str; 4] = ["[error]", "[crit]", "[alert]", "[emerg]"];

#[derive(Serialize)]
struct Lines {
    lines: Vec<String>,
}

pub(super) fn run(context: &Context, options: &Logs) -> Result<Verdict, Failure> {
    let Logs { errors, nginx, rtmp, lines } = *options;
    let (path, marks): (_, &[&str]) = match (nginx, rtmp) {
        (true, _) => (context.layout.nginx_error_log(), &NGINX_ERRORS),
        (false, true) => (context.layout.rtmp_access_log(), &[]),
        (false, false) => (context.layout.streaming_log(), &[" ERROR "]),
    };
    let wanted = |line: &str| !errors || marks.iter().any(|mark| line.contains(mark));
    let mut newest = VecDeque::new();
    // Just after the file turned over, most lines are in the old one.
    let files = [turned_over(&path), path.clone()];
    for file in files.iter().filter(|file| **file == path || file.exists()) {
        for line in tail(file)?.lines().filter(|line| wanted(line)) {
            if newest.len() == lines as usize {
                newest.pop_front();
            }
            newest.push_back(line.to_owned());
        }
    }
    // A configuration that cannot be read is no reason not to look at the logs.
    let mut clean = context.config().map(|config| config.redactor()).unwrap_or_default().lines();
    let lines = newest.iter().map(|line: &String| clean.next(line).into_owned());
    let found = Lines { lines: lines.collect() };
    if found.lines.is_empty() && context.format == Format::Text {
        let kind = if errors { "errors" } else { "lines" };
        render::complain(&format!("no {kind} in {}", path.display()));
        return Ok(Verdict::Good);
    }
    render::result(context.format, &found, || found.lines.join("\n"))?;
    Ok(Verdict::Good)
}

/// The end of a text file, from a line's beginning.
///
/// # Errors
/// The file cannot be read.
pub(super) fn tail(path: &Path) -> anyhow::Result<String> {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(if start == 0 { text } else { text.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned()) })
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}
