use std::path::PathBuf;

use super::*;
use crate::config::{self, Config, SecretFiles};
use crate::runbook::{LoadedRunbook, load_dir};

const RUNBOOK: &str = "\
id: book
title: A Book
alerts: [Trouble]
severity: critical
target: stream
healthy: min(up{stream=\"$target\"})
healthy_for: 10s
respond_within: 5m
escalate: {level: 2, after: 10m}
steps:
  - {id: look, kind: diagnose, reads_only: true, run: [look]}
  - id: repair
    kind: change
    when: {all: [{expr: steps.look.json.broken}, {promql: 'vector(1)'}]}
    run: [repair, \"{{ target }}\"]
    settle: 20s
";

const CONFIG: &str = "\
database: sqlite:r.db
runbooks: runbooks
prometheus: http://127.0.0.1:9090
alertmanager: http://127.0.0.1:9093
contacts:
  - {level: 1, name: First, respond_within: 5m, notify: [hook]}
  - {level: 2, name: Second, respond_within: 15m, notify: [hook]}
channels: {hook: {webhook: {url: 'http://127.0.0.1:9/x'}}}
targets: group by (stream) (vvtv_ingest_up)
";

fn installation(tests: &str) -> (tempfile::TempDir, Config, Vec<LoadedRunbook>) {
    let root = tempfile::tempdir().unwrap();
    let path: PathBuf = root.path().join("runbooks");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("book.yml"), RUNBOOK).unwrap();
    std::fs::write(path.join("book.test.yml"), tests).unwrap();
    std::fs::write(root.path().join("config.yml"), CONFIG).unwrap();
    let config = config::load(&root.path().join("config.yml"), SecretFiles::Demand).unwrap();
    let books = load_dir(&config.runbooks, &config.site).unwrap();
    (root, config, books)
}

fn report(tests: &str) -> String {
    let (root, config, books) = installation(tests);
    let summary = tests_of(&config, &books);
    let text = format!("{summary}\nnot covered:\n{}", summary.not_covered.join("\n"));
    text.replace(&root.path().display().to_string(), "ROOT")
}

#[test]
fn a_timeline_is_compared_whole_and_branches_without_a_case_are_named() {
    let tests = "\
tests:
  - name: as expected
    alerts: [{at: 1s, name: Trouble, until: 5s}]
    promql: {'vector(1)': true}
    steps:
      look: [{json: {broken: true}}]
      repair: [{takes: 2s, health: healthy}]
    expect:
      - '1s opened book: main [alert_firing]'
      - 1s step_started look (attempt 1) [next_step]
      - 1s100ms step_finished look [step_ok]
      - 1s120ms step_started repair (attempt 1) [next_step] $ repair main
      - 3s120ms step_finished repair [step_ok]
      - 13s130ms closed [stabilised]
  - name: not as expected
    alerts: [{at: 0s, name: Trouble, until: 5s}]
    health: [{at: 0s, is: healthy}]
    steps:
      look: [{exit_code: 2}]
    until: 1m
    expect:
      - '0s opened book: main [alert_firing]'
      - 0s step_started repair (attempt 1) [next_step]
";
    insta::assert_snapshot!(report(tests));
}

#[test]
fn names_that_no_runbook_has_are_errors() {
    let wrong = [
        "alerts: [{at: 0s, name: Other}]\n    expect: []",
        "alerts: [{at: 0s, name: Trouble}]\n    steps: {loook: [{}]}\n    expect: []",
        "alerts: [{at: 0s, name: Trouble}]\n    health: [{at: 0s, is: sick, runbook: other}]\n    expect: []",
        "alerts: [{at: 0s, name: Trouble}]\n    health: [{at: 0s, is: ill}]\n    expect: []",
    ];
    let reports: Vec<_> = wrong
        .iter()
        .map(|case| report(&format!("tests:\n  - name: x\n    {case}\n")))
        .map(|report| report.lines().next().unwrap().to_owned())
        .collect();
    let expected = [
        "error: ROOT/runbooks/book.test.yml:3:29: no runbook answers Other",
        "error: ROOT/runbooks/book.test.yml:4:20: no runbook has a step `loook`",
        "error: ROOT/runbooks/book.test.yml:4:42: no runbook has the id `other`",
        "error: ROOT/runbooks/book.test.yml:4:27: unknown variant `ill`, expected one of healthy, sick, unknown",
    ];
    assert_eq!(reports, expected);
}

#[test]
fn a_simulation_calls_everybody() {
    let (_root, config, books) = installation("tests: []\n");
    insta::assert_snapshot!(simulate(&config, &books, "book").unwrap());
    assert_eq!(simulate(&config, &books, "no-such"), None);
}
