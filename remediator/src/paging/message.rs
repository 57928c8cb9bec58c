//! From a message in the outbox to what people read: built from the journal when it is sent, so that a page always tells the latest.

use std::collections::BTreeMap;

use url::Url;
use vvtv_incident::{BuiltIn, Incident, StepState};

use crate::clock::rfc3339;
use crate::journal::installation::Installation;
use crate::journal::outbox::{Message, MessageKind, Subject};
use crate::journal::{JournalError, Reader, TaskRow};
use crate::paging::channels::{Links, Notice, NoticeKind, Tried};
use crate::runbook::RunbooksInForce;

/// So many lines of a failed step's stderr are told.
const SAID_LINES_MAX: usize = 3;

/// What a notice needs besides the journal.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    base: String,
    runbooks: RunbooksInForce,
    installation: Installation,
}

/// Why a notice cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoticeError {
    /// The journal cannot be read.
    #[error("cannot read what a message is about")]
    Journal(#[from] JournalError),
    /// The journal does not have it.
    #[error("the journal has no {0}")]
    Forgotten(Subject),
}

impl Addresses {
    /// Addresses under which people reach the console, the runbooks' names for people, and who we are.
    #[must_use]
    pub(crate) fn new(external_url: &Url, runbooks: RunbooksInForce, installation: Installation) -> Self {
        Self { base: external_url.as_str().trim_end_matches('/').to_owned(), runbooks, installation }
    }
}

/// The notice of a message.
///
/// # Errors
/// What it is about cannot be read.
pub(crate) async fn notice_for(
    message: &Message,
    reader: &Reader,
    addresses: &Addresses,
) -> Result<Notice, NoticeError> {
    let forgotten = || NoticeError::Forgotten(message.key.subject);
    match message.key.subject {
        Subject::Incident { incident, .. } => {
            let row = reader.incident(incident).await?.ok_or_else(forgotten)?;
            let complaints = reader.complaints(incident).await?;
            Ok(write(message, &row.incident, &complaints, addresses))
        }
        Subject::Task(task) => {
            let row = reader.task(task).await?.ok_or_else(forgotten)?;
            Ok(overdue(message, &row, addresses))
        }
    }
}

fn overdue(message: &Message, row: &TaskRow, addresses: &Addresses) -> Notice {
    let task = &row.task;
    let title = format!("Maintenance: {}", task.title);
    let tried = task.failure.as_deref().map(|why| Tried {
        step: task.name.to_string(),
        title: task.title.to_string(),
        state: StepState::Failed,
        reason: None,
        said: Some(last_lines(&row.output).map_or_else(|| why.to_owned(), |said| format!("{why} | {said}"))),
    });
    Notice {
        key: addresses.installation.key(message.key.subject),
        kind: kind(message),
        severity: vvtv_incident::Severity::Warning,
        summary: format!("{title}: {}", message.reason.explanation()),
        level: message.level,
        contact: message.contact.clone(),
        reason: message.reason,
        runbook: vvtv_incident::RunbookId::new("maintenance"),
        title,
        target: task.name.to_string(),
        subject: message.key.subject,
        opened_at: rfc3339(task.scheduled_at),
        links: Links { incident: format!("{}/#task-{}", addresses.base, task.id), bundle: None, runbook: None },
        tried: tried.into_iter().collect(),
    }
}

const fn kind(message: &Message) -> NoticeKind {
    match message.key.kind {
        MessageKind::Trigger => NoticeKind::Trigger,
        MessageKind::Update => NoticeKind::Update,
        MessageKind::Resolve => NoticeKind::Resolve,
    }
}

fn write(
    message: &Message,
    incident: &Incident,
    complaints: &BTreeMap<String, String>,
    addresses: &Addresses,
) -> Notice {
    let books = addresses.runbooks.get();
    let book = books.iter().find(|book| book.plan.id == incident.runbook);
    let built_in = BuiltIn::of(&incident.runbook);
    let title = match (book, built_in) {
        (Some(book), _) => book.title.clone(),
        (None, Some(built_in)) => built_in.title().to_owned(),
        (None, None) => incident.runbook.to_string(),
    };
    let severity = book.map_or(vvtv_incident::Severity::Critical, |book| book.plan.severity);
    let base = &addresses.base;
    let id = incident.id;
    let tried = incident.steps().filter(|record| record.state != StepState::Pending).map(|record| Tried {
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
        key: addresses.installation.key(message.key.subject),
        kind: kind(message),
        severity,
        summary: match built_in {
            // Why it is people's says more than why they are called.
            Some(BuiltIn::UnansweredAlert) => {
                format!("{title}: {}: {}", incident.target, incident.reason.explanation())
            }
            Some(BuiltIn::SilentMonitoring) => format!("{title}: {}", incident.reason.explanation()),
            None => format!("{title} on {}: {}{}", incident.target, message.reason.explanation(), came_back(incident)),
        },
        level: message.level,
        contact: message.contact.clone(),
        reason: message.reason,
        runbook: incident.runbook.clone(),
        title,
        target: incident.target.to_string(),
        subject: message.key.subject,
        opened_at: rfc3339(incident.opened_at),
        links: Links {
            incident: format!("{base}/incidents/{id}"),
            bundle: Some(format!("{base}/incidents/{id}/bundle")),
            runbook: built_in.is_none().then(|| format!("{base}/runbooks/{}", incident.runbook)),
        },
        tried: tried.collect(),
    }
}

/// How often the trouble has come back, if it has.
fn came_back(incident: &Incident) -> String {
    match incident.times_back() {
        0 => String::new(),
        1 => " It has come back once.".to_owned(),
        times => format!(" It has come back {times} times."),
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
