//! Alertmanager's API, for those who call people by its receivers: <https://prometheus.io/docs/alerting/latest/alerts_api/>.
//!
//! A page is an alert of its own. It has no label that runbooks take for a target, so that its way back here leads to nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Notice, NoticeKind, short_key, text};

const KEY_CHARS_MAX: usize = 255;
const TRIED_BYTES_MAX: usize = 8_000;
/// An alert without an end would be taken for over after Alertmanager's `resolve_timeout`; nobody sends this one again.
const ENDS_AFTER: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The list of the one alert.
pub(super) fn alerts(notice: &Notice, now: Timestamp) -> Value {
    let ends_at = match notice.kind {
        NoticeKind::Trigger | NoticeKind::Update => now.saturating_add(ENDS_AFTER).unwrap_or(Timestamp::MAX),
        NoticeKind::Resolve => now,
    };
    json!([{
        // The resolve must have the same, whatever a runbook says by then.
        "labels": {
            "alertname": "RemediatorPage",
            "page": short_key(&notice.key, KEY_CHARS_MAX),
            "level": notice.level.to_string(),
            "contact": notice.contact,
            "runbook": notice.runbook.as_str(),
            "target": notice.target,
        },
        "annotations": {
            "summary": text::headline(notice),
            "description": text::plain(notice, TRIED_BYTES_MAX),
            "severity": notice.severity.as_str(),
            "reason": notice.reason.as_str(),
            "runbook_url": notice.links.runbook.as_deref().unwrap_or_default(),
        },
        "startsAt": notice.opened_at,
        "endsAt": ends_at.to_string(),
        "generatorURL": notice.links.incident,
    }])
}
