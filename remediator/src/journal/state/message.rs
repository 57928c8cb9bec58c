//! Messages: what they are about, as it stands in columns.

use vvtv_incident::{IncidentId, TaskId};

use crate::journal::outbox::Subject;

/// The columns `incident_id` and `page`. Incidents count from 1; a task's messages are of incident 0, which no incident is, on the page
/// of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct SubjectV1 {
    pub(in crate::journal) incident_id: i64,
    pub(in crate::journal) page: u32,
}

/// The columns name neither an incident nor a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct NoSubject;

impl From<Subject> for SubjectV1 {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Incident { incident, page } => {
                Self { incident_id: i64::try_from(incident.get()).unwrap_or(i64::MAX), page }
            }
            Subject::Task(task) => Self { incident_id: 0, page: task.get() },
        }
    }
}

impl TryFrom<SubjectV1> for Subject {
    type Error = NoSubject;

    fn try_from(SubjectV1 { incident_id, page }: SubjectV1) -> Result<Self, NoSubject> {
        match u64::try_from(incident_id) {
            Ok(0) => Ok(Self::Task(TaskId::new(page))),
            Ok(incident) => Ok(Self::Incident { incident: IncidentId::new(incident), page }),
            Err(_) => Err(NoSubject),
        }
    }
}
