//! `logs/streaming.log`: what ffmpeg and the daemon say, one line each, with time and level.
//!
//! Secrets do not get in: ffmpeg prints the address that it publishes to.
//!
//! A thread of its own writes, because a full or hanging disk must not reach the picture. The file turns over at 10,000 lines and
//! one old file is kept, so that the last 10,000 lines are always there; the thread also holds them in memory.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use jiff::Timestamp;
use tokio::sync::oneshot;
use vvtv_playout_interface::layout::turned_over;
use vvtv_toolkit::redaction::Redactor;

/// Lines that are kept.
pub(crate) const LINES: usize = 10_000;

/// Longer lines are cut.
const LINE_BYTES: usize = 2_000;

/// Lines that may wait for the disk.
const BACKLOG: usize = 4_096;

/// How bad a line is; the word stands in the file, where `grep ERROR` looks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

enum Entry {
    Line(String),
    Tail(usize, oneshot::Sender<Vec<String>>),
}

/// A handle to the log; copies write to the same one.
#[derive(Clone, Debug)]
pub(crate) struct StreamingLog {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
    redactor: Redactor,
}

impl StreamingLog {
    /// Starts the log's thread. A file that cannot be written is told on standard error and tried again at each line.
    pub(crate) fn start(path: PathBuf, redactor: Redactor) -> Self {
        let (entries, receiver) = sync_channel(BACKLOG);
        std::thread::spawn(move || Writer::new(path).run(&receiver));
        Self { entries, lost: Arc::default(), redactor }
    }

    /// Something worth knowing, from the daemon.
    pub(crate) fn info(&self, text: &str) {
        tracing::info!("{text}");
        self.write(Level::Info, "playout", text);
    }

    /// Something wrong, from the daemon.
    pub(crate) fn error(&self, text: &str) {
        tracing::error!("{text}");
        self.write(Level::Error, "playout", text);
    }

    /// A line of a program's error output, with ffmpeg's `[level]` mark.
    pub(crate) fn program(&self, source: &str, line: &str) {
        let (level, text) = ffmpeg_level(line);
        self.write(level, source, &text);
    }

    /// Lines that were lost because the disk did not keep up.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The newest lines, oldest first.
    pub(crate) async fn tail(&self, lines: usize) -> Vec<String> {
        let (sender, receiver) = oneshot::channel();
        if self.entries.try_send(Entry::Tail(lines, sender)).is_err() {
            return vec!["the log's writer is held up by its disk".to_owned()];
        }
        receiver.await.unwrap_or_default()
    }

    fn write(&self, level: Level, source: &str, text: &str) {
        let level = match level {
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        let mut line = format!("{:.3} {level} {source}: ", Timestamp::now());
        let text = self.redactor.text(text);
        line.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LINE_BYTES));
        if self.entries.try_send(Entry::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Finds `[info]`, `[warning]`, `[error]` … (ffmpeg's `-loglevel level+…`) in a line and takes it out.
fn ffmpeg_level(line: &str) -> (Level, String) {
    let marks = [
        ("[info] ", Level::Info),
        ("[verbose] ", Level::Info),
        ("[warning] ", Level::Warn),
        ("[error] ", Level::Error),
        ("[fatal] ", Level::Error),
        ("[panic] ", Level::Error),
    ];
    for (mark, level) in marks {
        if line.contains(mark) {
            return (level, line.replacen(mark, "", 1));
        }
    }
    (Level::Info, line.to_owned())
}

struct Writer {
    path: PathBuf,
    file: Option<File>,
    /// Lines in the file.
    lines: usize,
    ring: VecDeque<String>,
    complained: bool,
}

impl Writer {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, lines: 0, ring: VecDeque::new(), complained: false }
    }

    fn run(mut self, entries: &Receiver<Entry>) {
        while let Ok(entry) = entries.recv() {
            match entry {
                Entry::Line(line) => self.line(line),
                Entry::Tail(count, answer) => {
                    let skip = self.ring.len().saturating_sub(count);
                    let _ = answer.send(self.ring.iter().skip(skip).cloned().collect());
                }
            }
        }
    }

    fn line(&mut self, line: String) {
        match self.append(&line) {
            Ok(()) => self.complained = false,
            Err(error) => {
                self.file = None;
                if !self.complained {
                    tracing::error!(path = %self.path.display(), %error, "the log cannot be written");
                    self.complained = true;
                }
            }
        }
        if self.ring.len() == LINES {
            self.ring.pop_front();
        }
        self.ring.push_back(line);
    }

    fn append(&mut self, line: &str) -> std::io::Result<()> {
        if self.lines >= LINES {
            self.file = None;
            std::fs::rename(&self.path, turned_over(&self.path))?;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                if let Some(directory) = self.path.parent() {
                    std::fs::create_dir_all(directory)?;
                }
                self.lines = File::open(&self.path).map_or(0, |file| BufReader::new(file).lines().count());
                self.file.insert(OpenOptions::new().create(true).append(true).open(&self.path)?)
            }
        };
        file.write_all(format!("{line}\n").as_bytes())?;
        self.lines += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_are_kept_and_the_file_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/streaming.log");
        let mut writer = Writer::new(path.clone());
        for number in 0..25_000 {
            writer.line(format!("line {number}"));
        }
        assert_eq!(writer.ring.len(), LINES);
        let newest = std::fs::read_to_string(&path).unwrap();
        assert_eq!(newest.lines().next_back(), Some("line 24999"));
        assert_eq!(newest.lines().count(), 5_000);
        assert_eq!(std::fs::read_to_string(turned_over(&path)).unwrap().lines().count(), LINES);
        // A new writer goes on counting where the old one ended.
        let mut writer = Writer::new(path.clone());
        for number in 0..5_001 {
            writer.line(format!("again {number}"));
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "again 5000\n");
    }

    #[tokio::test]
    async fn levels_are_words_and_the_tail_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let log = StreamingLog::start(directory.path().join("streaming.log"), Redactor::default());
        log.program("encoder[7]", "[flv @ 0x1] [error] Failed to update header\u{7}");
        log.program("encoder[7]", "[info] Stream mapping:");
        let tail: Vec<String> = log.tail(5).await.into_iter().map(|line| line[25..].to_owned()).collect();
        assert_eq!(
            tail,
            ["ERROR encoder[7]: [flv @ 0x1] Failed to update header ", "INFO encoder[7]: Stream mapping:"]
        );
    }
}
