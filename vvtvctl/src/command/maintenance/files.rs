//! Logs: the errors of the last day, and NGINX's files turned over.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use tokio::process::Command;
use tokio::time::{Instant, timeout};
use vvtv_playout_interface::layout::Layout;
use vvtv_playout_interface::layout::turned_over;

use super::{Finding, evidence};
use crate::command::logs;

/// What counts as recent.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The newest errors that are shown.
const SHOWN: usize = 5;

/// Old files that are kept of each log.
const KEPT: u32 = 4;

/// How long NGINX may take to open its files anew.
const REOPEN_WITHIN: Duration = Duration::from_secs(5);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Counts the errors of the last day in the encoder's and NGINX's logs, and shows the newest.
///
/// # Errors
/// A log that is there cannot be read.
pub(super) fn review_errors(layout: &Layout, now: Timestamp) -> anyhow::Result<Finding> {
    let logs = [("streaming.log", layout.streaming_log(), false), ("nginx_error.log", layout.nginx_error_log(), true)];
    let (mut seen, mut total) = (Vec::new(), 0);
    for (name, path, nginx) in logs {
        let mut errors = Vec::new();
        for file in [turned_over(&path), path].into_iter().filter(|file| file.exists()) {
            let text = logs::tail(&file)?;
            errors.extend(text.lines().filter(|line| is_recent_error(line, nginx, now)).map(str::to_owned));
        }
        total += errors.len();
        seen.push(evidence(format!("errors in {name}, last 24 h"), errors.len().to_string(), Some("0")));
        seen.extend(errors.iter().rev().take(SHOWN).rev().map(|line| evidence(name, line.clone(), None)));
    }
    let summary =
        if total == 0 { "no errors".to_owned() } else { format!("{total} errors: a person should read them") };
    Ok(Finding::new(total == 0, summary, seen))
}

fn is_recent_error(line: &str, nginx: bool, now: Timestamp) -> bool {
    let (at, bad) = if nginx {
        let at = line.get(..19).and_then(|text| DateTime::strptime("%Y/%m/%d %H:%M:%S", text).ok());
        let at = at.and_then(|at| at.to_zoned(TimeZone::system()).ok()).map(|at| at.timestamp());
        (at, ["[error]", "[crit]", "[alert]", "[emerg]"].iter().any(|mark| line.contains(mark)))
    } else {
        (line.split(' ').next().and_then(|text| text.parse::<Timestamp>().ok()), line.contains(" ERROR "))
    };
    bad && at.is_some_and(|at| now.duration_since(at) <= DAY)
}

/// Renames NGINX's logs, keeping four of each, and has NGINX open new ones.
///
/// # Errors
/// A file cannot be renamed, or NGINX does not open a new one in time.
pub(super) async fn rotate(layout: &Layout) -> anyhow::Result<Finding> {
    let logs = [layout.nginx_error_log(), layout.nginx_access_log(), layout.rtmp_access_log()];
    let mut seen = Vec::new();
    let mut turned = Vec::new();
    for log in logs {
        let size = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
        if size == 0 {
            continue;
        }
        turn_over(&log)?;
        seen.push(evidence(log.display().to_string(), format!("{} KiB turned over", size.div_ceil(1024)), None));
        turned.push(log);
    }
    if turned.is_empty() {
        return Ok(Finding::new(true, "nothing to turn over", seen));
    }
    let Some(pid) = master(&layout.nginx_pid()) else {
        return Ok(Finding::new(true, format!("{} logs turned over; NGINX does not run", turned.len()), seen));
    };
    let asked = ask_to_reopen(pid).await;
    let deadline = Instant::now() + REOPEN_WITHIN;
    while let Some(missing) = turned.iter().find(|log| !log.exists()) {
        if Instant::now() >= deadline {
            let refused = asked.err().map(|refused| format!(" ({refused:#})")).unwrap_or_default();
            bail!("NGINX, process {pid}, did not open {} anew within {REOPEN_WITHIN:?}{refused}", missing.display());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(Finding::new(true, format!("{} logs turned over, NGINX writes new ones", turned.len()), seen))
}

/// Signals NGINX, or has the service manager do it where NGINX is another user's. Where there is neither, whoever runs it may see for
/// itself that its logs are gone (run-nginx does), so that a refusal is an error only if no new log appears.
async fn ask_to_reopen(pid: u32) -> anyhow::Result<()> {
    const SYSTEMCTL: [&str; 5] = ["systemctl", "kill", "--kill-whom=main", "--signal=USR1", "nginx-rtmp"];
    let Some(target) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { bail!("{pid} is no process id") };
    match rustix::process::kill_process(target, Signal::USR1) {
        Err(Errno::PERM) => {
            let [program, arguments @ ..] = SYSTEMCTL;
            let mut command = Command::new(program);
            let run = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
            let output =
                timeout(REOPEN_WITHIN, run).await.context("systemctl does not answer")?.context("run systemctl")?;
            let said = String::from_utf8_lossy(&output.stderr);
            anyhow::ensure!(output.status.success(), "{}: {}", SYSTEMCTL.join(" "), said.trim());
            Ok(())
        }
        sent => sent.with_context(|| format!("signal process {pid}")),
    }
}

/// `x.log` becomes `x.log.1`, that `x.log.2`, and so on; the oldest goes.
fn turn_over(log: &Path) -> anyhow::Result<()> {
    let numbered = |number: u32| {
        let mut name = log.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..KEPT).rev().filter(|number| numbered(*number).exists()) {
        let to = numbered(number + 1);
        std::fs::rename(numbered(number), &to).with_context(|| format!("cannot make {}", to.display()))?;
    }
    std::fs::rename(log, numbered(1)).with_context(|| format!("cannot turn {} over", log.display()))
}

/// NGINX's master by its pid file, if that process is an NGINX: a signal must not reach a stranger.
fn master(pid_file: &Path) -> Option<u32> {
    let pid: u32 = std::fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "nginx").then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_old_files_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join("x.log");
        for round in 0..6 {
            std::fs::write(&log, round.to_string()).unwrap();
            turn_over(&log).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(root.path().join(name)).ok();
        let names = ["x.log", "x.log.1", "x.log.2", "x.log.3", "x.log.4", "x.log.5"];
        let expected = [None, Some("5"), Some("4"), Some("3"), Some("2"), None].map(|text| text.map(str::to_owned));
        assert_eq!(names.map(read), expected);
    }

    #[test]
    fn only_errors_of_the_last_day_count() {
        let now: Timestamp = "2026-11-22T18:00:00Z".parse().unwrap();
        let recent = |line: &str, nginx| is_recent_error(line, nginx, now);
        assert!(recent("2026-11-22T17:00:00Z ERROR playout: item 1 failed", false));
        assert!(!recent("2026-11-22T17:00:00Z INFO playout: no ERROR", false));
        assert!(!recent("2026-11-20T17:00:00Z ERROR playout: item 1 failed", false));
        assert!(!recent("ERROR without a time", false));
        let local = now.to_zoned(TimeZone::system()).strftime("%Y/%m/%d %H:%M:%S").to_string();
        assert!(recent(&format!("{local} [crit] 1#1: no space"), true));
        assert!(!recent(&format!("{local} [warn] 1#1: slow"), true));
    }
}
