//! Opsgenie's Alert API: <https://docs.opsgenie.com/docs/alert-api>. The page's key is the alert's alias.

use serde_json::{Value, json};
use url::Url;
use vvtv_incident::Severity;

use super::{Notice, NoticeKind, cut, short_key, text};

/// The longest texts that it takes, in characters.
const MESSAGE_MAX: usize = 130;
const ALIAS_MAX: usize = 512;
const ENTITY_MAX: usize = 512;
const TRIED_BYTES_MAX: usize = 8_000;

/// Where the request goes: to all alerts, or to the one that is closed.
pub(super) fn address(notice: &Notice, alerts: &Url) -> Url {
    let mut address = alerts.clone();
    if notice.kind == NoticeKind::Resolve {
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().extend([short_key(&notice.key, ALIAS_MAX).as_str(), "close"]);
        }
        address.set_query(Some("identifierType=alias"));
    }
    address
}

/// The body of the request.
pub(super) fn body(notice: &Notice) -> Value {
    let source = "vvtv-remediator";
    match notice.kind {
        NoticeKind::Resolve => json!({"source": source, "note": text::headline(notice)}),
        NoticeKind::Trigger => json!({
            "message": cut(&text::headline(notice), MESSAGE_MAX),
            "alias": short_key(&notice.key, ALIAS_MAX),
            "description": text::plain(notice, TRIED_BYTES_MAX),
            "entity": cut(&notice.target, ENTITY_MAX),
            "source": source,
            "priority": priority(notice.severity),
            "tags": [notice.severity.as_str(), notice.level.to_string()],
            "details": {
                "incident": notice.incident.to_string(),
                "runbook": notice.runbook.as_str(),
                "contact": notice.contact,
                "reason": notice.reason.as_str(),
                "console": notice.links.incident,
                "bundle": notice.links.bundle,
            },
        }),
    }
}

const fn priority(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "P1",
        Severity::Major => "P2",
        Severity::Warning => "P3",
    }
}
