//! A shipped runbook with one mistake: the editor's schema refuses it, and `check` says where the mistake is.

use std::path::Path;

use rstest::rstest;
use serde_json::Value;
use vvtv_remediator::verbs::check::{Weight, check};
use vvtv_toolkit::yaml;

use crate::installation::shipped;

/// What the shipped schema says of a runbook.
fn schema(text: &str) -> Result<(), String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks/runbook.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("runbook.json", schema).unwrap();
    let index = compiler.compile("runbook.json", &mut schemas).unwrap();
    let document: Value = yaml::parse("runbook.yml", text).unwrap();
    schemas.validate(&document, index).map_err(|error| format!("{error:#}"))
}

fn errors(root: &Path) -> Vec<String> {
    let findings = check(&root.join("remediator.yml")).findings.into_iter();
    let errors = findings.filter(|finding| finding.weight == Weight::Error);
    errors.filter_map(|error| Some(error.text.lines().next()?.replace(&root.display().to_string(), "ROOT"))).collect()
}

const DURATION: &str = "expected something like 10s, 1m30s or 2h (units y w d h m s ms, largest first)";

#[rstest]
#[case("id: ingest-down", "id: Ingest Down", "3:5: not an id: expected a-z, 0-9 and -, at most 64 of them")]
#[case(
    "title: RTMP",
    "titel: RTMP",
    "4:1: unknown field `titel`, expected one of id, title, symptoms, impact, description, undecided, alerts, severity, target, causes, healthy, \
     healthy_for, respond_within, escalate, mode, limits, steps, recovery"
)]
#[case("alerts: [IngestDown]", "alerts: []", "7:9: answers no alert")]
#[case(
    "severity: critical",
    "severity: awful",
    "8:11: unknown variant `awful`, expected one of warning, major, critical"
)]
#[case("target: stream\n", "", "13:1: missing field `target`")]
#[case("healthy: min(vvtv_ingest_up{stream=\"$target\"})", "healthy: ''", "10:10: the query is empty")]
#[case("healthy_for: 30s", "healthy_for: 30", &format!("11:14: `30` is not a duration: {DURATION}"))]
#[case("respond_within: 2m", "respond_within: soon", &format!("12:17: `soon` is not a duration: {DURATION}"))]
#[case("{level: 2, after", "{level: 0, after", "13:19: levels count from 1")]
#[case("{level: 2, after: 5m}", "{level: 2}", "13:12: missing field `after`")]
#[case(
    "id: nginx_status",
    "id: nginx-status",
    "15:9: not an id of a step: expected a-z, 0-9 and _, at most 64 of them"
)]
#[case("action: 1", "action: first", "16:13: invalid u8")]
#[case(
    "    kind: diagnose\n    background",
    "    background",
    "15:9: is it `kind: diagnose` (reads) or `kind: change` (alters the system)?"
)]
#[case("linux: systemctl", "windows: systemctl", "21:7: unknown field `windows`, expected one of linux, macos")]
#[case("timeout: 10s", "timeout: 10 s", &format!("23:14: `10 s` is not a duration: {DURATION}"))]
#[case("output: text", "output: xml", "24:13: unknown variant `xml`, expected one of json, text")]
#[case(
    "run: [vvtvctl, streaming,",
    "run: [vvtvctl, 1.5,",
    "66:20: invalid type: floating point `1.5`, expected an argument (quote what YAML takes for something else) or {var: NAME}"
)]
#[case("kind: change", "kind: alter", "55:11: unknown variant `alter`, expected one of diagnose, change")]
#[case("{expr: steps", "{shell: steps", "56:12: unknown variant `shell`, expected one of promql, expr, all, any")]
#[case(
    "{expr: steps.check_nginx_config.state == \"ok\"}",
    "{all: []}",
    "56:17: an empty list of conditions says nothing"
)]
#[case("[{var: restart_nginx}]", "[]", "57:10: nothing to run: expected [PROGRAM, ARGUMENT, …]")]
#[case("[{var: restart_nginx}]", "[{vars: restart_nginx}]", "57:12: unknown field `vars`, expected one of var")]
#[case(
    "run: [{var: restart_nginx}]",
    "run: restart-nginx",
    "57:5: invalid type: string \"restart-nginx\", expected a sequence"
)]
#[case("settle: 20s", "settle: 20s\n    shell: ls", "57:10: a step has either `run` or `shell`")]
#[case("locks: [nginx]", "locks: nginx", "59:12: expected sequence start")]
#[case("settle: 20s", "settle: 20s\n    attempts: 0", "61:15: must be at least 1")]
#[case("repeatable: true", "repeatable: maybe", "61:17: invalid boolean (true or false expected)")]
fn a_mistake_is_refused_by_the_schema_and_shown_by_check(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] expected: &str,
) {
    let (root, _config) = shipped();
    let file = root.path().join("runbooks/ingest-down.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(schema(&text), Ok(()));
    let text = text.replacen(right, wrong, 1);
    std::fs::write(&file, &text).unwrap();
    assert_eq!(errors(root.path()), [format!("ROOT/runbooks/ingest-down.yml:{expected}")]);
    assert!(schema(&text).is_err());
}
