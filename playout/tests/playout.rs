//! The playout against the real nginx-rtmp and the real ffmpeg: what an operator relies on at night.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod operations;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use lab::{Lab, alive, signal, wait_for};
use rustix::process::Signal;
use serde_json::Value;

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
    let status = lab.wait_dead();
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
    assert_eq!(lab.ctl(&["queue", "show"]).json["items"][0]["status"], "playing");
    lab.start_daemon();
    let successor = lab.published();
    assert_ne!(successor, orphan);
    lab.wait_status("the same item on air again", |status| status["item"]["id"] == 1);
    let summary = lab.ctl(&["queue", "summary"]).json;
    assert_eq!((&summary["playing"], &summary["queued"], &summary["failed"]), (&1.into(), &0.into(), &0.into()));
    wait_for("end of the killed daemon's children", 5, || {
        let left: Vec<u32> = children.iter().copied().filter(|pid| alive(*pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

#[test]
fn two_playouts_on_one_root_refuse_each_other() {
    let lab = Lab::publishing();
    let second = lab.daemon(&[]);
    assert_eq!(second.code, 4);
    assert_eq!(second.stderr, format!("vvtv-playout: another playout runs on {}\n", lab.root.path().display()));
    assert_eq!(lab.status()["state"], "running");
}

#[test]
fn a_broken_playout_yml_and_a_root_that_is_not_there_end_the_daemon_before_it_touches_anything() {
    let lab = Lab::new();
    lab.configure(|shipped| shipped.replace("stuck_after", "stuck_afetr"));
    let refused = lab.daemon(&[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    let file = lab.path("configs/playout.yml").display().to_string();
    let place = refused.stderr.strip_prefix(&format!("vvtv-playout: {file}:27:1: unknown field `stuck_afetr`"));
    assert!(place.is_some(), "{}", refused.stderr);
    assert!(!lab.path("run/playout.lock").exists());
    let elsewhere = lab.path("elsewhere").display().to_string();
    let mistyped = std::process::Command::new(lab::DAEMON).args(["--root", &elsewhere]).output().unwrap();
    let message = format!("vvtv-playout: there is no root directory {elsewhere}: give --root or VVTV_ROOT\n");
    assert_eq!((mistyped.status.code(), String::from_utf8_lossy(&mistyped.stderr).as_ref()), (Some(2), &*message));
}

#[test]
fn sigterm_ends_everything_and_puts_the_item_back() {
    let mut lab = Lab::publishing();
    let film = lab.media("film.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25:d=60 -preset ultrafast");
    lab.ctl(&["queue", "add", &film]);
    lab.wait_status("a second of the item", |status| status["item"]["position_seconds"].as_f64() > Some(1.0));
    let encoder = lab.published();
    assert_eq!(lab.end_daemon(Signal::TERM), Some(0));
    assert!(!alive(encoder));
    assert!(!lab.path("run/playout.sock").exists());
    assert!(!lab.path("run/encoder.pid").exists());
    lab.start_daemon();
    let status = lab.wait_status("the same item on air again", |status| status["item"]["id"] == 1);
    assert!(status["item"]["position_seconds"].as_f64() > Some(1.0), "it goes on where it was: {status:#}");
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
    let crf = "encoder.crf=30 has no effect: it counts with rate control crf, and cbr is in force";
    assert_eq!((&set.json["warnings"], set.stderr.contains(crf)), (&serde_json::json!([crf]), true), "{set:?}");
    let status = lab.status();
    let flags = serde_json::json!({"encoder.crf": "30", "encoder.preset": "superfast"});
    assert_eq!(
        (&status["restarts"], &status["warnings"], &status["flags"]),
        (&1.into(), &[crf].as_slice().into(), &flags)
    );
    let again = lab.ctl(&["flags", "set", "encoder.preset=superfast"]);
    let expected = serde_json::json!({"key": "encoder.preset", "old": "superfast", "new": "superfast",
        "changes": [{"key": "encoder.preset", "old": "superfast", "new": "superfast"}], "applied": "no_effect",
        "warnings": [crf]});
    assert_eq!(again.json, expected);
    let later = lab.ctl(&["flags", "unset", "encoder.preset", "--no-apply"]);
    assert_eq!((later.code, &later.json["applied"], &later.json["new"]), (0, &"next_start".into(), &Value::Null));
    let status = lab.status();
    assert_eq!((&status["restarts"], &status["encoder"]["preset"]), (&1.into(), &"superfast".into()));
}

#[test]
fn the_encoder_comes_back_with_the_server() {
    let mut lab = Lab::publishing();
    lab.stop_nginx();
    let status = lab.wait_dead();
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

/// Files of 2 s, no two alike: picture size, frame rate, video codec, sound's rate, codec and channels, container. Two have no
/// sound, two no picture. Each with the options of its picture, of its sound, and of the file.
const UNLIKE: [(&str, &str, &str, &str); 21] = [
    ("a.mp4", "size=640x360:rate=30", "sample_rate=44100", "-c:v libx264 -ac 2"),
    ("b.mkv", "size=200x300:rate=15", "", "-c:v libx264"),
    ("c.mp3", "", "sample_rate=22050", "-ac 1"),
    ("d.mp4", "size=320x180:rate=24000/1001", "sample_rate=48000", "-c:v mpeg4 -ac 1"),
    ("e.mkv", "size=720x576:rate=25", "sample_rate=48000", "-c:v mpeg2video -c:a ac3 -ac 2"),
    ("f.avi", "size=352x288:rate=12", "sample_rate=8000", "-c:v mjpeg -c:a pcm_s16le -ac 1"),
    (
        "g.webm",
        "size=426x240:rate=50",
        "sample_rate=48000",
        "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus -ac 2",
    ),
    ("h.mov", "size=160x120:rate=10", "sample_rate=32000", "-c:v libx264 -bf 3 -c:a pcm_s16be -ac 1"),
    ("i.ts", "size=480x270:rate=25", "sample_rate=48000", "-c:v libx264 -c:a mp2 -ac 2"),
    ("j.mkv", "size=300x300:rate=60", "sample_rate=96000", "-c:v libx264 -c:a flac -ac 2"),
    ("k.flac", "", "sample_rate=96000", "-ac 2"),
    ("l.flv", "size=320x240:rate=15", "sample_rate=22050", "-c:v flv1 -c:a libmp3lame -ac 1"),
    ("m.mp4", "size=1280x720:rate=25", "sample_rate=16000", "-c:v libx264 -ac 1"),
    ("n.mkv", "size=854x480:rate=30000/1001", "sample_rate=48000", "-c:v libx264 -c:a ac3 -ac 6"),
    ("o.avi", "size=640x480:rate=20", "", "-c:v mpeg4"),
    ("p.mkv", "size=128x96:rate=5", "sample_rate=11025", "-c:v ffv1 -c:a pcm_s16le -ac 1"),
    ("q.mp4", "size=360x640:rate=25", "sample_rate=44100", "-c:v libx264 -pix_fmt yuv444p -ac 1"),
    ("r.mkv", "size=500x200:rate=48", "sample_rate=24000", "-c:v libx264 -c:a libvorbis -ac 2"),
    ("s.ts", "size=352x240:rate=30000/1001", "sample_rate=44100", "-c:v mpeg2video -c:a libmp3lame -ac 1"),
    ("t.mkv", "size=242x134:rate=1", "sample_rate=48000", "-c:v libx264 -c:a pcm_s24le -ac 2"),
    ("u.mp4", "size=640x360:rate=25", "sample_rate=48000", "-c:v libx264 -pix_fmt yuv420p10le -ac 2"),
];

#[test]
fn twenty_item_changes_of_unlike_files_leave_no_gap_and_no_step_back() {
    let lab = Lab::publishing();
    let mut add = vec!["queue".to_owned(), "add".to_owned()];
    for (name, picture, sound, file) in UNLIKE {
        let input = |source: &str, options: &str| match options {
            "" => String::new(),
            options => format!("-f lavfi -i {source}=d=2:{options} "),
        };
        add.push(
            lab.media(name, &format!("{}{}{file} -preset ultrafast", input("testsrc2", picture), input("sine", sound))),
        );
    }
    let (client, _) = lab.publisher();
    assert_eq!(lab.ctl(&add.iter().map(String::as_str).collect::<Vec<_>>()).code, 0);
    // Segments are deleted as they leave the playlist: they are read while they come.
    let mut segments = BTreeMap::new();
    wait_for("all items played", 120, || {
        let playlist = lab.look_at_segments(&mut segments);
        // NGINX marks the beginning of each connection.
        let mut connections = playlist.split("#EXT-X-DISCONTINUITY\n").skip(1);
        assert!(connections.all(|first| first.lines().nth(1) == Some("main-0.ts")), "{playlist}");
        let summary = lab.ctl(&["queue", "summary"]).json;
        if summary["played"] == 21 { Ok(()) } else { Err(summary) }
    });
    assert_eq!(lab.publisher().0, client, "the publisher reconnected");
    assert_eq!(lab.status()["restarts"], 0);
    let mut found: Vec<_> = segments.into_values().collect();
    found.sort_by(|a, b| a.pictures[0].total_cmp(&b.pictures[0]));
    let pictures: Vec<f64> = found.iter().flat_map(|segment| segment.pictures.clone()).collect();
    let sound: Vec<f64> = found.iter().flat_map(|segment| segment.sound.clone()).collect();
    let covered = pictures[pictures.len() - 1] - pictures[0];
    assert!(covered > 40.0, "{covered:.1} s of the programme were seen");
    let longest = |times: &[f64]| times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    for (what, times, limit) in [("picture", &pictures, 0.1), ("sound", &sound, 0.1)] {
        assert!(times.is_sorted_by(|a, b| a < b), "the {what} steps back in time: {times:?}");
        assert!(longest(times) < limit, "the {what} has a gap of {} s", longest(times));
    }
    let written: Vec<f64> = found
        .iter()
        .map(|segment| segment.written.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64())
        .collect();
    println!(
        "{} segments over {covered:.1} s; longest step: picture {:.3} s, sound {:.3} s; between segments {:.2} s",
        found.len(),
        longest(&pictures),
        longest(&sound),
        longest(&written)
    );
    assert!(longest(&written) <= 3.0, "over 1.5 times the target duration between two segments: {written:?}");
    let stats = lab.ctl(&["streaming", "stats"]).json;
    assert!(stats["frames_refused"].as_u64().unwrap() < 25, "{stats:#}");
}

#[test]
fn a_new_daemon_takes_over_and_goes_on_with_the_item_where_it_was() {
    let mut lab = Lab::publishing();
    let film = lab.media("film.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25:d=12 -preset ultrafast");
    lab.ctl(&["queue", "add", &film]);
    let position = |status: &Value| status["item"]["position_seconds"].as_f64().unwrap_or(0.0);
    let before = lab.wait_status("three seconds of the item", |status| position(status) > 3.0);
    let began = Instant::now();
    assert_eq!(lab.take_over(), Some(0));
    let pid = lab.daemon_pid();
    let after = lab.wait_status("the item on air and published", |status| {
        status["daemon_pid"] == pid && status["published"] == true && status["item"]["id"] == 1
    });
    let took = began.elapsed();
    println!("taken over in {:.2} s: {:.2} s -> {:.2} s", took.as_secs_f64(), position(&before), position(&after));
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!((position(&before)..position(&before) + took.as_secs_f64() + 1.0).contains(&position(&after)), "{after:#}");
    lab.wait_queue("the item played", |summary| summary["played"] == 1);
    // What both daemons played is the film, once.
    let logs = lab.ctl(&["streaming", "logs", "--lines", "100"]).stdout;
    let whole = logs.split("item 1 played, ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    assert!(whole.is_some_and(|seconds| (11.8..12.2).contains(&seconds)), "{whole:?} s were played: {logs}");
}

#[test]
fn a_frozen_daemon_is_not_taken_over_and_does_not_hand_over_when_it_wakes() {
    let lab = Lab::publishing();
    signal(lab.daemon_pid(), Signal::STOP);
    let refused = lab.daemon(&["--takeover"]);
    signal(lab.daemon_pid(), Signal::CONT);
    let expected = format!(
        "vvtv-playout: the playout daemon does not answer at {}: no answer within 3s\n",
        lab.path("run/playout.sock").display()
    );
    assert_eq!((refused.code, refused.stderr), (3, expected));
    // The request of the one that gave up lies in the socket; this comes after it.
    assert!(lab.say(b"\"status\"\n").starts_with("{\"status\":"));
    lab.wait_state("running");
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
