//! The playout against the real nginx-rtmp and the real ffmpeg: what an operator relies on at night.

#[cfg(test)]
mod lab;

use std::time::{Duration, Instant};

use lab::{Lab, alive, signal, wait_for};
use rustix::process::Signal;

#[test]
fn unlike_items_play_without_the_publisher_dropping() {
    let lab = Lab::publishing();
    let film =
        lab.media("film.mp4", "-f lavfi -i testsrc2=size=640x360:rate=30:d=2 -f lavfi -i sine=d=2 -preset ultrafast");
    let silent = lab.media("silent.mkv", "-f lavfi -i testsrc=size=200x300:rate=15:d=2 -preset ultrafast");
    let song = lab.media("song.mp3", "-f lavfi -i sine=frequency=220:sample_rate=22050:d=2");
    let (client, bytes) = lab.publisher();
    let added = lab.ctl(&["queue", "add", &film, &silent, &song]);
    assert_eq!((added.code, &added.json["ids"]), (0, &serde_json::json!([1, 2, 3])), "{}", added.stderr);
    let items = lab.ctl(&["queue", "show"]).json;
    let sizes: Vec<_> = items["items"].as_array().unwrap().iter().map(|item| item["resolution"].as_str()).collect();
    assert_eq!(sizes, [Some("640x360"), Some("200x300"), None]);
    lab.wait_status("first item on air", |status| status["item"]["id"] == 1);
    let summary = lab.wait_queue("three played items", |summary| summary["played"] == 3);
    assert_eq!(summary["failed"], 0);
    let (client_after, bytes_after) = lab.publisher();
    assert_eq!(client_after, client, "the publisher reconnected");
    assert!(bytes_after > bytes, "{bytes_after} bytes after {bytes}");
    assert_eq!(lab.status()["restarts"], 0);
    assert_eq!(lab.ctl(&["streaming", "test-ingest"]).code, 0);
}

#[test]
fn a_frozen_encoder_is_seen_as_stuck_and_replaced_without_touching_nginx() {
    let lab = Lab::publishing();
    let (nginx, frozen) = (lab.nginx_pid(), lab.published());
    signal(frozen, Signal::STOP);
    let status = lab.wait_state("stuck");
    assert_eq!(status["reason"], "the process is stopped (state T)");
    let restarted = lab.ctl(&["streaming", "restart-encoder"]);
    assert_eq!(restarted.code, 0, "{restarted:?}");
    assert_eq!(restarted.json["old_pid"], frozen);
    assert_eq!(restarted.json["dropped_publisher"], true);
    assert!(!alive(frozen));
    let status = lab.status();
    assert_eq!((&status["state"], &status["published"]), (&"running".into(), &true.into()), "{status:#}");
    assert_eq!(lab.nginx_pid(), nginx);
    assert!(alive(nginx));
}

#[test]
fn a_killed_encoder_stays_dead_until_it_is_restarted() {
    let lab = Lab::publishing();
    let killed = lab.published();
    signal(killed, Signal::KILL);
    let status = lab.wait_state("dead");
    assert_eq!(status["reason"], "ffmpeg was killed by signal 9");
    assert!(status["next_start_seconds"].as_f64().unwrap() > 20.0, "{status:#}");
    let restarted =
        lab.ctl(&["streaming", "restart-encoder", "--preset", "superfast", "--mode", "vbr", "--bitrate", "500"]);
    assert_eq!(restarted.code, 0, "{restarted:?}");
    let expected = serde_json::json!({"preset": "superfast", "crf": 23, "rate_control": "vbr", "bitrate_kbps": 500,
        "buffer_size_kbps": 1000});
    assert_eq!(restarted.json["settings"], expected);
    assert_eq!(lab.status()["encoder"], expected);
}

#[test]
fn a_silent_stranger_that_holds_the_name_is_dropped_by_a_restart() {
    let lab = Lab::publishing();
    signal(lab.published(), Signal::KILL);
    lab.wait_state("dead");
    let stranger = lab.publish_as_a_stranger();
    wait_for("the stranger listed", 10, || {
        let stats = lab.ctl(&["streaming", "stats", "--detailed"]).json;
        if stats["publisher_listed"] == true { Ok(()) } else { Err(stats) }
    });
    signal(stranger.id(), Signal::STOP);
    let restarted = lab.ctl(&["streaming", "restart-encoder"]);
    assert_eq!((restarted.code, &restarted.json["dropped_publisher"]), (0, &true.into()), "{restarted:?}");
    assert_eq!(lab.status()["state"], "running");
}

#[test]
fn a_killed_daemon_leaves_nothing_in_the_way_of_the_next() {
    let mut lab = Lab::publishing();
    let orphan = lab.published();
    let film = lab.media("film.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25:d=60 -preset ultrafast");
    lab.ctl(&["queue", "add", &film]);
    lab.wait_status("item on air", |status| status["item"]["id"] == 1);
    let children = lab.daemon_children();
    assert!(children.len() == 2 && children.contains(&orphan), "encoder and feeder: {children:?}");
    // Frozen, so that it cannot notice the end of its input in time.
    signal(orphan, Signal::STOP);
    lab.end_daemon(Signal::KILL);
    assert!(lab.path("run/playout.sock").exists() && lab.path("run/encoder.pid").exists());
    let status = lab.ctl(&["streaming", "status"]);
    assert_eq!((status.code, &status.json["state"]), (3, &"dead".into()));
    lab.start_daemon();
    let successor = lab.published();
    assert_ne!(successor, orphan);
    wait_for("end of the killed daemon's children", 5, || {
        let left: Vec<u32> = children.iter().copied().filter(|pid| alive(*pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

#[test]
fn two_playouts_on_one_root_refuse_each_other() {
    let lab = Lab::publishing();
    let second = lab.ctl(&["playout"]);
    assert_eq!(second.code, 4);
    assert_eq!(second.stderr, format!("vvtvctl: another playout runs on {}\n", lab.root.path().display()));
    assert_eq!(lab.status()["state"], "running");
}

#[test]
fn sigterm_ends_everything_and_puts_the_item_back() {
    let mut lab = Lab::publishing();
    let film = lab.media("film.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25:d=60 -preset ultrafast");
    lab.ctl(&["queue", "add", &film]);
    lab.wait_status("item on air", |status| status["item"]["id"] == 1);
    let encoder = lab.published();
    assert_eq!(lab.end_daemon(Signal::TERM), Some(0));
    assert!(!alive(encoder));
    assert!(!lab.path("run/playout.sock").exists());
    assert!(!lab.path("run/encoder.pid").exists());
    lab.start_daemon();
    lab.wait_status("the same item on air again", |status| status["item"]["id"] == 1);
}

#[test]
fn an_item_that_cannot_be_played_is_marked_and_the_next_one_plays() {
    let mut lab = Lab::new();
    let film = "-f lavfi -i testsrc2=size=320x180:rate=25:d=1 -preset ultrafast";
    let (broken, gone, good) =
        (lab.media("broken.mp4", film), lab.media("gone.mp4", film), lab.media("good.mp4", film));
    lab.ctl(&["queue", "add", &broken, &gone, &good]);
    std::fs::write(&broken, "no film at all").unwrap();
    std::fs::remove_file(&gone).unwrap();
    lab.start_daemon();
    let summary = lab.wait_queue("the good item played", |summary| summary["played"] == 1);
    assert_eq!((&summary["failed"], &summary["queued"]), (&2.into(), &0.into()), "{summary:#}");
    let items = lab.ctl(&["queue", "show", "--all"]).json;
    let reason = |id: u64| {
        let item = items["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap();
        item["failure_reason"].as_str().unwrap_or_default().replace(&lab.root.path().display().to_string(), "ROOT")
    };
    assert_eq!(
        reason(1),
        "ROOT/storage/ready/broken.mp4: file:ROOT/storage/ready/broken.mp4: Invalid data found when processing input"
    );
    assert_eq!(reason(2), "ROOT/storage/ready/gone.mp4: No such file or directory (os error 2)");
    assert_eq!(reason(3), "");
}

#[test]
fn emergency_content_comes_first_and_is_made_when_there_is_none() {
    let lab = Lab::publishing();
    let film = lab.media("film.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25:d=15 -preset ultrafast");
    lab.ctl(&["queue", "add", &film, &film, &film]);
    lab.wait_status("item on air", |status| status["item"]["id"] == 1);
    let before = lab.ctl(&["queue", "summary"]).json["buffer_seconds"].as_f64().unwrap();
    let injected = lab.ctl(&["streaming", "emergency", "--inject", "2", "--reason", "segment_age_high"]);
    assert_eq!(injected.code, 0, "{injected:?}");
    assert_eq!(injected.json["ids"], serde_json::json!([4, 5]));
    assert_eq!(injected.json["generated"], true);
    assert!(injected.json["buffer_seconds"].as_f64().unwrap() > before + 500.0, "{}", injected.stdout);
    let status = lab.wait_status("emergency item on air", |status| status["item"]["content_kind"] == "emergency");
    assert_eq!(status["item"]["id"], 4, "{status:#}");
    let items = lab.ctl(&["queue", "show"]).json;
    let order: Vec<_> = items["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect();
    assert_eq!(order, [4, 5, 2, 3], "the item that was prepared already has waited");
}

#[test]
fn a_skipped_item_makes_room_for_the_next_without_the_publisher_dropping() {
    let lab = Lab::publishing();
    let film = lab.media("film.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25:d=60 -preset ultrafast");
    let idle = lab.ctl(&["queue", "skip"]);
    assert_eq!((idle.code, idle.stderr.as_str()), (4, "vvtvctl: nothing is on air but the slate\n"));
    lab.ctl(&["queue", "add", &film, &film, &film]);
    let pid = lab.wait_status("the first item", |status| status["item"]["id"] == 1)["pid"].clone();
    assert_eq!(lab.ctl(&["queue", "skip"]).json["id"], 1);
    let status = lab.wait_status("the second item", |status| status["item"]["id"] == 2);
    assert_eq!(status["pid"], pid);
    let removed = lab.ctl(&["queue", "remove", "2", "3"]);
    assert_eq!((removed.code, removed.json["ids"].clone()), (1, serde_json::json!([3])));
    assert_eq!(removed.stderr, "vvtvctl: not waiting in the queue: #2\n");
    let items = lab.ctl(&["queue", "show", "--all"]).json;
    let state = |at: usize| (items["items"][at]["id"].clone(), items["items"][at]["status"].clone());
    assert_eq!([state(0), state(1)], [(2.into(), "playing".into()), (1.into(), "played".into())]);
}

#[test]
fn several_flags_are_one_restart_and_unchanged_ones_none() {
    let lab = Lab::publishing();
    let set = lab.ctl(&["flags", "set", "encoder.preset=superfast", "encoder.crf=30"]);
    assert_eq!((set.code, &set.json["applied"]), (0, &"restarted".into()), "{set:?}");
    assert_eq!(lab.status()["restarts"], 1);
    let again = lab.ctl(&["flags", "set", "encoder.preset=superfast"]);
    let expected = serde_json::json!({"key": "encoder.preset", "old": "superfast", "new": "superfast",
        "changes": [{"key": "encoder.preset", "old": "superfast", "new": "superfast"}], "applied": "no_effect"});
    assert_eq!(again.json, expected);
    let later = lab.ctl(&["flags", "unset", "encoder.preset", "--no-apply"]);
    assert_eq!(
        (later.code, &later.json["applied"], &later.json["new"]),
        (0, &"next_start".into(), &serde_json::Value::Null)
    );
    let status = lab.status();
    assert_eq!((&status["restarts"], &status["encoder"]["preset"]), (&1.into(), &"superfast".into()));
}

#[test]
fn the_encoder_comes_back_with_the_server() {
    let mut lab = Lab::publishing();
    lab.stop_nginx();
    let status = lab.wait_state("dead");
    assert!(status["reason"].as_str().unwrap().starts_with("ffmpeg ended with exit code"), "{status:#}");
    // Let the pauses grow, so that the return cannot be mere luck.
    lab.wait_status("a long pause", |status| status["next_start_seconds"].as_f64() > Some(7.5));
    let ingest = lab.ctl(&["streaming", "test-ingest", "--timeout", "2"]);
    assert_eq!((ingest.code, &ingest.json["failed"]), (1, &"tcp".into()), "{ingest:?}");
    lab.start_nginx();
    let began = Instant::now();
    lab.published();
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[test]
fn the_control_socket_answers_nonsense_with_a_reason() {
    let lab = Lab::publishing();
    assert!(
        lab.say(b"\"explode\"\n").starts_with("{\"refused\":{\"reason\":\"the request cannot be read: unknown variant")
    );
    assert!(lab.say(&[b'x'; 8000]).starts_with("{\"refused\":{\"reason\":\"a request is at most 4096 bytes"));
    assert!(lab.say(b"\"status\"\n").starts_with("{\"status\":"));
}

#[test]
fn progress_is_forwarded_and_the_log_is_kept() {
    let lab = Lab::publishing();
    lab.progress.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut datagram = [0; 2048];
    let length = lab.progress.recv(&mut datagram).unwrap();
    let text = std::str::from_utf8(&datagram[..length]).unwrap();
    assert!(text.contains("out_time_us=") && text.ends_with("progress=continue\n"), "{text}");
    let logs = wait_for("an encoder's line in the log", 10, || {
        let logs = lab.ctl(&["streaming", "logs", "--lines", "10000"]).json;
        let lines: Vec<String> = serde_json::from_value(logs["lines"].clone()).unwrap_or_default();
        if lines.iter().any(|line| line.contains(" INFO encoder[")) { Ok(lines) } else { Err(lines) }
    });
    assert!(logs.iter().any(|line| line.contains("INFO playout: encoder running")), "{logs:#?}");
}

#[test]
fn broken_flags_do_not_end_the_stream_but_are_told() {
    let lab = Lab::publishing();
    std::fs::write(lab.path("data/flags.json"), "{\"encoder.preset\": \"quick\"}").unwrap();
    let restarted = lab.ctl(&["streaming", "restart-encoder"]);
    assert_eq!(restarted.code, 0, "{restarted:?}");
    let warnings = lab.status()["warnings"].to_string();
    assert!(warnings.contains("flags are not applied") && warnings.contains("`quick` is no x264 preset"), "{warnings}");
    assert!(alive(lab.daemon_pid()));
}

#[test]
fn twenty_item_changes_leave_no_gap_and_no_step_back_in_the_segments() {
    let lab = Lab::publishing();
    let kinds = [
        lab.media("wide.mp4", "-f lavfi -i testsrc2=size=640x360:rate=30:d=0.8 -f lavfi -i sine=d=0.8 -preset ultrafast"),
        lab.media("mute.mkv", "-f lavfi -i testsrc=size=200x300:rate=15:d=0.8 -preset ultrafast"),
        lab.media("song.mp3", "-f lavfi -i sine=frequency=220:sample_rate=22050:d=0.8"),
        lab.media("film.mp4", "-f lavfi -i testsrc2=size=320x180:rate=24000/1001:d=0.8 -f lavfi -i sine=sample_rate=44100:d=0.8 -preset ultrafast"),
    ];
    let (client, _) = lab.publisher();
    let mut add = vec!["queue", "add"];
    add.extend(kinds.iter().cycle().take(21).map(String::as_str));
    assert_eq!(lab.ctl(&add).code, 0);
    // Segments are deleted as they leave the playlist: their times are read while they come.
    let mut times = std::collections::BTreeMap::new();
    wait_for("all items played", 90, || {
        for (name, found) in lab.segment_times() {
            times.entry(name).or_insert(found);
        }
        let summary = lab.ctl(&["queue", "summary"]).json;
        if summary["played"] == 21 { Ok(()) } else { Err(summary) }
    });
    assert_eq!(lab.publisher().0, client, "the publisher reconnected");
    let mut found: Vec<(f64, f64)> = times.into_values().collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(found.len() >= 7, "{found:?}");
    for pair in found.windows(2) {
        let gap = pair[1].0 - pair[0].1;
        assert!((-0.05..0.1).contains(&gap), "a gap of {gap} s between segments: {found:?}");
    }
    for (first, last) in &found {
        assert!(last - first <= 3.0, "a segment of over 1.5 times the target: {found:?}");
    }
    let stats = lab.ctl(&["streaming", "stats"]).json;
    assert!(stats["frames_refused"].as_u64().unwrap() < 25, "{stats:#}");
}

#[test]
fn health_and_the_bundle_see_the_whole_stream_and_survive_a_hung_daemon() {
    let lab = Lab::publishing();
    let health = wait_for("a healthy stream", 15, || {
        let health = lab.ctl(&["streaming", "health"]);
        if health.code == 0 { Ok(health) } else { Err(health) }
    });
    let marks: Vec<String> = health.json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| format!("{} {}", check["name"].as_str().unwrap(), check["mark"].as_str().unwrap()))
        .collect();
    let expected = [
        "encoder ok",
        "queue warn",
        "tcp ok",
        "handshake ok",
        "connect ok",
        "publisher ok",
        "bytes ok",
        "playlist ok",
        "exporter unknown",
    ];
    assert_eq!(marks, expected);
    let output = lab.path("bundle.tar.gz").display().to_string();
    let bundle = lab.ctl(&["ops", "bundle", "--scope", "streaming", "--output", &output]);
    assert_eq!(bundle.code, 0, "{bundle:?}");
    let missing = bundle.json["missing"].to_string();
    for present in [
        "status.json",
        "streaming.log",
        "nginx-stat.xml",
        "playlist.m3u8",
        "segments.txt",
        "queue.json",
        "processes.txt",
    ] {
        assert!(!missing.contains(present), "{present} is missing: {}", bundle.stdout);
    }
    signal(lab.daemon_pid(), Signal::STOP);
    let began = Instant::now();
    let bundle = lab.ctl(&["ops", "bundle", "--output", &output]);
    let status = lab.ctl(&["streaming", "status"]);
    signal(lab.daemon_pid(), Signal::CONT);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(bundle.code, 0, "{bundle:?}");
    assert!(bundle.json["missing"].to_string().contains("status.json"), "{}", bundle.stdout);
    let reason = format!(
        "the playout daemon does not answer at {}: no answer within 3s",
        lab.path("run/playout.sock").display()
    );
    assert_eq!((status.code, &status.json["state"], &status.json["reason"]), (3, &"dead".into(), &reason.into()));
}
