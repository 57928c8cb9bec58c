//! What others may put into the queue and its files: none of it stops what stands behind it, or plays what it may not.

use std::os::unix::fs::symlink;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::lab::Lab;

const CLIP: &str = "-f lavfi -i testsrc2=size=160x90:rate=25:d=1 -f lavfi -i sine=d=1 -preset ultrafast";

/// Puts a row in as another program would.
fn insert(lab: &Lab, path: &str, duration: &str) {
    let connection = Connection::open(lab.path("data/queue.sqlite")).unwrap();
    let row = format!(
        "INSERT INTO playout_queue (asset_path, duration_s, created_at, updated_at) VALUES ({path}, {duration}, 'x', 'x')"
    );
    connection.execute_batch(&row).unwrap();
}

fn items(lab: &Lab) -> Vec<Value> {
    let shown = lab.ctl(&["queue", "show", "--all"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let mut items = shown.json["items"].as_array().unwrap().clone();
    items.sort_by_key(|item| item["id"].as_i64());
    items
}

#[test]
fn bad_rows_fail_with_their_reasons_and_the_good_ones_around_them_play() {
    let mut lab = Lab::new();
    let (first, last) = (lab.media("first.mp4", CLIP), lab.media("last.mp4", CLIP));
    assert_eq!(lab.ctl(&["queue", "add", &first]).code, 0);
    let bad = [
        ("x'2f61'", "1", "asset_path is a BLOB, not a text"),
        ("''", "1", "asset_path is empty"),
        ("CAST(x'2f6100' AS TEXT)", "1", "asset_path has a NUL byte"),
        ("'/a'", "9e999", "duration_s is inf: not from 0 to 31622400 seconds"),
        ("'/a'", "-1", "duration_s is -1.0: not from 0 to 31622400 seconds"),
        ("'/a'", "'long'", "duration_s is a text, not a number"),
        ("'/dev/zero'", "1", "/dev/zero: not a regular file"),
    ];
    bad.iter().for_each(|(path, duration, _)| insert(&lab, path, duration));
    // After those that were put in at the time `x`.
    insert(&lab, &format!("'{last}'"), "9e-1");
    let before = lab.ctl(&["queue", "summary"]);
    assert_eq!((before.code, &before.json["queued"]), (0, &json!(9)), "{}", before.stderr);
    assert!(before.json["buffer_seconds"].as_f64().is_some_and(|seconds| seconds < 10.0), "{}", before.stdout);
    lab.start_daemon();
    lab.published();
    lab.wait_queue("both good ones played", |summary| summary["played"] == 2 && summary["queued"] == 0);
    let reasons: Vec<_> = items(&lab).iter().map(|item| item["failure_reason"].clone()).collect();
    let expected: Vec<Value> = bad.iter().map(|(_, _, reason)| json!(reason)).collect();
    assert_eq!(reasons[1..8], expected);
    assert_eq!((&reasons[0], &reasons[8]), (&Value::Null, &Value::Null));
}

#[test]
fn a_status_with_an_absurd_duration_in_the_queue_is_no_dead_one() {
    let lab = Lab::publishing();
    // It is on air when the absurd ones come, so that they wait.
    let film = lab.media("film.mp4", "-f lavfi -i testsrc2=size=160x90:rate=25:d=60 -preset ultrafast");
    assert_eq!(lab.ctl(&["queue", "add", &film]).code, 0);
    lab.wait_status("item on air", |status| status["item"]["id"] == 1);
    for duration in ["9e999", "1e300", "'long'"] {
        insert(&lab, "'/a'", duration);
    }
    lab.wait_queue("waiting", |summary| summary["queued"] == 0 || summary["queued"] == 3);
    let status = lab.ctl(&["streaming", "status"]);
    assert_eq!((status.code, &status.json["state"]), (0, &"running".into()), "{}", status.stdout);
    assert!(status.json["queue_buffer_seconds"].as_f64().is_some_and(|seconds| seconds < 100.0), "{}", status.stdout);
    assert_eq!(lab.ctl(&["queue", "remove", "--all"]).code, 0);
}

#[test]
fn lists_of_other_files_are_refused_whatever_they_are_named() {
    let mut lab = Lab::new();
    let film = lab.media("secret.mp4", CLIP);
    let write = |name: &str, text: &str| {
        let path = lab.path("storage/ready").join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let lists = [
        (write("concat.mp4", &format!("ffconcat version 1.0\nfile '{film}'\n")), "concat"),
        (write("hls.mp4", &format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n")), "hls"),
        (
            write(
                "sdp.mp4",
                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5000 RTP/AVP 96\n",
            ),
            "sdp",
        ),
        (
            write(
                "dash.mp4",
                "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
                 profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"><Period/></MPD>\n",
            ),
            "dash",
        ),
    ];
    for (path, format) in &lists {
        let added = lab.ctl(&["queue", "add", path]);
        assert_eq!(added.code, 4, "{} {}", added.stdout, added.stderr);
        let said = format!("holds `{format}`, whatever its name says: that is not played from the queue");
        assert!(added.stderr.contains(&said), "{}", added.stderr);
    }
    // A link to media is media: what counts is what is in it.
    let link = lab.path("storage/ready/link.mp4");
    symlink(&film, &link).unwrap();
    assert_eq!(lab.ctl(&["queue", "add", link.to_str().unwrap()]).code, 0);
    lists.iter().for_each(|(path, _)| insert(&lab, &format!("'{path}'"), "1"));
    lab.start_daemon();
    lab.wait_queue("the end of all", |summary| summary["failed"] == 4 && summary["played"] == 1);
    for item in &items(&lab)[1..] {
        assert!(item["failure_reason"].as_str().unwrap().contains("is not played from the queue"), "{item:#}");
    }
}

#[test]
fn logs_and_settings_are_shown_without_the_stream_key() {
    let mut lab = Lab::new();
    lab.configure(|text| text.replace("/live/main", "/live/k3ySECRETSTREAM"));
    lab.start_daemon();
    lab.wait_status("an encoder", |status| status["pid"].is_number());
    lab.wait_status("its words", |_| {
        std::fs::read_to_string(lab.path("logs/streaming.log")).is_ok_and(|log| log.contains("Output #0"))
    });
    let config = lab.ctl(&["streaming", "config", "--show-encoder"]);
    let logs = lab.ctl(&["streaming", "logs"]);
    for text in [&std::fs::read_to_string(lab.path("logs/streaming.log")).unwrap(), &config.stdout, &logs.stdout] {
        assert!(text.contains("/live/REDACTED") && !text.contains("SECRETSTREAM"), "{text}");
    }
}
