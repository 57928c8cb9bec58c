//! From an alert as it came to what it says, or to why it is refused.

use std::collections::BTreeMap;

use vvtv_incident::{Fingerprint, ReceiverName, Sender, Timestamp};

use super::wire::{Alerts, Item, Labels, Text, WireAlert};
use super::{AlertUpdate, Delivery, FINGERPRINT_BYTES_MAX, Group, LABELS_MAX, WebhookError, alert, bounded, time};
use crate::alerts::receivers::RECEIVER_BYTES_MAX;

/// What is shown of an alert's texts in an error.
const SHOWN_CHARS_MAX: usize = 64;

/// A delivery of Alertmanager's webhook.
pub(super) fn delivery(alerts: Alerts, truncated: u64, receiver: Text, labels: Labels) -> Delivery {
    let receiver = match receiver {
        Text::Is(name) if (1..=RECEIVER_BYTES_MAX).contains(&name.len()) => Some(ReceiverName::new(unquoted(&name))),
        Text::Is(_) | Text::Absent | Text::Other(_) => None,
    };
    let group = match (&receiver, labels) {
        (Some(receiver), Labels::Are { first: labels, number, wrong: None }) if number <= LABELS_MAX => {
            Some(Group { receiver: receiver.clone(), labels })
        }
        (_, Labels::Absent | Labels::Are { .. } | Labels::Other(_)) => None,
    };
    let sender = receiver.clone().map_or(Sender::Alertmanager, Sender::Receiver);
    let mut delivery = taken(alerts, |wire, cut| told(wire, &sender, cut));
    delivery.truncated = truncated;
    delivery.receiver = receiver;
    delivery.group = group;
    delivery
}

/// Alerts as they are sent to an Alertmanager: whether one fires is in its end, which has passed or lies ahead.
pub(super) fn posted(alerts: Alerts, now: Timestamp) -> Delivery {
    taken(alerts, |wire, cut| {
        let starts_at = optional_time(&wire, "startsAt", &wire.starts_at)?;
        let ends_at = optional_time(&wire, "endsAt", &wire.ends_at)?;
        let over = ends_at.filter(|ends_at| *ends_at <= now && *ends_at != Timestamp::default());
        update(wire, (starts_at.unwrap_or_default(), over.map(Some)), &Sender::Other, cut)
    })
}

/// The receiver's name as the configuration and the list have it: a delivery has it as a regular expression that matches it (Go's
/// `regexp.QuoteMeta`).
fn unquoted(name: &str) -> String {
    let mut chars = name.chars().peekable();
    let mut plain = String::with_capacity(name.len());
    while let Some(c) = chars.next() {
        let escaped = chars.next_if(|next| c == '\\' && r"\.+*?()|[]{}^$".contains(*next));
        plain.push(escaped.unwrap_or(c));
    }
    plain
}

fn taken(alerts: Alerts, mut read: impl FnMut(WireAlert, &mut u64) -> Result<AlertUpdate, WebhookError>) -> Delivery {
    let mut delivery = Delivery {
        alerts: Vec::with_capacity(alerts.first.len()),
        refused: Vec::new(),
        truncated: 0,
        left_out: alerts.left_out,
        cut: 0,
        receiver: None,
        group: None,
    };
    for item in alerts.first {
        let update = match item {
            Item::Alert(wire) => read(*wire, &mut delivery.cut),
            Item::Other(kind) => Err(WebhookError::NoAlert(kind)),
        };
        match update {
            Ok(update) => delivery.alerts.push(update),
            Err(error) => delivery.refused.push(error),
        }
    }
    delivery
}

/// An alert of which its sender says how it stands. Its `endsAt` counts only once it is resolved: while it fires, that is when the sender
/// would take it for over, were it not renewed.
fn told(wire: WireAlert, sender: &Sender, cut: &mut u64) -> Result<AlertUpdate, WebhookError> {
    let resolved = match required(&wire, "status", &wire.status)? {
        "firing" => false,
        "resolved" => true,
        other => return Err(WebhookError::Status { alert: name(&wire), status: shown(other) }),
    };
    let starts_at = read_time(&wire, required(&wire, "startsAt", &wire.starts_at)?)?;
    let ends_at = required(&wire, "endsAt", &wire.ends_at)?;
    let over = match resolved {
        true => Some(Some(read_time(&wire, ends_at)?).filter(|at| *at != Timestamp::default())),
        false => None,
    };
    update(wire, (starts_at, over), sender, cut)
}

/// `over` says whether it is, and when it ended.
fn update(
    wire: WireAlert,
    (starts_at, over): (Timestamp, Option<Option<Timestamp>>),
    sender: &Sender,
    cut: &mut u64,
) -> Result<AlertUpdate, WebhookError> {
    let labels = labels(&wire)?;
    let fingerprint = match wire.fingerprint {
        Text::Is(fingerprint) if !fingerprint.is_empty() => fingerprint,
        Text::Is(_) | Text::Absent => fingerprint_of(&labels),
        Text::Other(kind) => {
            let alert = labels.get("alertname").map_or_else(String::new, |name| shown(name));
            return Err(not_text(alert, "fingerprint".to_owned(), kind));
        }
    };
    Ok(match over {
        None => AlertUpdate::Firing(alert(fingerprint, labels, starts_at, sender.clone(), cut)),
        Some(ends_at) => {
            let fingerprint = Fingerprint::new(bounded(fingerprint, FINGERPRINT_BYTES_MAX, cut));
            AlertUpdate::Resolved { fingerprint, starts_at, ends_at }
        }
    })
}

fn labels(wire: &WireAlert) -> Result<BTreeMap<String, String>, WebhookError> {
    let alert = || name(wire);
    match &wire.labels {
        Labels::Absent => Err(WebhookError::Missing { alert: alert(), field: "labels" }),
        Labels::Other(kind) => {
            Err(WebhookError::Shape { alert: alert(), field: "labels".to_owned(), kind, wanted: "an object" })
        }
        Labels::Are { wrong: Some((label, kind)), .. } => {
            Err(not_text(alert(), format!("labels.{}", shown(label)), kind))
        }
        Labels::Are { number, .. } if *number > LABELS_MAX => {
            Err(WebhookError::Labels { alert: alert(), labels: *number })
        }
        Labels::Are { first, .. } => Ok(first.clone()),
    }
}

fn required<'a>(wire: &WireAlert, field: &'static str, text: &'a Text) -> Result<&'a str, WebhookError> {
    match text {
        Text::Is(text) => Ok(text),
        Text::Absent => Err(WebhookError::Missing { alert: name(wire), field }),
        Text::Other(kind) => Err(not_text(name(wire), field.to_owned(), kind)),
    }
}

fn not_text(alert: String, field: String, kind: &'static str) -> WebhookError {
    WebhookError::Shape { alert, field, kind, wanted: "a text" }
}

fn optional_time(wire: &WireAlert, field: &'static str, text: &Text) -> Result<Option<Timestamp>, WebhookError> {
    match text {
        Text::Absent => Ok(None),
        Text::Is(_) | Text::Other(_) => read_time(wire, required(wire, field, text)?).map(Some),
    }
}

fn read_time(wire: &WireAlert, text: &str) -> Result<Timestamp, WebhookError> {
    time(text).ok_or_else(|| WebhookError::Time { alert: name(wire), time: shown(text) })
}

/// What an alert is called in an error.
fn name(wire: &WireAlert) -> String {
    let of_labels = match &wire.labels {
        Labels::Are { first, .. } => first.get("alertname"),
        Labels::Absent | Labels::Other(_) => None,
    };
    match (&wire.fingerprint, of_labels) {
        (Text::Is(fingerprint), _) if !fingerprint.is_empty() => shown(fingerprint),
        (_, Some(name)) => shown(name),
        (_, None) => "without a name".to_owned(),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

/// As Alertmanager makes it: FNV-1a (64 bits) over the names and values of the labels, sorted, each followed by a byte that is no text.
fn fingerprint_of(labels: &BTreeMap<String, String>) -> String {
    let texts = labels.iter().flat_map(|(name, value)| [name.as_bytes(), &[0xff], value.as_bytes(), &[0xff]]).flatten();
    let hash =
        texts.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}
