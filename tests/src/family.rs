//! Which processes belong to a lab, and how they end: by their ids, checked against reuse, never by name.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use procfs::process::{ProcState, Process, Stat};
use rustix::process::{Pid, Signal, kill_process};

/// Environment variable that every process of a lab has, with the lab's root directory as its value.
pub const MARKER: &str = "VVTV_LAB";

/// A process, safe against the reuse of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Process id.
    pub pid: i32,
    start_ticks: u64,
}

fn stats() -> Vec<Stat> {
    let processes = procfs::process::all_processes().into_iter().flatten().flatten();
    processes.filter_map(|process| process.stat().ok()).collect()
}

fn is_alive(stat: &Stat) -> bool {
    !matches!(stat.state(), Ok(ProcState::Zombie | ProcState::Dead))
}

impl Member {
    const fn of(stat: &Stat) -> Self {
        Self { pid: stat.pid, start_ticks: stat.starttime }
    }

    /// The process of this number, if one lives.
    #[must_use]
    pub fn find(pid: i32) -> Option<Self> {
        let stat = Process::new(pid).ok()?.stat().ok()?;
        is_alive(&stat).then(|| Self::of(&stat))
    }

    /// Whether this very process still lives. A zombie does not.
    #[must_use]
    pub fn lives(self) -> bool {
        Self::find(self.pid) == Some(self)
    }

    /// Sends a signal, if this very process still lives; says whether it was sent.
    #[must_use]
    pub fn signal(self, signal: Signal) -> bool {
        self.lives() && Pid::from_raw(self.pid).is_some_and(|pid| kill_process(pid, signal).is_ok())
    }
}

/// The living processes among `roots`, their children, and so on down.
#[must_use]
pub fn descendants(roots: &[i32]) -> BTreeSet<Member> {
    let stats: Vec<Stat> = stats().into_iter().filter(is_alive).collect();
    let mut known: BTreeSet<i32> = roots.iter().copied().collect();
    loop {
        let before = known.len();
        known.extend(stats.iter().filter(|stat| known.contains(&stat.ppid)).map(|stat| stat.pid).collect::<Vec<_>>());
        if known.len() == before {
            break;
        }
    }
    stats.iter().filter(|stat| known.contains(&stat.pid)).map(Member::of).collect()
}

/// The living processes of this user that carry the marker of the lab at `root`, and the NGINX of its pid file.
///
/// NGINX is found by its pid file because its process title overwrites the environment.
#[must_use]
pub fn marked(root: &Path) -> BTreeSet<Member> {
    let this = i32::try_from(std::process::id()).unwrap_or_default();
    let processes = procfs::process::all_processes().into_iter().flatten().flatten();
    let marked = processes.filter_map(|process| {
        let carries = process.environ().ok()?.get(std::ffi::OsStr::new(MARKER)).is_some_and(|value| value == root);
        if !carries || process.pid == this {
            return None;
        }
        Member::find(process.pid)
    });
    marked.chain(nginx(root)).collect()
}

/// Master and children of the NGINX that the lab at `root` runs; also children that outlived a killed master.
#[must_use]
pub fn nginx(root: &Path) -> BTreeSet<Member> {
    let pid_file = std::fs::read_to_string(root.join("run/nginx/nginx.pid")).unwrap_or_default();
    let Ok(master) = pid_file.trim().parse::<i32>() else { return BTreeSet::new() };
    let belongs =
        |stat: &Stat| stat.comm == "nginx" && (stat.pid == master || stat.ppid == master || stat.pgrp == master);
    stats().iter().filter(|stat| is_alive(stat) && belongs(stat)).map(Member::of).collect()
}

/// Waits until none of `members` lives; returns those that still do after `within`.
#[must_use]
pub fn wait_gone(members: &BTreeSet<Member>, within: Duration) -> BTreeSet<Member> {
    let deadline = Instant::now() + within;
    loop {
        let alive: BTreeSet<Member> = members.iter().copied().filter(|member| member.lives()).collect();
        if alive.is_empty() || Instant::now() >= deadline {
            return alive;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Ends everything that is left of the lab at `root`: TERM, then KILL, until nothing is found. Returns what would not end.
#[must_use]
pub fn sweep(root: &Path) -> BTreeSet<Member> {
    let mut alive = marked(root);
    for (signal, patience) in [(Signal::TERM, 2), (Signal::KILL, 2), (Signal::KILL, 2)] {
        if alive.is_empty() {
            break;
        }
        for member in &alive {
            let _ended_meanwhile = member.signal(signal);
        }
        let _still_there = wait_gone(&alive, Duration::from_secs(patience));
        alive = marked(root);
    }
    alive
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    #[test]
    fn sweeping_ends_marked_processes_and_their_children_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        // The inner shell ignores TERM, as an ffmpeg does that is blocked on its input.
        let script = "sh -c 'trap \"\" TERM; tail -f /dev/null' & wait";
        let mut ours = Command::new("sh")
            .args(["-c", script])
            .env(MARKER, root.path())
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let other_member = Member::find(i32::try_from(other.id()).unwrap()).unwrap();

        let left = sweep(root.path());

        assert_eq!(left, BTreeSet::new());
        assert_eq!(marked(root.path()), BTreeSet::new());
        assert!(other_member.lives());
        drop(other.stdin.take());
        other.wait().unwrap();
        ours.wait().unwrap();
        assert!(!other_member.lives());
    }
}
