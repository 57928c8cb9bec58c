//! PagerDuty Events API v2: <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use vvtv_incident::Severity;

use super::{Notice, NoticeKind};
use crate::config::Secret;

/// The longest `dedup_key`.
const KEY_CHARS_MAX: usize = 255;

/// The body of one event.
pub(super) fn event(notice: &Notice, routing_key: &Secret) -> Value {
    match notice.kind {
        NoticeKind::Resolve => json!({
            "routing_key": routing_key.reveal(),
            "event_action": "resolve",
            "dedup_key": dedup_key(&notice.key),
        }),
        NoticeKind::Trigger => json!({
            "routing_key": routing_key.reveal(),
            "event_action": "trigger",
            "dedup_key": dedup_key(&notice.key),
            "client": "vvtv-remediator",
            "client_url": notice.links.incident,
            "links": links(notice),
            "payload": {
                "summary": notice.summary,
                "source": notice.target,
                "severity": severity(notice.severity),
                "timestamp": notice.opened_at,
                "component": notice.target,
                "group": notice.runbook.as_str(),
                "class": notice.title,
                "custom_details": {
                    "incident": notice.subject.incident(),
                    "level": notice.level.to_string(),
                    "contact": notice.contact,
                    "reason": notice.reason.as_str(),
                    "explanation": notice.reason.explanation(),
                    "tried": notice.tried.iter().map(tried).collect::<Vec<_>>(),
                },
            },
        }),
    }
}

fn links(notice: &Notice) -> Vec<Value> {
    let links = &notice.links;
    let page = if notice.subject.incident().is_some() { "Incident" } else { "Task" };
    let all = [
        (Some(&links.incident), page),
        (links.bundle.as_ref(), "Diagnostic bundle"),
        (links.runbook.as_ref(), "Runbook"),
    ];
    all.into_iter().filter_map(|(href, text)| Some(json!({"href": href?, "text": text}))).collect()
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Major => "error",
        Severity::Warning => "warning",
    }
}

fn tried(step: &super::Tried) -> String {
    let why = step.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let said = step.said.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
    format!("{}: {}{why}{said}", step.title, step.state.as_str())
}

/// The key itself, or what stands for it if it is too long.
fn dedup_key(key: &str) -> String {
    if key.chars().count() <= KEY_CHARS_MAX {
        return key.to_owned();
    }
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
