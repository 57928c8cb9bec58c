//! What was acknowledged survives kill -9.

use crate::program::{Program, firing, wait_for};

#[test]
fn every_acknowledged_delivery_survives_kill_9() {
    let program = Program::start();
    for number in 0..20 {
        assert_eq!(program.deliver(firing(&format!("stream-{number}"))).0, 200);
    }
    let program = program.kill_and_start();
    let incidents = program.incidents();
    assert_eq!(incidents.len(), 20);
    assert!(incidents.iter().all(|incident| incident["closed_at"].is_null()), "{incidents:#?}");
}

#[test]
fn a_step_that_ran_before_kill_9_does_not_run_again() {
    let program = Program::start();
    assert_eq!(program.deliver(firing("main")).0, 200);
    let looked = |program: &Program| match program.incidents().first() {
        Some(incident) if incident["steps"][0]["state"] == "ok" => Ok(()),
        other => Err(format!("{other:?}")),
    };
    wait_for("the first step to end", || looked(&program));
    let program = program.kill_and_start();
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the second step to wait for health", || match program.incidents().first() {
        Some(incident) if incident["reason"] == "health_unknown" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(program.written(), ["looked"], "nothing runs twice, and nothing changes while health is unknown");
    assert_eq!(program.incidents().len(), 1);
}
