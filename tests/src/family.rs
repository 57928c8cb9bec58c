//! Which processes belong to a lab, and how they end: by their ids, checked against reuse, never by name.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use procfs::process::Process;
use rustix::process::Signal;
use vvtv_toolkit::process::{self, Identity, Stat, State};

/// Environment variable that every process of a lab has, with the lab's root directory as its value.
pub const MARKER: &str = "VVTV_LAB";

/// The processes that live.
fn living() -> Vec<Stat> {
    process::all().filter_map(process::stat).filter(|stat| stat.state != State::Dead).collect()
}

/// The living processes among `roots`, their children, and so on down.
#[must_use]
pub fn descendants(roots: &[i32]) -> BTreeSet<Identity> {
    let stats = living();
    let mut known: BTreeSet<i32> = roots.iter().copied().collect();
    loop {
        let before = known.len();
        known.extend(stats.iter().filter(|stat| known.contains(&stat.parent)).map(|stat| stat.pid).collect::<Vec<_>>());
        if known.len() == before {
            break;
        }
    }
    stats.iter().filter(|stat| known.contains(&stat.pid)).filter_map(|stat| Identity::find(stat.pid)).collect()
}

/// The living processes of this user that carry the marker of the lab at `root`, and the NGINX of its pid file.
///
/// NGINX is found by its pid file because its process title overwrites the environment.
#[must_use]
pub fn marked(root: &Path) -> BTreeSet<Identity> {
    let this = i32::try_from(std::process::id()).unwrap_or_default();
    let processes = procfs::process::all_processes().into_iter().flatten().flatten();
    let marked = processes.filter_map(|process| {
        let carries = process.environ().ok()?.get(std::ffi::OsStr::new(MARKER)).is_some_and(|value| value == root);
        if !carries || process.pid == this {
            return None;
        }
        Identity::find(process.pid)
    });
    marked.chain(nginx(root)).collect()
}

/// Master and children of the NGINX that the lab at `root` runs; also children that outlived a killed master.
#[must_use]
pub fn nginx(root: &Path) -> BTreeSet<Identity> {
    let pid_file = std::fs::read_to_string(root.join("run/nginx/nginx.pid")).unwrap_or_default();
    let Ok(master) = pid_file.trim().parse::<i32>() else { return BTreeSet::new() };
    let is_nginx =
        |pid: i32| Process::new(pid).and_then(|process| process.stat()).is_ok_and(|stat| stat.comm == "nginx");
    let related = living().into_iter().filter(|stat| [stat.pid, stat.parent, stat.group].contains(&master));
    related.filter(|stat| is_nginx(stat.pid)).filter_map(|stat| Identity::find(stat.pid)).collect()
}

/// Waits until none of `members` lives; returns those that still do after `within`.
#[must_use]
pub fn wait_gone(members: &BTreeSet<Identity>, within: Duration) -> BTreeSet<Identity> {
    let deadline = Instant::now() + within;
    loop {
        let alive: BTreeSet<Identity> = members.iter().filter(|member| member.lives()).cloned().collect();
        if alive.is_empty() || Instant::now() >= deadline {
            return alive;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Ends everything that is left of the lab at `root`: TERM, then KILL, until nothing is found. Returns what would not end.
#[must_use]
pub fn sweep(root: &Path) -> BTreeSet<Identity> {
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
        let other_member = Identity::find(i32::try_from(other.id()).unwrap()).unwrap();

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
