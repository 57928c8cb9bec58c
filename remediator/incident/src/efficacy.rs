//! How often a step helped lately, and from when on it is not trusted any more.

use std::collections::BTreeMap;

use crate::ids::{RunbookId, StepId};
use crate::policy::Policy;
use crate::runbook::Step;
use crate::turn::Turn;

/// What a step's runs came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Efficacy {
    /// How often it was run.
    pub runs: u32,
    /// How often the target was healthy within `settle` after it.
    pub helped: u32,
}

/// What the steps came to, as far as is known.
pub type EfficacyTable = BTreeMap<(RunbookId, StepId), Efficacy>;

/// The share of runs that must have helped, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EfficacyFloor(u16);

impl EfficacyFloor {
    /// From a share between 0 and 1.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        (0.0..=1.0).contains(&share).then(|| Self((share * 1000.0).round() as u16))
    }

    fn is_missed_by(self, record: Efficacy) -> bool {
        u64::from(record.helped) * 1000 < u64::from(self.0) * u64::from(record.runs)
    }
}

impl Turn<'_> {
    /// The step's record, if it helped too seldom to be run without a person.
    pub(crate) fn helped_too_seldom(&self, step: &Step) -> Option<Efficacy> {
        let record = self.efficacy.get(&(self.runbook.id.clone(), step.id.clone()))?;
        step.is_distrusted(*record, self.policy).then_some(*record)
    }
}

impl Step {
    /// Whether a step with this record helped too seldom to be run without a person.
    #[must_use]
    pub fn is_distrusted(&self, record: Efficacy, policy: &Policy) -> bool {
        let missed = self.efficacy_floor.is_some_and(|floor| floor.is_missed_by(record));
        missed && record.runs >= policy.efficacy_min_runs
    }
}
