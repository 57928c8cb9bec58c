use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::*;

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap_or(i32::MAX)
}

/// Waits until a process that was signalled is seen so.
fn wait_until(what: &str, seen: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !seen() {
        assert!(Instant::now() < deadline, "not {what} within 10 s");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_process_lives_until_it_is_dead_and_is_seen_until_it_is_buried() {
    let mut child = Command::new("tail").args(["-f", "/dev/null"]).spawn().unwrap();
    let identity = Identity::find(pid(&child)).unwrap();
    let seen = identity.stat().unwrap();
    assert_eq!((seen.pid, seen.parent), (pid(&child), i32::try_from(std::process::id()).unwrap()));
    assert!(children(seen.parent).contains(&seen.pid) && all().any(|pid| pid == seen.pid));
    assert!(has_members(seen.group, seen.start_ticks) && !has_members(seen.group, u64::MAX));
    assert!(identity.signal(Signal::STOP));
    wait_until("stopped", || identity.stat().is_some_and(|stat| stat.state == State::Stopped));
    assert!(identity.lives());
    assert!(identity.signal(Signal::KILL));
    wait_until("dead", || identity.stat().is_some_and(|stat| stat.state == State::Dead));
    assert!(!identity.lives() && !identity.signal(Signal::CONT) && Identity::find(identity.pid).is_none());
    child.wait().unwrap();
    assert_eq!(identity.stat(), None);
}

#[test]
fn a_stranger_under_the_same_number_is_neither_seen_nor_signalled() {
    let mut child = Command::new("tail").args(["-f", "/dev/null"]).spawn().unwrap();
    let identity = Identity::find(pid(&child)).unwrap();
    let other_start = Identity { start_ticks: identity.start_ticks.map(|ticks| ticks - 1), ..identity.clone() };
    let other_boot = Identity { boot_id: Some("another".to_owned()), ..identity };
    let unknown_start = Identity { start_ticks: None, ..identity.clone() };
    let unknown_boot = Identity { boot_id: None, ..identity };
    for stranger in [other_start, other_boot, unknown_start, unknown_boot] {
        assert!(stranger.stat().is_none() && !stranger.signal(Signal::KILL), "{stranger:?}");
    }
    assert!(identity.signal(Signal::KILL));
    child.wait().unwrap();
}

#[test]
fn a_name_that_looks_like_the_rest_of_the_line_hides_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for name in [&b"a) Z 1 (b"[..], b"\xff\n) Z ("] {
        let program = directory.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::copy("/usr/bin/tail", &program).unwrap();
        let mut child = Command::new(&program).args(["-f", "/dev/null"]).spawn().unwrap();
        let seen = stat(pid(&child)).unwrap();
        assert_eq!((seen.state, seen.parent), (State::Active, i32::try_from(std::process::id()).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn an_identity_is_written_and_read() {
    let identity = Identity { pid: 7, start_ticks: Some(123), boot_id: Some("b".to_owned()) };
    let text = r#"{"pid":7,"start_ticks":123,"boot_id":"b"}"#;
    assert_eq!(serde_json::to_string(&identity).unwrap(), text);
    assert_eq!(serde_json::from_str::<Identity>(text).unwrap(), identity);
}
