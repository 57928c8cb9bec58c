use crate::site::platform::Platform;
use crate::site::{Variable, VariableText};
use std::path::{Path, PathBuf};

use rstest::rstest;
use vvtv_incident::{Kind, OnFailure};

use super::*;
use vvtv_toolkit::yaml::Document;

fn site() -> SiteValues {
    let argv = ["systemctl", "restart", "nginx-rtmp"].map(str::to_owned).to_vec();
    let variables = BTreeMap::from([
        ("restart_nginx".to_owned(), Variable::new(VariableText::Argv(argv)).unwrap()),
        ("hls".to_owned(), Variable::new(VariableText::One("/vvtv/broadcast".to_owned())).unwrap()),
    ]);
    SiteValues { platform: Platform::Linux, variables }
}

fn book(text: &str) -> Result<LoadedRunbook, String> {
    let source = Document::from_text(PathBuf::from("book.yml"), text.to_owned());
    build::book(source, &site()).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

const HEAD: &str = "\
id: segment-age
title: High Segment Age
alerts: [SegmentAgeHigh, PublisherLost]
severity: critical
target: stream
healthy: max(vvtv_segment_age_seconds{stream=\"$target\"}) < bool 10
respond_within: 5m
escalate: {level: 2, after: 10m}
";

fn with_steps(steps: &str) -> Result<LoadedRunbook, String> {
    book(&format!("{HEAD}steps:\n{steps}"))
}

fn error(steps: &str) -> String {
    with_steps(steps).unwrap_err()
}

#[test]
fn a_runbook_becomes_a_plan() {
    let book = with_steps(
        "\
- {id: status, action: 1, kind: diagnose, run: [vvtvctl, streaming, status, --format, json], timeout: 10s}
- {id: io, kind: diagnose, background: true, shell: {linux: iostat -x 1 5, macos: iostat -c 5}}
- id: restart
  title: Restart the encoder
  kind: change
  when:
    all:
      - expr: steps.status.json.state in [\"stuck\", \"dead\"]
      - any: [{promql: 'up{stream=\"$target\"} == bool 0'}]
  run: [{var: restart_nginx}, --stream, \"{{ target }}\", 5]
  locks: [\"encoder:$target\"]
  settle: 20s
  repeatable: true
  on_failure: continue
  attempts: 2
",
    )
    .unwrap();
    let plan = &book.plan;
    assert_eq!((plan.id.as_str(), plan.respond_within.as_secs(), plan.healthy_for.as_secs()), ("segment-age", 300, 30));
    assert_eq!(plan.steps[1].kind, Kind::Diagnose { background: true, settle: Duration::ZERO, known_to_read: true });
    assert_eq!(
        plan.steps[2].kind,
        Kind::Change {
            locks: vec![vvtv_incident::LockName::new("encoder:$target")],
            settle: Duration::from_secs(20),
            repeatable: true,
            on_failure: OnFailure::Continue,
        }
    );
    assert_eq!(plan.steps.iter().map(|step| step.attempts).collect::<Vec<_>>(), [None, None, Some(2)]);
    assert_eq!(plan.steps.iter().map(|step| step.conditional).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(book.steps[&StepId::new("io")].command, Command::Shell("iostat -x 1 5".to_owned()));
    let facts = Facts { target: "main".to_owned(), ..Facts::default() };
    let argv = book.steps[&StepId::new("restart")].argv(&facts, &site()).unwrap();
    assert_eq!(argv, ["systemctl", "restart", "nginx-rtmp", "--stream", "main", "5"]);
}

#[rstest]
#[case("$(reboot)")]
#[case("main; reboot")]
#[case("main\n--force")]
#[case("a b \"c\" 'd' `e` * ~ $HOME")]
#[case("")]
fn alert_data_is_one_argument_and_nothing_else(#[case] target: &str) {
    let book =
        with_steps("- {id: a, kind: diagnose, run: [echo, \"{{ target }}\", \"--stream={{ target }}\"]}").unwrap();
    let facts = Facts { target: target.to_owned(), ..Facts::default() };
    let argv = book.steps[&StepId::new("a")].argv(&facts, &site()).unwrap();
    assert_eq!(argv, ["echo".to_owned(), target.to_owned(), format!("--stream={target}")]);
}

#[rstest]
#[case("--force", "argument `{{ target }}`: the value begins with `-` and would be taken for an option")]
#[case("a\0b", "argument `{{ target }}`: the value has a NUL in it")]
#[case("../../etc", "argument `{{ target }}`: the value has `..` as a path component")]
fn alert_data_that_could_mean_more_is_refused(#[case] target: &str, #[case] expected: &str) {
    let book = with_steps("- {id: a, kind: diagnose, run: [echo, \"{{ target }}\"]}").unwrap();
    let facts = Facts { target: target.to_owned(), ..Facts::default() };
    assert_eq!(book.steps[&StepId::new("a")].argv(&facts, &site()), Err(expected.to_owned()));
}

#[test]
fn a_literal_prefix_keeps_data_from_being_an_option() {
    let book = with_steps(
        "- {id: a, kind: diagnose, run: [echo, \"x={{ target }}\", \"{{ vars.hls }}/{{ target | segment }}\"]}",
    )
    .unwrap();
    let facts = Facts { target: "-rf".to_owned(), ..Facts::default() };
    let argv = book.steps[&StepId::new("a")].argv(&facts, &site()).unwrap();
    assert_eq!(argv, ["echo", "x=-rf", "/vvtv/broadcast/-rf"]);
}

#[rstest]
#[case("- {id: a, kind: diagnose, run: [\"{{ target }}\"]}", "data may not choose the program: write its name")]
#[case(
    "- {id: a, kind: diagnose, run: [echo, \"--{{ target }}\"]}",
    "data would choose the option: write the option as a whole, as in `--name={{ … }}`"
)]
#[case(
    "- {id: a, kind: diagnose, shell: \"echo {{ target }}\"}",
    "data may not become shell text: read it from the environment (\"$VVTV_TARGET\") or from the JSON file named by $VVTV_FACTS"
)]
#[case("- {id: a, kind: diagnose, run: [{var: nothing}]}", "no variable `nothing` in the configuration's `variables`")]
#[case(
    "- {id: a, kind: diagnose, run: [echo, \"{{ vars.restart_nginx }}\"]}",
    "variable `restart_nginx` is a whole argv: splice it with {var: restart_nginx}"
)]
#[case("- {id: a, kind: diagnose, run: []}", "nothing to run: expected [PROGRAM, ARGUMENT, …]")]
#[case("- {id: a, kind: diagnose}", "a step needs `run: [PROGRAM, ARGUMENT, …]` or `shell: TEXT`")]
#[case("- {id: a, run: [ls]}", "is it `kind: diagnose` (reads) or `kind: change` (alters the system)?")]
#[case("- {id: a, kind: diagnose, locks: [x], run: [ls]}", "`locks` is for changes, and this step is a diagnosis")]
#[case(
    "- {id: a, kind: change, background: true, run: [ls]}",
    "`background` is for diagnoses: what comes after a change waits for it"
)]
#[case("- {id: a, kind: diagnose, timeout: 0s, run: [ls]}", "must be longer than zero")]
#[case("- {id: a, kind: diagnose, timeout: 2h, run: [ls]}", "longer than an hour: an action of a runbook must end")]
#[case("- {id: A-b, kind: diagnose, run: [ls]}", "not an id of a step: expected a-z, 0-9 and _, at most 64 of them")]
#[case(
    "- {id: a, kind: diagnose, when: {expr: steps.b.state == \"ok\"}, run: [ls]}",
    "no step before this one is called `b`"
)]
#[case(
    "- {id: a, kind: diagnose, when: {promql: up == $target}, run: [ls]}",
    "`$target` must stand inside double quotes: {stream=\"$target\"}"
)]
#[case("- {id: a, kind: diagnose, when: {all: []}, run: [ls]}", "an empty list of conditions says nothing")]
#[case(
    "- {id: a, kind: diagnose, when: {shell: x}, run: [ls]}",
    "unknown variant `shell`, expected one of promql, expr, all, any"
)]
#[case(
    "- {id: a, kind: diagnose, run: {linux: [ls], windows: [dir]}}",
    "unknown field `windows`, expected one of linux, macos"
)]
#[case(
    "- {id: a, kind: diagnose, run: [ls, 1.5]}",
    "invalid type: floating point `1.5`, expected an argument (quote what YAML takes for something else) or {var: NAME}"
)]
fn what_is_wrong_with_a_step_is_said_in_its_place(#[case] steps: &str, #[case] expected: &str) {
    let error = error(steps);
    let first = error.lines().next().unwrap();
    let (place, message) = first.split_once(": ").unwrap();
    assert!(place.starts_with("book.yml:10:"), "{first}");
    assert_eq!(message, expected);
}

#[test]
fn every_mistake_is_reported_not_only_the_first() {
    let text = "\
id: Segment Age
title: x
alerts: []
severity: critical
target: stream
healthy: up == $target
respond_within: 0s
steps:
  - {id: a, kind: diagnose, background: true, run: [ls]}
  - {id: a, kind: change, when: {expr: steps.a.state}, run: [ls]}
recovery:
  monitor: 15m
  restore:
    - apply: {id: back, kind: diagnose, run: [ls]}
      undo: {id: again, when: {expr: target == target}, run: [ls]}
";
    insta::assert_snapshot!(book(text).unwrap_err());
}

#[test]
fn a_directory_is_checked_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
    let steps = "steps: [{id: a, kind: diagnose, run: [ls]}]\n";
    let cause = HEAD.replace("segment-age", "cause").replace("SegmentAgeHigh, PublisherLost", "SegmentAgeHigh");
    write("a.yml", format!("{HEAD}{steps}causes: [cause]\n"));
    write("b.yml", format!("{cause}{steps}causes: [segment-age, nothing]\n"));
    write("a.test.yml", "not a runbook".to_owned());
    let error = load_dir(dir.path(), &site()).unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(&dir.path().display().to_string(), "DIR"));
}

#[test]
fn an_empty_directory_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let error = load_dir(dir.path(), &site()).unwrap_err().to_string();
    assert_eq!(error, format!("no runbook (*.yml) in {}", dir.path().display()));
    let error = load_dir(Path::new("no/such/dir"), &site()).unwrap_err().to_string();
    assert_eq!(error, "cannot list the runbooks in no/such/dir");
}

proptest::proptest! {
    #[test]
    fn any_text_is_an_answer_not_a_panic(text in "\\PC*|[-:\\[\\]{}&*!|>'\"%@`$ \n\ta-z]*") {
        let _ = book(&text);
        let _ = with_steps(&text);
        let _ = with_steps(&format!("- {{id: a, kind: diagnose, run: [ls, {text:?}]}}"));
        let _ = with_steps(&format!("- {{id: a, kind: diagnose, when: {{expr: {text:?}}}, run: [ls]}}"));
    }
}

#[test]
fn nesting_without_end_is_an_error_not_a_crash() {
    assert!(book(&"[".repeat(100_000)).is_err());
    assert!(book(&"a: {".repeat(100_000)).is_err());
    let mut conditions = "{all: [".repeat(12);
    conditions.push_str("{expr: \"true\"}");
    conditions.push_str(&"]}".repeat(12));
    let error = error(&format!("- {{id: a, kind: diagnose, when: {conditions}, run: [ls]}}"));
    assert!(error.contains("conditions nested deeper than 8"), "{error}");
}
