//! Opsgenie's Alert API: <https://docs.opsgenie.com/docs/alert-api>. The page's key is the alert's alias.

use serde_json::{Value, json};
use url::Url;
use vvtv_incident::Severity;

use super::{Notice, NoticeKind, cut, short_key, text};
use crate::journal::outbox::Subject;

/// The longest texts that it takes, in characters.
const MESSAGE_MAX: usize = 130;
const ALIAS_MAX: usize = 512;
const ENTITY_MAX: usize = 512;
const TRIED_BYTES_MAX: usize = 8_000;

/// Where the request goes: to all alerts, or to the one that more is told of or that is closed.
pub(super) fn address(notice: &Notice, alerts: &Url) -> Url {
    let mut address = alerts.clone();
    let action = match notice.kind {
        NoticeKind::Trigger => return address,
        NoticeKind::Update => "notes",
        NoticeKind::Resolve => "close",
    };
    if let Ok(mut path) = address.path_segments_mut() {
        path.pop_if_empty().extend([short_key(&notice.key, ALIAS_MAX).as_str(), action]);
    }
    address.set_query(Some("identifierType=alias"));
    address
}

/// The body of the request.
pub(super) fn body(notice: &Notice) -> Value {
    let source = "vvtv-remediator";
    match notice.kind {
        NoticeKind::Resolve => json!({"source": source, "note": text::headline(notice)}),
        // An alert under the alias of one that is open would only be counted there, and its text dropped.
        NoticeKind::Update => json!({"source": source, "note": text::plain(notice, TRIED_BYTES_MAX)}),
        NoticeKind::Trigger => json!({
            "message": cut(&text::headline(notice), MESSAGE_MAX),
            "alias": short_key(&notice.key, ALIAS_MAX),
            "description": text::plain(notice, TRIED_BYTES_MAX),
            "entity": cut(&text::one_line(&notice.target), ENTITY_MAX),
            "source": source,
            "priority": priority(notice.severity),
            "tags": [notice.severity.as_str(), notice.level.to_string()],
            "details": details(notice),
        }),
    }
}

/// Its values are texts.
fn details(notice: &Notice) -> serde_json::Map<String, Value> {
    let number = match notice.subject {
        Subject::Incident { incident, .. } => ("incident", incident.to_string()),
        Subject::Task(task) => ("task", task.get().to_string()),
    };
    let known = [
        number,
        ("runbook", notice.runbook.to_string()),
        ("contact", notice.contact.clone()),
        ("reason", notice.reason.as_str().to_owned()),
        ("console", notice.links.incident.clone()),
    ];
    let bundle = notice.links.bundle.clone().map(|address| ("bundle", address));
    known.into_iter().chain(bundle).map(|(name, value)| (name.to_owned(), value.into())).collect()
}

const fn priority(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "P1",
        Severity::Major => "P2",
        Severity::Warning => "P3",
    }
}
