//! What the journal's history says of the steps, on a journal that has one: the report, and the step that is not trusted any more.

use std::process::Command;

use rusqlite::{Connection, params};

use crate::hostile::Neighbours;
use crate::program::{Program, firing, wait_for};

/// A journal in which `mend` was run some times, each time an hour apart, and helped after so many seconds.
/// Its rows of the timeline have no hashes: nobody verifies the chain of this journal.
fn with_history(program: &Program, healthy_after: &[Option<i64>]) {
    let journal = Connection::open(program.path("remediator.db")).unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    for (number, after) in (1_i64..).zip(healthy_after) {
        let (id, at) = (number, now - number * 3_600_000);
        let state = serde_json::json!({
            "id": id, "runbook": "demo", "target": "main", "opened_at": at, "healthy_at": null, "alerts": {},
            "phase": {"closed": {"at": at}}, "reason": "stabilised", "steps": [], "settle_until": null,
            "changes_stopped_by": null, "relapses": 0, "restore_next": 0, "hold": null,
            "escalation": {"since": at, "standing": "open", "reached": null, "pages": []},
        });
        journal
            .execute(
                "INSERT INTO incident (id, runbook, target, phase, reason, opened_at, closed_at, state)
                 VALUES (?1, 'demo', 'main', 'closed', 'stabilised', ?2, ?2 + 60000, ?3)",
                params![id, at, state.to_string()],
            )
            .unwrap();
        journal
            .execute(
                "INSERT INTO step_run (incident_id, step, attempt, change, intent_at, finished_at, state)
                 VALUES (?1, 'mend', 1, 1, ?2, ?2 + 60000, 'ok')",
                params![id, at],
            )
            .unwrap();
        if let Some(after) = after {
            journal
                .execute(
                    "INSERT INTO timeline (incident_id, at, event, reason, detail) VALUES (?1, ?2, 'health', 'healthy', '')",
                    params![id, at + after * 1000],
                )
                .unwrap();
        }
    }
}

fn run(program: &Program, verb: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vvtv-remediator"))
        .args(verb)
        .arg("--config.file")
        .arg(program.path("remediator.yml"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_report_says_how_often_each_change_helped_and_how_fast() {
    let program = Program::start();
    // 62 s is later than `settle` after the end.
    let times = [10, 20, 30, 40, 41, 41, 42, 50, 51, 52, 53, 54, 55, 30].map(Some);
    with_history(&program, &[&times[..], &[None, None, Some(62)]].concat());
    let report = run(&program, &["report", "--since", "30d"]);
    let lines: Vec<_> = report.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "  demo mend: 14 of 17, median 42s",
            "Changes that were not made, or not at once, and what happened then:",
            "  (none)"
        ]
    );
    let json: serde_json::Value = serde_json::from_str(&run(&program, &["report", "--format", "json"])).unwrap();
    let steps =
        serde_json::json!([{"runbook": "demo", "step": "mend", "runs": 17, "helped": 14, "median_seconds": 42.0}]);
    assert_eq!((&json["steps"], &json["held"]), (&steps, &serde_json::json!([])));
    let none = serde_json::json!([]);
    let other = run(&program, &["report", "--runbook", "other", "--format", "json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&other).unwrap()["steps"], none);
}

#[test]
fn the_ledger_sets_what_shadow_mode_would_have_done_against_what_happened() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let program = neighbours.program().without_first_step();
    let program = program.edited(|config| format!("mode: shadow\n{config}"));
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the change to be written down", || match program.incidents().first() {
        Some(incident) if incident["steps"][0]["reason"] == "shadow" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let held = |report: &str| report.lines().last().unwrap().split_once(" #1 ").unwrap().1.to_owned();
    assert_eq!(held(&run(&program, &["report"])), "demo main: mend [shadow]: not healthy since");
    neighbours.heal();
    wait_for("health to come back", || match program.incidents().first() {
        Some(incident) if !incident["healthy_at"].is_null() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let ledger = held(&run(&program, &["report"]));
    assert!(ledger.starts_with("demo main: mend [shadow]: healthy without a change after "), "{ledger}");
    assert_eq!(program.written(), Vec::<String>::new());
}

#[test]
fn a_step_below_its_floor_waits_for_a_person_and_everybody_is_told_why() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let program = neighbours.program().without_first_step();
    let runbook = std::fs::read_to_string(program.path("runbooks/demo.yml")).unwrap();
    std::fs::write(
        program.path("runbooks/demo.yml"),
        runbook.replace("settle: 1s", "settle: 1s\n    efficacy_floor: 0.3"),
    )
    .unwrap();
    with_history(&program, &[Some(10), None, None, None, None, None]);
    let program = program.kill_and_start();
    let runs = r#"vvtv_remediator_step_runs{runbook="demo",step="mend"} 6"#;
    wait_for("the history to be known", || match program.get("/metrics").1 {
        metrics if metrics.contains(runs) => Ok(()),
        metrics => Err(metrics),
    });
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the change to wait for a person", || match program.incidents().first() {
        Some(incident) if incident["awaits_approval"] == "mend" && incident["reason"] == "efficacy_low" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(program.written(), Vec::<String>::new());
    let words = "helped 1 of 6 times, median 10s; below its `efficacy_floor`, so it waits for a person";
    assert!(program.get("/runbooks/demo").1.contains(words), "{}", program.get("/runbooks/demo").1);
    let check = run(&program, &["check"]);
    assert!(check.contains(&format!("`mend` {words}")), "{check}");
    assert!(program.get("/incidents/7").1.contains("Approve mend"));
    assert_eq!(program.post("/api/v1/incidents/7/approve"), 400, "an approval names its step");
    let config = program.path("remediator.yml").display().to_string();
    let approve = ["approve", "7", "--step", "mend", "--server", &program.base, "--config.file", &config];
    let output = Command::new(env!("CARGO_BIN_EXE_vvtv-remediator")).args(approve).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    wait_for("the change to run", || match program.written() {
        lines if lines == ["mended"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
}
