//! A fresh journal of everything that can be read of a damaged one, and what was lost.
//!
//! The damaged file is only read. A table is read in one go; where that breaks off, row by row. What is no text is kept where it is only
//! shown, and lost where something depends on it. A row of the timeline that its hash does not vouch for is lost; where rows are
//! missing, the new journal notes that the chain goes on there.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, params_from_iter};
use vvtv_incident::{Entry, EntryKind, Reason};

use super::audit::{self, Gap, Head, Link};
use super::place::Location;
use super::sound::{TABLES, is_shown, meaning, shown};
use super::{Batch, JournalError, schema, state, write};
use crate::clock::wall;

/// Numbers that are looked for one by one.
const NUMBERS_MAX: i64 = 5_000_000;
/// A row is at least so large.
const ROW_BYTES_MIN: i64 = 32;
/// Losses that are told of one by one.
const LOST_MAX: usize = 200;

/// Something that is not in the new journal, or not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// In which table.
    pub table: &'static str,
    /// Which row or rows.
    pub row: String,
    /// Why.
    pub why: String,
}

/// What a salvage came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Rows that were copied, by table.
    pub copied: BTreeMap<&'static str, usize>,
    /// What was lost, the first of it.
    pub lost: Vec<Lost>,
    /// How much was lost in all.
    pub lost_total: usize,
    /// Where the chain is interrupted.
    pub gaps: Vec<Gap>,
}

type Row = Vec<Value>;

impl Salvaged {
    fn lose(&mut self, table: &'static str, row: impl Into<String>, why: impl Into<String>) {
        self.lost_total += 1;
        if self.lost.len() < LOST_MAX {
            self.lost.push(Lost { table, row: row.into(), why: why.into() });
        }
    }
}

/// Copies what can be read of `from` into `to`, a new file.
///
/// # Errors
/// `from` is no journal of a version that is known here, nothing of it can be read, or `to` cannot be written.
pub fn salvage(from: &Path, to: &Path) -> Result<Salvaged, JournalError> {
    let query = |source| JournalError::Query { doing: "be salvaged", source };
    let opened = |source| JournalError::Open { path: from.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let damaged = Location::File(from.to_owned()).open(flags).map_err(opened)?;
    let version: i64 = damaged.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(opened)?;
    if !(audit::SINCE..=schema::known()).contains(&version) {
        return Err(JournalError::Newer { path: from.to_owned(), found: version, known: schema::known() });
    }
    let mut new = schema::open_at(&Location::File(to.to_owned()))?;
    let mut salvaged = Salvaged::default();
    let transaction = new.transaction().map_err(query)?;
    for (table, keys, columns) in TABLES {
        let rows = read(&damaged, table, keys, columns, &mut salvaged);
        let rows = rows.into_iter().filter_map(|row| sound(table, keys, columns, row, &mut salvaged)).collect();
        let rows: Vec<Row> = if table == "timeline" { chained(&damaged, rows, &mut salvaged) } else { rows };
        put(&transaction, table, (keys, columns), rows, &mut salvaged).map_err(query)?;
    }
    if version < schema::NAMED {
        transaction.execute_batch(schema::NAME_IT).map_err(query)?;
    }
    note_gaps(&transaction, &salvaged.gaps).map_err(query)?;
    transaction.commit().map_err(query)?;
    let mut head = audit::head(&new).map_err(query)?;
    let detail = format!("{} lost", salvaged.lost_total);
    let entry = Entry { incident: None, event: EntryKind::Journal, reason: Reason::Salvaged, detail };
    let batch = Batch { timeline: vec![(wall(), entry)], ..Batch::default() };
    write::commit(&mut new, &mut head, &batch)?;
    Ok(salvaged)
}

/// All rows that can be read, in the order of their keys.
fn read(damaged: &Connection, table: &'static str, keys: usize, columns: &[&str], salvaged: &mut Salvaged) -> Vec<Row> {
    let select = format!("SELECT {} FROM {table}", columns.join(", "));
    let by_key = columns.get(..keys).unwrap_or_default().join(", ");
    // Those with a number of their own have indices beside the table, which may be what is damaged.
    let aside = if columns.first() == Some(&"id") { "NOT INDEXED" } else { "" };
    let (rows, broke_off) = all_of(damaged, &format!("{select} {aside} ORDER BY {by_key}"), None);
    let Some(why) = broke_off else { return rows };
    // An older version has no such table.
    if why.contains("no such table") {
        return Vec::new();
    }
    let number = columns.first().copied().filter(|column| column.ends_with("id"));
    let Some(number) = number else {
        salvaged.lose(table, "some rows", why);
        let (others, _) = all_of(damaged, &format!("{select} ORDER BY {by_key} DESC"), None);
        return merged(rows, others);
    };
    let numbers = numbers(damaged, table, number, &rows);
    one_by_one(damaged, table, &format!("{select} WHERE {number} = ?1"), numbers, salvaged)
}

/// The numbers among which the table's rows are. A damaged table may give any, so there are no more of them than rows fit into the file;
/// numbers go up by one with each row but for what retention took from the beginning.
fn numbers(damaged: &Connection, table: &str, number: &str, rows: &[Row]) -> RangeInclusive<i64> {
    let asked = |sql: &str| damaged.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).ok().flatten();
    let bytes = asked("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").unwrap_or(0);
    let most = (bytes / ROW_BYTES_MIN).clamp(1, NUMBERS_MAX);
    let of = |row: Option<&Row>| match row.and_then(|row| row.first()) {
        Some(Value::Integer(number)) => Some(*number),
        Some(_) | None => None,
    };
    let first = of(rows.first()).or_else(|| asked(&format!("SELECT min({number}) FROM {table}"))).unwrap_or(0).max(0);
    let read = of(rows.last()).unwrap_or(first).max(first);
    let last = asked(&format!("SELECT max({number}) FROM {table}")).unwrap_or(i64::MAX).max(read);
    first..=last.min(read.saturating_add(most))
}

/// Looks for every number by itself; what cannot be read is told of in ranges.
fn one_by_one(
    damaged: &Connection,
    table: &'static str,
    sql: &str,
    numbers: RangeInclusive<i64>,
    salvaged: &mut Salvaged,
) -> Vec<Row> {
    let mut found = Vec::new();
    let mut bad: Option<(i64, i64, String)> = None;
    for number in numbers {
        let (rows, broke_off) = all_of(damaged, sql, Some(number));
        found.extend(rows);
        let Some(why) = broke_off else { continue };
        bad = match bad {
            Some((first, last, why)) if last + 1 == number => Some((first, number, why)),
            other => {
                lose_range(table, other, salvaged);
                Some((number, number, why))
            }
        };
    }
    lose_range(table, bad, salvaged);
    found
}

fn lose_range(table: &'static str, range: Option<(i64, i64, String)>, salvaged: &mut Salvaged) {
    if let Some((first, last, why)) = range {
        let row = if first == last { first.to_string() } else { format!("{first} to {last}") };
        salvaged.lose(table, row, why);
    }
}

/// Rows up to where reading breaks off, and why it does.
fn all_of(damaged: &Connection, sql: &str, number: Option<i64>) -> (Vec<Row>, Option<String>) {
    let mut found = Vec::new();
    let mut go = || -> rusqlite::Result<()> {
        let mut statement = damaged.prepare_cached(sql)?;
        let width = statement.column_count();
        let mut rows = statement.query(params_from_iter(number))?;
        while let Some(row) = rows.next()? {
            found.push((0..width).map(|column| Ok(value(row.get_ref(column)?))).collect::<rusqlite::Result<Row>>()?);
        }
        Ok(())
    };
    let broke_off = go().err().map(|error| error.to_string());
    (found, broke_off)
}

/// A text that is none stays what it is, as a blob.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(bytes.to_owned()),
        },
    }
}

/// Rows from both ends of a table whose middle cannot be read.
fn merged(mut rows: Vec<Row>, others: Vec<Row>) -> Vec<Row> {
    for row in others.into_iter().rev() {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

/// The row, with what is only shown made a text; none if something else of it is not what belongs there.
fn sound(table: &'static str, keys: usize, columns: &[&str], mut row: Row, salvaged: &mut Salvaged) -> Option<Row> {
    let key = key_of(&row, keys);
    for (column, value) in columns.iter().zip(&mut row) {
        match value {
            Value::Blob(bytes) if is_shown(table, column) => {
                salvaged.lose(table, key.clone(), format!("{column} is no text; what is not was replaced"));
                *value = Value::Text(String::from_utf8_lossy(bytes).into_owned());
            }
            Value::Blob(_) => {
                salvaged.lose(table, key, format!("{column} is no text"));
                return None;
            }
            Value::Text(text) => {
                if let Err(error) = meaning(table, &key, column, text) {
                    salvaged.lose(table, key, format!("{column} cannot be understood: {error}"));
                    return None;
                }
            }
            Value::Null | Value::Integer(_) | Value::Real(_) => {}
        }
    }
    Some(row)
}

/// The rows that their hashes vouch for, or of which nobody can tell because the row before them is missing.
fn chained(damaged: &Connection, rows: Vec<Row>, salvaged: &mut Salvaged) -> Vec<Row> {
    let start = audit::start(damaged).unwrap_or(Head { row: 0, hash: String::new() });
    // The last row that is kept, and the hash that the next one was made with, if that is known.
    let (mut kept, mut previous) = (start.row, (!start.hash.is_empty()).then_some(start.hash));
    let (mut good, mut last, mut after_a_loss) = (Vec::new(), start.row, false);
    for row in rows {
        let Some((link, hash)) = link(&row) else {
            salvaged.lose("timeline", key_of(&row, 1), "it is no row");
            after_a_loss = true;
            continue;
        };
        let holds = previous.as_deref().is_some_and(|previous| link.hash(previous).is_ok_and(|own| own == hash));
        let missing = link.id != last + 1 || previous.is_none();
        last = link.id;
        previous = Some(hash.clone());
        if !holds && !missing && !after_a_loss {
            salvaged.lose("timeline", link.id.to_string(), "its hash does not vouch for it");
            after_a_loss = true;
            continue;
        }
        if !holds || after_a_loss {
            salvaged.gaps.push(Gap { after: kept, row: link.id, hash });
        }
        (kept, after_a_loss) = (link.id, false);
        good.push(row);
    }
    good
}

fn link(row: &Row) -> Option<(Link, String)> {
    let [
        Value::Integer(id),
        incident,
        Value::Integer(at),
        Value::Text(event),
        Value::Text(reason),
        Value::Text(detail),
        Value::Text(hash),
    ] = row.as_slice()
    else {
        return None;
    };
    let incident = match incident {
        Value::Integer(incident) => Some(*incident),
        Value::Null => None,
        Value::Real(_) | Value::Text(_) | Value::Blob(_) => return None,
    };
    let (event, reason, detail) = (event.clone(), reason.clone(), detail.clone());
    Some((Link { id: *id, incident, at: *at, event, reason, detail }, hash.clone()))
}

fn put(
    transaction: &Transaction<'_>,
    table: &'static str,
    (keys, columns): (usize, &[&str]),
    rows: Vec<Row>,
    salvaged: &mut Salvaged,
) -> rusqlite::Result<()> {
    let places: Vec<_> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
    // The new journal has an id of its own only for as long as that of the old one is not found.
    let insert = if table == "setting" { "INSERT OR REPLACE" } else { "INSERT" };
    let sql = format!("{insert} INTO {table} ({}) VALUES ({})", columns.join(", "), places.join(", "));
    let mut insert = transaction.prepare(&sql)?;
    let mut copied = 0;
    for row in rows {
        match insert.execute(params_from_iter(&row)) {
            Ok(_) => copied += 1,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                salvaged.lose(table, key_of(&row, keys), error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    salvaged.copied.insert(table, copied);
    Ok(())
}

fn key_of(row: &Row, keys: usize) -> String {
    row.iter().take(keys).map(|part| shown(part.into())).collect::<Vec<_>>().join(" ")
}

/// Beside those of an earlier salvage.
fn note_gaps(transaction: &Transaction<'_>, gaps: &[Gap]) -> rusqlite::Result<()> {
    if gaps.is_empty() {
        return Ok(());
    }
    let mut all = audit::gaps(transaction)?;
    all.extend(gaps.iter().filter(|gap| !all.contains(gap)).cloned().collect::<Vec<_>>());
    let text = state::json(&all)?;
    transaction.execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)", [audit::GAPS, &text])?;
    Ok(())
}

#[cfg(test)]
mod tests;
