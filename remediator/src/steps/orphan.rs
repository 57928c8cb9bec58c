//! Steps of a remediator that died: found again by pid, start time and boot, and by their mark; waited for, and ended.

use std::time::Duration;

use rustix::process::Pid;
use tokio::time::Instant;
use vvtv_toolkit::process::{self, Identity, State, has_members};

use super::descendants::{self, Mark};
use super::group;

/// Between two looks at an orphan.
const LOOK: Duration = Duration::from_millis(50);

/// What became of a process that was left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Orphan {
    /// It was over already, or cannot be told from a stranger: nothing was touched.
    Gone,
    /// It ended by itself while it was waited for; how is not known.
    Ended,
    /// It was killed, with everything that it started.
    Killed,
    /// It was killed and is still there: the kernel has not let go of it.
    Stuck,
}

/// The group that a step's process leads, if any of its processes lives and it is certain that they are this step's.
fn group_of(leader: &Identity) -> Option<Pid> {
    let start = leader.start_ticks.filter(|_| leader.is_of_this_boot())?;
    let lives = match process::stat(leader.pid) {
        Some(found) if found.start_ticks != start => false,
        Some(found) => found.state != State::Dead || has_members(leader.pid, start),
        // The group's number cannot be used again while one of its members lives.
        None => has_members(leader.pid, start),
    };
    if lives { Pid::from_raw(leader.pid) } else { None }
}

/// Waits for what an earlier run left of a step until `wait` is over, then ends it: the group of a process whose identity was written
/// down, and whatever has the step's mark.
pub(crate) async fn settle(orphan: Option<&Identity>, mark: &Mark, wait: Duration) -> Orphan {
    let deadline = Instant::now() + wait;
    let group = || orphan.and_then(group_of);
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
