//! Everything that a step started, wherever it went: out of its group, into a session of its own, away from a parent that died.
//!
//! A step's processes are known by the path of its facts file, which `VVTV_FACTS` holds and every child inherits. Whatever loses its
//! parent falls to us (prctl(2), `PR_SET_CHILD_SUBREAPER`), so that a step's processes are found among our own descendants; those that
//! an earlier run left are looked for among all. What a step starts without that variable it leaves behind on purpose: it is let live.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal};
use tokio::process::Child;

use vvtv_toolkit::process::{self, State};

/// What a step's processes are known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark(PathBuf);

impl Mark {
    /// The mark of the step whose facts are in this file; its path is absolute.
    pub(super) const fn new(facts: PathBuf) -> Self {
        Self(facts)
    }

    /// The facts file.
    pub(super) fn file(&self) -> &Path {
        &self.0
    }

    /// The note that the step's process waits: it is emptied by the process itself as soon as it does not any more.
    pub(super) fn note(&self) -> PathBuf {
        self.0.with_extension(super::spool::NOTE)
    }

    /// Whether it is certain that the step's process was never let go.
    #[must_use]
    pub(crate) fn still_waits(&self) -> bool {
        std::fs::metadata(self.note()).is_ok_and(|note| note.len() > 0)
    }

    /// Removes the facts file, which nobody reads any more.
    pub(crate) fn remove_facts(&self) {
        remove(&self.0);
    }

    /// The same with the note.
    pub(crate) fn remove_files(&self) {
        self.remove_facts();
        remove(&self.note());
    }

    /// Whether a living process has it.
    fn is_on(&self, pid: i32) -> bool {
        use std::os::unix::ffi::OsStrExt as _;
        let expected = [b"VVTV_FACTS=", self.0.as_os_str().as_bytes()].concat();
        // A dead one's environment is empty, a stranger's cannot be read.
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
        environment.split(|byte| *byte == 0).any(|variable| variable == expected)
    }
}

fn remove(file: &Path) {
    if let Err(error) = std::fs::remove_file(file)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(file = %file.display(), %error, "cannot remove a step's file");
    }
}

/// The processes that were started here and not yet waited for. A process is one of them before anybody can take it for an orphan.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaders(Arc<Mutex<BTreeSet<i32>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Leader {
    pid: Pid,
    among: Leaders,
}

impl Leaders {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one.
    pub(super) fn start(&self, spawn: impl FnOnce() -> std::io::Result<Child>) -> std::io::Result<(Child, Leader)> {
        let mut known = self.lock();
        let child = spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| std::io::Error::other("it has no process id"))?;
        known.insert(pid.as_raw_nonzero().get());
        Ok((child, Leader { pid, among: self.clone() }))
    }
}

impl Leader {
    pub(super) const fn pid(&self) -> Pid {
        self.pid
    }

    pub(super) const fn others(&self) -> &Leaders {
        &self.among
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.among.lock().remove(&self.pid.as_raw_nonzero().get());
    }
}

/// Makes whatever loses its parent fall to this process, for `reap` to bury. Where the system does not have that, it falls to init,
/// and nothing is found that left its group and its parent.
pub(crate) fn adopt() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(%error, "cannot adopt what steps leave behind");
    }
}

/// Waits for the dead among the adopted, so that they do not stay as zombies.
pub(super) fn reap(leaders: &Leaders) {
    let leaders = leaders.lock();
    let me = rustix::process::getpid().as_raw_nonzero().get();
    for pid in process::children(me).into_iter().filter(|pid| !leaders.contains(pid)) {
        if process::stat(pid).is_some_and(|stat| stat.state == State::Dead) {
            // Gone already is as good.
            let _gone = rustix::process::waitpid(Pid::from_raw(pid), rustix::process::WaitOptions::NOHANG);
        }
    }
}

/// The step's processes among our descendants, `leader` and its own included; other leaders' are other steps'.
pub(super) fn of_step(mark: &Mark, leader: &Leader) -> Vec<i32> {
    let (leaders, leader) = (leader.others(), leader.pid().as_raw_nonzero().get());
    let me = rustix::process::getpid().as_raw_nonzero().get();
    let mut waiting: Vec<i32> = {
        let leaders = leaders.lock();
        process::children(me).into_iter().filter(|pid| *pid == leader || !leaders.contains(pid)).collect()
    };
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(pid) = waiting.pop() {
        if !seen.insert(pid) {
            continue;
        }
        if mark.is_on(pid) {
            found.push(pid);
        }
        waiting.extend(process::children(pid));
    }
    found
}

/// The step's processes among all of this machine.
pub(super) fn anywhere(mark: &Mark) -> Vec<i32> {
    process::all().filter(|pid| mark.is_on(*pid)).collect()
}

/// Signals a process if it is still the one that has the mark.
pub(super) fn signal(mark: &Mark, pid: i32, signal: Signal) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    #[cfg(target_os = "linux")]
    if let Ok(process) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
        && mark.is_on(pid.as_raw_nonzero().get())
    {
        // Looked at after it was opened: another one under the same number would not be reached by this.
        let _gone = rustix::process::pidfd_send_signal(&process, signal);
    }
    #[cfg(not(target_os = "linux"))]
    if mark.is_on(pid.as_raw_nonzero().get()) {
        let _gone = rustix::process::kill_process(pid, signal);
    }
}
