//! What journals have of incidents, on the real binary: every phase and stage, and what cannot be read.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::program::{Program, firing, wait_for};
use crate::stand_in::StandIn;
use crate::upkeep::{rows, verb};

const V3: &str = include_str!("../journals/v3.sql");
const V4_PHASES: &str = include_str!("../journals/v4-phases.sql");
const V6_PHASES: &str = include_str!("../journals/v6-phases.sql");

#[test]
fn a_journal_with_an_incident_of_every_phase_and_stage_opens() {
    for (version, dump) in [("v4", V4_PHASES), ("v6", V6_PHASES)] {
        let dir = Program::lay_out(&[]);
        let journal = dir.path().join("remediator.db");
        Connection::open(&journal).unwrap().execute_batch(dump).unwrap();
        let open = rows(&journal, "SELECT target FROM incident WHERE closed_at IS NULL");
        assert_eq!(open.len(), 20, "{version}");
        let program = Program::start_in(dir);
        let found: Vec<_> = program.incidents().iter().map(|it| it["target"].as_str().unwrap().to_owned()).collect();
        let mut expected =
            rows(program.path("remediator.db").as_path(), "SELECT target FROM incident ORDER BY id DESC");
        assert_eq!(found, expected, "{version}");
        expected.retain(|target| target != "closed");
        let taken_up = program.logged().iter().filter(|line| line.contains("incident taken up again")).count();
        assert_eq!(taken_up, expected.len(), "{version}: {:?}", program.logged());
        let unread = rows(&journal, "SELECT detail FROM timeline WHERE reason = 'unreadable'");
        assert_eq!(unread, Vec::<String>::new(), "{version}");
    }
}

/// A journal whose open incident's state is what this makes of it, beside the stand-in; its text.
fn journal(root: &Path, stand_in: &StandIn, case: &str, edit: &str) -> (tempfile::TempDir, String) {
    std::fs::create_dir(root.join(case)).unwrap();
    std::fs::write(root.join(case).join("firing"), "").unwrap();
    let base = stand_in.base(case);
    let dir = Program::lay_out(&[
        ("http://127.0.0.1:9/", &format!("{base}/page")),
        ("http://127.0.0.1:9", &base),
        (
            "contacts:",
            "reconcile: 300ms\nlimits: {health_interval_idle: 100ms, page_hold: 100ms, returns_within: 100ms}\ncontacts:",
        ),
    ]);
    let journal = dir.path().join("remediator.db");
    let connection = Connection::open(&journal).unwrap();
    connection.execute_batch(V3).unwrap();
    let state = || rows(&journal, "SELECT state FROM incident WHERE id = 4").remove(0);
    let before = state();
    connection.execute(&format!("UPDATE incident SET state = {edit} WHERE id = 4"), []).unwrap();
    assert_ne!(state(), before, "{case}");
    let text = state();
    (dir, text)
}

fn pages_of(root: &Path, case: &str, incident: u64) -> Vec<(String, String, String)> {
    let pages = std::fs::read_to_string(root.join(case).join("pages")).unwrap_or_default();
    let pages = pages.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let text = |page: &Value, key: &str| page[key].as_str().unwrap_or_default().to_owned();
    let of_it = pages.filter(|page| page["incident"] == incident);
    let mut found: Vec<_> =
        of_it.map(|page| (text(&page, "kind"), text(&page, "key"), text(&page, "reason"))).collect();
    found.sort();
    found
}

fn incident(program: &Program, id: u64) -> Value {
    serde_json::from_str(&program.get(&format!("/api/v1/incidents/{id}")).1).unwrap()
}

#[test]
fn an_incident_that_cannot_be_read_is_people_s_and_the_server_starts() {
    let root = tempfile::tempdir().unwrap();
    let stand_in = StandIn::start(root.path());
    for (case, edit) in [
        ("phase", r#"replace(state, '"phase":"exhausted"', '"phase":"spent"')"#),
        ("reason", r#"replace(state, '"reason":"exhausted"', '"reason":"spent"')"#),
        ("damage", "substr(state, 1, 300)"),
    ] {
        let (dir, text) = journal(root.path(), &stand_in, case, edit);
        let journal = dir.path().join("remediator.db");
        let others = |journal: &Path| rows(journal, "SELECT state FROM incident WHERE id < 4 ORDER BY id");
        let runs = |journal: &Path| rows(journal, "SELECT step || attempt FROM step_run WHERE incident_id = 4");
        let before = (others(&journal), runs(&journal));

        let program = Program::start_in(dir);
        let told = wait_for("both of its pages", || match pages_of(root.path(), case, 4) {
            pages if pages.len() == 2 => Ok(pages),
            pages => Err(format!("{pages:?}")),
        });
        let page =
            |number, reason: &str| ("trigger".to_owned(), format!("vvtv-incident-4-page-{number}"), reason.to_owned());
        assert_eq!(told, [page(1, "step_failed"), page(2, "unreadable")], "{case}");
        let found = incident(&program, 4);
        assert_eq!((&found["phase"], &found["reason"]), (&json!("exhausted"), &json!("unreadable")), "{case}");
        assert_eq!(found["alerts"].as_array().unwrap().len(), usize::from(case != "damage"), "{case}");
        let steps = found["steps"].as_array().unwrap().iter().map(|step| (&step["id"], &step["state"]));
        let ran: Vec<_> = steps.filter(|(_, state)| **state != "pending").collect();
        assert_eq!(ran, [(&json!("look"), &json!("ok")), (&json!("mend"), &json!("failed"))], "{case}");
        let lines = found["timeline"].as_array().unwrap();
        let raw: Vec<_> = lines.iter().filter(|line| line["event"] == "journal").collect();
        assert_eq!(raw.len(), 1, "{case}");
        assert_eq!((&raw[0]["reason"], &raw[0]["detail"]), (&json!("unreadable"), &json!(text)), "{case}");

        // The others are as they were, and a new one is repaired.
        assert_eq!(program.deliver(firing("main-2")).0, 200);
        assert_eq!(program.incidents()[0]["id"], 5, "{case}: numbers go on");

        // What was told is not told again.
        let program = program.kill_and_start();
        let found = incident(&program, 4);
        let lines = found["timeline"].as_array().unwrap().iter().filter(|line| line["event"] == "journal").count();
        assert_eq!((&found["phase"], lines), (&json!("exhausted"), 1), "{case}");
        if case == "damage" {
            // Nobody else can tell that it is over.
            assert_eq!(program.post("/api/v1/incidents/4/abort"), 200);
        } else {
            std::fs::write(root.path().join(case).join("healthy"), "").unwrap();
        }
        wait_for("its end", || match incident(&program, 4)["phase"].clone() {
            phase if phase == "closed" => Ok(()),
            phase => Err(phase.to_string()),
        });
        let resolved = wait_for("the end of its pages", || match pages_of(root.path(), case, 4) {
            pages if pages.len() >= 4 => Ok(pages),
            pages => Err(format!("{pages:?}")),
        });
        assert_eq!(resolved.iter().filter(|(kind, ..)| kind == "resolve").count(), 2, "{case}: {resolved:?}");
        assert_eq!((others(&journal), runs(&program.path("remediator.db"))), before, "{case}");
        let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
        assert!(held, "{case}: {said}");
    }
}
