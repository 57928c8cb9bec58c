//! Alertmanager's webhook, version 4: bytes in, alerts out. Unknown fields are ignored, since newer versions add some.
//!
//! Source: Prometheus documentation, Alertmanager `webhook_config`; facts measured on 0.25.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use vvtv_incident::{Alert, AlertName, Fingerprint, LabelName, Timestamp};

use crate::clock::parse_rfc3339;

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
/// The most alerts that one body may hold.
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
    /// Texts that were too long and were cut.
    pub cut: u64,
}

/// One alert and whether it fires. The group's own status says nothing about single alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertUpdate {
    /// It fires.
    Firing(Alert),
    /// It fires, but is silenced or inhibited.
    Suppressed(Alert),
    /// It was resolved.
    Resolved {
        /// Which one.
        fingerprint: Fingerprint,
        /// When.
        ends_at: Timestamp,
    },
}

impl AlertUpdate {
    /// Whether it is to be acted on.
    #[must_use]
    pub const fn is_firing(&self) -> bool {
        matches!(self, Self::Firing(_))
    }
}

/// Why a body is refused.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// It is no JSON, or not of the right shape.
    #[error("the body is no Alertmanager webhook")]
    Garbage(#[source] serde_json::Error),
    /// It is of another version.
    #[error("the body is an Alertmanager webhook of version {0:?}; only \"4\" is understood")]
    Version(String),
    /// It holds more alerts than are taken at once.
    #[error("the body holds {0} alerts; at most {ALERTS_MAX} are taken at once")]
    TooMany(usize),
    /// An alert has more labels than are kept.
    #[error("alert {fingerprint} has {labels} labels; at most {LABELS_MAX} are taken")]
    Labels {
        /// Which alert.
        fingerprint: String,
        /// How many it has.
        labels: usize,
    },
    /// An alert's time cannot be read.
    #[error("alert {fingerprint} has the time {time:?}, which is not RFC 3339")]
    Time {
        /// Which alert.
        fingerprint: String,
        /// The time.
        time: String,
    },
}

#[derive(Deserialize)]
struct Body {
    version: String,
    #[serde(default, rename = "truncatedAlerts")]
    truncated_alerts: u64,
    alerts: Vec<WireAlert>,
}

#[derive(Deserialize)]
struct WireAlert {
    status: Status,
    labels: BTreeMap<String, String>,
    #[serde(rename = "startsAt")]
    starts_at: String,
    #[serde(rename = "endsAt")]
    ends_at: String,
    fingerprint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Firing,
    Resolved,
}

/// Reads a body.
///
/// # Errors
/// The body is garbage, of another version, or holds too much.
pub fn parse(body: &[u8]) -> Result<Delivery, WebhookError> {
    let body: Body = serde_json::from_slice(body).map_err(WebhookError::Garbage)?;
    if body.version != "4" {
        return Err(WebhookError::Version(body.version.chars().take(32).collect()));
    }
    if body.alerts.len() > ALERTS_MAX {
        return Err(WebhookError::TooMany(body.alerts.len()));
    }
    let mut delivery = Delivery {
        alerts: Vec::with_capacity(body.alerts.len()),
        refused: Vec::new(),
        truncated: body.truncated_alerts,
        cut: 0,
    };
    for alert in body.alerts {
        match update(alert, &mut delivery.cut) {
            Ok(update) => delivery.alerts.push(update),
            Err(error) => delivery.refused.push(error),
        }
    }
    Ok(delivery)
}

fn update(wire: WireAlert, cut: &mut u64) -> Result<AlertUpdate, WebhookError> {
    let named = || wire.fingerprint.chars().take(64).collect();
    let bad_time = |time: &str| WebhookError::Time { fingerprint: named(), time: time.chars().take(64).collect() };
    if wire.labels.len() > LABELS_MAX {
        return Err(WebhookError::Labels { fingerprint: named(), labels: wire.labels.len() });
    }
    let starts_at = parse_rfc3339(&wire.starts_at).ok_or_else(|| bad_time(&wire.starts_at))?;
    match wire.status {
        Status::Resolved => {
            let ends_at = parse_rfc3339(&wire.ends_at).ok_or_else(|| bad_time(&wire.ends_at))?;
            let fingerprint = Fingerprint::new(bounded(wire.fingerprint, FINGERPRINT_BYTES_MAX, cut));
            Ok(AlertUpdate::Resolved { fingerprint, ends_at })
        }
        Status::Firing => Ok(AlertUpdate::Firing(alert(wire.fingerprint, wire.labels, starts_at, cut))),
    }
}

/// An alert from its parts as Alertmanager tells them, each of the length that is kept at most; `cut` counts those that were.
#[must_use]
pub fn alert(fingerprint: String, labels: BTreeMap<String, String>, starts_at: Timestamp, cut: &mut u64) -> Alert {
    let fingerprint = Fingerprint::new(bounded(fingerprint, FINGERPRINT_BYTES_MAX, cut));
    let mut bounded_label = |(name, value)| {
        (bounded(name, LABEL_NAME_BYTES_MAX, cut), bounded(value, LABEL_VALUE_BYTES_MAX, cut).into_boxed_str())
    };
    let labels: BTreeMap<String, Box<str>> = labels.into_iter().map(&mut bounded_label).collect();
    let name = AlertName::new(labels.get("alertname").map(|name| name.to_string()).unwrap_or_default());
    let labels = labels.into_iter().map(|(label, value)| (LabelName::new(label), value)).collect();
    Alert { fingerprint, name, labels, starts_at }
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
mod tests {
    use super::*;
    use rstest::rstest;

    fn sample(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn shape(delivery: &Delivery) -> Vec<String> {
        delivery
            .alerts
            .iter()
            .map(|update| match update {
                AlertUpdate::Firing(alert) => format!("firing {} {}", alert.name, alert.fingerprint),
                AlertUpdate::Suppressed(alert) => format!("suppressed {} {}", alert.name, alert.fingerprint),
                AlertUpdate::Resolved { fingerprint, .. } => format!("resolved {fingerprint}"),
            })
            .collect()
    }

    #[test]
    fn a_firing_delivery() {
        let delivery = parse(&sample("alertmanager-webhook-ingest-down-firing.json")).unwrap();
        assert_eq!(shape(&delivery), ["firing IngestDown e50b6bb2ed8b26f9"]);
    }

    #[test]
    fn a_group_that_says_firing_may_hold_resolved_alerts() {
        let delivery = parse(&sample("alertmanager-webhook-group-mixed-firing-and-resolved.json")).unwrap();
        let kinds: Vec<_> = shape(&delivery).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(kinds.iter().filter(|kind| *kind == "firing").count(), 1, "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| *kind == "resolved").count(), 1, "{kinds:?}");
    }

    #[test]
    fn a_repeat_reads_the_same() {
        let first = parse(&sample("alertmanager-webhook-firing-single.json")).unwrap();
        assert_eq!(first.alerts, parse(&sample("alertmanager-webhook-firing-repeated.json")).unwrap().alerts);
    }

    #[rstest]
    #[case(b"", "the body is no Alertmanager webhook")]
    #[case(b"{\"version\":\"4\"}", "the body is no Alertmanager webhook")]
    #[case(
        b"{\"version\":\"3\",\"alerts\":[]}",
        "the body is an Alertmanager webhook of version \"3\"; only \"4\" is understood"
    )]
    #[case(b"\xff\xfe", "the body is no Alertmanager webhook")]
    fn the_rest_is_refused(#[case] body: &[u8], #[case] message: &str) {
        assert_eq!(parse(body).unwrap_err().to_string(), message);
    }

    #[test]
    fn an_alert_whose_time_cannot_be_read_is_refused_alone() {
        let sample = String::from_utf8(sample("alertmanager-webhook-group-two-firing.json")).unwrap();
        let (first, _) = sample.split_once("\"endsAt\"").unwrap();
        let (_, starts_at) = first.split_once("\"startsAt\": \"").unwrap();
        let time = starts_at.split('"').next().unwrap();
        let delivery = parse(sample.replacen(time, "yesterday", 1).as_bytes()).unwrap();
        let refused: Vec<_> = delivery.refused.iter().map(ToString::to_string).collect();
        assert_eq!(delivery.alerts.len(), 1, "{delivery:?}");
        assert_eq!(refused.len(), 1);
        assert!(refused[0].ends_with(" has the time \"yesterday\", which is not RFC 3339"), "{refused:?}");
    }

    #[test]
    fn what_is_too_long_is_cut_with_a_mark_and_counted_and_stays_itself() {
        let mut cut = 0;
        let long = |end: &str| "é".repeat(10_000) + end;
        let with = |end: &str, cut: &mut u64| {
            let labels = [("alertname", "X".to_owned()), ("stream", long(end))];
            let labels = labels.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
            alert(long(end), labels, Timestamp::default(), cut)
        };
        let (one, other) = (with("a", &mut cut), with("b", &mut cut));
        assert_eq!(cut, 4);
        let value = one.labels.get(&LabelName::new("stream")).unwrap();
        assert!(value.len() <= LABEL_VALUE_BYTES_MAX && value.len() > LABEL_VALUE_BYTES_MAX - 4, "{}", value.len());
        assert!(value.contains("é… [cut: 20001 bytes, sha256 ") && value.ends_with(']'), "{value}");
        assert!(one.fingerprint.to_string().len() <= FINGERPRINT_BYTES_MAX);
        assert!(one.fingerprint != other.fingerprint && one.labels != other.labels);
        assert_eq!(one, with("a", &mut cut), "and so it is the same alert the next time");
        assert_eq!((one.name.to_string(), one.labels.len()), ("X".to_owned(), 2));
    }

    #[test]
    fn deep_json_is_refused_without_harm() {
        let deep = "[".repeat(200_000);
        assert!(matches!(parse(deep.as_bytes()), Err(WebhookError::Garbage(_))));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_answer_not_a_panic(body: Vec<u8>) {
            let _: Result<Delivery, _> = parse(&body);
        }
    }
}
