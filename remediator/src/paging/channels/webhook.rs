//! A page as JSON for any receiver.
//!
//! `POST` with `Content-Type: application/json`; any 2xx status takes it, 408, 429 and 5xx ask for another try, the rest refuse it.
//! The same `key` may come more than once: a page is sent at least once. `kind` is `trigger`, `update` or `resolve`; an update and
//! a resolve have the key of the trigger that they tell more of or end. New fields may be added; `version` changes when one changes its meaning.
//!
//! ```json
//! {"version": 1, "key": "…", "kind": "trigger", "severity": "critical", "summary": "…", "level": 2, "contact": "Streaming Lead",
//!  "reason": "escalation_timer", "explanation": "…", "runbook": "segment-age", "title": "High Segment Age", "target": "main",
//!  "incident": 7, "task": null, "opened_at": "2026-01-02T03:14:00Z",
//!  "links": {"incident": "http…", "bundle": "http…", "runbook": "http…"},
//!  "tried": [{"step": "restart_encoder", "title": "…", "state": "failed", "reason": "step_failed",
//!             "said": "the last lines of its stderr if it failed, or why it was not started; else null"}]}
//! ```
//!
//! A task of `maintenance` that is overdue has its number in `task`, `"runbook": "maintenance"`, its name as `target`, and null for
//! `incident` and for the links to a bundle and a runbook.

use serde_json::{Value, json};

use super::{Notice, Tried};

pub(super) fn body(notice: &Notice) -> Value {
    json!({
        "version": 1,
        "key": notice.key,
        "kind": notice.kind,
        "severity": notice.severity.as_str(),
        "summary": notice.summary,
        "level": notice.level.get(),
        "contact": notice.contact,
        "reason": notice.reason.as_str(),
        "explanation": notice.reason.explanation(),
        "runbook": notice.runbook.as_str(),
        "title": notice.title,
        "target": notice.target,
        "incident": notice.subject.incident(),
        "task": notice.subject.task(),
        "opened_at": notice.opened_at,
        "links": notice.links,
        "tried": notice.tried.iter().map(tried).collect::<Vec<_>>(),
    })
}

fn tried(step: &Tried) -> Value {
    json!({
        "step": step.step,
        "title": step.title,
        "state": step.state.as_str(),
        "reason": step.reason.map(vvtv_incident::Reason::as_str),
        "said": step.said,
    })
}
