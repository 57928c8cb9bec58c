//! Maintenance by the calendar on the real binary: real steps, people's tasks, pages through a real webhook, and kill -9 between.

use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::hostile::Neighbours;
use crate::program::{PATIENCE, Program, firing, resolved, wait_for};

/// Comes round every second.
const EVERY_SECOND: &str = "schedule: '* * * * * *', timezone: UTC, owner: 2";
/// Is owed by nobody until it is rewound.
const HOURLY: &str = "schedule: '0 * * * *', timezone: UTC, owner: 1";

fn tasks(program: &Program) -> Value {
    let (status, body) = program.get("/api/v1/tasks");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// The files of a program whose pager is the neighbours', with these entries of `maintenance`.
fn files(neighbours: &Neighbours, entries: &[String]) -> TempDir {
    let program = neighbours.program();
    program.rewrite("remediator.yml", |config| {
        let ours = format!("{{webhook: {{url: '{}'}}}}", neighbours.pager());
        let config = config.replace(r#"{webhook: {url: "http://127.0.0.1:9/"}}"#, &ours);
        let entries: Vec<_> = entries.iter().map(|entry| format!("{{{entry}}}")).collect();
        format!("{config}\nmaintenance: [{}]\n", entries.join(", "))
    });
    program.killed()
}

fn with(neighbours: &Neighbours, entries: &[String]) -> Program {
    Program::start_in(files(neighbours, entries))
}

fn shell(text: &str) -> String {
    format!("steps: [{{title: A step, run: [/bin/sh, -c, '{text}'], timeout: 5s}}]")
}

/// The first open task, once it stands so.
fn open_task(program: &Program, state: &str, reason: &str) -> Value {
    wait_for(&format!("a task that is {state} because {reason}"), || {
        let all = tasks(program);
        let task = &all["open"][0];
        if task["state"] == state && task["reason"] == reason { Ok(task.clone()) } else { Err(all.to_string()) }
    })
}

fn metric(program: &Program, name: &str) -> Option<f64> {
    let (_, metrics) = program.get("/metrics");
    let line =
        metrics.lines().find_map(|line| line.strip_prefix(&format!("vvtv_remediator_{name} ")).map(str::to_owned));
    line.map(|value| value.parse().unwrap())
}

fn verb(program: &Program, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_vvtv-remediator"))
        .args(arguments)
        .args(["--server", &program.base, "--config.file"])
        .arg(program.path("remediator.yml"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said)
}

/// Makes the schedules owe everything of more than a year.
fn rewind(program: &Program) {
    let connection = Connection::open(program.path("remediator.db")).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    wait_for("the schedules to be begun", || {
        let changed = connection.execute("UPDATE duty SET handled_at = handled_at - 400 * 86400000", []);
        if changed.as_ref().is_ok_and(|rows| *rows > 0) { Ok(()) } else { Err(format!("{changed:?}")) }
    });
}

#[test]
fn a_schedule_runs_its_steps_and_their_output_is_kept() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let entry = format!(
        "name: checks, {EVERY_SECOND}, due_within: 1h, {}",
        shell("echo did $VVTV_TASK_NAME; echo done >> $VVTV_TEST_LOG")
    );
    let program = with(&neighbours, &[entry]);
    let done = wait_for("two times", || match tasks(&program) {
        all if all["recent"].as_array().is_some_and(|done| done.len() >= 2) => Ok(all["recent"].clone()),
        all => Err(all.to_string()),
    });
    let (newer, older) = (&done[0], &done[1]);
    assert_eq!(
        (&newer["state"], &newer["reason"], &newer["done_by"]),
        (&"done".into(), &"step_ok".into(), &Value::Null)
    );
    assert!(newer["scheduled_at"].as_str() > older["scheduled_at"].as_str(), "{done}");
    assert!(newer["output"].as_str().unwrap().ends_with("did checks\n"), "{newer}");
    assert!(program.written().len() >= 2);
    assert!(metric(&program, "tasks_total{result=\"step_ok\",task=\"checks\"}").is_some_and(|times| times >= 2.0));
    assert!(metric(&program, "task_last_success_timestamp_seconds{task=\"checks\"}").is_some_and(|at| at > 1e9));
    let (_, console) = program.get("/");
    assert!(console.contains("Maintenance done lately") && console.contains("did checks"), "{console}");
}

#[test]
fn a_failure_becomes_a_persons_task_which_pages_once_when_overdue_across_kill_9_until_it_is_closed() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let entry = format!("name: checks, {EVERY_SECOND}, due_within: 1s, {}", shell("echo disk is full >&2; exit 3"));
    let program = with(&neighbours, &[entry]);
    let task = open_task(&program, "person", "overdue");
    assert_eq!((&task["failure"], &task["owner"]), (&"A step: exit code 3".into(), &2.into()));
    let pages = || kinds_and_keys(&neighbours);
    let key = program.page_key(&format!("task-{}", task["id"]));
    let triggered = ("trigger".into(), key.as_str().into());
    let sent = |kind: &str| {
        let connection = Connection::open(program.path("remediator.db")).unwrap();
        let sql = "SELECT count(*) FROM message WHERE incident_id = 0 AND state = 'sent' AND kind = ?1";
        connection.query_row(sql, [kind], |row| row.get::<_, u32>(0)).unwrap()
    };
    wait_for("the page to be written down as sent", || {
        if sent("trigger") == 1 { Ok(()) } else { Err(format!("{:?}", pages())) }
    });
    assert_eq!(pages(), std::slice::from_ref(&triggered));
    let page = neighbours.pages().remove(0);
    assert_eq!(
        (&page["level"], &page["contact"], &page["task"]),
        (&2.into(), &"Streaming Lead".into(), &task["id"]),
        "{page}"
    );
    assert_eq!(page["incident"], Value::Null);
    assert_eq!(
        page["tried"][0]["said"],
        "A step: exit code 3 | $ /bin/sh -c 'echo disk is full >&2; exit 3' | disk is full"
    );

    let program = program.kill_and_start();
    let again = tasks(&program);
    assert_eq!(again["open"][0]["id"], task["id"], "{again}");
    wait_for("a time that opens no second task", || {
        let still = metric(&program, "tasks_total{result=\"still_open\",task=\"checks\"}");
        if still.is_some_and(|times| times >= 1.0) { Ok(()) } else { Err(format!("{still:?}")) }
    });
    assert_eq!(metric(&program, "overdue_tasks"), Some(1.0));
    assert_eq!(pages(), std::slice::from_ref(&triggered), "nobody is called twice");

    close(&program, &task);
    wait_for("the page to be taken back", || match pages() {
        all if all == [triggered.clone(), ("resolve".into(), key.as_str().into())] => Ok(()),
        all => Err(format!("{all:?}")),
    });
}

/// Each message, in the order of their coming.
fn kinds_and_keys(neighbours: &Neighbours) -> Vec<(Value, Value)> {
    neighbours.pages().into_iter().map(|page| (page["kind"].clone(), page["key"].clone())).collect()
}

/// What failed is repaired, a person closes the task by the command line, and the next time goes well.
fn close(program: &Program, task: &Value) {
    let (done, said) = verb(program, &["tasks", "list"]);
    assert!(done && said.contains("checks: A step: exit code 3"), "{said}");
    program.rewrite("remediator.yml", |config| {
        config.replace("exit 3", "exit 0").replace("due_within: 1s", "due_within: 1h")
    });
    assert_eq!(program.asked("/-/reload").0, 200);
    let id = task["id"].to_string();
    let (done, said) = verb(program, &["tasks", "done", &id, "--by", "ana", "--note", "made room"]);
    assert_eq!((done, said.as_str()), (true, "A person did the task.\n"));
    let (done, said) = verb(program, &["tasks", "done", &id, "--by", "ana"]);
    assert_eq!((done, said.as_str()), (false, "vvtv-remediator: there is no such open task\n"));
    let closed = wait_for("the task among the done ones", || {
        let all = tasks(program);
        let mut done = all["recent"].as_array().unwrap().iter();
        done.find(|done| done["id"] == task["id"]).cloned().ok_or_else(|| all.to_string())
    });
    assert_eq!((&closed["done_by"], &closed["note"]), (&"operator (says ana)".into(), &"made room".into()));
    wait_for("the next time to go well", || match tasks(program) {
        all if all["recent"][0]["reason"] == "step_ok" => Ok(()),
        all => Err(all.to_string()),
    });
}

// Only builds with debug assertions can be told to die.
#[cfg(debug_assertions)]
#[test]
fn a_page_that_kill_9_interrupts_is_sent_by_the_next_start_under_the_same_key() {
    // Before it was sent, it comes once; taken and not yet written down, it comes twice.
    for (point, before, after) in [("page_begun:1", 0, 1), ("page_taken:1", 1, 2)] {
        let neighbours = Neighbours::start(&serde_json::json!([]));
        let dir = files(&neighbours, &[format!("name: review, {EVERY_SECOND}, due_within: 1s, person: Look at it")]);
        let (mut child, base) = crate::program::serve(dir.path(), &[("VVTV_FAILPOINT", point.to_owned())]);
        base.unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it was killed");
        assert_eq!(kinds_and_keys(&neighbours).len(), before, "{point}");
        let program = Program::start_in(dir);
        wait_for("the page to be written down as sent", || {
            let connection = Connection::open(program.path("remediator.db")).unwrap();
            let state: String = connection.query_row("SELECT state FROM message", [], |row| row.get(0)).unwrap();
            if state == "sent" { Ok(()) } else { Err(state) }
        });
        let page = ("trigger".into(), program.page_key("task-1").into());
        assert_eq!(kinds_and_keys(&neighbours), vec![page; after], "{point}");
    }
}

#[test]
fn of_missed_times_only_the_latest_is_caught_up_and_none_before_the_first_start() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let person = |name: &str, schedule: &str| {
        format!("name: {name}, schedule: '{schedule}', timezone: UTC, owner: 1, due_within: 1h, person: Look at it")
    };
    let program = with(&neighbours, &[person("hourly", "0 * * * *"), person("yearly", "0 0 1 1 *")]);
    assert_eq!(tasks(&program)["open"], serde_json::json!([]), "nothing is owed from before the first start");
    rewind(&program);
    let program = program.kill_and_start();
    let task = open_task(&program, "person", "scheduled");
    let all = tasks(&program);
    assert_eq!((task["name"].as_str(), all["open"].as_array().unwrap().len()), (Some("hourly"), 1), "{all}");
    assert_eq!(metric(&program, "tasks_total{result=\"missed\",task=\"yearly\"}"), Some(1.0));
    let program = program.kill_and_start();
    assert_eq!(tasks(&program)["open"].as_array().unwrap().len(), 1, "and it is opened once");
    // By a button, as the console does it.
    assert_eq!(program.post(&format!("/api/v1/tasks/{}/done", task["id"])), 200);
    assert_eq!(tasks(&program)["open"], serde_json::json!([]));
}

#[test]
fn a_stop_waits_for_the_task_that_runs_and_keeps_its_end() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let slow = shell("echo begun >> $VVTV_TEST_LOG; timeout 1 tail -f /dev/null; echo ended >> $VVTV_TEST_LOG");
    let program = with(&neighbours, &[format!("name: checks, {HOURLY}, due_within: 1h, {slow}")]);
    rewind(&program);
    let program = program.kill_and_start();
    wait_for("the step", || match program.written() {
        lines if lines.contains(&"begun".to_owned()) => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    let program = program.stop_and_start();
    let all = tasks(&program);
    let reasons: Vec<_> = all["recent"].as_array().unwrap().iter().map(|task| &task["reason"]).collect();
    assert!(!reasons.is_empty() && reasons.iter().all(|reason| *reason == "step_ok"), "{all}");
}

#[test]
fn what_ran_at_kill_9_is_a_persons_and_is_not_run_again() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let steps = "steps: [{run: [/bin/sh, -c, 'echo begun >> $VVTV_TEST_LOG; tail -f /dev/null'], timeout: 4s}]";
    let program = with(&neighbours, &[format!("name: checks, {HOURLY}, due_within: 1h, {steps}")]);
    rewind(&program);
    let program = program.kill_and_start();
    wait_for("the step", || match program.written() {
        lines if lines == ["begun"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    let program = program.kill_and_start();
    let task = open_task(&program, "person", "outcome_unknown");
    assert_eq!(task["failure"], "how it ended is not known");
    assert_eq!(program.written(), ["begun"]);
}

#[test]
fn a_machine_waits_while_an_incident_is_open_and_runs_after_it() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let entry = format!("name: checks, {EVERY_SECOND}, due_within: 1h, {}", shell("echo ran >> $VVTV_TEST_LOG"));
    let program = neighbours.program().without_first_step();
    assert_eq!(program.deliver(firing("main")).0, 200);
    let program = program.edited(|config| format!("{config}\nmaintenance: [{{{entry}}}]\n"));
    open_task(&program, "waiting", "scheduled");
    wait_for("a time that opens no second task", || {
        let still = metric(&program, "tasks_total{result=\"still_open\",task=\"checks\"}");
        if still.is_some_and(|times| times >= 1.0) { Ok(()) } else { Err(format!("{still:?}")) }
    });
    assert!(!program.written().contains(&"ran".to_owned()));
    assert_eq!(program.deliver(resolved("main")).0, 200);
    assert_eq!(program.post("/api/v1/incidents/1/abort"), 200);
    wait_for("its run", || {
        if program.written().contains(&"ran".to_owned()) { Ok(()) } else { Err(tasks(&program).to_string()) }
    });
}

#[test]
fn a_reload_puts_changed_maintenance_in_force_and_another_site_closes_nothing() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let program = with(&neighbours, &[]);
    assert_eq!(tasks(&program), serde_json::json!({"open": [], "recent": [], "duties": []}));
    program.rewrite("remediator.yml", |config| {
        let entry = format!("{{name: review, {EVERY_SECOND}, due_within: 1h, person: Look at it}}");
        config.replace("\nmaintenance: []\n", &format!("\nmaintenance: [{entry}]\n"))
    });
    program.hang_up();
    let task = open_task(&program, "person", "scheduled");
    assert_eq!((&task["title"], &task["id"]), (&"Look at it".into(), &1.into()));
    let refused = crate::program::block_on(async {
        let request = reqwest::Client::new().post(format!("{}/api/v1/tasks/1/done", program.base));
        request
            .bearer_auth(crate::program::ADMIN)
            .header("origin", "http://evil.example")
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    });
    assert_eq!(refused, 403);
    assert_eq!(tasks(&program)["open"][0]["id"], 1);
}
