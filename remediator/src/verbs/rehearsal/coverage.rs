//! Which branches of the runbooks the cases went through.

use std::collections::BTreeSet;

use vvtv_incident::{EntryKind, Reason};

use super::world::Line;
use crate::runbook::LoadedRunbook;

/// What can happen to runbooks, less what did.
pub(super) struct Coverage {
    missing: BTreeSet<String>,
    /// Step ids are unique within one runbook only, so every incident's runbook is followed.
    incident: std::collections::BTreeMap<u64, String>,
}

impl Coverage {
    pub(super) fn of(books: &[LoadedRunbook]) -> Self {
        let mut missing = BTreeSet::new();
        for book in books {
            let id = &book.plan.id;
            for step in book.plan.all_steps() {
                missing.insert(format!("{id}: {} runs", step.id));
                if step.conditional {
                    missing.insert(format!("{id}: {} is left out by its condition", step.id));
                }
                if step.is_change() && book.plan.steps.contains(step) {
                    missing.insert(format!("{id}: {} is left out because the target is healthy", step.id));
                }
            }
            missing.insert(format!("{id}: nothing helps"));
            missing.insert(format!("{id}: closes by itself"));
            if let Some(escalate) = book.plan.escalate {
                missing.insert(format!("{id}: {} is called by the timer", escalate.level));
            }
        }
        Self { missing, incident: std::collections::BTreeMap::new() }
    }

    pub(super) fn note(&mut self, lines: &[Line]) {
        self.incident.clear();
        for line in lines {
            self.note_line(line);
        }
    }

    fn note_line(&mut self, line: &Line) {
        let entry = &line.entry;
        let Some(incident) = entry.incident.map(vvtv_incident::IncidentId::get) else { return };
        if entry.event == EntryKind::Opened {
            let runbook = entry.detail.split(':').next().unwrap_or_default();
            self.incident.insert(incident, runbook.to_owned());
        }
        let Some(book) = self.incident.get(&incident) else { return };
        let step = entry.detail.split([' ', ':']).next().unwrap_or_default();
        let branch = match (entry.event, entry.reason) {
            (EntryKind::StepStarted, _) => format!("{book}: {step} runs"),
            (EntryKind::StepSkipped, Reason::ConditionFalse) => format!("{book}: {step} is left out by its condition"),
            (EntryKind::StepSkipped, Reason::Healthy) => {
                format!("{book}: {step} is left out because the target is healthy")
            }
            (EntryKind::Phase, Reason::Exhausted) => format!("{book}: nothing helps"),
            (EntryKind::Closed, Reason::Monitored | Reason::Stabilised) => format!("{book}: closes by itself"),
            (EntryKind::Paged, Reason::EscalationTimer) => format!("{book}: {step} is called by the timer"),
            _ => return,
        };
        self.missing.remove(&branch);
    }

    pub(super) fn missing(self) -> Vec<String> {
        self.missing.into_iter().collect()
    }
}
