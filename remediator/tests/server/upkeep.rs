//! The journal's keeping on the real binary: migration from older versions, audit, backup, retention.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

#[cfg(debug_assertions)]
use crate::program::serve;
use crate::program::{Program, firing, resolved, wait_for};
use crate::stand_in::StandIn;

const V2: &str = include_str!("../journals/v2.sql");
const V3: &str = include_str!("../journals/v3.sql");
const V4: &str = include_str!("../journals/v4.sql");

/// The same journal as version 1 wrote it: without the index that version 2 is about.
fn v1() -> String {
    let without = V2.replace("CREATE INDEX timeline_at ON timeline (at);\n", "");
    let older = without.replace("PRAGMA user_version = 2;", "PRAGMA user_version = 1;");
    assert!(without != V2 && older != without);
    older
}

/// Runs a verb on a directory's configuration: whether it ended well, and what it said.
pub(crate) fn verb(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_vvtv-remediator"))
        .args(arguments)
        .args(["--config.file"])
        .arg(dir.join("remediator.yml"))
        .current_dir(dir)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said.replace(&dir.display().to_string(), "DIR"))
}

pub(crate) fn rows(journal: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(journal).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Everything that must not be lost, one text a row.
fn kept(journal: &Path) -> Vec<String> {
    [
        "SELECT json_array(id, runbook, target, phase, reason, opened_at, healthy_at, closed_at, level, state) FROM incident",
        "SELECT json_array(id, incident_id, at, event, reason, detail) FROM timeline ORDER BY id",
        "SELECT json_array(incident_id, step, attempt, change, intent_at, finished_at, state, exit_code, stdout, stderr) FROM step_run",
        "SELECT json_array(incident_id, page, kind, channel, contact, level, reason, due_at, state, failures, sent_at) FROM message",
    ]
    .into_iter()
    .flat_map(|sql| rows(journal, sql))
    .collect()
}

#[test]
fn a_journal_of_an_older_version_is_migrated_and_its_incidents_go_on() {
    for (version, dump) in [("v1", &*v1()), ("v2", V2), ("v3", V3), ("v4", V4)] {
        let root = tempfile::tempdir().unwrap();
        let stand_in = StandIn::start(root.path());
        std::fs::create_dir(root.path().join(version)).unwrap();
        let base = stand_in.base(version);
        let dir = Program::lay_out(&[
            ("http://127.0.0.1:9/", &format!("{base}/page")),
            ("http://127.0.0.1:9", &base),
            ("contacts:", "reconcile: 300ms\nlimits: {health_interval_idle: 100ms}\ncontacts:"),
        ]);
        let journal = dir.path().join("remediator.db");
        Connection::open(&journal).unwrap().execute_batch(dump).unwrap();
        let before = kept(&journal);
        let (held, said) = verb(dir.path(), &["audit", "verify"]);
        let unhashed = said.contains(&format!("schema {}, which has no hashes yet", &version[1..]));
        assert_eq!(
            (held, unhashed),
            if matches!(version, "v3" | "v4") { (true, false) } else { (false, true) },
            "{said}"
        );
        // Sick, and the alert fires: nothing happens to the incident but that its page is sent at last.
        std::fs::write(root.path().join(version).join("firing"), "").unwrap();
        let program = Program::start_in(dir);
        wait_for("the page that an earlier version could not send", || {
            match rows(&journal, "SELECT state FROM message WHERE incident_id = 4 AND kind = 'trigger'") {
                states if states.iter().all(|state| state == "sent") => Ok(()),
                states => Err(format!("{states:?}")),
            }
        });
        let after = kept(&journal);
        let lost: Vec<_> = before
            .iter()
            .filter(|row| !after.contains(row) && !row.contains("\"failed\",1,null") && !row.starts_with("[4,\"demo\""))
            .collect();
        assert_eq!(lost, Vec::<&String>::new(), "{version}");
        // It goes on: healthy, it closes.
        std::fs::write(root.path().join(version).join("healthy"), "").unwrap();
        wait_for("the open incident to close", || match rows(&journal, "SELECT phase FROM incident WHERE id = 4") {
            phases if phases == ["closed"] => Ok(()),
            phases => Err(format!("{phases:?}")),
        });
        assert_eq!(program.deliver(firing("next")).0, 200);
        assert_eq!(program.incidents()[0]["id"], 5, "numbers go on");
        let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
        assert!(held, "{said}");
    }
}

// Only builds with debug assertions can be told to die.
#[cfg(debug_assertions)]
#[test]
fn a_migration_that_is_killed_is_done_by_the_next_start() {
    use vvtv_remediator::failpoint::Point;

    for (point, time) in [Point::MigrationWritten, Point::MigrationCommitted].iter().flat_map(|it| [(it, 1), (it, 2)]) {
        let dir = Program::lay_out(&[]);
        let journal = dir.path().join("remediator.db");
        Connection::open(&journal).unwrap().execute_batch(&v1()).unwrap();
        let before = kept(&journal);
        let (mut child, base) = serve(dir.path(), &[("VVTV_FAILPOINT", format!("{}:{time}", point.as_str()))]);
        assert!(base.is_err(), "it died at {point:?}, time {time}");
        assert_eq!(child.wait().unwrap().code(), None);
        assert_eq!(kept(&journal), before, "{point:?}, time {time}");
        let program = Program::start_in(dir);
        assert_eq!(program.incidents().len(), 4);
        let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
        assert!(held, "{said}");
    }
}

#[test]
fn a_backup_of_a_running_server_is_whole_and_a_server_starts_from_it() {
    let program = Program::start();
    let deliver = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            assert_eq!(program.deliver(firing(&format!("stream-{number}"))).0, 200);
        }
    };
    deliver(0..20);
    std::thread::scope(|scope| {
        scope.spawn(|| deliver(20..40));
        let (done, said) = verb(program.dir.path(), &["backup", "--output", "copy.db"]);
        assert!(done, "{said}");
    });
    let (again, said) = verb(program.dir.path(), &["backup", "--output", "copy.db"]);
    assert!(!again && said.contains("copy.db is there already"), "{said}");
    let (held, said) = verb(program.dir.path(), &["audit", "verify", "copy.db"]);
    assert!(held && said.starts_with("copy.db: "), "{said}");
    let elsewhere = Program::lay_out(&[]);
    std::fs::copy(program.path("copy.db"), elsewhere.path().join("remediator.db")).unwrap();
    let copy = Program::start_in(elsewhere);
    assert!((20..=40).contains(&copy.incidents().len()));
    assert_eq!(program.incidents().len(), 40);
}

#[test]
fn audit_names_the_row_that_was_altered_and_exports_the_rest() {
    let program = Program::start();
    assert_eq!(program.deliver(firing("main")).0, 200);
    let journal = program.path("remediator.db");
    let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
    assert!(held && said.starts_with("DIR/remediator.db: "), "{said}");
    let (_, lines) = verb(program.dir.path(), &["audit", "export"]);
    assert!(lines.lines().count() >= 2, "{lines}");
    Connection::open(&journal).unwrap().execute("UPDATE timeline SET detail = 'x' WHERE id = 2", []).unwrap();
    let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
    let expected = "DIR/remediator.db: row 2 breaks the chain after row 1: it was changed, or rows before it were changed, \
                    removed, inserted or moved\n";
    assert!(!held && said.ends_with(expected), "{said}");
    let (held, said) = verb(program.dir.path(), &["audit", "export"]);
    assert!(!held && said.starts_with(lines.lines().next().unwrap()), "{said}");
}

#[test]
fn a_chain_whose_end_was_cut_off_is_found_with_the_hash_that_was_logged() {
    let program = Program::start();
    assert_eq!(program.deliver(firing("main")).0, 200);
    assert_eq!(program.deliver(resolved("main")).0, 200);
    assert_eq!(program.post("/api/v1/incidents/1/abort"), 200);
    let hash = wait_for("the closed incident to log the chain's end", || {
        let lines = program.logged();
        let line = lines.iter().find(|line| line.contains("timeline written"));
        let hash = line.and_then(|line| line.split("hash=").nth(1)?.split_whitespace().next().map(str::to_owned));
        hash.map(|hash| hash.trim_matches('"').to_owned()).ok_or_else(|| lines.join("\n"))
    });
    let (held, said) = verb(program.dir.path(), &["audit", "verify", "--through", &hash]);
    assert!(held, "{said}");
    let cut = format!("DELETE FROM timeline WHERE id >= (SELECT id FROM timeline WHERE hash = '{hash}')");
    Connection::open(program.path("remediator.db")).unwrap().execute_batch(&cut).unwrap();
    let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
    assert!(held, "nothing in the file tells: {said}");
    let (held, said) = verb(program.dir.path(), &["audit", "verify", "--through", &hash]);
    assert!(!held && said.contains(&format!("the chain does not go through {hash}")), "{said}");
}
