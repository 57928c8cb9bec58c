//! Which targets exist is not for alerts to say; and what steps and people are told of the rest.

use serde_json::{Value, json};

use crate::hostile::Neighbours;
use crate::program::{Program, firing, serve, wait_for};

/// Targets of the attacks: more than one segment once their escapes are undone, and more than one address to curl.
const MADE_UP: [&str; 2] = ["%2e%2e/control/drop/publisher?app=live&name=main&x=", "{1..3}x[1-5]"];

/// The incident about a target, once its phase and reason are these.
fn stands(program: &Program, target: &str, phase: &str, reason: &str) -> Value {
    wait_for(&format!("{target} to be {phase} because {reason}"), || {
        let incidents = program.incidents();
        let found =
            incidents.iter().find(|it| it["target"] == target && it["phase"] == phase && it["reason"] == reason);
        found.cloned().ok_or_else(|| format!("{incidents:#?}"))
    })
}

fn paging(neighbours: &Neighbours) -> Program {
    neighbours.program().edited(|config| config.replace("http://127.0.0.1:9/\"", &format!("{}\"", neighbours.pager())))
}

#[test]
fn a_made_up_target_runs_nothing_and_calls_the_first_level() {
    let neighbours = Neighbours::start(&json!([])).listing(2);
    let program = paging(&neighbours);
    for target in MADE_UP {
        assert_eq!(program.deliver(firing(target)).0, 200);
        stands(&program, target, "blocked", "unknown_target");
    }
    assert_eq!(program.deliver(firing("s0")).0, 200);
    wait_for("the steps of a target that exists", || match program.written() {
        lines if lines == ["looked", "mended"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    let called = wait_for("a page for each", || {
        let pages = neighbours.pages();
        let about = |target: &&str| pages.iter().find(|page| page["target"] == *target).cloned();
        let called: Vec<_> = MADE_UP.iter().filter_map(about).collect();
        if called.len() == MADE_UP.len() { Ok(called) } else { Err(format!("{pages:#?}")) }
    });
    for (page, target) in called.iter().zip(MADE_UP) {
        assert_eq!(
            (&page["reason"], &page["level"], &page["tried"]),
            (&json!("unknown_target"), &json!(1), &json!([]))
        );
        assert_eq!(page["target"], target);
    }
    for incident in program.incidents().iter().filter(|incident| incident["target"] != "s0") {
        let attempts: Vec<_> =
            incident["steps"].as_array().unwrap().iter().map(|step| step["attempt"].clone()).collect();
        assert_eq!(attempts, [0, 0], "no step was ever started");
        let (_, whole) = program.get(&format!("/api/v1/incidents/{}", incident["id"]));
        assert!(whole.contains(r#""event":"blocked","reason":"unknown_target","detail":"look""#), "{whole}");
    }
    assert_eq!(program.written(), ["looked", "mended"]);
}

#[test]
fn what_prometheus_listed_is_known_after_a_restart_without_it_and_the_rest_waits() {
    let neighbours = Neighbours::start(&json!([])).listing(1);
    let program = neighbours.program();
    assert_eq!(program.deliver(firing("made-up")).0, 200);
    stands(&program, "made-up", "blocked", "unknown_target");
    let program = program.edited(|config| {
        let lines = config
            .lines()
            .map(|line| if line.starts_with("prometheus:") { "prometheus: http://127.0.0.1:9" } else { line });
        lines.collect::<Vec<_>>().join("\n")
    });
    for target in ["s0", "main", "other"] {
        assert_eq!(program.deliver(firing(target)).0, 200);
    }
    stands(&program, "other", "blocked", "target_unverified");
    stands(&program, "made-up", "blocked", "target_unverified");
    wait_for("the diagnoses of what is known, and of what the inventory names", || match program.written() {
        lines if lines == ["looked", "looked"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    program.rewrite("remediator.yml", |config| config.replace("inventory: [main]", "inventory: [main, other]"));
    assert_eq!(program.asked("/-/reload"), (200, String::new()));
    wait_for("the diagnosis of what the inventory names by now", || match program.written() {
        lines if lines.len() == 3 => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    stands(&program, "made-up", "blocked", "target_unverified");
}

#[test]
fn the_list_of_incidents_says_how_steps_ended_as_each_incident_does() {
    let program = Program::start_with("shell: exit 3");
    assert_eq!(program.deliver(firing("main")).0, 200);
    let listed = wait_for("the step's end", || {
        let incidents = program.incidents();
        let steps = incidents[0]["steps"].clone();
        if steps[0]["state"] == "failed" { Ok(steps) } else { Err(incidents[0].to_string()) }
    });
    let (_, whole) = program.get("/api/v1/incidents/1");
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!((&listed[0]["exit_code"], &listed), (&json!(3), &whole["steps"]));
}

#[test]
fn a_page_says_why_a_step_was_refused_before_its_start() {
    let neighbours = Neighbours::start(&json!([]));
    let program = paging(&neighbours).without_first_step();
    program.rewrite("runbooks/demo.yml", |text| {
        let (head, tail) = text.split_once("    shell: echo mended").unwrap();
        let (_, tail) = tail.split_once('\n').unwrap();
        format!("{head}    run: [/bin/echo, 'a/{{{{ alert.labels.file | segment }}}}']\n{tail}")
    });
    let program = program.kill_and_start();
    let hostile = firing("main").replace(r#""stream":"main""#, r#""stream":"main","file":"../x""#);
    assert_eq!(program.deliver(hostile).0, 200);
    let page = wait_for("the page", || {
        neighbours.pages().first().cloned().ok_or_else(|| format!("{:#?}", program.incidents()))
    });
    let said = "vvtv-remediator: argument `a/{{ alert.labels.file | segment }}`: invalid operation: segment: the value has a slash in it";
    assert_eq!((&page["reason"], &page["tried"][0]["said"]), (&json!("step_failed"), &json!(said)));
}

#[test]
fn steps_are_given_the_variables_that_are_named_and_no_others() {
    let command = "shell: env | grep -v '^_' | cut -d= -f1 | sort | tr '\\n' ' ' >> \"$VVTV_TEST_LOG\"";
    let dir = Program::start_with(command).killed();
    let environment = ["VVTV_API_TOKEN", "VVTV_ROOT", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD_X"];
    let (mut child, base) = serve(dir.path(), &environment.map(|name| (name, "x".to_owned())));
    let url = format!("{}/webhook/alertmanager", base.unwrap());
    let delivery = reqwest::Client::new().post(url).header("content-type", "application/json").body(firing("main"));
    let sent = crate::program::block_on(delivery.send()).unwrap();
    assert_eq!(sent.status().as_u16(), 200);
    let names = wait_for("the step's words", || match std::fs::read_to_string(dir.path().join("log")) {
        Ok(names) if !names.is_empty() => Ok(names),
        other => Err(format!("{other:?}")),
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let shells = ["HOME", "LANG", "TZ", "PATH", "PWD", "SHLVL"];
    let names: Vec<_> = names.split_whitespace().filter(|name| !shells.contains(name)).collect();
    let expected = "VVTV_ALERT VVTV_ATTEMPT VVTV_FACTS VVTV_INCIDENT VVTV_LABEL_alertname VVTV_LABEL_stream VVTV_ROOT VVTV_RUNBOOK \
                    VVTV_STEP VVTV_TARGET VVTV_TEST_LOG";
    assert_eq!(names.join(" "), expected);
}
