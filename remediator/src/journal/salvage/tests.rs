use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use super::super::{Journal, sound};
use super::*;

const V3: &str = include_str!("../../../tests/journals/v3.sql");

/// A journal of four incidents, as a file without a log beside it.
fn journal(dir: &Path) -> PathBuf {
    let path = dir.join("remediator.db");
    Connection::open(&path).unwrap().execute_batch(V3).unwrap();
    schema::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    path
}

fn salvaged(path: &Path) -> (Salvaged, Connection, PathBuf) {
    let to = path.with_extension("new");
    let salvaged = salvage(path, &to).unwrap();
    let connection = Connection::open(&to).unwrap();
    (salvaged, connection, to)
}

fn count(connection: &Connection, sql: &str) -> usize {
    connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() as usize
}

/// The page that a table or index begins with.
fn root_of(path: &Path, name: &str) -> u64 {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
    let root: u32 = connection.query_row(sql, [name], |row| row.get(0)).unwrap();
    u64::from(root)
}

fn overwrite(path: &Path, page: u64, bytes: &[u8]) {
    let size: u32 = Connection::open(path).unwrap().query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    let mut file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    file.seek(SeekFrom::Start((page - 1) * u64::from(size))).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn nothing_is_lost_of_a_sound_journal_and_the_chain_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = journal(dir.path());
    let before = audit::verify(&Connection::open(&path).unwrap(), None).unwrap();
    let (salvaged, connection, to) = salvaged(&path);
    assert_eq!((salvaged.lost, salvaged.gaps), (Vec::new(), Vec::new()));
    sound::look(&connection).unwrap();
    let after = audit::verify(&connection, Some(&before.head.hash)).unwrap();
    assert_eq!(after.rows, before.rows + 1, "the salvage itself is a row");
    let old = Connection::open(&path).unwrap();
    for (table, _, columns) in TABLES.into_iter().filter(|(table, ..)| *table != "timeline") {
        let all = |connection: &Connection| {
            let sql = format!("SELECT json_group_array(json_array({})) FROM {table}", columns.join(", "));
            connection.query_row(&sql, [], |row| row.get::<_, String>(0)).unwrap()
        };
        assert_eq!(all(&connection), all(&old), "{table}");
    }
    drop(connection);
    let (_, restored) = Journal::open(&to).unwrap();
    assert_eq!((restored.saved.incidents.len(), restored.saved.last_id), (1, 4));
}

#[test]
fn one_rotten_byte_costs_what_depends_on_it_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = journal(dir.path());
    let rot = "UPDATE step_run SET stdout = CAST(x'6fff6b' AS TEXT) WHERE incident_id = 1;
               UPDATE incident SET state = CAST(x'7bff' AS TEXT) WHERE id = 2;
               UPDATE incident SET state = '{}' WHERE id = 3;
               UPDATE timeline SET detail = CAST(x'6fff6b' AS TEXT) WHERE id = 3;
               UPDATE timeline SET detail = 'another' WHERE id = 6";
    Connection::open(&path).unwrap().execute_batch(rot).unwrap();
    let (salvaged, connection, to) = salvaged(&path);
    let lost: Vec<_> = salvaged.lost.iter().map(|lost| format!("{} {}", lost.table, lost.row)).collect();
    let outputs = salvaged.lost.iter().filter(|lost| lost.why.starts_with("stdout is no text")).count();
    assert_eq!(outputs, count(&connection, "SELECT count(*) FROM step_run WHERE incident_id = 1"));
    for row in ["incident 2", "incident 3", "timeline 3", "timeline 6"] {
        assert!(lost.iter().any(|lost| lost == row), "{row} is not in {lost:?}");
    }
    assert_eq!(lost.len(), outputs + 4, "{lost:?}");
    assert_eq!(salvaged.gaps.iter().map(|gap| (gap.after, gap.row)).collect::<Vec<_>>(), [(2, 4), (5, 7)]);
    let verified = audit::verify(&connection, None).unwrap();
    assert_eq!(verified.gaps, salvaged.gaps);
    sound::look(&connection).unwrap();
    let text: String = connection
        .query_row("SELECT stdout FROM step_run WHERE incident_id = 1 LIMIT 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(text, "o\u{fffd}k");
    drop(connection);
    assert_eq!(Journal::open(&to).unwrap().1.saved.incidents.len(), 1);
    // A gap that nobody salvaged is none.
    let connection = Connection::open(&to).unwrap();
    connection.execute("DELETE FROM timeline WHERE id = 8", []).unwrap();
    assert!(audit::verify(&connection, None).is_err());
}

#[test]
fn a_table_that_cannot_be_read_does_not_take_the_others_with_it() {
    for table in ["timeline", "step_run", "message", "incident", "setting"] {
        let dir = tempfile::tempdir().unwrap();
        let path = journal(dir.path());
        let kept = |connection: &Connection, table: &str| count(connection, &format!("SELECT count(*) FROM {table}"));
        let others: Vec<_> =
            ["timeline", "step_run", "message", "incident"].into_iter().filter(|it| *it != table).collect();
        let before: Vec<_> = others.iter().map(|other| kept(&Connection::open(&path).unwrap(), other)).collect();
        overwrite(&path, root_of(&path, table), &[0xff; 200]);
        assert!(Journal::open(&path).is_err() || table == "message" || table == "setting", "{table}");
        let (salvaged, connection, _) = salvaged(&path);
        assert!(salvaged.lost.iter().any(|lost| lost.table == table), "{table}: {:?}", salvaged.lost);
        for (other, number) in others.iter().zip(before) {
            // The salvage is a row of its own.
            let number = number + usize::from(*other == "timeline");
            assert_eq!(kept(&connection, other), number, "{other} without {table}: {:?}", salvaged.lost);
        }
        audit::verify(&connection, None).unwrap();
    }
}

#[test]
fn an_index_that_is_damaged_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = journal(dir.path());
    for index in ["timeline_at", "timeline_incident", "incident_closed"] {
        overwrite(&path, root_of(&path, index), &[0xff; 200]);
    }
    assert!(sound::look(&Connection::open(&path).unwrap()).is_err());
    let (salvaged, connection, _) = salvaged(&path);
    assert_eq!(salvaged.lost, Vec::new());
    sound::look(&connection).unwrap();
}

/// Bits that flip at random: a salvage ends, and gives a journal that is sound and starts, or says that there is nothing to read.
#[test]
fn whatever_rots_a_salvage_gives_a_journal_that_starts() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut whole = 0;
    for _ in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        let path = journal(dir.path());
        let mut bytes = Vec::new();
        std::fs::File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        for _ in 0..1 + random(50) {
            let at = usize::try_from(100 + random(bytes.len() as u64 - 100)).unwrap();
            bytes[at] ^= 1 << random(8);
        }
        std::fs::write(&path, &bytes).unwrap();
        let to = dir.path().join("new.db");
        match salvage(&path, &to) {
            Ok(_) => {
                let connection = Connection::open(&to).unwrap();
                sound::look(&connection).unwrap();
                audit::verify(&connection, None).unwrap();
                drop(connection);
                Journal::open(&to).unwrap();
                whole += 1;
            }
            Err(error) => assert!(matches!(error, JournalError::Open { .. } | JournalError::Newer { .. }), "{error}"),
        }
    }
    assert!(whole > 30, "only {whole} of 60 could be salvaged");
}
