//! A start of the real program with a clock that is 400 days ahead, and the start after it with the right one.

use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::program::{Program, firing, resolved, wait_for};
use crate::shifted::{DAY, Shift};
use crate::stand_in::StandIn;
use crate::upkeep::{rows, verb};

const AHEAD: i64 = 400 * DAY;
const DAILY: &str =
    "\nmaintenance: [{name: daily, schedule: '0 7 * * *', timezone: UTC, owner: 1, due_within: 8h, person: Look}]\n";

/// Milliseconds since the epoch.
fn now() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// The files of a program that has closed incident 1 and has incident 2 open, and a duty.
fn lived() -> tempfile::TempDir {
    let program = Program::start_in(Program::lay_out(&[
        ("contacts:", &format!("{}\ncontacts:", DAILY.trim())),
        ("inventory: [main]", "inventory: [closed, open, later, after]"),
    ]));
    for stream in ["closed", "open"] {
        assert_eq!(program.deliver(firing(stream)).0, 200);
    }
    assert_eq!(program.deliver(resolved("closed")).0, 200);
    assert_eq!(program.post("/api/v1/incidents/1/abort"), 200);
    wait_for("one to close and the other to wait for health", || match program.incidents().as_slice() {
        [open, closed] if closed["phase"] == "closed" && open["reason"] == "health_unknown" => Ok(()),
        incidents => Err(format!("{incidents:?}")),
    });
    program.killed()
}

fn metric(program: &Program, name: &str) -> Option<f64> {
    let (_, metrics) = program.get("/metrics");
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("vvtv_remediator_{name} ")))
        .map(|it| it.parse().unwrap())
}

fn newest(journal: &Path) -> i64 {
    let connection = Connection::open(journal).unwrap();
    connection.query_row("SELECT at FROM timeline ORDER BY id DESC LIMIT 1", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_start_with_a_clock_that_is_ahead_calls_nobody_deletes_nothing_and_is_undone_by_the_next_one() {
    let shift = tempfile::tempdir().unwrap();
    let shift = Shift::new(shift.path());
    shift.wall(AHEAD);
    let program = Program::start_with_environment(lived(), &shift.environment());
    let journal = program.path("remediator.db");
    assert_eq!(program.deliver(firing("later")).0, 200);
    assert!(newest(&journal) > now() + (AHEAD - DAY) * 1000, "the program under test is not ahead");
    assert_eq!(rows(&journal, "SELECT reason FROM timeline WHERE event = 'clock'"), ["time_not_counted"]);
    assert_eq!(rows(&journal, "SELECT kind FROM message"), [""; 0], "nobody is called for the jump");
    assert_eq!(program.incidents().len(), 3, "nothing is deleted");

    shift.wall(0);
    let program = Program::start_with_environment(program.killed(), &shift.environment());
    assert_eq!(program.deliver(firing("after")).0, 200);
    assert!((newest(&journal) - now()).abs() < 60_000, "time goes on from the clock");
    let told = ["time_not_counted", "clock_stepped_back"];
    assert_eq!(rows(&journal, "SELECT reason FROM timeline WHERE event = 'clock' ORDER BY id"), told);
    assert_eq!(rows(&journal, "SELECT kind FROM message"), [""; 0]);
    let late = "SELECT name FROM duty WHERE max(handled_at, coalesce(succeeded_at, 0)) > ";
    assert_eq!(rows(&journal, &format!("{late}{}", now())), [""; 0]);
    let year = |at: &Value| at.as_str().unwrap()[..4].to_owned();
    let this_year = year(&program.incidents()[0]["opened_at"]);
    assert!(program.incidents().iter().all(|it| year(&it["opened_at"]) == this_year), "{:?}", program.incidents());
    let tasks: Value = serde_json::from_str(&program.get("/api/v1/tasks").1).unwrap();
    let next = &tasks["duties"][0]["next_at"];
    let next = vvtv_remediator::clock::parse_rfc3339(next.as_str().unwrap()).unwrap().millis();
    assert!(i64::try_from(next).unwrap() < now() + DAY * 1000, "{tasks}");
    let stepped = metric(&program, "clock_stepped_back_seconds").unwrap();
    #[expect(clippy::cast_precision_loss, reason = "days in seconds")]
    let ahead = AHEAD as f64;
    assert!((stepped - ahead).abs() < 120.0, "{stepped}");
    let (_, page) = program.get("/");
    assert!(page.contains("ahead of this machine&#39;s clock at the start"), "{page}");
    let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
    assert!(held && said.contains("\ntime goes back at row "), "{said}");
}

#[test]
fn another_program_s_clock_tells_that_ours_is_ahead() {
    let (root, shift) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (stand_in, shift) = (StandIn::start(root.path()), Shift::new(shift.path()));
    std::fs::create_dir(root.path().join("case")).unwrap();
    let dir = Program::lay_out(&[("http://127.0.0.1:9\n", &format!("{}\n", stand_in.base("case")))]);
    shift.wall(AHEAD);
    let program = Program::start_with_environment(dir, &shift.environment());
    wait_for("the console to say so", || match program.get("/").1 {
        page if page.contains("ahead of Prometheus: nothing is deleted before they agree") => Ok(()),
        page => Err(page),
    });
    let ahead = metric(&program, "clock_ahead_seconds{of=\"prometheus\"}").unwrap();
    assert!((ahead / 86_400.0 - 400.0).abs() < 0.1, "{ahead}");
    assert!(metric(&program, "clock_ahead_seconds{of=\"wall\"}").unwrap().abs() < 60.0);
}

#[test]
fn an_old_incident_is_deleted_an_hour_after_the_start_and_only_by_a_clock_that_somebody_confirms() {
    let (root, shift) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (stand_in, shift) = (StandIn::start(root.path()), Shift::new(shift.path()));
    std::fs::create_dir(root.path().join("case")).unwrap();
    let dir = lived();
    let journal = dir.path().join("remediator.db");
    let old = "UPDATE incident SET closed_at = closed_at - 91 * 86400000 WHERE id = 1";
    Connection::open(&journal).unwrap().execute(old, []).unwrap();
    let config = std::fs::read_to_string(dir.path().join("remediator.yml")).unwrap();
    let config = config.replace("http://127.0.0.1:9\n", &format!("{}\n", stand_in.base("case")));
    std::fs::write(dir.path().join("remediator.yml"), config.replace("contacts:", "reconcile: 1s\ncontacts:")).unwrap();
    let program = Program::start_with_environment(dir, &shift.environment());
    let held = |reason: &str| {
        wait_for(&format!("retention to be held, {reason}"), || {
            match metric(&program, &format!("retention_held_total{{reason=\"{reason}\"}}")) {
                Some(times) if times > 0.0 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    };
    held("just_started");
    // An hour later, by a clock that is now a day ahead of the others'.
    shift.passed(DAY);
    held("clock_unconfirmed");
    assert_eq!(rows(&journal, "SELECT state FROM incident WHERE id = 1").len(), 1);
    // The others' clocks go with ours from now on.
    let all_at = |seconds: i64| {
        std::fs::write(root.path().join("case/ahead"), seconds.to_string()).unwrap();
        shift.passed(seconds);
    };
    let mut looks = 0;
    wait_for("the older one to be forgotten", || match rows(&journal, "SELECT phase FROM incident WHERE id = 1") {
        left if left.is_empty() && !program.path("remediator.attachments/1").exists() => Ok(()),
        left => {
            // Retention's looks are a minute apart, and the others are heard in between.
            if looks % 40 == 0 {
                all_at(DAY + 61 * (1 + looks / 40));
            }
            looks += 1;
            Err(format!("{left:?}"))
        }
    });
    assert_eq!(metric(&program, "journal_deleted_rows_total{table=\"incident\"}"), Some(1.0));
    assert!(metric(&program, "journal_size_bytes").is_some_and(|size| size > 4096.0));
    let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
    assert!(held, "{said}");
}
