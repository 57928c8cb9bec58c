//! Pages through the real programs that take them: Alertmanager, and an SMTP server.

#[cfg(test)]
mod alertmanager;
#[cfg(test)]
mod mail;
#[cfg(test)]
#[path = "../support/alertmanager.rs"]
mod real;

#[cfg(test)]
mod page {
    use std::time::Duration;

    use vvtv_incident::{IncidentId, Level, Reason, RunbookId, Severity, StepState};
    use vvtv_remediator::journal::outbox::Subject;
    use vvtv_remediator::paging::channels::{Links, Notice, NoticeKind, Tried};

    /// Real programs on a busy machine: one try may take long.
    pub(crate) const WITHIN: Duration = Duration::from_secs(15);

    /// A page about a target whose name wants to be more than a name.
    pub(crate) fn notice(kind: NoticeKind, target: &str) -> Notice {
        Notice {
            key: "vvtv-0123456789abcdef-incident-7-page-1".to_owned(),
            kind,
            severity: Severity::Major,
            summary: format!("High Segment Age on {target}"),
            level: Level::new(2),
            contact: "Streaming Lead".to_owned(),
            reason: Reason::EscalationTimer,
            runbook: RunbookId::new("segment-age"),
            title: "High Segment Age".to_owned(),
            target: target.to_owned(),
            subject: Subject::Incident { incident: IncidentId::new(7), page: 1 },
            opened_at: "2026-01-02T03:14:00Z".to_owned(),
            links: Links {
                incident: "http://h/incidents/7".to_owned(),
                bundle: Some("http://h/incidents/7/bundle".to_owned()),
                runbook: Some("http://h/runbooks/segment-age".to_owned()),
            },
            tried: vec![Tried {
                step: "restart_encoder".to_owned(),
                title: "Restart the encoder".to_owned(),
                state: StepState::Failed,
                reason: Some(Reason::StepFailed),
                said: Some("vvtvctl: no publisher".to_owned()),
            }],
        }
    }
}
