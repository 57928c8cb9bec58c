//! What people do to one incident.

use crate::command::EntryKind;
use crate::event::Operation;
use crate::ids::{Person, StepId};
use crate::incident::Incident;
use crate::reason::Reason;
use crate::state::{Hold, Phase, Stage, StepMachine, StepRef};
use crate::turn::{Relevance, Turn};

impl Incident {
    pub(crate) fn operate(&mut self, by: &Person, operation: Operation, turn: &mut Turn<'_>) -> Relevance {
        if matches!(self.phase, Phase::Closing { .. }) {
            self.record(turn, EntryKind::Ignored, Reason::UnknownIncident, by.as_str());
            return Relevance::Current;
        }
        let until = turn.now + turn.policy.ack_expires;
        match operation {
            Operation::Ack => {
                self.escalation.take_in_hand(by.clone(), until);
                self.record(turn, EntryKind::Operator, Reason::Acknowledged, by.as_str());
            }
            Operation::Hold => {
                self.hold = Some(Hold { by: by.clone(), at: turn.now });
                self.record(turn, EntryKind::Operator, Reason::Held, by.as_str());
                self.page_first_level(Reason::Held, turn);
                self.escalation.take_in_hand(by.clone(), until);
            }
            Operation::Release => {
                self.hold = None;
                self.record(turn, EntryKind::Operator, Reason::Released, by.as_str());
            }
            Operation::Approve(step) => self.approve(by, &step, turn),
            Operation::Abort => self.abort(by.as_str(), turn),
            Operation::Note(text) => {
                self.record(turn, EntryKind::Operator, Reason::Noted, format!("{by}: {text}"));
            }
        }
        Relevance::Current
    }

    /// The approval is for the change that waits and that the person named, and health is asked once more before it runs.
    fn approve(&mut self, by: &Person, step: &StepId, turn: &mut Turn<'_>) {
        let waits = |at: &StepRef| self.step(*at).is_some_and(|record| record.id == *step);
        let at = match self.phase.machine() {
            Some(StepMachine { at, stage: Stage::AwaitingApproval { .. } }) => Some(*at).filter(waits),
            Some(_) | None => None,
        };
        let Some(at) = at else {
            self.record(turn, EntryKind::Ignored, Reason::NothingToApprove, format!("{step}: {by}"));
            return;
        };
        if let Some(record) = self.step_mut(at) {
            record.approved_by = Some(by.clone());
        }
        self.set_stage(Stage::Deciding { since: turn.now });
        self.record(turn, EntryKind::Operator, Reason::Approved, format!("{step}: {by}"));
    }
}
