use rstest::rstest;
use rusqlite::Connection;
use vvtv_incident::{Entry, EntryKind, IncidentId, Reason, Timestamp};

use super::super::{Batch, schema, write};
use super::*;

fn entry(number: u64) -> (Timestamp, Entry) {
    let incident = (!number.is_multiple_of(3)).then(|| IncidentId::new(number));
    let detail = format!("row \"{number}\" — with\nlines");
    (
        Timestamp::from_millis(1000 * number),
        Entry { incident, event: EntryKind::Operator, reason: Reason::Noted, detail },
    )
}

/// Six rows in two transactions.
fn journal(path: &std::path::Path) -> Connection {
    let mut connection = schema::open(path).unwrap();
    let mut end = head(&connection).unwrap();
    for numbers in [1..=2, 3..=6] {
        let batch = Batch { timeline: numbers.map(entry).collect(), ..Batch::default() };
        write::commit(&mut connection, &mut end, &batch).unwrap();
    }
    assert_eq!(end, head(&connection).unwrap());
    connection
}

fn said(connection: &Connection, through: Option<&str>) -> String {
    match verify(connection, through) {
        Ok(verified) => format!("{} rows hold, head {}", verified.rows, verified.head.row),
        Err(error) => error.to_string(),
    }
}

#[rstest]
#[case::untouched("", "6 rows hold, head 6")]
#[case::a_text_changed("UPDATE timeline SET detail = 'nothing' WHERE id = 3", "row 3 breaks the chain after row 2")]
#[case::a_time_changed("UPDATE timeline SET at = at + 1 WHERE id = 1", "row 1 breaks the chain after row 0")]
#[case::an_incident_changed("UPDATE timeline SET incident_id = 9 WHERE id = 6", "row 6 breaks the chain after row 5")]
#[case::a_hash_changed(
    "UPDATE timeline SET hash = replace(hash, 'a', 'b') WHERE id = 4",
    "row 4 breaks the chain after row 3"
)]
#[case::one_removed("DELETE FROM timeline WHERE id = 3", "row 4 breaks the chain after row 2")]
#[case::the_first_removed("DELETE FROM timeline WHERE id = 1", "row 2 breaks the chain after row 0")]
#[case::one_removed_and_the_rest_moved_up(
    "DELETE FROM timeline WHERE id = 3; UPDATE timeline SET id = id - 1 WHERE id > 3",
    "row 3 breaks the chain after row 2"
)]
#[case::one_inserted(
    "UPDATE timeline SET id = 7 WHERE id = 6;
     INSERT INTO timeline (id, at, event, reason, detail, hash) SELECT 6, at, event, reason, 'more', hash FROM timeline WHERE id = 7",
    "row 6 breaks the chain after row 5"
)]
#[case::one_appended(
    "INSERT INTO timeline (at, event, reason, detail) VALUES (1, 'operator', 'noted', 'more')",
    "row 7 breaks the chain after row 6"
)]
#[case::two_reordered(
    "UPDATE timeline SET id = 99 WHERE id = 2; UPDATE timeline SET id = 2 WHERE id = 4; UPDATE timeline SET id = 4 WHERE id = 99",
    "row 2 breaks the chain after row 1"
)]
#[case::all_removed("DELETE FROM timeline WHERE id > 0", "0 rows hold, head 0")]
fn the_first_row_that_does_not_hold_is_named(#[case] edit: &str, #[case] expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let connection = journal(&dir.path().join("j.db"));
    connection.execute_batch(edit).unwrap();
    let said = said(&connection, None);
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn an_end_that_was_cut_off_is_found_with_a_hash_that_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let connection = journal(&dir.path().join("j.db"));
    let kept = head(&connection).unwrap().hash;
    assert_eq!(said(&connection, Some(&kept)), "6 rows hold, head 6");
    connection.execute_batch("DELETE FROM timeline WHERE id > 4").unwrap();
    assert_eq!(said(&connection, None), "4 rows hold, head 4");
    let expected = format!("the chain does not go through {kept}: its end was cut off, or it was written anew");
    assert_eq!(said(&connection, Some(&kept)), expected);
}

#[test]
fn the_export_can_be_checked_without_this_program() {
    let dir = tempfile::tempdir().unwrap();
    let connection = journal(&dir.path().join("j.db"));
    let mut text = Vec::new();
    export(&connection, &mut text).unwrap();
    let mut previous = GENESIS.to_owned();
    for line in String::from_utf8(text).unwrap().lines() {
        // The row exactly as it is printed, between its key and the hash's.
        let (hash, row) = line.strip_prefix(r#"{"hash":""#).unwrap().split_once(r#"","row":"#).unwrap();
        let row = row.strip_suffix('}').unwrap();
        let digest = Sha256::digest(format!("{previous}{row}"));
        assert_eq!(format!("{digest:x}"), hash, "{line}");
        hash.clone_into(&mut previous);
    }
    assert_eq!(previous, head(&connection).unwrap().hash);
}

#[test]
fn a_transaction_that_fails_leaves_the_chain_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.db");
    let mut connection = journal(&path);
    connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let mut end = head(&connection).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let batch = Batch { timeline: vec![entry(7)], ..Batch::default() };
    write::commit(&mut connection, &mut end, &batch).unwrap_err();
    assert_eq!(end.row, 6);
    other.execute_batch("ROLLBACK").unwrap();
    write::commit(&mut connection, &mut end, &batch).unwrap();
    assert_eq!(said(&connection, None), "7 rows hold, head 7");
}
