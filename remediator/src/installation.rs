//! Who we are to those who take our pages, and the one place that names a page for them.
//!
//! Receivers know a page by its key alone: PagerDuty's `dedup_key`, Opsgenie's alias, a mail's `Message-ID`. Incidents count from 1 in every
//! journal, so two installations that share a receiver, or one before and after its journal was lost, would fold their pages into each
//! other and resolve them. The journal's own id keeps them apart.

use std::fmt;

use vvtv_incident::{IncidentId, TaskId};

use crate::journal::outbox::Subject;

/// Random hexadecimal digits of an id.
const DIGITS: usize = 16;

/// The journal's id, made with it and kept in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallationId(Box<str>);

/// The text is no id.
#[derive(Debug, thiserror::Error)]
#[error("expected {DIGITS} hexadecimal digits")]
pub struct NoInstallationId;

impl TryFrom<String> for InstallationId {
    type Error = NoInstallationId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_id = text.len() == DIGITS && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        if is_id { Ok(Self(text.into())) } else { Err(NoInstallationId) }
    }
}

impl From<InstallationId> for String {
    fn from(id: InstallationId) -> Self {
        id.0.into()
    }
}

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who we are, and which pages were sent before we had a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The id.
    pub id: InstallationId,
    /// The last of those whose pages have keys without it.
    pub nameless: Nameless,
}

/// Incidents and tasks of a journal from before ids: whoever took a page of theirs finds it under its old key only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nameless {
    /// Incidents up to this one.
    pub incident: IncidentId,
    /// Tasks up to this one.
    pub task: TaskId,
}

impl Installation {
    /// What receivers know a page by: the same for its call, its updates and its end.
    #[must_use]
    pub fn key(&self, subject: Subject) -> String {
        let nameless = match subject {
            Subject::Incident { incident, .. } => incident <= self.nameless.incident,
            Subject::Task(task) => task <= self.nameless.task,
        };
        if nameless { format!("vvtv-{subject}") } else { format!("vvtv-{}-{subject}", self.id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_open_before_there_were_ids_keeps_its_keys() {
        let id = InstallationId::try_from("0123456789abcdef".to_owned()).unwrap();
        let nameless = Nameless { incident: IncidentId::new(4), task: TaskId::new(2) };
        let installation = Installation { id, nameless };
        let incident = |number| Subject::Incident { incident: IncidentId::new(number), page: 3 };
        let task = |number| Subject::Task(TaskId::new(number));
        let keys = [incident(4), incident(5), task(2), task(3)].map(|subject| installation.key(subject));
        let expected = [
            "vvtv-incident-4-page-3",
            "vvtv-0123456789abcdef-incident-5-page-3",
            "vvtv-task-2",
            "vvtv-0123456789abcdef-task-3",
        ];
        assert_eq!(keys, expected);
        assert!(InstallationId::try_from("0123456789ABCDEF".to_owned()).is_err());
    }
}
