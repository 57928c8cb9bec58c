//! From a message in the outbox to what people read: built from the journal when it is sent, so that a page always tells the latest.

use std::collections::BTreeMap;

use url::Url;
use vvtv_incident::{Incident, StepState};

use crate::clock::rfc3339;
use crate::journal::{JournalError, Reader};
use crate::live::Watched;
use crate::outbox::{Message, MessageKind};
use crate::pager::{Links, Notice, NoticeKind, Tried};

/// So many lines of a failed step's stderr are told.
const SAID_LINES_MAX: usize = 3;

/// What a notice needs besides the journal.
#[derive(Clone, Debug)]
pub struct Addresses {
    base: String,
    live: Watched,
}

/// Why a notice cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The journal cannot be read.
    #[error("cannot read the incident of a message")]
    Journal(#[from] JournalError),
    /// The journal does not have the incident.
    #[error("the journal has no incident {0}")]
    NoIncident(u64),
}

impl Addresses {
    /// Addresses under which people reach the console, and the runbooks' names for people.
    #[must_use]
    pub fn new(external_url: &Url, live: Watched) -> Self {
        Self { base: external_url.as_str().trim_end_matches('/').to_owned(), live }
    }
}

/// The notice of a message.
///
/// # Errors
/// The incident cannot be read.
pub async fn notice_for(message: &Message, reader: &Reader, addresses: &Addresses) -> Result<Notice, NoticeError> {
    let id = message.key.incident;
    let row = reader.incident(id).await?.ok_or(NoticeError::NoIncident(id.get()))?;
    let complaints = reader.complaints(id).await?;
    Ok(write(message, &row.incident, &complaints, addresses))
}

fn write(
    message: &Message,
    incident: &Incident,
    complaints: &BTreeMap<String, String>,
    addresses: &Addresses,
) -> Notice {
    let live = addresses.live.borrow().clone();
    let book = live.books.iter().find(|book| book.plan.id == incident.runbook);
    let title = book.map_or_else(|| incident.runbook.to_string(), |book| book.title.clone());
    let severity = book.map_or(vvtv_incident::Severity::Critical, |book| book.plan.severity);
    let base = &addresses.base;
    let id = incident.id;
    let tried = incident.steps.iter().filter(|record| record.state != StepState::Pending).map(|record| Tried {
        step: record.id.to_string(),
        title: book
            .and_then(|book| book.step(&record.id))
            .map_or_else(|| record.id.to_string(), |step| step.title.clone()),
        state: record.state,
        reason: record.reason,
        said: complaints.get(record.id.as_str()).and_then(|text| last_lines(text)),
    });
    Notice {
        // One alert a page: a level that is called again must ring again, and an old resolve must not end a new call.
        key: format!("vvtv-incident-{id}-page-{}", message.key.page),
        kind: match message.key.kind {
            MessageKind::Trigger => NoticeKind::Trigger,
            MessageKind::Resolve => NoticeKind::Resolve,
        },
        severity,
        summary: format!("{title} on {}: {}", incident.target, message.reason.explanation()),
        level: message.level,
        contact: message.contact.clone(),
        reason: message.reason,
        runbook: incident.runbook.clone(),
        title,
        target: incident.target.to_string(),
        incident: id,
        opened_at: rfc3339(incident.opened_at),
        links: Links {
            incident: format!("{base}/incidents/{id}"),
            bundle: format!("{base}/incidents/{id}/bundle"),
            runbook: format!("{base}/runbooks/{}", incident.runbook),
        },
        tried: tried.collect(),
    }
}

/// The last lines that say something, on one line.
fn last_lines(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(SAID_LINES_MAX)..).unwrap_or_default();
    let said: String = last.join(" | ").chars().filter(|c| !c.is_control()).collect();
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_step_said_last() {
        let nginx = "nginx: [emerg] unknown directive \"nonsense\" in rtmp.conf:70\nnginx: rtmp.conf test failed\n";
        let expected = "nginx: [emerg] unknown directive \"nonsense\" in rtmp.conf:70 | nginx: rtmp.conf test failed";
        assert_eq!(last_lines(nginx).as_deref(), Some(expected));
        assert_eq!(last_lines("1\n2\n\n3\n \u{1b}4 \n5").as_deref(), Some("3 | 4 | 5"));
        assert_eq!(last_lines(" \n"), None);
    }
}
