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
fn a_killed_daemon_leaves_nothing_in_the_way_of_the_next() {
    let mut lab = Lab::publishing();
    let orphan = lab.published();
    // Frozen, so that it cannot notice the end of its input in time.
    signal(orphan, Signal::STOP);
    lab.end_daemon(Signal::KILL);
    assert!(lab.path("run/playout.sock").exists() && lab.path("run/encoder.pid").exists());
    let status = lab.ctl(&["streaming", "status"]);
    assert_eq!((status.code, &status.json["state"]), (3, &"dead".into()));
    lab.start_daemon();
    let successor = lab.published();
    assert_ne!(successor, orphan);
    assert!(!alive(orphan));
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
    let lab = Lab::publishing();
    let broken = lab.media("broken.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25:d=1 -preset ultrafast");
    let good = lab.media("good.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25:d=1 -preset ultrafast");
    // Broken after it was queued: `queue add` itself refuses such a file.
    let held = lab.path("storage/held.mp4");
    std::fs::copy(&broken, &held).unwrap();
    std::fs::write(&broken, "no film at all").unwrap();
    let refused = lab.ctl(&["queue", "add", &broken]);
    assert_eq!(refused.code, 4);
    assert!(
        refused.stderr.contains("broken.mp4: Invalid data found") || refused.stderr.contains("broken.mp4"),
        "{}",
        refused.stderr
    );
    let moved = lab.path("storage/moved.mp4");
    std::fs::rename(&held, &moved).unwrap();
    lab.ctl(&["queue", "add", moved.to_str().unwrap(), &good]);
    // The first is gone before or after it starts; a film that vanishes before it starts has failed.
    let _ = std::fs::write(&moved, "no film at all");
    lab.wait_queue("the good item played", |summary| {
        summary["played"].as_u64() >= Some(1) && summary["queued"] == 0 && summary["playing"] == 0
    });
    let items = lab.ctl(&["queue", "show", "--all"]).json;
    let good_item = items["items"].as_array().unwrap().iter().find(|item| item["id"] == 2).unwrap();
    assert_eq!(good_item["status"], "played", "{items:#}");
}

#[test]
fn emergency_content_comes_first_and_is_made_when_there_is_none() {
    let lab = Lab::publishing();
    let film = lab.media("film.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25:d=3 -preset ultrafast");
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
    lab.wait_status("a long pause", |status| status["next_start_seconds"].as_f64() > Some(3.5));
    let ingest = lab.ctl(&["streaming", "test-ingest", "--timeout", "2"]);
    assert_eq!((ingest.code, &ingest.json["failed"]), (1, &"tcp".into()), "{ingest:?}");
    lab.start_nginx();
    let began = Instant::now();
    lab.published();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
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
