//! The bundle while the things it asks hang, and with secrets in everything that it reads.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::get;
use crate::lab::{Lab, signal, wait_for};

/// The files of an archive by name, whose hashes are those of its manifest.
fn unpack(archive: &Path) -> (Value, BTreeMap<String, String>) {
    let archive = std::fs::read(archive).unwrap();
    assert!(archive.len() < 20_000_000, "{}", archive.len());
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(archive.as_slice())).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(name, text);
    }
    let manifest: Value = serde_json::from_str(&files.remove("manifest.json").unwrap()).unwrap();
    let hash = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let actual: BTreeMap<&str, String> = files.iter().map(|(name, text)| (name.as_str(), hash(text))).collect();
    let entries = manifest["files"].as_array().unwrap();
    let named = |entry: &'static str| move |it: &Value| it[entry].as_str().unwrap().to_owned();
    let told: BTreeMap<_, _> = entries.iter().map(named("name")).zip(entries.iter().map(named("sha256"))).collect();
    assert_eq!(actual.into_iter().map(|(name, hash)| (name.to_owned(), hash)).collect::<BTreeMap<_, _>>(), told);
    (manifest, files)
}

/// The workers of the lab's NGINX.
fn workers(lab: &Lab) -> Vec<u32> {
    let master = lab.nginx_pid();
    let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn a_bundle_of_a_stopped_nginx_and_a_hung_exporter_is_partial_within_ten_seconds() {
    let mut lab = Lab::new();
    // It is connected to, and never answers.
    let hung = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = hung.local_addr().unwrap().port();
    lab.configure(|text| {
        let (before, after) = text.split_once("exporter: http://127.0.0.1:").unwrap();
        let (_, rest) = after.split_once('\n').unwrap();
        format!("{before}exporter: http://127.0.0.1:{port}\n{rest}")
    });
    lab.start_daemon();
    lab.published();
    let stopped = workers(&lab);
    assert!(!stopped.is_empty());
    stopped.iter().for_each(|pid| signal(*pid, Signal::STOP));
    let output = lab.path("bundle.tar.gz");
    let began = Instant::now();
    let answer = lab.ctl(&["ops", "bundle", "--output", &output.display().to_string()]);
    let took = began.elapsed();
    stopped.iter().for_each(|pid| signal(*pid, Signal::CONT));
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(answer.code, 0, "{answer:?}");
    let (manifest, files) = unpack(&output);
    let mut missing: Vec<String> = serde_json::from_value(answer.json["missing"].clone()).unwrap();
    missing.retain(|name| name != "nginx.conf" && name != "system-messages.txt");
    let hanging =
        ["nginx-stat.xml", "playlist.m3u8", "exporter-metrics.txt", "playlist-streams.json", "incidents.json"];
    assert_eq!(missing, hanging, "{manifest:#}");
    for name in ["nginx-stat.xml", "playlist.m3u8", "exporter-metrics.txt"] {
        let note = &files[&format!("{name}.missing.txt")];
        assert!(note.trim_end().ends_with("no answer within 4.5s"), "{note}");
    }
    let status: Value = serde_json::from_str(&files["status.json"]).unwrap();
    assert_eq!(status["status"]["stream"], "main", "{status:#}");
    assert!(files["segments.txt"].contains(".ts") || files["segments.txt"].is_empty());
    assert!(files["processes.txt"].contains("ffmpeg") && files["network.txt"].contains("one second later"));
    assert_eq!(files["flags.json"], "{}\n");
}

#[test]
fn no_secret_leaves_with_the_bundle() {
    const SECRETS: [&str; 3] = ["sk-7f3a9c", "hunter2", "t0ken-abc"];
    let mut lab = Lab::new();
    lab.configure(|text| {
        text.replace("/live/main", &format!("/live/{}", SECRETS[0]))
            .replace("exporter: http://", &format!("exporter: http://ops:{}@", SECRETS[1]))
    });
    lab.start_daemon();
    lab.published();
    let query = format!("/hls/main.m3u8?token={}", SECRETS[2]);
    get(&lab, &query);
    wait_for("segments, and the request in the log", 20, || {
        let log = std::fs::read_to_string(lab.path("logs/nginx_access.log")).unwrap_or_default();
        let segment = lab.path("broadcast/hls").join(format!("{}-0.ts", SECRETS[0]));
        if log.contains(&query) && segment.exists() { Ok(()) } else { Err(log) }
    });
    let output = lab.path("bundle.tar.gz");
    let answer = lab.ctl(&["ops", "bundle", "--output", &output.display().to_string()]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let (_, files) = unpack(&output);
    let leaks: Vec<_> = files
        .iter()
        .flat_map(|(name, text)| SECRETS.map(|secret| (name, secret, text.contains(secret))))
        .filter(|(.., leaks)| *leaks)
        .collect();
    assert_eq!(leaks, [], "{files:#?}");
    // They were there to be found.
    for name in ["playout.yml", "encoder.json", "processes.txt", "segments.txt", "nginx-stat.xml", "nginx_access.log"] {
        assert!(files[name].contains("REDACTED"), "{name}: {}", files[name]);
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&output.metadata().unwrap().permissions()) & 0o777;
    assert_eq!(mode, 0o600);
}
