use rusqlite::Connection;
use vvtv_incident::Timestamp;

use super::super::{audit, schema};
use super::*;

/// Everything before a time that has just come.
fn up_to(time: Timestamp) -> Old {
    Old { before: time, now: time }
}

/// The journal of four incidents, three of them closed, as an older version left it.
fn journal(dir: &std::path::Path) -> Connection {
    let path = dir.join("remediator.db");
    Connection::open(&path).unwrap().execute_batch(include_str!("../../../tests/journals/v2.sql")).unwrap();
    schema::open(&path).unwrap()
}

fn count(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn after_all(connection: &Connection) -> Timestamp {
    Timestamp::from_millis(u64::try_from(count(connection, "SELECT max(at) + 1 FROM timeline")).unwrap())
}

#[test]
fn closed_incidents_go_with_all_they_have_and_the_chain_still_holds() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = journal(dir.path());
    let before = audit::verify(&connection, None).unwrap();
    let now = after_all(&connection);
    let first_kept = count(&connection, "SELECT min(id) FROM timeline WHERE incident_id = 4");
    let forgotten = forget(&mut connection, up_to(now), Most::ANY).unwrap();
    let expected = Forgotten {
        incidents: vec![incident_id(1), incident_id(2), incident_id(3)],
        tasks: 0,
        rows: usize::try_from(first_kept - 1).unwrap(),
        more: false,
    };
    assert_eq!(forgotten, expected);
    for table in ["incident", "step_run", "message", "timeline"] {
        let id = if table == "incident" { "id" } else { "incident_id" };
        assert_eq!(count(&connection, &format!("SELECT count(*) FROM {table} WHERE {id} < 4")), 0, "{table}");
        assert_ne!(count(&connection, &format!("SELECT count(*) FROM {table}")), 0, "the open incident's {table}");
    }
    let after = audit::verify(&connection, Some(&before.head.hash)).unwrap();
    assert_eq!(after.head, before.head);
    assert_eq!(after.anchor.map(|anchor| anchor.row), Some(first_kept - 1));
    assert_eq!(forget(&mut connection, up_to(now), Most::ANY).unwrap(), Forgotten::default());
}

#[test]
fn what_is_younger_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = journal(dir.path());
    let second = count(&connection, "SELECT closed_at FROM incident WHERE id = 2");
    let forgotten =
        forget(&mut connection, up_to(Timestamp::from_millis(u64::try_from(second).unwrap())), Most::ANY).unwrap();
    assert_eq!(forgotten.incidents, [incident_id(1)]);
    assert_eq!(count(&connection, "SELECT min(incident_id) FROM timeline"), 2);
    audit::verify(&connection, None).unwrap();
}

#[test]
fn an_anchor_that_was_altered_breaks_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = journal(dir.path());
    let now = after_all(&connection);
    forget(&mut connection, up_to(now), Most::ANY).unwrap();
    connection
        .execute_batch("UPDATE setting SET value = replace(value, 'a', 'b') WHERE name = 'audit_anchor'")
        .unwrap();
    assert!(audit::verify(&connection, None).is_err());
    connection.execute_batch("DELETE FROM setting WHERE name = 'audit_anchor'").unwrap();
    let first = count(&connection, "SELECT min(id) FROM timeline");
    let error = audit::verify(&connection, None).unwrap_err();
    assert!(error.to_string().starts_with(&format!("row {first} breaks the chain after row 0")), "{error}");
}

#[test]
fn the_newest_incident_and_row_stay_so_that_no_number_is_used_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = journal(dir.path());
    connection.execute_batch("UPDATE incident SET closed_at = opened_at WHERE id = 4").unwrap();
    let now = after_all(&connection);
    forget(&mut connection, up_to(now), Most::ANY).unwrap();
    assert_eq!(count(&connection, "SELECT group_concat(id) = '4' FROM incident"), 1);
    assert_ne!(count(&connection, "SELECT count(*) FROM timeline"), 0);
}

#[test]
fn one_transaction_forgets_a_bounded_number_and_the_file_shrinks() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = schema::open(&dir.path().join("remediator.db")).unwrap();
    connection
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25)
             INSERT INTO incident (id, runbook, target, phase, reason, opened_at, closed_at, state)
             SELECT i, 'demo', 'main', 'closed', 'stabilised', i, i, printf('%20000d', i) FROM n",
        )
        .unwrap();
    let pages = count(&connection, "SELECT page_count FROM pragma_page_count");
    let mut sizes = Vec::new();
    loop {
        let forgotten = forget(&mut connection, up_to(Timestamp::from_millis(1000)), Most::ANY).unwrap();
        sizes.push(forgotten.incidents.len());
        if !forgotten.more {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 4]);
    let left = count(&connection, "SELECT page_count FROM pragma_page_count");
    assert!(left < pages / 4, "{left} of {pages} pages are left");
}

#[test]
fn done_tasks_go_with_their_messages_and_the_newest_and_open_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = journal(dir.path());
    let now = after_all(&connection);
    connection
        .execute_batch(
            "INSERT INTO task (id, name, scheduled_at, done_at, state) VALUES
                 (1, 'a', 1, 10, '{}'), (2, 'a', 2, NULL, '{}'), (3, 'a', 3, 30, '{}'), (4, 'a', 4, 40, '{}');
             INSERT INTO message (incident_id, page, kind, channel, contact, level, reason, due_at, state) VALUES
                 (0, 1, 'trigger', 'c', 'p', 1, 'overdue', 1, 'sent'), (0, 2, 'trigger', 'c', 'p', 1, 'overdue', 1, 'sent')",
        )
        .unwrap();
    assert_eq!(forget(&mut connection, up_to(now), Most::ANY).unwrap().tasks, 2);
    assert_eq!(count(&connection, "SELECT sum(id * id) FROM task"), 2 * 2 + 4 * 4);
    assert_eq!(count(&connection, "SELECT sum(page) FROM message WHERE incident_id = 0"), 2);
}

#[test]
fn no_more_is_forgotten_than_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = journal(dir.path());
    let now = after_all(&connection);
    let most = Most { incidents: 1, tasks: 0, rows: 2 };
    let forgotten = forget(&mut connection, up_to(now), most).unwrap();
    assert_eq!(forgotten, Forgotten { incidents: vec![incident_id(1)], tasks: 0, rows: 2, more: true });
    assert_eq!(forget(&mut connection, up_to(now), Most::default()).unwrap(), Forgotten::default());
    audit::verify(&connection, None).unwrap();
}

#[test]
fn what_a_clock_that_was_ahead_has_written_is_as_old_as_what_came_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = journal(dir.path());
    let now = after_all(&connection);
    connection
        .execute_batch(
            "UPDATE timeline SET at = at + 400 * 86400000 WHERE incident_id = 1;
             UPDATE incident SET closed_at = closed_at + 400 * 86400000 WHERE id = 1",
        )
        .unwrap();
    let forgotten = forget(&mut connection, up_to(now), Most::ANY).unwrap();
    assert!(forgotten.incidents.contains(&incident_id(1)), "{forgotten:?}");
    assert_eq!(count(&connection, "SELECT count(*) FROM timeline WHERE incident_id = 1"), 0);
}
