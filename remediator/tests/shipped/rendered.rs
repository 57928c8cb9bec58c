//! The shipped runbooks as pages have every action of the original page.

use std::collections::BTreeMap;
use std::path::Path;

use vvtv_remediator::runbook::page;
use vvtv_remediator::source::Source;
use vvtv_remediator::verbs::import::import;

use crate::installation::shipped;
use crate::verbs::{program, said};

const PAGE: &str = include_str!("../fixtures/streaming_runbook.md");

/// Lines of the original page that a program must write otherwise, and how the shipped runbooks write them.
const REWRITTEN: [(&str, &str); 15] = [
    ("ps aux | grep ffmpeg", "ps -axo pid,etime,pcpu,rss,stat,comm | grep '[f]fmpeg' || echo 'no ffmpeg process'"),
    ("top -p $(pgrep ffmpeg)", "pids=$(pgrep -d, ffmpeg) && top -b -n 1 -p \"$pids\""),
    ("htop -p $(pgrep ffmpeg)", "pids=$(pgrep -d, ffmpeg) && top -b -n 1 -p \"$pids\""),
    (
        "vvtvctl streaming emergency --inject 5 --reason \"segment_age_high\"",
        "vvtvctl streaming emergency --inject 5 --reason segment_age_high",
    ),
    (
        "vvtvctl ops bundle --scope streaming --output /tmp/streaming_debug.tar.gz",
        "vvtvctl ops bundle --scope streaming --output '{{ incident.attachments }}/streaming_debug.tar.gz'",
    ),
    (
        "ffprobe -v quiet -show_streams rtmp://localhost/live/main",
        "ffprobe -v quiet -rw_timeout 5000000 -show_streams 'rtmp://127.0.0.1:1935/live/{{ target | segment }}'",
    ),
    ("ls -la /vvtv/storage/ready/ | tail -10", "ls -la ROOT/storage/ready/ | tail -n 10"),
    ("systemctl status nginx-rtmp", "systemctl status --no-pager nginx-rtmp"),
    (
        "ffprobe rtmp://localhost/live/main",
        "ffprobe -v error -rw_timeout 5000000 -show_streams 'rtmp://127.0.0.1:1935/live/{{ target | segment }}'",
    ),
    (
        "curl -I http://localhost:8080/hls/main.m3u8",
        "curl -sS -I --globoff --proto =http,https --max-redirs 0 --max-time 5 'http://127.0.0.1:8080/hls/{{ target | segment }}.m3u8'",
    ),
    ("nginx -t -c /vvtv/configs/nginx/rtmp.conf", "ROOT/bin/check-nginx ROOT/configs/nginx/rtmp.conf"),
    // What restarts NGINX is the site's: on macOS its variable names launchctl.
    ("sudo launchctl unload /Library/LaunchDaemons/nginx-rtmp.plist", "systemctl restart nginx-rtmp"),
    ("sudo launchctl load /Library/LaunchDaemons/nginx-rtmp.plist", "systemctl restart nginx-rtmp"),
    ("iftop -i $(route | grep default | awk '{print $8}')", "ip -s link"),
    (
        "vvtvctl streaming restart-encoder --mode cbr --bitrate 4500",
        "vvtvctl streaming restart-encoder --mode cbr --bitrate 4500",
    ),
];

/// Each procedure's actions: `ID, number` and the command lines.
fn actions(page: &str) -> BTreeMap<(String, u8), Vec<String>> {
    let mut actions = BTreeMap::new();
    let (mut id, mut number, mut in_fence) = (String::new(), 0, false);
    for line in page.lines() {
        let text = line.trim();
        if let Some(heading) = text.strip_prefix("### ") {
            (id, number) = (heading.split(':').next().unwrap().to_owned(), 0);
        } else if text.starts_with("## ") {
            id.clear();
        } else if text.starts_with("```") {
            in_fence = !in_fence;
        } else if in_fence && number > 0 && !id.is_empty() && !text.is_empty() && !text.starts_with('#') {
            let command = text.split("  #").next().unwrap().to_owned();
            actions.entry((id.clone(), number)).or_insert_with(Vec::new).push(command);
        } else if let Some(found) =
            text.split_once(". ").and_then(|(number, _)| number.parse().ok()).filter(|_| !in_fence)
        {
            number = found;
        } else if text.starts_with("**Recovery:") || text.starts_with("**Timer:") {
            number = 0;
        }
    }
    actions
}

fn rendered() -> Vec<(String, String)> {
    let (root, config) = shipped();
    let mut pages = Vec::new();
    for id in ["segment-age", "encoder-drops", "ingest-down", "bitrate-variance"] {
        let source = Source::read(&config.runbooks.join(format!("{id}.yml"))).unwrap();
        let text = page(&source, Some(&config)).unwrap();
        pages.push((id.to_owned(), text.replace(&root.path().display().to_string(), "ROOT")));
    }
    pages
}

#[test]
fn rendered_runbooks_have_every_action_of_the_original_page() {
    let original = actions(PAGE);
    let ours: BTreeMap<_, _> = rendered().iter().flat_map(|(_, page)| actions(page)).collect();
    let keys = |of: &BTreeMap<(String, u8), Vec<String>>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&original));
    assert_eq!(original.len(), 20);
    let mut missing = Vec::new();
    for (action, commands) in &original {
        let mine = ours[action].join("\n").replace("ROOT/", "/vvtv/");
        for command in commands {
            let rewritten = REWRITTEN.iter().find(|(page, _)| page == command);
            let wanted = rewritten.map_or(command.as_str(), |(_, ours)| ours).replace("ROOT/", "/vvtv/");
            if !mine.contains(&wanted) {
                missing.push(format!("{action:?} lacks `{wanted}`:\n{mine}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n\n"));
    let used = |line: &str| original.values().flatten().any(|command| command == line);
    assert!(REWRITTEN.iter().all(|(line, _)| used(line)));
}

#[test]
fn a_rendered_page_comes_back_as_it_went() {
    let (_root, config) = shipped();
    let mut all = String::new();
    let mut expected = Vec::new();
    for id in ["segment-age", "encoder-drops", "ingest-down", "bitrate-variance"] {
        let source = Source::read(&config.runbooks.join(format!("{id}.yml"))).unwrap();
        let file = (format!("{id}.yml"), source.text().to_owned());
        for config in [None, Some(&config)] {
            let import = import("page.md", page(&source, config).unwrap()).unwrap();
            assert_eq!(import.files, std::slice::from_ref(&file));
            let report = import.report().to_string();
            assert!(
                report.ends_with("1 file: 0 dangerous places, 0 decisions, 1 note; 0 lines in no file"),
                "{report}"
            );
        }
        all.push_str(&page(&source, None).unwrap());
        expected.push(file);
    }
    // Four on one page, with Windows' line ends, below a heading of somebody's.
    let page = format!("# Our runbooks\n\n{all}").replace('\n', "\r\n");
    assert_eq!(import("page.md", page).unwrap().files, expected);
}

#[test]
fn a_rendered_page_that_was_changed_is_read_by_its_words() {
    let source = Source::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks/ingest-down.yml")).unwrap();
    let page = page(&source, None).unwrap().replace("5 minutes to stabilize", "7 minutes to stabilize");
    let import = import("page.md", page).unwrap();
    assert_ne!(import.files[0].1, source.text());
    insta::assert_snapshot!(format!("{}\n{}", import.files[0].1, import.report()));
}

#[test]
fn a_whole_page() {
    let (root, config) = shipped();
    let printed = |book: &str, more: &[&Path]| {
        let (code, stdout, stderr) = said(program().arg("render").arg(config.runbooks.join(book)).args(more));
        assert_eq!((code, stderr), (0, String::new()));
        let (before, digest) = stdout.split_once("`sha256:").unwrap();
        let page = format!("{before}`sha256:DIGEST`{}", digest.split_once('`').unwrap().1);
        page.replace(&root.path().display().to_string(), "ROOT")
    };
    let with = [Path::new("--config.file"), &root.path().join("remediator.yml")];
    insta::assert_snapshot!(printed("segment-age.yml", &with));
    insta::assert_snapshot!("without_a_configuration", printed("ingest-down.yml", &[]));
}

#[test]
fn conditions_are_in_words() {
    let pages = rendered();
    let headings = pages.iter().flat_map(|(_, page)| page.lines()).filter(|line| line.contains(", if "));
    insta::assert_snapshot!(headings.map(str::trim).collect::<Vec<_>>().join("\n"));
}
