//! The playout queue as the daemon and `queue add` write it: what plays next, what is on air, what was.
//!
//! Times are RFC 3339 in UTC. Callers pass `now`, so that nothing here reads a clock.

mod row;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use vvtv_streaming::queue::{LATER_COLUMNS, SCHEMA, buffer_seconds, has_column};

use row::COLUMNS;
pub use row::Item;

/// Emergency items first, then priority, then age.
const ORDER: &str = "(content_kind = 'emergency') DESC, priority DESC, created_at, id";

/// The content kind that goes above every priority.
pub const EMERGENCY: &str = "emergency";

/// How long a busy database is waited for.
const BUSY: Duration = Duration::from_secs(2);

/// The open queue.
#[derive(Debug)]
pub struct Queue {
    connection: Connection,
}

/// An item to be added.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// The media file, absolute: the daemon has another working directory.
    pub asset_path: String,
    /// The plan that it belongs to, if any.
    pub plan_id: Option<String>,
    /// 0 where the file does not say.
    pub duration_seconds: f64,
    /// Higher plays first.
    pub priority: i64,
    /// [`EMERGENCY`] goes above every priority; other kinds are for people.
    pub content_kind: String,
    /// Pixels; `None` without a picture.
    pub width: Option<u32>,
    /// Pixels; `None` without a picture.
    pub height: Option<u32>,
    /// Bits per second of the whole file.
    pub bitrate_bps: Option<u64>,
}

/// The table in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Items that wait.
    pub queued: u64,
    /// Items on air: at most one, while a daemon runs.
    pub playing: u64,
    /// Items that were played or skipped.
    pub played: u64,
    /// Items that could not be played to their end.
    pub failed: u64,
    /// Seconds of content ahead: everything queued and the rest of what is playing.
    pub buffer_seconds: f64,
}

impl Queue {
    /// Opens the queue where there is one. A command that only looks must not leave a new database behind in the wrong root.
    ///
    /// # Errors
    /// There is none, or as [`Self::open`].
    pub fn open_existing(path: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            path.exists(),
            "there is no queue at {}: nothing was ever queued or played there",
            path.display()
        );
        Self::open(path)
    }

    /// Opens the queue, and creates it where there is none.
    ///
    /// # Errors
    /// The file cannot be opened, is no database, or cannot be written.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("cannot open the queue {}", path.display());
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).with_context(named)?;
        }
        let connection = Connection::open(path).with_context(named)?;
        connection.busy_timeout(BUSY).with_context(named)?;
        connection.pragma_update(None, "journal_mode", "WAL").with_context(named)?;
        connection.pragma_update(None, "synchronous", "FULL").with_context(named)?;
        connection.execute_batch(SCHEMA).with_context(named)?;
        let queue = Self { connection };
        queue.complete().with_context(named)?;
        Ok(queue)
    }

    /// Adds the columns that the table lacks.
    fn complete(&self) -> rusqlite::Result<()> {
        for (name, kind) in LATER_COLUMNS {
            if !has_column(&self.connection, name)? {
                let added = self.connection.execute(&format!("ALTER TABLE playout_queue ADD COLUMN {name} {kind}"), []);
                // Another program that opens the queue at the same time may have been first.
                added
                    .or_else(|error| if error.to_string().contains("duplicate column") { Ok(0) } else { Err(error) })?;
            }
        }
        Ok(())
    }

    /// Adds items in one transaction and returns their ids in order.
    ///
    /// # Errors
    /// The database cannot be written. Then none was added.
    pub fn add(&mut self, items: &[NewItem], now: Timestamp) -> anyhow::Result<Vec<i64>> {
        let transaction = self.connection.transaction()?;
        let mut ids = Vec::with_capacity(items.len());
        for item in items {
            transaction.execute(
                "INSERT INTO playout_queue (plan_id, asset_path, duration_s, priority, content_kind, width, height, \
                 bitrate_bps, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
                params![
                    item.plan_id,
                    item.asset_path,
                    item.duration_seconds,
                    item.priority,
                    item.content_kind,
                    item.width,
                    item.height,
                    item.bitrate_bps.and_then(|bps| i64::try_from(bps).ok()),
                    now.to_string()
                ],
            )?;
            ids.push(transaction.last_insert_rowid());
        }
        transaction.commit().context("cannot write the queue")?;
        Ok(ids)
    }

    /// Takes waiting items out in one transaction, all of them without `ids`; returns the ids of those that were there.
    ///
    /// # Errors
    /// The database cannot be written. Then none was taken out.
    pub fn remove(&mut self, ids: Option<&[i64]>) -> anyhow::Result<Vec<i64>> {
        let transaction = self.connection.transaction()?;
        let mut removed = Vec::new();
        {
            let mut delete = transaction.prepare(
                "DELETE FROM playout_queue WHERE status = 'queued' AND (?1 IS NULL OR id = ?1) RETURNING id",
            )?;
            let wanted: Vec<Option<i64>> =
                ids.map_or_else(|| vec![None], |ids| ids.iter().copied().map(Some).collect());
            for id in wanted {
                let found = delete.query_map([id], |row| row.get::<_, i64>(0))?;
                removed.extend(found.collect::<Result<Vec<_>, _>>()?);
            }
        }
        transaction.commit().context("cannot write the queue")?;
        Ok(removed)
    }

    /// The next item to play, leaving out `taken`, which is prepared but has not started.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn next(&self, taken: Option<i64>) -> anyhow::Result<Option<Item>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM playout_queue WHERE status = 'queued' AND id IS NOT ?1 ORDER BY {ORDER} LIMIT 1"
        );
        let mut statement = self.connection.prepare(&sql)?;
        statement.query_row([taken], Item::read).optional().context("cannot read the queue")
    }

    /// Marks an item as on air. `since` is when its first frame went out, or would have if it is resumed: the buffer counts from it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn started(&self, id: i64, since: Timestamp) -> anyhow::Result<()> {
        self.mark(
            "UPDATE playout_queue SET status = 'playing', play_started_at = ?2, updated_at = ?2 WHERE id = ?1",
            id,
            since,
        )
    }

    /// Writes down how far the item on air has come, for the daemon that plays it next.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn suspended(&self, id: i64, seconds: f64) -> anyhow::Result<()> {
        self.connection
            .execute(
                "UPDATE playout_queue SET resume_s = ?2 WHERE id = ?1 AND status = 'playing'",
                params![id, seconds],
            )
            .with_context(|| format!("cannot mark queue item {id}"))?;
        Ok(())
    }

    /// Marks an item as played to its end.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn played(&self, id: i64, now: Timestamp) -> anyhow::Result<()> {
        self.mark(
            "UPDATE playout_queue SET status = 'played', play_finished_at = ?2, updated_at = ?2 WHERE id = ?1",
            id,
            now,
        )
    }

    /// Marks an item as failed, with the reason.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn failed(&self, id: i64, reason: &str, now: Timestamp) -> anyhow::Result<()> {
        self.connection
            .execute(
                "UPDATE playout_queue SET status = 'failed', failure_reason = ?3, play_finished_at = ?2, updated_at = ?2 \
                 WHERE id = ?1",
                params![id, now.to_string(), reason],
            )
            .with_context(|| format!("cannot mark queue item {id}"))?;
        Ok(())
    }

    /// Puts back what an ended daemon left as playing. It resumes where [`Self::suspended`] says, or else starts anew.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn recover(&self, now: Timestamp) -> anyhow::Result<usize> {
        self.connection
            .execute(
                "UPDATE playout_queue SET status = 'queued', play_started_at = NULL, updated_at = ?1 WHERE status = 'playing'",
                [now.to_string()],
            )
            .context("cannot put unfinished items back into the queue")
    }

    fn mark(&self, sql: &str, id: i64, now: Timestamp) -> anyhow::Result<()> {
        self.connection
            .execute(sql, params![id, now.to_string()])
            .with_context(|| format!("cannot mark queue item {id}"))?;
        Ok(())
    }

    /// What is playing and queued in the order of playing; with `all`, also the newest of what is played or failed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn show(&self, all: bool, limit: u32) -> anyhow::Result<Vec<Item>> {
        let filter = if all { "1" } else { "status IN ('playing', 'queued')" };
        let sql = format!(
            "SELECT {COLUMNS} FROM playout_queue WHERE {filter} ORDER BY \
             CASE status WHEN 'playing' THEN 0 WHEN 'queued' THEN 1 ELSE 2 END, \
             CASE WHEN status IN ('played', 'failed') THEN play_finished_at END DESC, {ORDER} LIMIT ?1"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let items = statement.query_map([limit], Item::read)?.collect::<Result<Vec<_>, _>>();
        items.context("cannot read the queue")
    }

    /// Counts and buffer.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn summary(&self, now: Timestamp) -> anyhow::Result<Summary> {
        let mut statement =
            self.connection.prepare("SELECT CAST(status AS TEXT), count(*) FROM playout_queue GROUP BY status")?;
        let now_unix_seconds = now.as_duration().as_secs_f64();
        let buffer_seconds = buffer_seconds(&self.connection, now_unix_seconds).context("cannot read the queue")?;
        let mut summary = Summary { buffer_seconds, ..Summary::default() };
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (status, count): (String, i64) = (row.get(0)?, row.get(1)?);
            let count = u64::try_from(count).unwrap_or(0);
            match status.as_str() {
                "queued" => summary.queued = count,
                "playing" => summary.playing = count,
                "played" => summary.played = count,
                "failed" => summary.failed = count,
                // The table's CHECK lets no other status in.
                _ => {}
            }
        }
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(path: &str, priority: i64, kind: &str) -> NewItem {
        NewItem {
            asset_path: path.to_owned(),
            plan_id: None,
            duration_seconds: 60.0,
            priority,
            content_kind: kind.to_owned(),
            width: Some(320),
            height: Some(180),
            bitrate_bps: Some(400_000),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn opened() -> (tempfile::TempDir, Queue) {
        let directory = tempfile::tempdir().unwrap();
        let queue = Queue::open(&directory.path().join("data/queue.sqlite")).unwrap();
        (directory, queue)
    }

    #[test]
    fn emergency_then_priority_then_age() {
        let (_directory, mut queue) = opened();
        queue.add(&[item("old", 0, "program")], at(0)).unwrap();
        queue.add(&[item("new", 0, "program"), item("urgent", 5, "program")], at(1)).unwrap();
        queue.add(&[item("help", 0, EMERGENCY)], at(2)).unwrap();
        let order: Vec<String> = queue.show(false, 10).unwrap().into_iter().map(|item| item.asset_path).collect();
        assert_eq!(order, ["help", "urgent", "old", "new"]);
        assert_eq!(queue.next(None).unwrap().unwrap().asset_path, "help");
        assert_eq!(queue.next(Some(4)).unwrap().unwrap().asset_path, "urgent");
    }

    #[test]
    fn the_buffer_counts_the_rest_of_what_plays() {
        let (_directory, mut queue) = opened();
        let ids =
            queue.add(&[item("a", 0, "program"), item("b", 0, "program"), item("c", 0, "program")], at(0)).unwrap();
        queue.started(ids[0], at(10)).unwrap();
        queue.failed(ids[2], "no such file", at(10)).unwrap();
        let expected = Summary { queued: 1, playing: 1, played: 0, failed: 1, buffer_seconds: 100.0 };
        assert_eq!(queue.summary(at(30)).unwrap(), expected);
        assert_eq!(queue.summary(at(500)).unwrap().buffer_seconds, 60.0);
        queue.played(ids[0], at(70)).unwrap();
        assert_eq!(queue.summary(at(70)).unwrap().played, 1);
    }

    #[test]
    fn only_what_waits_is_taken_out() {
        let (_directory, mut queue) = opened();
        let items = [item("a", 0, "program"), item("b", 0, "program"), item("c", 0, "program")];
        let ids = queue.add(&items, at(0)).unwrap();
        queue.started(ids[0], at(1)).unwrap();
        assert_eq!(queue.remove(Some(&[ids[0], ids[1], 77])).unwrap(), [ids[1]]);
        assert_eq!(queue.remove(None).unwrap(), [ids[2]]);
        assert_eq!(queue.summary(at(1)).unwrap(), Summary { playing: 1, buffer_seconds: 60.0, ..Summary::default() });
    }

    #[test]
    fn what_was_playing_is_put_back() {
        let (_directory, mut queue) = opened();
        let ids = queue.add(&[item("a", 0, "program")], at(0)).unwrap();
        queue.started(ids[0], at(1)).unwrap();
        assert_eq!(queue.next(None).unwrap(), None);
        assert_eq!(queue.recover(at(2)).unwrap(), 1);
        let item = queue.next(None).unwrap().unwrap();
        assert_eq!((item.play_started_at, item.resume_seconds), (None, None));
    }

    #[test]
    fn what_was_suspended_resumes_and_counts_the_rest_alone() {
        let (_directory, mut queue) = opened();
        let ids = queue.add(&[item("a", 0, "program"), item("b", 0, "program")], at(0)).unwrap();
        queue.started(ids[0], at(1)).unwrap();
        queue.suspended(ids[0], 40.5).unwrap();
        queue.suspended(ids[1], 40.5).unwrap();
        assert_eq!(queue.recover(at(42)).unwrap(), 1);
        let resumes: Vec<_> = queue.show(false, 10).unwrap().into_iter().map(|item| item.resume_seconds).collect();
        assert_eq!(resumes, [Some(40.5), None], "what is not on air has no position");
        assert_eq!(queue.summary(at(42)).unwrap().buffer_seconds, 79.5);
    }

    #[test]
    fn a_table_made_by_others_gets_the_columns_that_it_lacks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("queue.sqlite");
        let theirs: Vec<&str> = SCHEMA.lines().take_while(|line| *line != "    width INTEGER,").collect();
        let table = format!("{}\n);", theirs.join("\n").trim_end_matches(','));
        Connection::open(&path).unwrap().execute_batch(&table).unwrap();
        let mut queue = Queue::open(&path).unwrap();
        queue.add(&[item("a", 0, "program")], at(0)).unwrap();
        drop(queue);
        assert_eq!(Queue::open(&path).unwrap().next(None).unwrap().unwrap().resolution.unwrap(), "320x180");
    }

    #[test]
    fn a_row_whatever_is_in_it_keeps_no_other_from_being_read() {
        let (_directory, mut queue) = opened();
        queue.add(&[item("a", 0, "program")], at(0)).unwrap();
        let insert = |path: &str, duration: &str| {
            let times = "'2026-11-27T00:00:00Z', x'ff'";
            let row = format!(
                "INSERT INTO playout_queue (asset_path, duration_s, created_at, updated_at, plan_id, width, resume_s) \
                 VALUES ({path}, {duration}, {times}, x'fe', 'wide', 9e999)"
            );
            queue.connection.execute_batch(&row).unwrap();
        };
        let bad = [
            ("x'2f61'", "1"),
            ("7.5", "1"),
            ("''", "1"),
            ("CAST(x'2f6100' AS TEXT)", "1"),
            ("CAST(x'2fff' AS TEXT)", "1"),
            ("'/a'", "9e999"),
            ("'/a'", "-9e999"),
            ("'/a'", "-1"),
            ("'/a'", "1e300"),
            ("'/a'", "'long'"),
            ("'/a'", "x'00'"),
        ];
        bad.iter().for_each(|(path, duration)| insert(path, duration));
        insert("'/unknown'", "0");
        let items = queue.show(true, 100).unwrap();
        let faults: Vec<_> = items.iter().map(|item| item.fault.as_deref().unwrap_or("-")).collect();
        insta::assert_snapshot!(faults.join("\n"), @"
        -
        asset_path is a BLOB, not a text
        -
        asset_path is empty
        asset_path has a NUL byte
        asset_path is not UTF-8
        duration_s is inf: not from 0 to 31622400 seconds
        duration_s is -inf: not from 0 to 31622400 seconds
        duration_s is -1.0: not from 0 to 31622400 seconds
        duration_s is 1e300: not from 0 to 31622400 seconds
        duration_s is a text, not a number
        duration_s is a BLOB, not a number
        -
        ");
        let known: Vec<_> = items.iter().map(|item| item.duration_seconds).collect();
        assert!(known[0] == Some(60.0) && known[6..].iter().all(Option::is_none), "{known:?}");
        assert!(!serde_json::to_string(&items).unwrap().contains("fault"));
        let expected = Summary { queued: 13, buffer_seconds: 60.0 + 5.0, ..Summary::default() };
        assert_eq!(queue.summary(at(0)).unwrap(), expected);
        queue.failed(2, "bad", at(1)).unwrap();
        assert_eq!(queue.remove(None).unwrap().len(), 12);
    }

    #[test]
    fn a_file_that_is_no_database_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("queue.sqlite");
        std::fs::write(&path, "not a database at all, but long enough to be read as one".repeat(40)).unwrap();
        let error = format!("{:#}", Queue::open(&path).unwrap_err());
        assert!(error.contains("queue.sqlite") && error.contains("not a database"), "{error}");
    }
}
