//! `/proc`.

use procfs::process::{ProcState, Process, Stat as Line};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Stat, State};

/// Whether there is a `/proc` at all.
#[must_use]
pub fn is_there() -> bool {
    Process::myself().is_ok()
}

/// The kernel's id of this boot.
#[must_use]
pub fn boot_id() -> Option<String> {
    procfs::sys::kernel::random::boot_id().ok()
}

/// Reads a process; `None` when there is none.
#[must_use]
pub fn stat(pid: i32) -> Option<Stat> {
    Process::new(pid).ok()?.stat().ok().as_ref().map(read)
}

/// The number of every process.
pub fn all() -> impl Iterator<Item = i32> {
    procfs::process::all_processes().into_iter().flatten().flatten().map(|process| process.pid)
}

/// The children of a process, whichever of its threads started or adopted them.
#[must_use]
pub fn children(pid: i32) -> Vec<i32> {
    let threads = Process::new(pid).and_then(|process| process.tasks()).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| thread.children().ok());
    lists.flatten().filter_map(|child| i32::try_from(child).ok()).collect()
}

/// Signals a process that `is_it` recognises after it was opened: another one under the same number would not be reached.
pub(super) fn signal(pid: Pid, signal: Signal, is_it: impl FnOnce() -> bool) -> bool {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    is_it() && pidfd_send_signal(&process, signal).is_ok()
}

fn read(line: &Line) -> Stat {
    let state = match line.state() {
        Ok(ProcState::Stopped | ProcState::Tracing) => State::Stopped,
        Ok(ProcState::Zombie | ProcState::Dead) => State::Dead,
        Ok(
            ProcState::Running
            | ProcState::Sleeping
            | ProcState::Waiting
            | ProcState::Wakekill
            | ProcState::Waking
            | ProcState::Parked
            | ProcState::Idle,
        )
        | Err(_) => State::Active,
    };
    Stat {
        pid: line.pid,
        state,
        parent: line.ppid,
        group: line.pgrp,
        start_ticks: line.starttime,
        cpu_seconds: (line.utime + line.stime) as f64 / procfs::ticks_per_second() as f64,
        resident_bytes: line.rss * procfs::page_size(),
    }
}
