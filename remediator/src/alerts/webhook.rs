//! What is delivered: bytes in, alerts out. Alertmanager's webhook, version 4, also as Mimir sends it; Grafana's, which calls the same
//! shape version 1; lists of alerts as vmalert and Prometheus send them to an Alertmanager; incidents of Google Cloud Monitoring.
//!
//! Unknown fields are ignored, since newer versions add some. An alert that cannot be read is refused alone.
//!
//! Source: Prometheus documentation, Alertmanager `webhook_config` and API v2 (`postableAlerts`); Grafana documentation, webhook notifier;
//! facts measured on Alertmanager 0.25.

mod google;
mod reading;
mod wire;

use std::collections::BTreeMap;

use serde::de::Error as _;
use sha2::{Digest as _, Sha256};
use vvtv_incident::{Alert, AlertName, Fingerprint, LabelName, Muting, ReceiverName, Sender, Timestamp};

use self::wire::{Alerts, Body};

/// The largest body that is read.
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// The longest parts of an alert that are kept; longer ones are cut before anything else sees them. Alertmanager's fingerprints have 16
/// characters, and Prometheus' own labels hardly ever more than some hundred.
pub const FINGERPRINT_BYTES_MAX: usize = 128;
/// Of a label's name.
pub const LABEL_NAME_BYTES_MAX: usize = 256;
/// Of a label's value.
pub const LABEL_VALUE_BYTES_MAX: usize = 4096;
/// The most labels of an alert: one that has more is refused, since what it is about might be among those left out.
pub const LABELS_MAX: usize = 128;
/// The most alerts of one body that are taken: the first ones.
pub const ALERTS_MAX: usize = 20_000;

/// What one delivery said.
#[derive(Debug)]
pub struct Delivery {
    /// The alerts, in the sender's order.
    pub alerts: Vec<AlertUpdate>,
    /// Alerts that are refused, each with why; the others are taken.
    pub refused: Vec<WebhookError>,
    /// Alerts that the sender left out; they have to be fetched.
    pub truncated: u64,
    /// Alerts that were left out here, beyond [`ALERTS_MAX`].
    pub left_out: u64,
    /// Texts that were too long and were cut.
    pub cut: u64,
    /// Through which receiver of Alertmanager it came.
    pub receiver: Option<ReceiverName>,
    /// Which group of Alertmanager's it is of.
    pub group: Option<Group>,
}

impl Delivery {
    /// The same from somebody whose alerts are in no list of an Alertmanager of ours.
    #[must_use]
    pub fn of_nobody_s_list(mut self) -> Self {
        for update in &mut self.alerts {
            if let AlertUpdate::Firing(alert) = update {
                alert.sender = Sender::Other;
            }
        }
        Self { receiver: None, group: None, ..self }
    }
}

/// A group of alerts that Alertmanager delivers together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// To whom.
    pub receiver: ReceiverName,
    /// The labels that its alerts have in common and are grouped by.
    pub labels: BTreeMap<String, String>,
}

/// One alert and whether it fires. The group's own status says nothing about single alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertUpdate {
    /// It fires: a delivery says so.
    Firing(Alert),
    /// It stands in Alertmanager's own list.
    Listed(Alert, Muting),
    /// It fires, but is silenced, inhibited or muted.
    Suppressed(Alert),
    /// It was resolved.
    Resolved {
        /// Which one.
        fingerprint: Fingerprint,
        /// When it had begun to fire; the epoch where the sender does not know.
        starts_at: Timestamp,
        /// When it ended, if the sender knows.
        ends_at: Option<Timestamp>,
    },
}

/// Why a body or an alert is refused.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// It is no JSON, or not of the right shape.
    #[error("the body is no Alertmanager webhook")]
    Garbage(#[source] serde_json::Error),
    /// It is of another version.
    #[error("the body is an Alertmanager webhook of version {0:?}; only \"4\" is understood, and Grafana's \"1\"")]
    Version(String),
    /// What should be an alert is something else.
    #[error("an alert is {0}, not an object")]
    NoAlert(&'static str),
    /// An alert lacks something.
    #[error("alert {alert} has no `{field}`")]
    Missing {
        /// Which alert.
        alert: String,
        /// What.
        field: &'static str,
    },
    /// Something of an alert is not what it should be.
    #[error("`{field}` of alert {alert} is {kind}, not {wanted}")]
    Shape {
        /// Which alert.
        alert: String,
        /// What.
        field: String,
        /// What it is.
        kind: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// An alert neither fires nor is it resolved.
    #[error("alert {alert} is {status:?}, neither \"firing\" nor \"resolved\"")]
    Status {
        /// Which alert.
        alert: String,
        /// Its status.
        status: String,
    },
    /// An incident of Google Cloud Monitoring is neither open nor closed.
    #[error("incident {incident} is {state:?}, neither \"open\" nor \"closed\"")]
    Incident {
        /// Which one.
        incident: String,
        /// Its state.
        state: String,
    },
    /// An alert has more labels than are kept.
    #[error("alert {alert} has {labels} labels; at most {LABELS_MAX} are taken")]
    Labels {
        /// Which alert.
        alert: String,
        /// How many it has.
        labels: usize,
    },
    /// An alert's time cannot be read.
    #[error("alert {alert} has the time {time:?}, which is not RFC 3339")]
    Time {
        /// Which alert.
        alert: String,
        /// The time.
        time: String,
    },
}

/// Reads a body that came at `now`.
///
/// # Errors
/// The body is garbage, or of another version.
pub fn parse(body: &[u8], now: Timestamp) -> Result<Delivery, WebhookError> {
    // RFC 8259 §8.1 lets a reader ignore it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii_start().starts_with(b"[") {
        let alerts: Alerts = serde_json::from_slice(body).map_err(WebhookError::Garbage)?;
        return Ok(reading::posted(alerts, now));
    }
    let body: Body = serde_json::from_slice(body).map_err(WebhookError::Garbage)?;
    if let Some(incident) = body.incident {
        return Ok(google::delivery(*incident));
    }
    let missing = |field| WebhookError::Garbage(serde_json::Error::missing_field(field));
    let version = body.version.ok_or_else(|| missing("version"))?;
    let alerts = body.alerts.ok_or_else(|| missing("alerts"))?;
    match version.as_str() {
        "4" => Ok(reading::delivery(alerts, body.truncated_alerts, body.receiver, body.group_labels)),
        // Grafana's own Alertmanager cannot be asked as ours can, and its receivers are none of ours.
        "1" => {
            let read = reading::delivery(alerts, body.truncated_alerts, body.receiver, body.group_labels);
            Ok(read.of_nobody_s_list())
        }
        _ => Err(WebhookError::Version(version.chars().take(32).collect())),
    }
}

/// An alert from its parts as Alertmanager tells them, each of the length that is kept at most; `cut` counts those that were.
#[must_use]
pub fn alert(
    fingerprint: String,
    labels: BTreeMap<String, String>,
    starts_at: Timestamp,
    sender: Sender,
    cut: &mut u64,
) -> Alert {
    let fingerprint = Fingerprint::new(bounded(fingerprint, FINGERPRINT_BYTES_MAX, cut));
    let mut bounded_label = |(name, value)| {
        (bounded(name, LABEL_NAME_BYTES_MAX, cut), bounded(value, LABEL_VALUE_BYTES_MAX, cut).into_boxed_str())
    };
    let labels: BTreeMap<String, Box<str>> = labels.into_iter().map(&mut bounded_label).collect();
    let name = AlertName::new(labels.get("alertname").map(|name| name.to_string()).unwrap_or_default());
    let labels = labels.into_iter().map(|(label, value)| (LabelName::new(label), value)).collect();
    Alert { fingerprint, name, labels, starts_at, sender }
}

/// A time of RFC 3339; the epoch for one before it, e.g. the year 1, which Go writes for a time that is not known.
#[must_use]
pub fn time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0)))
}

/// The text, or its beginning and a mark of how long it was. The mark holds a digest: two that begin alike stay two.
fn bounded(text: String, bytes_max: usize, cut: &mut u64) -> String {
    if text.len() <= bytes_max {
        return text;
    }
    *cut += 1;
    let digest = Sha256::digest(text.as_bytes());
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mark = format!("… [cut: {} bytes, sha256 {short}]", text.len());
    let mut end = bytes_max.saturating_sub(mark.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}", &text[..end])
}

#[cfg(test)]
mod tests;
