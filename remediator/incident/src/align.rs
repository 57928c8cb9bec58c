//! An incident that was begun under another text of its runbook.

use std::collections::BTreeMap;

use crate::ids::StepId;
use crate::incident::Incident;
use crate::runbook::{Runbook, Step};
use crate::state::{Phase, RestoreRecord, Stage, StepMachine, StepRecord, StepRef, StepState};

/// Fits an incident to its runbook's present text: steps are known by their ids.
pub(crate) fn align(incident: &mut Incident, runbook: &Runbook) {
    let at = incident.phase.machine().and_then(|machine| incident.step(machine.at)).map(|record| record.id.clone());
    keep_records(incident, runbook);
    let at = at.and_then(|id| incident.place_of(&id));
    let past_the_ladder = StepRef::Step(runbook.steps.len());
    match &mut incident.phase {
        Phase::Working(machine) => match at {
            Some(at @ StepRef::Step(_)) => go_on_at(machine, at),
            Some(StepRef::Apply(_) | StepRef::Undo(_)) | None => {
                let was_past_the_ladder = machine.at >= past_the_ladder;
                let first_open = incident.ladder.iter().position(|record| record.state == StepState::Pending);
                let first_open = first_open.filter(|_| !was_past_the_ladder).map(StepRef::Step);
                *machine = StepMachine::ready(first_open.unwrap_or(past_the_ladder));
            }
        },
        Phase::Restoring(machine) => match at {
            Some(at @ (StepRef::Apply(_) | StepRef::Undo(_))) => go_on_at(machine, at),
            Some(StepRef::Step(_)) | None => {
                *machine = StepMachine::ready(StepRef::Apply(runbook.recovery.restore.len()));
            }
        },
        Phase::Exhausted
        | Phase::Stabilising
        | Phase::Monitoring { .. }
        | Phase::Closing { .. }
        | Phase::Closed { .. } => {}
    }
}

/// The same step, wherever it stands now. Questions are asked anew.
fn go_on_at(machine: &mut StepMachine, at: StepRef) {
    machine.at = at;
    if machine.stage.asks_something() {
        machine.stage = Stage::Ready;
    }
}

/// Every step of the text has its record, and every step that ran is remembered.
fn keep_records(incident: &mut Incident, runbook: &Runbook) {
    let ladder = std::mem::take(&mut incident.ladder).into_iter();
    let restores = std::mem::take(&mut incident.restores).into_iter().flat_map(|it| [it.apply, it.undo]);
    let retired = std::mem::take(&mut incident.retired);
    let mut old: BTreeMap<StepId, StepRecord> =
        ladder.chain(restores).chain(retired).map(|record| (record.id.clone(), record)).collect();
    let mut fit = |step: &Step| {
        old.remove(&step.id).unwrap_or_else(|| StepRecord::pending(step.id.clone(), step.remembered_kind()))
    };
    incident.ladder = runbook.steps.iter().map(&mut fit).collect();
    let restores = runbook.recovery.restore.iter();
    incident.restores = restores.map(|it| RestoreRecord { apply: fit(&it.apply), undo: fit(&it.undo) }).collect();
    // A text that is taken back must find what its steps did: they must not run twice.
    incident.retired = old.into_values().filter(|record| record.attempts > 0).collect();
}
