//! The real Alertmanager's own list: what it holds for others and what it mutes is not ours, whatever it lists.

use serde_json::{Value, json};

use crate::alertmanager::Alertmanager;
use crate::hostile::{Neighbours, sample};
use crate::program::{Program, wait_for};
use crate::upkeep::rows;

/// Our receiver: a name that is more than a name where it is taken for a regular expression, and one that such a one would match.
const OURS: &str = "vvtv.remediator|(1)_";
const THEIRS: &str = "vvtv-remediator";
const NOT_DELIVERED: &str = r#"decisions_total{event="ignored",reason="not_delivered"}"#;

/// A program that asks these, often, and pages the neighbours.
fn program(neighbours: &Neighbours, alertmanagers: &str) -> Program {
    neighbours.program().edited(|config| {
        let lines = config.lines().map(|line| match line {
            line if line.starts_with("alertmanager:") => format!("alertmanager: {alertmanagers}\nreconcile: 300ms"),
            line => line.to_owned(),
        });
        let config = lines.collect::<Vec<_>>().join("\n");
        config.replace("{url: \"http://127.0.0.1:9/\"}", &format!("{{url: \"{}\"}}", neighbours.pager()))
    })
}

fn metric(program: &Program, name: &str) -> f64 {
    sample(&program.get("/metrics").1, &format!("vvtv_remediator_{name}"))
}

/// Some more looks at the list, begun after this.
fn looks(program: &Program) {
    let name = r#"reconciliations_total{result="ok"}"#;
    let before = metric(program, name);
    wait_for("looks at the list", || match metric(program, name) {
        looks if looks >= before + 3.0 => Ok(()),
        looks => Err(format!("{looks} after {before}")),
    });
}

fn phases(program: &Program) -> Vec<String> {
    program.incidents().iter().map(|it| it["phase"].as_str().unwrap().to_owned()).collect()
}

fn wait_for_phase(program: &Program, phase: &str) {
    wait_for(phase, || match phases(program) {
        phases if phases.first().is_some_and(|newest| newest == phase) => Ok(()),
        _ => Err(format!("{:#?}", program.incidents())),
    });
}

fn receivers(neighbours: &Neighbours, program: &Program) -> [(&'static str, String); 2] {
    [(THEIRS, neighbours.pager()), (OURS, format!("{}/webhook/alertmanager", program.base))]
}

fn production() -> Value {
    json!([{"receiver": OURS, "matchers": ["env = production"]}])
}

#[test]
fn an_alert_that_is_routed_to_another_receiver_is_not_acted_on() {
    let (alertmanager, neighbours) = (Alertmanager::start(), Neighbours::start(&json!([])));
    let program = program(&neighbours, &alertmanager.base);
    alertmanager.configure(&receivers(&neighbours, &program), &production(), &json!([]));
    alertmanager.fire("staging");
    wait_for("the list to be refused", || match metric(&program, NOT_DELIVERED) {
        0.0 => Err("not listed".to_owned()),
        _ => Ok(()),
    });
    assert_eq!((program.incidents().len(), program.written().len()), (0, 0), "while nobody knows who we are");

    alertmanager.fire("production");
    wait_for("what is ours to be mended", || match program.written() {
        lines if lines == ["looked", "mended"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    looks(&program);
    let before = metric(&program, NOT_DELIVERED);
    looks(&program);
    assert_eq!(metric(&program, NOT_DELIVERED), before, "it is asked for our receiver alone by now");
    let alerts = program.incidents()[0]["alerts"].clone();
    assert_eq!(alerts.as_array().unwrap().iter().map(|it| &it["labels"]["env"]).collect::<Vec<_>>(), ["production"]);

    neighbours.heal();
    alertmanager.resolve("production");
    wait_for_phase(&program, "closed");
    let port = program.base.clone();
    let program = program.kill_and_start();
    assert_ne!(program.base, port, "nothing is delivered to the new one");
    assert_eq!(
        rows(&program.path("remediator.db"), "SELECT value FROM setting WHERE name = 'receivers'"),
        [json!([OURS]).to_string()]
    );
    looks(&program);
    assert_eq!(metric(&program, NOT_DELIVERED), 0.0, "a restart knows who we are");
    assert_eq!(phases(&program), ["closed"]);
}

#[test]
fn an_alert_that_a_time_interval_mutes_is_not_acted_on_and_its_end_is_heard_of() {
    let (alertmanager, neighbours) = (Alertmanager::start(), Neighbours::start(&json!([])));
    let program = program(&neighbours, &alertmanager.base).edited(|config| {
        config.replace("{unauthenticated: true}", &format!("{{unauthenticated: true, receiver: '{OURS}'}}"))
    });
    let muted = json!([{"receiver": OURS, "mute_time_intervals": ["always"]}]);
    let unmuted = json!([{"receiver": OURS}]);
    let always =
        json!([{"name": "always", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]}]);
    alertmanager.configure(&receivers(&neighbours, &program), &muted, &always);
    alertmanager.fire("production");
    wait_for("the list to be refused", || match metric(&program, NOT_DELIVERED) {
        0.0 => Err("not listed".to_owned()),
        _ => Ok(()),
    });
    looks(&program);
    assert_eq!((phases(&program), program.written(), neighbours.pages()), (vec![], vec![], vec![]));

    alertmanager.configure(&receivers(&neighbours, &program), &unmuted, &always);
    wait_for("what is not muted any more to be mended", || match program.written() {
        lines if lines == ["looked", "mended"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    alertmanager.configure(&receivers(&neighbours, &program), &muted, &always);
    looks(&program);
    assert_eq!(program.incidents()[0]["alerts"][0]["ends_at"], Value::Null, "what a delivery has named goes on");
    let delivered = metric(&program, r#"webhook_requests_total{code="200"}"#);
    neighbours.heal();
    alertmanager.resolve("production");
    wait_for_phase(&program, "closed");
    assert_eq!(metric(&program, r#"webhook_requests_total{code="200"}"#), delivered, "by the list alone");
}

#[test]
fn what_fires_again_before_anybody_is_told_is_found_over_a_restart_too() {
    let (alertmanager, neighbours) = (Alertmanager::start(), Neighbours::start(&json!([])));
    // One of two answers, which is enough.
    let program = program(&neighbours, &format!("[{}, http://127.0.0.1:9]", alertmanager.base));
    let slow = json!([{"receiver": OURS, "group_interval": "1h"}]);
    alertmanager.configure(&receivers(&neighbours, &program), &slow, &json!([]));
    alertmanager.fire("production");
    wait_for("it to be mended", || match program.written() {
        lines if lines == ["looked", "mended"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    neighbours.heal();
    alertmanager.resolve("production");
    wait_for_phase(&program, "closed");
    let up = |at: &str| metric(&program, &format!("alertmanager_up{{alertmanager=\"{at}\"}}"));
    assert_eq!([up(&alertmanager.base), up("http://127.0.0.1:9")], [1.0, 0.0]);
    let dir = program.killed();
    alertmanager.fire("production");
    let program = Program::start_in(dir);
    wait_for("another incident", || match program.incidents().len() {
        2 => Ok(()),
        _ => Err(format!("{:#?}", program.incidents())),
    });
    assert_eq!(metric(&program, r#"webhook_requests_total{code="200"}"#), 0.0, "nothing was delivered");
}
