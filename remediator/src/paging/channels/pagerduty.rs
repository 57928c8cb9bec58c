//! PagerDuty Events API v2: <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>.

use serde_json::{Value, json};
use vvtv_incident::Severity;

use super::{Notice, NoticeKind, short_key, text};
use crate::config::Secret;

/// The longest `dedup_key`.
const KEY_CHARS_MAX: usize = 255;

/// The body of one event.
pub(super) fn event(notice: &Notice, routing_key: &Secret) -> Value {
    match notice.kind {
        NoticeKind::Resolve => json!({
            "routing_key": routing_key.reveal(),
            "event_action": "resolve",
            "dedup_key": short_key(&notice.key, KEY_CHARS_MAX),
        }),
        // A trigger under the key of an alert that is open becomes one of its events, and notifies nobody again.
        NoticeKind::Trigger | NoticeKind::Update => json!({
            "routing_key": routing_key.reveal(),
            "event_action": "trigger",
            "dedup_key": short_key(&notice.key, KEY_CHARS_MAX),
            "client": "vvtv-remediator",
            "client_url": notice.links.incident,
            "links": links(notice),
            "payload": {
                "summary": text::one_line(&notice.summary),
                "source": text::one_line(&notice.target),
                "severity": severity(notice.severity),
                "timestamp": notice.opened_at,
                "component": text::one_line(&notice.target),
                "group": notice.runbook.as_str(),
                "class": notice.title,
                "custom_details": {
                    "incident": notice.subject.incident(),
                    "level": notice.level.to_string(),
                    "contact": notice.contact,
                    "reason": notice.reason.as_str(),
                    "explanation": notice.reason.explanation(),
                    "tried": notice.tried.iter().map(|tried| text::one_line(&tried.to_string())).collect::<Vec<_>>(),
                },
            },
        }),
    }
}

fn links(notice: &Notice) -> Vec<Value> {
    text::links(notice).into_iter().map(|(name, address)| json!({"href": address, "text": name})).collect()
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Major => "error",
        Severity::Warning => "warning",
    }
}
