//! Alerts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vvtv_incident::{AlertName, AlertRecord, LabelName, ReceiverName, Sender, Timestamp};

use super::word::{MillisV1, at};

/// An alert of an incident.
#[derive(Serialize, Deserialize)]
pub(super) struct AlertV1 {
    name: String,
    labels: BTreeMap<String, String>,
    starts_at: MillisV1,
    heard_at: MillisV1,
    ends_at: Option<MillisV1>,
    #[serde(default)]
    suppressed: bool,
    #[serde(default)]
    sender: SenderV1,
}

/// Who told of it. The first versions heard of Alertmanager's alerts only.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SenderV1 {
    #[default]
    Alertmanager,
    Receiver(String),
    Other,
}

impl From<&AlertRecord> for AlertV1 {
    fn from(alert: &AlertRecord) -> Self {
        let AlertRecord { name, labels, starts_at, heard_at, ends_at, suppressed, sender } = alert;
        Self {
            name: name.to_string(),
            labels: labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            starts_at: starts_at.millis(),
            heard_at: heard_at.millis(),
            ends_at: ends_at.map(Timestamp::millis),
            suppressed: *suppressed,
            sender: sender.into(),
        }
    }
}

impl From<AlertV1> for AlertRecord {
    fn from(alert: AlertV1) -> Self {
        let AlertV1 { name, labels, starts_at, heard_at, ends_at, suppressed, sender } = alert;
        Self {
            name: AlertName::new(name),
            labels: labels.into_iter().map(|(name, value)| (LabelName::new(name), value.into())).collect(),
            starts_at: at(starts_at),
            heard_at: at(heard_at),
            ends_at: ends_at.map(at),
            suppressed,
            sender: sender.into(),
        }
    }
}

impl From<&Sender> for SenderV1 {
    fn from(sender: &Sender) -> Self {
        match sender {
            Sender::Alertmanager => Self::Alertmanager,
            Sender::Receiver(name) => Self::Receiver(name.to_string()),
            Sender::Other => Self::Other,
        }
    }
}

impl From<SenderV1> for Sender {
    fn from(sender: SenderV1) -> Self {
        match sender {
            SenderV1::Alertmanager => Self::Alertmanager,
            SenderV1::Receiver(name) => Self::Receiver(ReceiverName::new(name)),
            SenderV1::Other => Self::Other,
        }
    }
}
