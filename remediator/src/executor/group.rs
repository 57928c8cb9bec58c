//! A process group: waiting for its leader, and ending all of it.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::orphan::Identity;
use super::proc;

/// Between TERM and KILL.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// How long what the leader left behind may take to end, or to move into a session of its own as daemons do.
const LINGER: Duration = Duration::from_millis(300);
/// How long a killed group may take to be gone: a process in the kernel's hands dies when the kernel lets go of it.
const DEATH: Duration = Duration::from_secs(2);
/// Between two looks at a group whose leader is gone.
const LOOK: Duration = Duration::from_millis(20);

/// How the leader ended.
pub(super) enum End {
    /// By itself.
    Exited(std::io::Result<ExitStatus>),
    /// Its time was up.
    TimedOut,
    /// On request.
    Killed,
}

/// A child and the group that it leads. Dropping it kills the group.
pub(super) struct Group {
    child: Child,
    pid: Pid,
    gone: bool,
}

impl Group {
    /// The group of a child that was started as a leader; `None` if it was waited for already.
    pub(super) fn of(child: Child) -> Option<Self> {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)?;
        Some(Self { child, pid, gone: false })
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::of(self.pid)
    }

    /// Waits until the leader ends, its time is up, or `kill` says so; then sees to it that nothing of the group is left.
    pub(super) async fn end(&mut self, timeout: Duration, kill: &CancellationToken) -> End {
        let end = tokio::select! {
            status = self.child.wait() => End::Exited(status),
            () = tokio::time::sleep(timeout) => End::TimedOut,
            () = kill.cancelled() => End::Killed,
        };
        if !matches!(end, End::Exited(_)) {
            signal(self.pid, Signal::TERM);
            if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
                signal(self.pid, Signal::KILL);
                let _ = tokio::time::timeout(DEATH, self.child.wait()).await;
            }
        }
        if !vanishes(self.pid, LINGER).await {
            tracing::warn!(pid = self.pid.as_raw_nonzero(), "a step left processes behind; they are ended");
            terminate(self.pid).await;
        }
        self.gone = true;
        end
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.gone {
            signal(self.pid, Signal::KILL);
        }
    }
}

/// TERM, time to obey, KILL. Gives whether the group is gone.
pub(super) async fn terminate(group: Pid) -> bool {
    signal(group, Signal::TERM);
    if vanishes(group, GRACE).await {
        return true;
    }
    signal(group, Signal::KILL);
    vanishes(group, DEATH).await
}

/// Whether the group is gone within a time. Its number cannot be another group's as long as one of its processes lives.
async fn vanishes(group: Pid, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if !alive(group) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a process of the group lives. The dead count for the kernel until their parent notices, which in a container without
/// an init may be never: where there is a `/proc`, they are told apart.
fn alive(group: Pid) -> bool {
    test_kill_process_group(group) != Err(Errno::SRCH)
        && (!proc::is_there() || proc::has_members(group.as_raw_nonzero().get(), 0))
}

fn signal(group: Pid, signal: Signal) {
    match kill_process_group(group, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::warn!(group = group.as_raw_nonzero(), ?signal, %error, "cannot signal a process group"),
    }
}
