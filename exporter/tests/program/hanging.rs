//! A filesystem that hangs, as one over the network does whose server is gone: nothing ends a read of it. A pipe that nobody writes to
//! is such a file.

use std::collections::BTreeSet;
use std::process::Command;

use crate::running::{Running, label, samples};

/// More than the threads that an async runtime has for files by default.
const HUNG: usize = 600;

fn threads(running: &Running) -> u64 {
    let id = running.program.child.id().try_into().unwrap();
    procfs::process::Process::new(id).unwrap().status().unwrap().threads
}

#[tokio::test]
async fn files_that_hang_harm_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let pipes: Vec<String> = (0..HUNG).map(|n| at(&format!("hung-{n}"))).collect();
    assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
    let mut config = format!(
        "interval: 500ms\ntimeout: 500ms\nstreams:\n  - {{name: well, playlist: '{well}', encoder_progress: '{progress}', queue: '{queue}'}}\n  - {{name: ill, encoder_progress: '{}', queue: '{}'}}\n",
        pipes[0],
        pipes[1],
        well = at("well.m3u8"),
        progress = at("progress"),
        queue = at("queue"),
    );
    for (n, pipe) in pipes.iter().enumerate().skip(2) {
        config += &format!("  - {{name: s{n}, playlist: '{pipe}'}}\n");
    }
    std::fs::write(at("main-93.ts"), "media").unwrap();
    std::fs::write(at("well.m3u8"), include_str!("../fixtures/playlist-media-live.m3u8")).unwrap();
    let mut running = Running::start(&config, &["--state.file", &at("state.json")]);

    let failed = |body: &str| {
        let failures = samples(body, "vvtv_probe_failures_total");
        failures.filter(|(labels, _)| label(labels, "reason") == "timeout").map(|(_, count)| count).collect::<Vec<_>>()
    };
    let body = running
        .wait_until("every one to be asked three times", |body| {
            let counts = failed(body);
            counts.len() == HUNG && counts.iter().all(|count| *count >= 3.0)
        })
        .await;
    let ups: BTreeSet<String> = samples(&body, "vvtv_source_up")
        .filter(|(labels, up)| *up > 0.0 && label(labels, "source") == "hls")
        .map(|(labels, _)| label(labels, "stream"))
        .collect();
    assert_eq!(ups, BTreeSet::from(["well".to_owned()]), "{body}");
    assert!(threads(&running) < HUNG as u64 + 100, "{} threads", threads(&running));
    running.terminate().await;
}
