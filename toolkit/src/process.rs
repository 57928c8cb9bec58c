//! Processes as the kernel tells of them (proc(5)), and what tells one from every other, whichever had its number before or has it after.
//!
//! On systems without `/proc` nothing is known: no process is seen, and no identity is of a living one.

#[cfg_attr(target_os = "linux", path = "process/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "process/unknown.rs")]
mod system;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

pub use system::{all, boot_id, children, is_there, stat};

/// What is read of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stat {
    /// Its process id.
    pub pid: i32,
    /// Whether it can do anything.
    pub state: State,
    /// Who started or adopted it.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its start, in clock ticks since boot.
    pub start_ticks: u64,
    /// CPU that it has used, user and system.
    pub cpu_seconds: f64,
    /// Memory that it holds.
    pub resident_bytes: u64,
}

/// How a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Running, sleeping, or waiting for a disk.
    Active,
    /// Stopped by a signal or a debugger: it hears nothing but KILL and CONT.
    Stopped,
    /// It has ended, and waits for its parent to notice.
    Dead,
}

/// What tells one process from every other one, before and after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// Its process id.
    pub pid: i32,
    /// Its start in clock ticks since boot; unknown where there is no `/proc`, and of a process that is gone.
    pub start_ticks: Option<u64>,
    /// The kernel's id of the boot that it was started in; unknown where there is no `/proc`.
    pub boot_id: Option<String>,
}

impl Identity {
    /// The process that has this number now.
    #[must_use]
    pub fn of(pid: Pid) -> Self {
        let pid = pid.as_raw_nonzero().get();
        Self { pid, start_ticks: stat(pid).map(|stat| stat.start_ticks), boot_id: boot_id() }
    }

    /// The process of this number, if one lives.
    #[must_use]
    pub fn find(pid: i32) -> Option<Self> {
        let found = Self::of(Pid::from_raw(pid)?);
        found.lives().then_some(found)
    }

    /// Whether it was started since the machine was: its number may still be its own.
    #[must_use]
    pub fn is_of_this_boot(&self) -> bool {
        self.boot_id.is_some() && self.boot_id == boot_id()
    }

    /// What is read of this very process, alive or not yet buried. `None`: it is gone, or cannot be told from a stranger.
    #[must_use]
    pub fn stat(&self) -> Option<Stat> {
        let same = |found: &Stat| Some(found.start_ticks) == self.start_ticks && self.is_of_this_boot();
        stat(self.pid).filter(same)
    }

    /// Whether this very process can still do something. A dead one cannot, although its number is still taken.
    #[must_use]
    pub fn lives(&self) -> bool {
        self.stat().is_some_and(|stat| stat.state != State::Dead)
    }

    /// Sends a signal, if this very process lives; says whether it was sent. No stranger can get it.
    #[must_use]
    pub fn signal(&self, signal: Signal) -> bool {
        Pid::from_raw(self.pid).is_some_and(|pid| system::signal(pid, signal, || self.lives()))
    }
}

/// Whether a process of the group, started at this time (clock ticks since boot) or later, lives.
#[must_use]
pub fn has_members(group: i32, start_ticks: u64) -> bool {
    let counts = |stat: Stat| stat.group == group && stat.state != State::Dead && stat.start_ticks >= start_ticks;
    all().filter_map(stat).any(counts)
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
