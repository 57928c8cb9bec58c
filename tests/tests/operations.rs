//! The operations files, looked at by the programs that will read them: promtool, amtool, nginx, the shell.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails in a helper fails the test")]

mod repository;

use std::path::Path;
use std::process::{Command, Output};

use repository::{root, text, tracked};
use rstest::rstest;
use vvtv_tests::config;
use vvtv_tests::ports::SHIPPED;

fn run(program: &str, arguments: &[&str]) -> Output {
    let path = vvtv_tests::programs::search_path(None).unwrap();
    let output = Command::new(program).args(arguments).current_dir(root()).env("PATH", path).output();
    output.unwrap_or_else(|error| panic!("{program} {}: {error}", arguments.join(" ")))
}

fn succeeds(program: &str, arguments: &[&str]) {
    let output = run(program, arguments);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {}: {}\n{said}", arguments.join(" "), output.status);
}

#[test]
fn promtool_accepts_the_rules() {
    succeeds(
        "promtool",
        &["check", "rules", "alert-rules/streaming.yml", "alert-rules/slo.yml", "alert-rules/meta.yml"],
    );
}

#[rstest]
#[case("segment-age")]
#[case("publisher-lost")]
#[case("encoder-drops")]
#[case("encoder-falling-behind")]
#[case("bitrate-swinging")]
#[case("ingest-down")]
#[case("bitrate-variance")]
#[case("meta")]
#[case("slo")]
#[case("slo-slow")]
fn the_rules_pass_their_unit_tests(#[case] name: &str) {
    succeeds("promtool", &["test", "rules", &format!("alert-rules/tests/{name}.yml")]);
}

#[test]
fn every_file_of_rule_tests_is_run() {
    let files: Vec<String> =
        tracked(".yml").into_iter().filter(|file| file.starts_with("alert-rules/tests/")).collect();
    let expected = [
        "bitrate-swinging",
        "bitrate-variance",
        "encoder-drops",
        "encoder-falling-behind",
        "ingest-down",
        "meta",
        "publisher-lost",
        "segment-age",
        "slo-slow",
        "slo",
    ];
    assert_eq!(files, expected.map(|name| format!("alert-rules/tests/{name}.yml")));
}

fn installed() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    config::write_all(root.path(), &SHIPPED, &[]).unwrap();
    root
}

fn below(root: &Path, file: &str) -> String {
    root.join(file).to_string_lossy().into_owned()
}

#[test]
fn promtool_accepts_the_configuration() {
    let root = installed();
    // What `deploy/layout` makes beside the files that are shipped.
    std::fs::write(root.path().join("secrets/prometheus/viewer_token"), "0123456789abcdef").unwrap();
    succeeds("promtool", &["check", "config", &below(root.path(), "configs/prometheus.yml")]);
}

#[test]
fn amtool_accepts_the_configuration() {
    succeeds("amtool", &["check-config", "alert-rules/alertmanager.yml"]);
}

#[rstest]
#[case::repairable("remediator", &["alertname=SegmentAgeHigh", "severity=critical", "stream=main", "variant=main"])]
#[case::early_warning("remediator", &["alertname=PublisherLost", "severity=critical", "stream=main"])]
#[case::falling_behind("remediator", &["alertname=EncoderFallingBehind", "severity=major", "stream=main"])]
#[case::swinging("remediator", &["alertname=BitrateSwinging", "severity=major", "stream=main"])]
#[case::major("remediator", &["alertname=BitrateVarianceHigh", "severity=major", "stream=main"])]
#[case::the_watcher_is_blind("people", &["alertname=ExporterDown", "severity=page", "instance=x"])]
#[case::a_warning_about_a_stream("people", &["alertname=StaleSource", "severity=warning", "stream=main"])]
#[case::another_teams_alert("people", &["alertname=DiskFull", "severity=critical"])]
fn alerts_go_where_they_belong(#[case] receiver: &str, #[case] labels: &[&str]) {
    let verify = format!("--verify.receivers={receiver}");
    let mut arguments = vec!["config", "routes", "test", "--config.file=alert-rules/alertmanager.yml", &verify];
    arguments.extend(labels);
    succeeds("amtool", &arguments);
}

#[test]
fn nginx_accepts_its_configuration() {
    let root = installed();
    succeeds("nginx", &["-t", "-q", "-c", &below(root.path(), "configs/nginx/rtmp.conf")]);
}

#[rstest]
#[case("deploy/nginx/check-nginx")]
#[case("deploy/nginx/restart-nginx")]
#[case("deploy/nginx/run-nginx")]
#[case("deploy/packages")]
#[case("deploy/layout")]
#[case("tests/tests/containers/volumes")]
#[case("tests/tests/units/boot")]
#[case(".ci/run")]
fn the_shell_understands_our_scripts(#[case] script: &str) {
    succeeds("sh", &["-n", script]);
}

/// What a target of the Makefile runs.
fn recipe(target: &str) -> String {
    let makefile = text("Makefile");
    let lines = makefile.lines().skip_while(|line| !line.starts_with(&format!("{target}:"))).skip(1);
    lines.take_while(|line| line.starts_with('\t')).collect::<Vec<_>>().join("\n")
}

#[test]
fn lint_says_that_it_looks_for_no_advisories_and_what_does() {
    assert!(
        !recipe("lint").contains("check advisories") && recipe("lint").contains("make advisories"),
        "{}",
        recipe("lint")
    );
    assert_eq!(recipe("advisories"), "\tcargo deny check advisories");
    assert!(text("deny.toml").contains("\n[advisories]\n"));
}
