//! What the command line says when something is wrong, and its exit codes: scripts and runbooks rely on both.

use assert_cmd::Command;
use rstest::rstest;

struct Root(tempfile::TempDir);

#[cfg(test)]
impl Root {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["broadcast/hls", "configs", "data", "logs", "run", "storage/ready"] {
            std::fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        Self(root)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.0.path().join(path), text).unwrap();
    }

    /// Exit code, standard output and standard error, with the root's path as `ROOT`.
    fn run(&self, line: &str) -> (i32, String, String) {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("vvtvctl"));
        let output = command.args(line.split_whitespace()).env("VVTV_ROOT", self.0.path()).output().unwrap();
        let root = self.0.path().display().to_string();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&root, "ROOT");
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn flags_are_set_listed_and_unset_without_a_daemon() {
    let root = Root::new();
    let (code, out, err) = root.run("flags set encoder.preset=fast encoder.crf=30");
    assert_eq!(code, 0);
    insta::assert_snapshot!(out, @"
    encoder.preset: (not set) -> fast
    encoder.crf: (not set) -> 30
    the next start of the encoder applies it
    ");
    insta::assert_snapshot!(err, @r"
    vvtvctl: warning: encoder.crf=30 has no effect: it counts with rate control crf, and cbr is in force
    vvtvctl: saved, not applied: the playout daemon does not answer at ROOT/run/playout.sock: No such file or directory (os error 2)
    ");
    let (_, out, err) = root.run("flags set encoder.preset=slow --no-apply --format json");
    insta::assert_snapshot!(out, @r#"
    {
      "key": "encoder.preset",
      "old": "fast",
      "new": "slow",
      "changes": [
        {
          "key": "encoder.preset",
          "old": "fast",
          "new": "slow"
        }
      ],
      "applied": "next_start",
      "warnings": [
        "preset slow needs more CPU than fast",
        "encoder.crf=30 has no effect: it counts with rate control crf, and cbr is in force"
      ]
    }
    "#);
    assert!(err.starts_with("vvtvctl: warning: preset slow needs more CPU than fast\n"), "{err}");
    assert_eq!(root.run("flags get encoder.preset"), (0, "slow\n".to_owned(), String::new()));
    insta::assert_snapshot!(root.run("flags list").1);
    root.run("flags unset encoder.preset encoder.crf --no-apply");
    assert_eq!(root.run("flags get encoder.preset").1, "(not set)\n");
}

#[rstest]
#[case(
    "flags set encoder.preset=quick",
    "flag encoder.preset: `quick` is no x264 preset: expected one of ultrafast, superfast, veryfast, faster, fast, medium, slow, slower, veryslow, placebo"
)]
#[case("flags set encoder.crf=99", "flag encoder.crf: `99` is no crf: expected a number from 0 to 51")]
#[case(
    "flags set encoder.bitrate=lots",
    "flag encoder.bitrate: `lots` is no bitrate: expected kilobits from 50 to 100000, as 3000k, 3M or 3000"
)]
#[case(
    "flags set encoder.rate_control=abr",
    "flag encoder.rate_control: `abr` is no rate control: expected cbr, vbr or crf"
)]
#[case(
    "flags set encoder.speed=1",
    "unknown flag `encoder.speed`: expected one of encoder.bitrate, encoder.buffer_size, encoder.crf, encoder.preset, encoder.rate_control"
)]
#[case("flags set encoder.preset", "`encoder.preset`: expected KEY=VALUE")]
#[case(
    "flags get preset",
    "unknown flag `preset`: expected one of encoder.bitrate, encoder.buffer_size, encoder.crf, encoder.preset, encoder.rate_control"
)]
#[case(
    "streaming restart-encoder --mode abr",
    "flag encoder.rate_control: `abr` is no rate control: expected cbr, vbr or crf"
)]
#[case("--root /no/such/root queue summary", "there is no root directory /no/such/root: give --root or VVTV_ROOT")]
fn what_is_asked_wrongly_is_exit_2_and_changes_nothing(#[case] line: &str, #[case] message: &str) {
    let root = Root::new();
    assert_eq!(root.run(line), (2, String::new(), format!("vvtvctl: {message}\n")));
    assert!(!root.0.path().join("data/flags.json").exists());
}

#[rstest]
#[case("streaming restart-encoder --preset fast")]
#[case("streaming stats --encoder")]
#[case("streaming config --show-encoder")]
fn without_a_daemon_exit_3(#[case] line: &str) {
    let root = Root::new();
    let message = "vvtvctl: the playout daemon does not answer at ROOT/run/playout.sock: No such file or directory (os error 2)\n";
    assert_eq!(root.run(line), (3, String::new(), message.to_owned()));
    assert!(!root.0.path().join("data/flags.json").exists(), "a failed command left flags behind");
}

#[test]
fn status_without_a_daemon_still_answers_in_json() {
    let (code, out, err) = Root::new().run("streaming status --format json");
    assert_eq!((code, err), (3, String::new()));
    let mut status: serde_json::Value = serde_json::from_str(&out).unwrap();
    let available = status.as_object_mut().unwrap().remove("broadcast_available_ratio").unwrap();
    assert!((0.0..=1.0).contains(&available.as_f64().unwrap()), "{available}");
    let reason = "the playout daemon does not answer at ROOT/run/playout.sock: No such file or directory (os error 2)";
    assert_eq!(status, serde_json::json!({"state": "dead", "reason": reason}));
}

#[test]
fn a_broken_playout_yml_is_told_with_line_and_column() {
    let root = Root::new();
    let shipped = include_str!("../../deploy/playout.yml");
    root.write("configs/playout.yml", &shipped.replace("preset: veryfast", "preset: quick"));
    let (code, _, err) = root.run("queue add ROOT/none.mp4");
    assert_eq!(code, 2);
    insta::assert_snapshot!(err);
    root.write("configs/playout.yml", &shipped.replace("stuck_after", "stuck_afetr"));
    let (code, _, err) = root.run("streaming test-ingest");
    assert_eq!(code, 2);
    insta::assert_snapshot!(err);
    assert_eq!(root.run("--config ROOT/none.yml streaming health").0, 2);
}

#[test]
fn the_daemon_is_a_program_of_its_own() {
    let (code, _, err) = Root::new().run("playout");
    assert!(code == 2 && err.starts_with("error: unrecognized subcommand 'playout'"), "{err}");
}

#[test]
fn broken_flags_are_told_and_not_overwritten() {
    let root = Root::new();
    root.write("data/flags.json", "{\"encoder.preset\": ");
    let (code, _, err) = root.run("flags set encoder.crf=20");
    assert_eq!(code, 1);
    assert_eq!(err, "vvtvctl: ROOT/data/flags.json is broken: EOF while parsing a value at line 1 column 19\n");
    assert_eq!(std::fs::read_to_string(root.0.path().join("data/flags.json")).unwrap(), "{\"encoder.preset\": ");
}

#[test]
fn looking_at_a_queue_that_is_not_there_does_not_make_one() {
    let root = Root::new();
    let message = "vvtvctl: there is no queue at ROOT/data/queue.sqlite: nothing was ever queued or played there\n";
    assert_eq!(root.run("queue summary"), (1, String::new(), message.to_owned()));
    assert!(!root.0.path().join("data/queue.sqlite").exists());
}

#[test]
fn a_file_that_cannot_be_played_is_refused() {
    let root = Root::new();
    root.write("storage/ready/text.mp4", "no film");
    let file = root.0.path().join("storage/ready/text.mp4").display().to_string();
    let (code, _, err) = root.run(&format!("queue add {file}"));
    assert_eq!(code, 4);
    assert!(err.starts_with("vvtvctl: ROOT/storage/ready/text.mp4: ") && err.contains("Invalid data"), "{err}");
    let (code, _, err) = root.run("queue add /no/such/film.mp4");
    assert_eq!((code, err.as_str()), (4, "vvtvctl: /no/such/film.mp4: No such file or directory (os error 2)\n"));
    assert_eq!(root.run("queue add /dev/null").2, "vvtvctl: /dev/null: not a regular file\n");
}

#[test]
fn logs_show_the_newest_lines_across_the_turnover_and_only_errors_on_demand() {
    let root = Root::new();
    root.write(
        "logs/streaming.log.1",
        "2026-01-01T00:00:00Z ERROR encoder[1]: old\n2026-01-01T00:00:01Z INFO encoder[1]: fine\n",
    );
    root.write(
        "logs/streaming.log",
        "2026-01-01T00:00:02Z INFO encoder[1]: ERROR-free\n2026-01-01T00:00:03Z ERROR encoder[1]: new\n",
    );
    let errors = "2026-01-01T00:00:00Z ERROR encoder[1]: old\n2026-01-01T00:00:03Z ERROR encoder[1]: new\n";
    assert_eq!(root.run("streaming logs --errors"), (0, errors.to_owned(), String::new()));
    assert_eq!(root.run("streaming logs --lines 1").1, "2026-01-01T00:00:03Z ERROR encoder[1]: new\n");
    let (code, _, err) = root.run("streaming logs --nginx");
    assert_eq!(
        (code, err.as_str()),
        (1, "vvtvctl: cannot read ROOT/logs/nginx_error.log: No such file or directory (os error 2)\n")
    );
}

#[test]
fn a_bundle_without_anything_running_is_partial_and_says_so() {
    let root = Root::new();
    root.write(
        "configs/playout.yml",
        &include_str!("../../deploy/playout.yml").replace("127.0.0.1:8080", "127.0.0.1:1"),
    );
    let output = root.0.path().join("bundle.tar.gz");
    let (code, out, err) = root.run(&format!("ops bundle --format json --output {}", output.display()));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let missing: Vec<&str> = report["missing"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    assert!(missing.contains(&"status.json") && missing.contains(&"nginx-stat.xml"), "{out}");
    assert!(report["duration_seconds"].as_f64().unwrap() < 10.0, "{out}");
    assert_eq!(report["bytes"], std::fs::metadata(&output).unwrap().len());
    let (code, _, err) = root.run("ops bundle --output /no/such/dir/bundle.tar.gz");
    assert_eq!(
        (code, err.as_str()),
        (1, "vvtvctl: cannot write /no/such/dir/bundle.tar.gz: No such file or directory (os error 2)\n")
    );
}

#[test]
fn maintenance_lists_what_is_due_and_tells_apart_failed_unknown_and_peoples_tasks() {
    let root = Root::new();
    let (code, out, _) = root.run("ops maintenance list");
    assert_eq!(code, 0);
    insta::assert_snapshot!(out);
    let mark = |line: &str| {
        let (code, out, _) = root.run(&format!("ops maintenance run {line} --format json"));
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        (code, report["passed"].as_bool().unwrap(), report["tasks"][0]["mark"].as_str().unwrap().to_owned())
    };
    assert_eq!(mark("error-logs"), (0, true, "pass".to_owned()));
    let now = jiff::Timestamp::now();
    root.write("logs/streaming.log", &format!("{now} ERROR encoder[7] no space left\n{now} INFO playout fine\n"));
    assert_eq!(mark("error-logs"), (1, false, "fail".to_owned()));
    assert_eq!(mark("disaster-recovery"), (4, false, "skipped".to_owned()));
    assert_eq!(mark("failover-test"), (4, false, "skipped".to_owned()));
    assert_eq!(mark("failover-test --disruptive"), (3, false, "unknown".to_owned()));
    root.write("broadcast/hls/main.m3u8", "#EXTM3U\n#EXTINF:2,\nmain-1.ts\n");
    assert_eq!(mark("clean-segments"), (0, true, "pass".to_owned()));
    root.write("logs/nginx_error.log", "2026/11/22 18:00:00 [warn] 1#1: slow\n");
    assert_eq!(mark("rotate-logs"), (0, true, "pass".to_owned()));
    assert!(root.0.path().join("logs/nginx_error.log.1").exists());
    let (code, _, err) = root.run("ops maintenance run nonsense");
    assert_eq!(code, 2);
    assert!(
        err.starts_with("vvtvctl: there is no task `nonsense`: daily, weekly, monthly, segment-freshness"),
        "{err}"
    );
}

#[test]
fn every_command_of_the_runbook_has_help_a_man_page_and_completions() {
    let root = Root::new();
    let directory = root.0.path().join("man");
    assert_eq!(root.run(&format!("man --output {}", directory.display())).0, 0);
    let commands = [
        "streaming status",
        "streaming restart-encoder",
        "streaming emergency",
        "streaming stats",
        "streaming test-ingest",
        "streaming config",
        "streaming health",
        "streaming metrics",
        "streaming logs",
        "flags set",
        "flags get",
        "flags list",
        "flags unset",
        "queue summary",
        "queue show",
        "queue add",
        "queue skip",
        "queue remove",
        "ops bundle",
        "ops maintenance list",
        "ops maintenance run",
        "completions",
        "man",
    ];
    for command in commands {
        let (code, out, _) = root.run(&format!("{command} --help"));
        assert!(code == 0 && out.contains("Example:\n  vvtvctl "), "{command}: {out}");
        assert!(directory.join(format!("vvtvctl-{}.1", command.replace(' ', "-"))).exists(), "{command}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = root.run(&format!("completions {shell}"));
        assert!(code == 0 && out.contains("restart-encoder"), "{shell}: {out}");
    }
}
