//! The playout queue: one SQLite table, written by the playout and by `vvtvctl queue add`, read by the exporter at any time (WAL). Others
//! write it too, and may have made it: it may lack the columns that came later, and anything may be in a row.

use rusqlite::Connection;

/// The table as the playout makes it.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS playout_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plan_id TEXT,
    asset_path TEXT NOT NULL,
    duration_s REAL NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'playing', 'played', 'failed')),
    curation_score REAL,
    priority INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    play_started_at TEXT,
    play_finished_at TEXT,
    failure_reason TEXT,
    content_kind TEXT NOT NULL DEFAULT 'program',
    width INTEGER,
    height INTEGER,
    bitrate_bps INTEGER,
    resume_s REAL
);
CREATE INDEX IF NOT EXISTS playout_queue_status ON playout_queue (status, priority DESC, created_at);
";

/// Columns that a table made by others may lack, and their types.
pub const LATER_COLUMNS: [(&str, &str); 4] =
    [("width", "INTEGER"), ("height", "INTEGER"), ("bitrate_bps", "INTEGER"), (RESUME, "REAL")];

/// Seconds of an item that were on air before a playout handed over or was ended.
const RESUME: &str = "resume_s";

/// Longer is no duration: the playout fails such an item, and it is no content ahead.
pub const DURATION_MAX_SECONDS: f64 = 366.0 * 86_400.0;

/// Whether the table has a column.
///
/// # Errors
/// The database cannot be read.
pub fn has_column(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let known = "SELECT count(*) > 0 FROM pragma_table_info('playout_queue') WHERE name = ?1";
    connection.query_row(known, [name], |row| row.get(0))
}

/// Seconds of playable content ahead at a wall-clock time: of everything queued what was not on air yet, and what remains of the item that
/// plays. Times are RFC 3339 or SQLite's own texts, or seconds since 1970; what is no duration adds nothing, because it will not play.
///
/// # Errors
/// The database cannot be read, or has no queue.
pub fn buffer_seconds(connection: &Connection, now_unix_seconds: f64) -> rusqlite::Result<f64> {
    let resume = if has_column(connection, RESUME)? { RESUME } else { "NULL" };
    let sql = format!(
        "SELECT coalesce(sum(max(0, CASE status
            WHEN 'queued' THEN duration_s - CASE
                WHEN typeof({resume}) IN ('integer', 'real') AND {resume} BETWEEN 0 AND ?2 THEN {resume} ELSE 0 END
            ELSE duration_s - max(0, ?1 - coalesce(
                CASE typeof(play_started_at) WHEN 'text' THEN unixepoch(play_started_at, 'subsec')
                    WHEN 'integer' THEN play_started_at WHEN 'real' THEN play_started_at END, ?1))
        END)), 0.0)
        FROM playout_queue WHERE status IN ('queued', 'playing')
            AND typeof(duration_s) IN ('integer', 'real') AND duration_s BETWEEN 0 AND ?2"
    );
    connection.query_row(&sql, [now_unix_seconds, DURATION_MAX_SECONDS], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_795_366_800.0;

    const THEIRS: &str =
        "CREATE TABLE playout_queue (id INTEGER PRIMARY KEY, duration_s REAL, status TEXT, play_started_at);";

    fn buffer(table: &str, rows: &str) -> f64 {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&format!("{table} {rows}")).unwrap();
        buffer_seconds(&connection, NOW).unwrap()
    }

    #[test]
    fn queued_items_and_the_rest_of_the_playing_one() {
        let rows = "INSERT INTO playout_queue (duration_s, status, play_started_at) VALUES
             (100, 'queued', NULL), (20.5, 'queued', NULL), (NULL, 'queued', NULL),
             (60, 'playing', '2026-11-22T16:59:50Z'), (900, 'played', '2026-11-22T16:00:00Z'), (900, 'failed', NULL);";
        assert_eq!(buffer(THEIRS, rows), 100.0 + 20.5 + 50.0);
    }

    #[test]
    fn of_an_item_that_was_on_air_the_rest_counts() {
        let rows = "INSERT INTO playout_queue (asset_path, created_at, updated_at, duration_s, resume_s) VALUES
             ('/a', '', '', 7200, 6600), ('/b', '', '', 60, 90), ('/c', '', '', 5, x'ff'), ('/d', '', '', 5, -9e999), ('/e', '', '', 5, NULL);";
        assert_eq!(buffer(SCHEMA, rows), 600.0 + 3.0 * 5.0);
    }

    #[test]
    fn an_item_that_plays_too_long_is_no_debt_and_seconds_are_a_time_too() {
        let rows = format!(
            "INSERT INTO playout_queue (duration_s, status, play_started_at) VALUES
             (60, 'playing', '2026-11-22 15:00:00'), (60, 'playing', {}), (60, 'playing', NULL);",
            NOW - 15.0
        );
        assert_eq!(buffer(THEIRS, &rows), 45.0 + 60.0);
    }

    #[test]
    fn what_is_no_duration_is_no_content_ahead() {
        let rows = "INSERT INTO playout_queue (duration_s, status, play_started_at) VALUES
             (100, 'queued', NULL), (9e999, 'queued', NULL), (-9e999, 'queued', NULL), (-5, 'queued', NULL), (1e300, 'queued', NULL),
             ('long', 'queued', NULL), (x'00ff', 'queued', NULL), (9e999, 'playing', 'never'), (60, 'playing', x'ff'),
             (60, 'playing', 'never');";
        assert_eq!(buffer(THEIRS, rows), 100.0 + 60.0 + 60.0);
    }

    #[test]
    fn an_empty_queue_holds_nothing_and_no_queue_is_an_error() {
        assert_eq!(buffer(THEIRS, ""), 0.0);
        assert!(buffer_seconds(&Connection::open_in_memory().unwrap(), NOW).is_err());
    }
}
