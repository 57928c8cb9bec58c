//! An incident that was begun under another text of its runbook.

use std::collections::BTreeMap;

use crate::incident::Incident;
use crate::runbook::{Runbook, Step};
use crate::state::{Phase, Stage, StepRecord, StepState};

/// Fits an incident to its runbook's present text: steps are known by their ids.
pub(crate) fn align(incident: &mut Incident, runbook: &Runbook) {
    let at = incident.phase.step().and_then(|(index, _)| incident.steps.get(index)).map(|record| record.id.clone());
    let mut old: BTreeMap<_, _> = std::mem::take(&mut incident.steps)
        .into_iter()
        .chain(std::mem::take(&mut incident.retired))
        .map(|r| (r.id.clone(), r))
        .collect();
    let fit = |step: &Step| {
        old.remove(&step.id).unwrap_or_else(|| StepRecord::pending(step.id.clone(), step.remembered_kind()))
    };
    incident.steps = runbook.all_steps().map(fit).collect();
    // A text that is taken back must find what its steps did: they must not run twice.
    incident.retired = old.into_values().filter(|record| record.attempts > 0).collect();
    let position = at.and_then(|id| incident.steps.iter().position(|record| record.id == id));
    let ladder = runbook.steps.len();
    match &mut incident.phase {
        Phase::Working { cursor, stage } => {
            let moved = position.filter(|position| *position < ladder);
            let first_open =
                || incident.steps.iter().take(ladder).position(|record| record.state == StepState::Pending);
            let was_past_the_ladder = *cursor >= ladder && moved.is_none();
            let next = moved.or_else(|| if was_past_the_ladder { None } else { first_open() }).unwrap_or(ladder);
            let lost = moved.is_none();
            *cursor = next;
            if lost || stage.asks_something() {
                *stage = Stage::Ready;
            }
        }
        Phase::Restoring { step, stage } => {
            let lost = position.is_none();
            *step = position.unwrap_or(usize::MAX);
            if lost || stage.asks_something() {
                *stage = Stage::Ready;
            }
        }
        Phase::Exhausted
        | Phase::Stabilising
        | Phase::Monitoring { .. }
        | Phase::Closing { .. }
        | Phase::Closed { .. } => {}
    }
}
