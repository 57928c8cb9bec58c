//! From what is written in a runbook to what it means.

use std::collections::BTreeMap;
use std::time::Duration;

use vvtv_incident::{
    AlertName, EfficacyFloor, EscalateAt, HealthTest, Kind, LabelName, Level, LockName, OnFailure, Recovery, Restore,
    Runbook, RunbookId, StepId,
};
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::{Spanned, YamlError};

use super::file::{self, File, StepKind};
use super::{Book, Marks, Site};
use crate::conditions::promql::Query;
use crate::source::{Source, place};

pub(super) const HEALTHY_FOR: Duration = Duration::from_secs(30);
const STEPS_MAX: usize = 100;

pub(super) fn book(source: Source, site: &Site) -> Result<Book, Vec<YamlError>> {
    let file: File = source.parse().map_err(|error| vec![error])?;
    let mut builder = Builder::new(source, site);
    builder.head(&file);
    let healthy = builder.keep_from(&file.healthy, Query::parse(&file.healthy.value));
    let escalate = file.escalate.as_ref().and_then(|escalate| builder.escalate(escalate));
    let healthy_for = builder.time(file.healthy_for.as_ref(), HEALTHY_FOR);
    let respond_within = builder.time(Some(&file.respond_within), HEALTHY_FOR);
    let steps = builder.ladder(&file.steps);
    let recovery = builder.recovery(file.recovery);
    let (Some(healthy), true) = (healthy, builder.errors.is_empty()) else { return Err(builder.errors) };
    let alerts: Vec<_> = file.alerts.value.iter().map(|alert| (AlertName::new(&*alert.value), place(alert))).collect();
    let plan = Runbook {
        id: RunbookId::new(&*file.id.value),
        severity: file.severity.into(),
        alerts: alerts.iter().map(|(alert, _)| alert.clone()).collect(),
        target: LabelName::new(&*file.target.value),
        causes: file.causes.iter().map(|cause| RunbookId::new(&*cause.value)).collect(),
        healthy: HealthTest::new(&*file.healthy.value),
        healthy_for,
        respond_within,
        escalate,
        steps,
        recovery,
        mode: file.mode.into(),
        changes_per_hour: file.limits.changes_per_hour.as_ref().map(|limit| limit.value),
    };
    let marks = Marks {
        id: place(&file.id),
        alerts,
        target: place(&file.target),
        causes: file.causes.iter().map(place).collect(),
        healthy: place(&file.healthy),
        escalate: file.escalate.as_ref().map(|escalate| place(&escalate.level)),
        commands: builder.commands,
        conditions: builder.conditions,
        source: builder.source,
    };
    Ok(Book {
        plan,
        title: file.title.value,
        symptoms: file.symptoms,
        impact: file.impact,
        healthy,
        steps: builder.specs,
        source: marks.source.path().to_owned(),
        marks,
    })
}

/// Collects steps, their places, and everything that is wrong.
pub(super) struct Builder<'a> {
    pub(super) source: Source,
    pub(super) site: &'a Site,
    pub(super) specs: BTreeMap<StepId, super::StepSpec>,
    /// Steps whose results may not be there when a later one asks.
    pub(super) background: Vec<StepId>,
    pub(super) commands: BTreeMap<StepId, Spanned<()>>,
    pub(super) conditions: BTreeMap<StepId, Spanned<()>>,
    pub(super) errors: Vec<YamlError>,
}

impl<'a> Builder<'a> {
    pub(super) const fn new(source: Source, site: &'a Site) -> Self {
        Self {
            source,
            site,
            specs: BTreeMap::new(),
            background: Vec::new(),
            commands: BTreeMap::new(),
            conditions: BTreeMap::new(),
            errors: Vec::new(),
        }
    }

    pub(super) fn wrong<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.errors.push(self.source.error(at, message));
    }

    fn keep_from<T, P>(&mut self, at: &Spanned<P>, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.wrong(at, message)).ok()
    }

    fn head(&mut self, file: &File) {
        let id = &file.id;
        self.undecided(&file.undecided);
        if !is_runbook_id(&id.value) {
            self.wrong(id, "not an id: expected a-z, 0-9 and -, at most 64 of them");
        }
        if file.title.value.trim().is_empty() {
            self.wrong(&file.title, "the title is empty");
        }
        if file.alerts.value.is_empty() {
            self.wrong(&file.alerts, "answers no alert");
        }
        for alert in file.alerts.value.iter().filter(|alert| alert.value.is_empty()) {
            self.wrong(alert, "an alert's name cannot be empty");
        }
        if !is_label_name(&file.target.value) {
            self.wrong(&file.target, "not the name of a label: expected letters, digits and _");
        }
        if let Some(limit) = file.limits.changes_per_hour.as_ref().filter(|limit| limit.value == 0) {
            self.wrong(limit, "no change at all is `mode: shadow`");
        }
        if let Some(own) = file.causes.iter().find(|cause| cause.value == id.value) {
            self.wrong(own, "a runbook cannot be its own cause");
        }
    }

    /// What somebody left for a person to settle: nothing of it may run as it stands.
    pub(super) fn undecided(&mut self, entries: &[Spanned<String>]) {
        for entry in entries {
            let message = format!("not decided: {}; settle it, and take it off the list", entry.value);
            self.wrong(entry, message);
        }
    }

    pub(super) fn floor(&mut self, written: Option<&Spanned<f64>>) -> Option<EfficacyFloor> {
        let floor = EfficacyFloor::new(written?.value);
        if let (None, Some(written)) = (floor, written) {
            self.wrong(written, "not a share: expected a number from 0 to 1");
        }
        floor
    }

    fn escalate(&mut self, written: &file::Escalate) -> Option<EscalateAt> {
        if written.level.value == 0 {
            self.wrong(&written.level, "levels count from 1");
            return None;
        }
        let after = self.time(Some(&written.after), Duration::ZERO);
        Some(EscalateAt { level: Level::new(written.level.value), after })
    }

    pub(super) fn time(&mut self, written: Option<&Spanned<PromDuration>>, default: Duration) -> Duration {
        let Some(written) = written else { return default };
        if written.value.get().is_zero() {
            self.wrong(written, "must be longer than zero");
        }
        written.value.get()
    }

    fn ladder(&mut self, written: &Spanned<Vec<file::Step>>) -> Vec<vvtv_incident::Step> {
        if written.value.is_empty() {
            self.wrong(written, "a runbook needs steps");
        }
        if written.value.len() > STEPS_MAX {
            self.wrong(written, format!("more than {STEPS_MAX} steps"));
        }
        written
            .value
            .iter()
            .filter_map(|step| {
                let Some(kind) = &step.kind else {
                    self.wrong(&step.id, "is it `kind: diagnose` (reads) or `kind: change` (alters the system)?");
                    return None;
                };
                self.step(step, kind.value)
            })
            .collect()
    }

    fn recovery(&mut self, written: Option<file::Recovery>) -> Recovery {
        let Some(written) = written else { return Recovery::default() };
        let mut restore = Vec::new();
        for stage in &written.restore {
            for step in [&stage.apply, &stage.undo] {
                if let Some(kind) = step.kind.as_ref().filter(|kind| kind.value != StepKind::Change) {
                    self.wrong(kind, "taking a measure back, and putting it in place again, are changes");
                }
            }
            if let Some(when) = &stage.undo.when {
                self.wrong(when, "an undo runs whenever its restore hurt: it takes no `when`");
            }
            let apply = self.step(&stage.apply, StepKind::Change);
            let undo = self.step(&stage.undo, StepKind::Change);
            if let (Some(apply), Some(undo)) = (apply, undo) {
                restore.push(Restore { apply, undo });
            }
        }
        Recovery { monitor: written.monitor.get(), restore }
    }

    pub(super) fn kind(&mut self, written: &file::Step, kind: StepKind) -> Kind {
        match kind {
            StepKind::Diagnose => {
                let for_changes = [
                    written.locks.as_ref().map(|at| ("locks", place(at))),
                    written.repeatable.as_ref().map(|at| ("repeatable", place(at))),
                    written.on_failure.as_ref().map(|at| ("on_failure", place(at))),
                    written.efficacy_floor.as_ref().map(|at| ("efficacy_floor", place(at))),
                ];
                for (key, at) in for_changes.into_iter().flatten() {
                    self.wrong(&at, format!("`{key}` is for changes, and this step is a diagnosis"));
                }
                let background = written.background.as_ref().is_some_and(|flag| flag.value);
                if let Some(settle) = written.settle.as_ref().filter(|_| background) {
                    self.wrong(settle, "what runs in the background is not waited for, so `settle` means nothing");
                }
                Kind::Diagnose {
                    background,
                    settle: written.settle.as_ref().map_or(Duration::ZERO, |it| it.value.get()),
                    known_to_read: false,
                }
            }
            StepKind::Change => {
                if let Some(flag) = &written.reads_only {
                    self.wrong(flag, "`reads_only` is for diagnoses, and this step is a change");
                }
                if let Some(background) = &written.background {
                    self.wrong(background, "`background` is for diagnoses: what comes after a change waits for it");
                }
                let locks = written.locks.as_ref().map_or(&[][..], |locks| &locks.value);
                for lock in locks.iter().filter(|lock| lock.value.is_empty()) {
                    self.wrong(lock, "a lock needs a name");
                }
                Kind::Change {
                    locks: locks.iter().map(|lock| LockName::new(&*lock.value)).collect(),
                    settle: written.settle.as_ref().map_or(Duration::ZERO, |settle| settle.value.get()),
                    repeatable: written.repeatable.as_ref().is_some_and(|flag| flag.value),
                    on_failure: match written.on_failure.as_ref().map(|choice| choice.value) {
                        Some(file::OnFailure::Continue) => OnFailure::Continue,
                        Some(file::OnFailure::Stop) | None => OnFailure::Stop,
                    },
                }
            }
        }
    }
}

pub(super) fn is_runbook_id(text: &str) -> bool {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 64 && text.chars().all(valid)
}

fn is_label_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
