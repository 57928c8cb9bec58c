//! A row of the table as it is read. Others write the table too: no row, whatever is in it, may keep the others from being read.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::Serialize;
use vvtv_streaming::queue::DURATION_MAX_SECONDS;

/// The columns that [`Item::read`] takes, in its order.
pub(super) const COLUMNS: &str = "id, plan_id, asset_path, duration_s, status, priority, content_kind, created_at, play_started_at, play_finished_at, \
     failure_reason, width, height, bitrate_bps, resume_s";

/// An item of the table, as people and scripts see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// The table's key; later items have higher ones.
    pub id: i64,
    /// The plan that it belongs to, if any.
    pub plan_id: Option<String>,
    /// The media file, as far as it can be shown; whether it can be played, `fault` says.
    pub asset_path: String,
    /// `None` where the row does not tell, or tells what is no duration.
    pub duration_seconds: Option<f64>,
    /// `queued`, `playing`, `played` or `failed`.
    pub status: String,
    /// Higher plays first.
    pub priority: i64,
    /// `emergency` goes above every priority.
    pub content_kind: String,
    /// `WIDTHxHEIGHT`, absent for items without a picture.
    pub resolution: Option<String>,
    /// Bits per second of the whole file.
    pub bitrate: Option<i64>,
    /// When it was added, as the row has it.
    pub created_at: String,
    /// When its first frame went out, or would have if it was resumed.
    pub play_started_at: Option<String>,
    /// When it was over, however.
    pub play_finished_at: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Seconds from its beginning that were on air before a daemon handed over or was ended.
    pub resume_seconds: Option<f64>,
    /// Why the row cannot be played, whatever the file is.
    #[serde(skip)]
    pub fault: Option<String>,
}

impl Item {
    /// Reads a row. What is of the wrong type is left out; where playing needs it, it is the item's fault.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (path, path_fault) = path(row.get_ref(2)?);
        let (duration_seconds, duration_fault) = duration(row.get_ref(3)?);
        let (width, height) = (integer(row.get_ref(11)?), integer(row.get_ref(12)?));
        Ok(Self {
            id: row.get(0)?,
            plan_id: text(row.get_ref(1)?),
            asset_path: path,
            duration_seconds,
            status: text(row.get_ref(4)?).unwrap_or_default(),
            priority: integer(row.get_ref(5)?).unwrap_or(0),
            content_kind: text(row.get_ref(6)?).unwrap_or_default(),
            created_at: text(row.get_ref(7)?).unwrap_or_default(),
            play_started_at: text(row.get_ref(8)?),
            play_finished_at: text(row.get_ref(9)?),
            failure_reason: text(row.get_ref(10)?),
            resolution: width.zip(height).map(|(width, height)| format!("{width}x{height}")),
            bitrate: integer(row.get_ref(13)?),
            resume_seconds: duration(row.get_ref(14)?).0,
            fault: path_fault.or(duration_fault),
        })
    }
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Null => None,
    }
}

fn integer(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Integer(number) => Some(number),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    }
}

fn path(value: ValueRef<'_>) -> (String, Option<String>) {
    let fault = match value {
        ValueRef::Text([]) => Some("asset_path is empty"),
        ValueRef::Text(bytes) if bytes.contains(&0) => Some("asset_path has a NUL byte"),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).err().map(|_| "asset_path is not UTF-8"),
        ValueRef::Blob(_) => Some("asset_path is a BLOB, not a text"),
        ValueRef::Integer(_) | ValueRef::Real(_) => Some("asset_path is a number, not a text"),
        ValueRef::Null => Some("asset_path is NULL"),
    };
    (text(value).unwrap_or_default(), fault.map(str::to_owned))
}

/// Zero and NULL are how a row says that it does not know.
fn duration(value: ValueRef<'_>) -> (Option<f64>, Option<String>) {
    let seconds = match value {
        ValueRef::Null => return (None, None),
        ValueRef::Integer(number) => number as f64,
        ValueRef::Real(number) => number,
        ValueRef::Text(_) => return (None, Some("duration_s is a text, not a number".to_owned())),
        ValueRef::Blob(_) => return (None, Some("duration_s is a BLOB, not a number".to_owned())),
    };
    if seconds == 0.0 {
        (None, None)
    } else if (0.0..=DURATION_MAX_SECONDS).contains(&seconds) {
        (Some(seconds), None)
    } else {
        (None, Some(format!("duration_s is {seconds:?}: not from 0 to {DURATION_MAX_SECONDS} seconds")))
    }
}
