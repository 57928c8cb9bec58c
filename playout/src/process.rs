//! Processes as Linux's `/proc` shows them, and the pid file by which a later daemon finds an encoder that outlived its own.
//!
//! On systems without `/proc` nothing is known: states stay unobserved and no orphan is found.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid as OsPid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::machine::{Pid, ProcessState};

/// How long an orphan may take to end after TERM, and again after KILL.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);

/// A process, told apart from a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pid: Pid,
    /// Clock ticks from boot to the process' start.
    start_ticks: u64,
    boot_id: String,
}

/// One line of `/proc/PID/stat`, as far as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: ProcessState,
    /// Clock ticks of CPU used, user and system.
    pub(crate) cpu_ticks: u64,
    start_ticks: u64,
    pub(crate) resident_pages: u64,
}

/// Reads a process; `None` when there is none, or no `/proc`.
pub(crate) fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name in parentheses may hold anything, also spaces and parentheses.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let state = match *fields.first()? {
        "T" | "t" => ProcessState::Stopped,
        "Z" | "X" => ProcessState::Zombie,
        _ => ProcessState::Active,
    };
    Some(Stat { state, cpu_ticks: number(11)? + number(12)?, start_ticks: number(19)?, resident_pages: number(21)? })
}

fn boot_id() -> Option<String> {
    Some(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

/// Writes the pid file of a process that was just started. Without `/proc` none is written.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn remember(path: &Path, pid: Pid) -> anyhow::Result<()> {
    let Some((stat, boot_id)) = stat(pid).zip(boot_id()) else { return Ok(()) };
    let identity = Identity { pid, start_ticks: stat.start_ticks, boot_id };
    let staged = path.with_extension("pid.new");
    std::fs::write(&staged, serde_json::to_vec(&identity)?)
        .and_then(|()| std::fs::rename(&staged, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Removes the pid file; one that is not there is fine.
pub(crate) fn forget(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Sends a signal. A process that is gone is no error.
pub(crate) fn signal(pid: Pid, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(OsPid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Ends the process that the pid file names, if it is still the same one: a daemon that was killed could not end its encoder.
///
/// Returns the pid of what was ended.
///
/// # Errors
/// The process does not end, even by KILL.
pub(crate) async fn end_orphan(path: &Path) -> anyhow::Result<Option<Pid>> {
    let Ok(bytes) = std::fs::read(path) else { return Ok(None) };
    // A torn file names nobody.
    let Ok(identity) = serde_json::from_slice::<Identity>(&bytes) else {
        forget(path);
        return Ok(None);
    };
    let lives = || {
        let found = stat(identity.pid)?;
        let same = found.start_ticks == identity.start_ticks && Some(&identity.boot_id) == boot_id().as_ref();
        (same && found.state != ProcessState::Zombie).then_some(found.state)
    };
    let Some(state) = lives() else {
        forget(path);
        return Ok(None);
    };
    // A stopped process hears nothing but KILL.
    let signals: &[Signal] =
        if state == ProcessState::Stopped { &[Signal::KILL] } else { &[Signal::TERM, Signal::KILL] };
    for each in signals {
        signal(identity.pid, *each);
        let deadline = Instant::now() + ORPHAN_GRACE;
        while Instant::now() < deadline {
            if lives().is_none() {
                forget(path);
                return Ok(Some(identity.pid));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    bail!("the encoder of an earlier daemon (pid {}) does not end", identity.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_an_odd_name() {
        let text = "42 (ff) mpeg (x)) T 1 42 42 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 9 0 123456 1000000 2500 1844 1 1";
        let expected =
            Stat { state: ProcessState::Stopped, cpu_ticks: 300, start_ticks: 123_456, resident_pages: 2500 };
        assert_eq!(parse_stat(text), Some(expected));
        assert_eq!(parse_stat("42 (ffmpeg"), None);
    }

    #[tokio::test]
    async fn an_orphan_is_ended_and_a_stranger_with_its_pid_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("encoder.pid");
        assert_eq!(end_orphan(&path).await.unwrap(), None);

        let mut child =
            tokio::process::Command::new("tail").args(["-f", "/dev/null"]).kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap();
        let stranger = Identity { pid, start_ticks: 1, boot_id: boot_id().unwrap() };
        std::fs::write(&path, serde_json::to_vec(&stranger).unwrap()).unwrap();
        assert_eq!(end_orphan(&path).await.unwrap(), None);
        assert_eq!(child.try_wait().unwrap(), None);

        remember(&path, pid).unwrap();
        signal(pid, Signal::STOP);
        assert_eq!(end_orphan(&path).await.unwrap(), Some(pid));
        assert!(!path.exists());
        std::fs::write(&path, "{torn").unwrap();
        assert_eq!(end_orphan(&path).await.unwrap(), None);
    }
}
