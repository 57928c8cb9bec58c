//! The pid file by which a later daemon finds an encoder that outlived its own.
//!
//! Where the system tells nothing of processes none is written, and no orphan is found.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid as OsPid, Signal};
use tokio::time::Instant;
use vvtv_toolkit::process::{Identity, State};

use crate::machine::Pid;

/// How long an orphan may take to end after TERM, and again after KILL.
const GRACE: Duration = Duration::from_secs(2);

/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// Writes the pid file of a process that was just started.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn remember(path: &Path, pid: Pid) -> anyhow::Result<()> {
    let identity = i32::try_from(pid).ok().and_then(OsPid::from_raw).map(Identity::of);
    let Some(identity) = identity.filter(|identity| identity.stat().is_some()) else { return Ok(()) };
    let staged = path.with_extension("pid.new");
    std::fs::write(&staged, serde_json::to_vec(&identity)?)
        .and_then(|()| std::fs::rename(&staged, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Removes the pid file; one that is not there is fine.
pub(crate) fn forget(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Ends the process that the pid file names, if it is still the same one: a daemon that was killed could not end its encoder.
///
/// Returns the pid of what was ended.
///
/// # Errors
/// The process does not end, even by KILL.
pub(crate) async fn end(path: &Path) -> anyhow::Result<Option<i32>> {
    let Ok(bytes) = std::fs::read(path) else { return Ok(None) };
    // A torn file names nobody.
    let orphan = serde_json::from_slice::<Identity>(&bytes).ok();
    let alive = orphan.and_then(|orphan| Some((orphan.stat().filter(|stat| stat.state != State::Dead)?, orphan)));
    let Some((stat, orphan)) = alive else {
        forget(path);
        return Ok(None);
    };
    // A stopped process hears nothing but KILL.
    let signals: &[Signal] = if stat.state == State::Stopped { &[Signal::KILL] } else { &[Signal::TERM, Signal::KILL] };
    for signal in signals {
        // One that has ended meanwhile is as good.
        let _sent = orphan.signal(*signal);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if !orphan.lives() {
                forget(path);
                return Ok(Some(orphan.pid));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    bail!("the encoder of an earlier daemon (pid {}) does not end", orphan.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_orphan_is_ended_and_a_stranger_with_its_pid_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("encoder.pid");
        assert_eq!(end(&path).await.unwrap(), None);

        let mut child =
            tokio::process::Command::new("tail").args(["-f", "/dev/null"]).kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap();
        remember(&path, pid).unwrap();
        let orphan: Identity = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let stranger = Identity { start_ticks: Some(1), ..orphan.clone() };
        std::fs::write(&path, serde_json::to_vec(&stranger).unwrap()).unwrap();
        assert_eq!(end(&path).await.unwrap(), None);
        assert_eq!(child.try_wait().unwrap(), None);

        remember(&path, pid).unwrap();
        assert!(orphan.signal(Signal::STOP));
        assert_eq!(end(&path).await.unwrap(), Some(orphan.pid));
        assert!(!path.exists());
        std::fs::write(&path, "{torn").unwrap();
        assert_eq!(end(&path).await.unwrap(), None);
    }
}
