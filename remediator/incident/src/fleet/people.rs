//! What is left to people from the beginning: alerts that no runbook answers, and the silence of those by whom faults are heard of.

use std::collections::BTreeMap;

use super::Fleet;
use crate::built_in::{BuiltIn, MANY_OTHERS, UNANSWERED_MAX};
use crate::command::EntryKind;
use crate::event::Alert;
use crate::ids::{AlertName, IncidentId, RunbookId, Target};
use crate::incident::Incident;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::runbook::Runbook;
use crate::silence::Source;
use crate::time::Timestamp;
use crate::turn::Decisions;

/// The runbooks that are built in, by the policy.
pub(super) fn built_in(policy: &Policy) -> BTreeMap<RunbookId, Runbook> {
    BuiltIn::ALL.into_iter().map(|it| (it.id(), it.runbook(policy))).collect()
}

impl Fleet {
    /// The runbook and target of an alert, or why it has none.
    pub(super) fn place_of(&self, alert: &Alert) -> Result<(RunbookId, Target), Reason> {
        let runbook = self.answers.get(&alert.name).and_then(|id| self.runbooks.get(id)).ok_or(Reason::NoRunbook)?;
        let target = alert.labels.get(&runbook.target).filter(|target| !target.is_empty());
        let target = target.ok_or(Reason::TargetMissing)?;
        Ok((runbook.id.clone(), Target::new(target.clone())))
    }

    /// Where an alert belongs that no runbook answers: to the incident that has it already, or to one for people if it calls them.
    pub(super) fn place_with_people(&self, alert: &Alert) -> Option<(RunbookId, Target)> {
        let known = self.by_alert.get(&alert.fingerprint).and_then(|id| self.incidents.get(id));
        if let Some(incident) = known {
            return Some((incident.runbook.clone(), incident.target.clone()));
        }
        if !self.policy.unanswered.calls(alert) {
            return None;
        }
        let key = (BuiltIn::UnansweredAlert.id(), self.subject_of(alert));
        let is_one_of = |incident: &&Incident| incident.runbook == key.0;
        let full = || self.incidents.values().filter(is_one_of).count() >= UNANSWERED_MAX;
        if !self.by_key.contains_key(&key) && full() { Some((key.0, Target::new(MANY_OTHERS))) } else { Some(key) }
    }

    /// One incident for an alert's name and, if it has one, for what runbooks would act on: a page for each of a crowd's members would
    /// hide what they have in common.
    fn subject_of(&self, alert: &Alert) -> Target {
        let target = self.runbooks.values().filter_map(|book| alert.labels.get(&book.target)).find(|it| !it.is_empty());
        match target {
            Some(target) => Target::new(format!("{}: {target}", alert.name)),
            None => Target::new(alert.name.as_str()),
        }
    }

    /// Whether an alert is the one that always fires: it is no fault, and its delivery a sign of life.
    #[must_use]
    pub fn is_watchdog(&self, alert: &AlertName) -> bool {
        self.policy.watch.as_ref().is_some_and(|watch| watch.alert == *alert)
    }

    /// From now on they are waited for who are not yet.
    pub(super) fn begin_to_listen(&mut self, now: Timestamp) {
        let Some(watch) = &self.policy.watch else { return };
        for source in Source::ALL {
            if source != Source::Watchdog || watch.expected {
                self.heard.entry(source).or_insert(now);
            }
        }
    }

    /// A sign of life.
    pub(super) fn alive(&mut self, source: Source, out: &mut Decisions) {
        self.heard.insert(source, out.now);
        match self.silence().filter(|id| self.incidents.get(id).is_some_and(|it| it.tells_of(source))) {
            Some(id) => self.with(id, out, |it, turn| it.heard_again(source, turn)),
            None => out.record(None, EntryKind::Ignored, Reason::Alive, source.as_str()),
        }
    }

    /// When the next of them will have been silent for too long.
    pub(super) fn next_silence(&self) -> Option<Timestamp> {
        let watch = self.policy.watch.as_ref()?;
        let told = self.silence().and_then(|id| self.incidents.get(&id));
        let waited_for = self.heard.iter().filter(|(source, _)| !told.is_some_and(|it| it.tells_of(**source)));
        waited_for.map(|(_, heard_at)| *heard_at + watch.silent_after).min()
    }

    /// Calls people about those who have been silent for too long.
    pub(super) fn listen(&mut self, out: &mut Decisions) {
        let Some(silent_after) = self.policy.watch.as_ref().map(|watch| watch.silent_after) else { return };
        for source in Source::ALL {
            let told = self.silence().and_then(|id| self.incidents.get(&id)).is_some_and(|it| it.tells_of(source));
            if told || self.heard.get(&source).is_none_or(|heard_at| out.now < *heard_at + silent_after) {
                continue;
            }
            // There is one at most, so it counts against no limit.
            let id = match self.silence() {
                Some(id) => id,
                None => self.open(silence_key(), source.silent(), out),
            };
            self.with(id, out, |it, turn| it.silent(source, turn));
        }
    }

    fn silence(&self) -> Option<IncidentId> {
        self.by_key.get(&silence_key()).copied()
    }
}

fn silence_key() -> (RunbookId, Target) {
    (BuiltIn::SilentMonitoring.id(), Target::new("monitoring"))
}
