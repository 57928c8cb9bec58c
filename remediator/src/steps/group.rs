//! A step's processes: waiting for the one that was started, its process group's leader, and ending all that it started.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vvtv_toolkit::process;

use super::descendants::{self, Leader, Mark};

/// Between TERM and KILL.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// How long what the leader left behind may take to end by itself.
const LINGER: Duration = Duration::from_millis(300);
/// How long killed processes may take to be gone: one that is in the kernel's hands dies when the kernel lets go of it.
const DEATH: Duration = Duration::from_secs(2);
/// Between two looks at processes whose leader is gone.
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

/// A child, the group that it leads, and what left that group. Dropping it kills all of them.
pub(super) struct Group {
    child: Child,
    family: Family,
    gone: bool,
}

impl Group {
    /// The group of a child that was started as its leader.
    pub(super) const fn of(child: Child, leader: Leader, mark: Mark) -> Self {
        Self { child, family: Family { leader, mark }, gone: false }
    }

    /// Waits until the leader ends, its time is up, or `kill` says so; then sees to it that nothing that it started is left.
    pub(super) async fn end(&mut self, timeout: Duration, kill: &CancellationToken) -> End {
        let end = tokio::select! {
            status = self.child.wait() => End::Exited(status),
            () = tokio::time::sleep(timeout) => End::TimedOut,
            () = kill.cancelled() => End::Killed,
        };
        if !matches!(end, End::Exited(_)) {
            self.family.signal(Signal::TERM);
            if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
                self.family.signal(Signal::KILL);
                let _ = tokio::time::timeout(DEATH, self.child.wait()).await;
            }
        }
        if !self.family.vanishes(LINGER).await {
            let pid = self.family.leader.pid().as_raw_nonzero();
            tracing::warn!(pid, mark = %self.family.mark.file().display(), "a step left processes behind; they are ended");
            if !self.family.terminate().await {
                tracing::error!(pid, mark = %self.family.mark.file().display(), "processes of a step cannot be ended");
            }
        }
        self.gone = true;
        end
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.gone {
            self.family.signal(Signal::KILL);
        }
    }
}

/// The processes of a step: those of its group, and those of its descendants that left it.
struct Family {
    leader: Leader,
    mark: Mark,
}

impl Family {
    fn signal(&self, to_send: Signal) {
        signal(self.leader.pid(), to_send);
        for pid in descendants::of_step(&self.mark, &self.leader) {
            if process::stat(pid).is_some_and(|stat| stat.group != self.leader.pid().as_raw_nonzero().get()) {
                descendants::signal(&self.mark, pid, to_send);
            }
        }
    }

    /// Whether one of them lives. While its parent dies, a process may be in nobody's list of children for a moment: the second look
    /// finds it in ours.
    fn lives(&self) -> bool {
        let strays = || !descendants::of_step(&self.mark, &self.leader).is_empty();
        alive(self.leader.pid()) || strays() || strays()
    }

    async fn vanishes(&self, within: Duration) -> bool {
        until_not(within, || self.lives()).await
    }

    /// TERM, time to obey, KILL to whatever comes up. Gives whether all are gone.
    async fn terminate(&self) -> bool {
        self.signal(Signal::TERM);
        self.vanishes(GRACE).await
            || until_not(DEATH, || {
                self.signal(Signal::KILL);
                self.lives()
            })
            .await
    }
}

/// The same for a step of an earlier run, whose group, if it is known, is not our child's.
pub(super) async fn terminate(group: Option<Pid>, mark: &Mark) -> bool {
    let signal_all = |to_send| {
        if let Some(group) = group {
            signal(group, to_send);
        }
        for pid in descendants::anywhere(mark) {
            descendants::signal(mark, pid, to_send);
        }
    };
    let lives = || group.is_some_and(alive) || !descendants::anywhere(mark).is_empty();
    signal_all(Signal::TERM);
    until_not(GRACE, lives).await
        || until_not(DEATH, || {
            signal_all(Signal::KILL);
            lives()
        })
        .await
}

/// Whether something is not so any more within a time.
async fn until_not(within: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if !is_so() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a process of the group lives. The dead count for the kernel until their parent notices, which in a container without
/// an init may be never: where there is a `/proc`, they are told apart. The group's number cannot be another's as long as one lives.
fn alive(group: Pid) -> bool {
    test_kill_process_group(group) != Err(Errno::SRCH)
        && (!process::is_there() || process::has_members(group.as_raw_nonzero().get(), 0))
}

fn signal(group: Pid, signal: Signal) {
    match kill_process_group(group, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::warn!(group = group.as_raw_nonzero(), ?signal, %error, "cannot signal a process group"),
    }
}
