//! What is kept of Alertmanager's own list: which receivers are ours, and which alerts deliveries have named.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use vvtv_incident::{Fingerprint, ReceiverName, Timestamp};

use super::load::timestamp;
use super::state;
use super::write::millis;

/// The setting under which receivers are kept.
pub(super) const RECEIVERS: &str = "receivers";

/// What changed of it.
#[derive(Debug, Default)]
pub struct ListedBatch {
    /// The receivers that deliveries came through, if they are to be written anew.
    pub receivers: Option<Vec<ReceiverName>>,
    /// Alerts that fire by their last delivery, since when; `None` for one that does not any more.
    pub named: BTreeMap<Fingerprint, Option<Timestamp>>,
}

impl ListedBatch {
    pub(super) fn is_empty(&self) -> bool {
        self.receivers.is_none() && self.named.is_empty()
    }
}

pub(super) fn put(transaction: &Transaction<'_>, batch: &ListedBatch) -> rusqlite::Result<()> {
    if let Some(receivers) = &batch.receivers {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)")?
            .execute(params![RECEIVERS, state::write(receivers)?])?;
    }
    for (fingerprint, at) in &batch.named {
        match at {
            Some(at) => transaction
                .prepare_cached("INSERT OR REPLACE INTO named (fingerprint, noted_at) VALUES (?1, ?2)")?
                .execute(params![fingerprint.as_str(), millis(*at)])?,
            None => transaction
                .prepare_cached("DELETE FROM named WHERE fingerprint = ?1")?
                .execute([fingerprint.as_str()])?,
        };
    }
    Ok(())
}

pub(super) fn named(connection: &Connection) -> rusqlite::Result<BTreeMap<Fingerprint, Timestamp>> {
    connection
        .prepare("SELECT fingerprint, noted_at FROM named")?
        .query_map([], |row| Ok((Fingerprint::new(row.get::<_, String>(0)?), timestamp(row.get(1)?))))?
        .collect()
}
