//! The tasks that touch the system.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use super::get;
use crate::lab::{Lab, alive, signal, wait_for};

/// Runs one task: exit code, mark, and its evidence as `what: value`.
fn task(lab: &Lab, arguments: &[&str]) -> (i32, String, Vec<String>) {
    let answer = lab.ctl(&[&["ops", "maintenance", "run"], arguments].concat());
    let task = &answer.json["tasks"][0];
    let evidence = task["evidence"].as_array().unwrap_or_else(|| panic!("{answer:?}")).iter();
    let line = |it: &serde_json::Value| format!("{}: {}", it["what"].as_str().unwrap(), it["value"].as_str().unwrap());
    (answer.code, task["mark"].as_str().unwrap().to_owned(), evidence.map(line).collect())
}

#[test]
fn after_rotating_nginx_writes_into_new_files_and_the_old_ones_keep_what_was() {
    let lab = Lab::new();
    let log = lab.path("logs/nginx_access.log");
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    get(&lab, "/hls/before");
    wait_for("the first request in the log", 5, || {
        if lines(&log).contains("/hls/before") { Ok(()) } else { Err(lines(&log)) }
    });
    let (code, mark, evidence) = task(&lab, &["rotate-logs"]);
    assert_eq!((code, mark.as_str()), (0, "pass"), "{evidence:?}");
    get(&lab, "/hls/after");
    let new = wait_for("the second request in the new log", 5, || {
        if lines(&log).contains("/hls/after") { Ok(lines(&log)) } else { Err(lines(&log)) }
    });
    let old = lines(&lab.path("logs/nginx_access.log.1"));
    assert!(!new.contains("/hls/before") && old.contains("/hls/before") && !old.contains("/hls/after"), "{old}\n{new}");
}

#[test]
fn cleaning_takes_old_leftovers_and_never_a_listed_segment() {
    let lab = Lab::publishing();
    let playlist = lab.path("broadcast/hls/main.m3u8");
    let listed = || -> Vec<String> {
        let text = std::fs::read_to_string(&playlist).unwrap_or_default();
        text.lines().filter(|line| line.ends_with(".ts")).map(str::to_owned).collect()
    };
    wait_for("three listed segments", 20, || if listed().len() >= 3 { Ok(()) } else { Err(listed()) });
    let long_ago = SystemTime::now() - Duration::from_secs(7200);
    let age = |name: &str| {
        let file = File::options().create(true).append(true).open(lab.path("broadcast/hls").join(name)).unwrap();
        file.set_modified(long_ago).unwrap();
    };
    age("leftover-1.ts");
    // As after a clock that jumped: everything that viewers are offered looks old.
    listed().iter().for_each(|name| age(name));
    let (code, mark, evidence) = task(&lab, &["clean-segments"]);
    assert_eq!((code, mark.as_str()), (0, "pass"), "{evidence:?}");
    assert!(!lab.path("broadcast/hls/leftover-1.ts").exists());
    let missing: Vec<_> =
        listed().into_iter().filter(|name| !get(&lab, &format!("/hls/{name}")).contains("200 OK")).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_failover_test_interrupts_the_stream_and_measures_how_it_comes_back() {
    let lab = Lab::publishing();
    let (nginx, encoder, (client, _)) = (lab.nginx_pid(), lab.published(), lab.publisher());
    let (code, mark, evidence) = task(&lab, &["failover-test", "--disruptive"]);
    assert_eq!((code, mark.as_str()), (0, "pass"), "{evidence:?}");
    let after = lab.published();
    assert_eq!(evidence[0], format!("encoder: {encoder} -> {after}"));
    let took = evidence[1].strip_prefix("until it published: ").and_then(|text| text.strip_suffix(" s"));
    let took: f64 = took.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{evidence:?}"));
    assert!(took > 0.0 && took < 15.0, "{took}");
    assert!(!alive(encoder) && alive(nginx));
    assert_ne!(lab.publisher().0, client, "the publisher's connection is a new one");

    // A stream that is ill already is no place for a test.
    signal(after, Signal::STOP);
    lab.wait_state("stuck");
    let (code, mark, evidence) = task(&lab, &["failover-test", "--disruptive"]);
    assert_eq!((code, mark.as_str(), evidence.len()), (1, "fail", 0));
    assert!(alive(after), "the encoder was left as it was");
}
