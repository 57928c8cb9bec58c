//! What was acknowledged survives kill -9.

use crate::program::{Program, firing, refused, resolved, wait_for};

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

#[test]
fn a_step_that_ends_while_the_server_stops_is_not_run_again() {
    let program = Program::start_with("shell: echo looked >> \"$VVTV_TEST_LOG\"; sleep 2");
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the first step to run", || match program.written() {
        lines if lines == ["looked"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    let program = program.stop_and_start();
    wait_for("the first step to be known as done", || match program.incidents().first() {
        Some(incident) if incident["steps"][0]["state"] == "ok" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(program.written(), ["looked"]);
    assert_eq!(program.incidents()[0]["steps"][0]["attempt"], 1);
}

#[test]
fn two_servers_do_not_share_a_journal() {
    let program = Program::start();
    let (code, said) = refused(program.dir.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the journal DIR/remediator.db is in use by another process"), "{said}");
}

#[test]
fn an_aborted_incident_whose_alert_fires_is_people_s_across_a_restart_and_closes_when_it_resolves() {
    let program = Program::start_with("shell: sleep 30");
    assert_eq!(program.deliver(firing("main")).0, 200);
    assert_eq!(program.post("/api/v1/incidents/1/abort"), 200);
    let stands = |program: &Program| match program.incidents().as_slice() {
        [it] => (it["phase"].clone(), it["reason"].clone(), it["level"].clone()),
        other => panic!("{other:?}"),
    };
    let people_s = ("exhausted".into(), "aborted".into(), 1.into());
    assert_eq!(stands(&program), people_s);
    let program = program.kill_and_start();
    assert_eq!(program.deliver(firing("main")).0, 200);
    assert_eq!(stands(&program), people_s);
    assert_eq!(program.written(), Vec::<String>::new());
    assert_eq!(program.deliver(resolved("main")).0, 200);
    wait_for("the incident to close", || match stands(&program) {
        (phase, _, _) if phase == "closed" => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn output_of_a_running_step_can_be_read_without_secrets_and_survives_kill_9() {
    let dir = Program::lay_out(&[
        ("{url: \"http://127.0.0.1:9/\"}", "{url: \"http://127.0.0.1:9/\", headers: {X-Key: s3cret-token}}"),
        (
            "echo looked >> \"$VVTV_TEST_LOG\"",
            "echo begun with s3cret-token for rtmp://h/live/k3ySECRETSTREAM?token=SECRETQ; echo trouble >&2; sleep 7; echo ended",
        ),
    ]);
    let program = Program::start_in(dir);
    assert_eq!(program.deliver(firing("main")).0, 200);
    let first = |program: &Program| -> serde_json::Value {
        let (status, body) = program.get("/api/v1/incidents/1/output");
        assert_eq!(status, 200, "{body}");
        let runs: serde_json::Value = serde_json::from_str(&body).unwrap();
        runs[0].clone()
    };
    let begun = "begun with REDACTED for rtmp://h/live/REDACTED?token=REDACTED\n";
    wait_for("the beginning of its output", || match first(&program) {
        run if run["stdout"] == begun && run["stderr"] == "trouble\n" && run["state"] == "running" => Ok(()),
        run => Err(run.to_string()),
    });
    let (_, page) = program.get("/incidents/1");
    assert!(page.contains(begun), "{page}");
    let program = program.kill_and_start();
    let run = wait_for("its end, which nobody saw", || match first(&program) {
        run if run["state"] == "unknown" => Ok(run),
        run => Err(run.to_string()),
    });
    assert_eq!(run["stdout"], begun);
    let said = "trouble\nthe remediator was restarted while this ran: its process ended unseen\n";
    assert_eq!(run["stderr"], said);
}
