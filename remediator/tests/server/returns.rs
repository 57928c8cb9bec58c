//! Trouble that comes and goes on the real binary: one page for all of it, across a death.

use serde_json::Value;

use crate::program::{Program, firing, resolved, secure, wait_for};
use crate::stand_in::StandIn;

const RUNBOOK: &str = r#"
id: demo
title: Demo
alerts: [Demo]
severity: critical
target: stream
healthy: 'demo_healthy{stream="$target"}'
healthy_for: 50ms
respond_within: 5m
steps:
  - {id: look, title: Look, kind: diagnose, timeout: 1s, shell: 'true'}
"#;

const CONFIG: &str = "
listen: 127.0.0.1:0
database: sqlite:remediator.db
runbooks: runbooks/
prometheus: STAND_IN
alertmanager: STAND_IN
webhook: {unauthenticated: true}
reconcile: 1h
inventory: [main]
targets: group by (stream) (vvtv_ingest_up)
environment: [VVTV_TEST_LOG]
limits: {health_interval: 50ms, health_interval_idle: 50ms, page_hold: 5m}
contacts: [{level: 1, name: SRE On-Call, respond_within: 5m, scope: Immediate response, notify: [hook]}]
channels: {hook: {webhook: {url: 'STAND_IN/page'}}}
";

/// Kind and key of every message that the pager took.
fn messages(program: &Program) -> Vec<(Value, Value)> {
    let text = std::fs::read_to_string(program.path("pages")).unwrap_or_default();
    let pages = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    pages.map(|page| (page["kind"].clone(), page["key"].clone())).collect()
}

fn wait_for_phase(program: &Program, phase: &str) {
    wait_for(phase, || match program.incidents().first() {
        Some(incident) if incident["phase"] == phase => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn ten_flaps_are_one_page_which_is_updated_and_taken_back_once_across_a_death() {
    let root = tempfile::tempdir().unwrap();
    let stand_in = StandIn::start(root.path());
    let dir = tempfile::Builder::new().prefix("flap").tempdir_in(root.path()).unwrap();
    let case = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
    std::fs::create_dir(dir.path().join("runbooks")).unwrap();
    std::fs::write(dir.path().join("runbooks/demo.yml"), RUNBOOK).unwrap();
    std::fs::write(dir.path().join("remediator.yml"), CONFIG.replace("STAND_IN", &stand_in.base(&case))).unwrap();
    std::fs::write(dir.path().join("firing"), "").unwrap();
    secure(dir.path());
    let mut program = Program::start_in(dir);
    for round in 0..10 {
        let _absent = std::fs::remove_file(program.path("healthy"));
        assert_eq!(program.deliver(firing("main")).0, 200);
        wait_for_phase(&program, "exhausted");
        std::fs::write(program.path("healthy"), "").unwrap();
        assert_eq!(program.deliver(resolved("main")).0, 200);
        wait_for_phase(&program, if round < 9 { "monitoring" } else { "closed" });
        if round == 4 {
            program = program.kill_and_start();
        }
        if round == 8 {
            program.rewrite("remediator.yml", |text| {
                text.replace("page_hold: 5m", "page_hold: 50ms, returns_within: 50ms")
            });
            assert_eq!(program.asked("/-/reload"), (200, String::new()));
        }
    }
    let resolves = |it: &Vec<(Value, Value)>| it.iter().filter(|(kind, _)| kind == "resolve").count();
    let all = wait_for("its end", || match messages(&program) {
        all if resolves(&all) == 1 => Ok(all),
        all => Err(format!("{all:?}")),
    });
    assert!(all.iter().all(|(_, key)| *key == all[0].1), "one key: {all:?}");
    let kinds: Vec<_> = all.iter().map(|(kind, _)| kind.as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"trigger"), Some(&"resolve")), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "trigger").count(), 1, "{kinds:?}");
    assert!((1..=4).contains(&kinds.iter().filter(|kind| **kind == "update").count()), "{kinds:?}");
    assert_eq!(program.incidents().len(), 1);
}
