//! Systems that tell nothing of processes, or not in this way.

use rustix::process::{Pid, Signal};

use super::Stat;

/// Whether there is a `/proc` at all.
#[must_use]
pub const fn is_there() -> bool {
    false
}

/// The kernel's id of this boot.
#[must_use]
pub const fn boot_id() -> Option<String> {
    None
}

/// Reads a process; `None` when there is none.
#[must_use]
pub const fn stat(_pid: i32) -> Option<Stat> {
    None
}

/// The number of every process.
pub fn all() -> impl Iterator<Item = i32> {
    std::iter::empty()
}

/// The children of a process, whichever of its threads started or adopted them.
#[must_use]
pub const fn children(_pid: i32) -> Vec<i32> {
    Vec::new()
}

/// Whoever cannot be recognised is not signalled.
pub(super) fn signal(_pid: Pid, _signal: Signal, _is_it: impl FnOnce() -> bool) -> bool {
    false
}
