//! Steps of a remediator that died: found again by pid, start time and boot, and by their mark; waited for, and ended.

use std::time::Duration;

use rustix::process::Pid;
use tokio::time::Instant;

use super::descendants::{self, Mark};
use super::group;
use super::proc::{boot_id, has_members, stat};

/// Between two looks at an orphan.
const LOOK: Duration = Duration::from_millis(50);

/// What tells one process from every other one, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its process id, which is also its group's.
    pub pid: i32,
    /// Its start in clock ticks since boot; unknown where there is no `/proc`.
    pub start_ticks: Option<u64>,
    /// The kernel's id of this boot; unknown where there is no `/proc`.
    pub boot_id: Option<String>,
}

/// What became of a process that was left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphan {
    /// It was over already, or cannot be told from a stranger: nothing was touched.
    Gone,
    /// It ended by itself while it was waited for; how is not known.
    Ended,
    /// It was killed, with everything that it started.
    Killed,
    /// It was killed and is still there: the kernel has not let go of it.
    Stuck,
}

impl Identity {
    pub(super) fn of(pid: Pid) -> Self {
        let pid = pid.as_raw_nonzero().get();
        Self { pid, start_ticks: stat(pid).map(|stat| stat.start_ticks), boot_id: boot_id() }
    }

    /// Whether the machine has certainly not been started since.
    #[must_use]
    pub fn is_of_this_boot(&self) -> bool {
        self.boot_id.is_some() && self.boot_id == boot_id()
    }

    /// The group, if any of its processes lives and it is certain that they are this step's.
    fn group(&self) -> Option<Pid> {
        let start = self.start_ticks?;
        if !self.is_of_this_boot() {
            return None;
        }
        let lives = match stat(self.pid) {
            Some(leader) if leader.start_ticks != start => false,
            Some(leader) => !leader.dead || has_members(self.pid, start),
            // The group's number cannot be used again while one of its members lives.
            None => has_members(self.pid, start),
        };
        if lives { Pid::from_raw(self.pid) } else { None }
    }
}

/// Waits for what an earlier run left of a step until `wait` is over, then ends it: the group of a process whose identity was written
/// down, and whatever has the step's mark.
pub async fn settle(orphan: Option<&Identity>, mark: &Mark, wait: Duration) -> Orphan {
    let deadline = Instant::now() + wait;
    let group = || orphan.and_then(Identity::group);
    let lives = || group().is_some() || !descendants::anywhere(mark).is_empty();
    if !lives() {
        return Orphan::Gone;
    }
    loop {
        if !lives() {
            return Orphan::Ended;
        }
        if Instant::now() >= deadline {
            return if group::terminate(group(), mark).await || !lives() { Orphan::Killed } else { Orphan::Stuck };
        }
        tokio::time::sleep(LOOK).await;
    }
}
