//! What is known so far in one incident: the values that conditions and argument templates can name.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use vvtv_incident::{Incident, StepId};

/// Everything that an expression can see.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Facts {
    /// The incident's target.
    pub target: String,
    /// The steps so far, by id. Every step of the runbook is there.
    pub steps: BTreeMap<String, StepFacts>,
    /// The alert that opened the incident.
    pub alert: AlertFacts,
    /// The incident itself.
    pub incident: IncidentFacts,
    /// The machine that the remediator runs on.
    pub host: HostFacts,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StepFacts {
    /// Its state in this pass through the steps: `pending`, `skipped`, `running`, `ok`, `failed`, `timeout` or `unknown`.
    pub state: String,
    /// Whether it ended well in any pass of this incident: after a relapse a measure stands that this pass left out.
    pub done: bool,
    /// Its exit code, if it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Its standard output as JSON, if the step's `output` is `json` and it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// The same of the first time that it ended well in this incident: what was in force before anything was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_json: Option<serde_json::Value>,
    /// Its standard output, as far as it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
}

/// An alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertFacts {
    /// `alertname`.
    pub name: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
}

/// An incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IncidentFacts {
    /// Its number.
    pub id: u64,
    /// The runbook at work.
    pub runbook: String,
    /// How often the trouble came back.
    pub relapses: u32,
    /// When it was opened, RFC 3339.
    pub opened_at: String,
    /// A directory of its own: what steps leave there is part of its diagnostic bundle.
    pub attachments: String,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostFacts {
    /// `linux` or `macos`.
    pub platform: String,
}

/// What a step said when it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepFact {
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// What it wrote to stdout, capped.
    pub stdout: Arc<str>,
    /// Whether it ended well.
    pub ok: bool,
}

/// What the steps of one incident said: each the last time that it ended, and the first time that it ended well.
#[derive(Clone, Debug, Default)]
pub struct StepOutputs(BTreeMap<StepId, (StepFact, Option<Arc<str>>)>);

impl StepOutputs {
    /// Takes an end down; ends are told in their order.
    pub fn note(&mut self, step: StepId, fact: StepFact) {
        let (last, first) = self.0.entry(step).or_default();
        if fact.ok && first.is_none() {
            *first = Some(Arc::clone(&fact.stdout));
        }
        *last = fact;
    }

    /// Every step of an incident, as conditions and arguments can name them. `writes_json` says of which steps the output is JSON.
    #[must_use]
    pub fn steps(&self, incident: &Incident, writes_json: impl Fn(&StepId) -> bool) -> BTreeMap<String, StepFacts> {
        let one = |record: &vvtv_incident::StepRecord| {
            let said = self.0.get(&record.id);
            let is_json = writes_json(&record.id);
            let json = |text: &Arc<str>| if is_json { serde_json::from_str(text).ok() } else { None };
            let facts = StepFacts {
                state: record.state.as_str().to_owned(),
                done: said.is_some_and(|(_, first)| first.is_some()),
                exit_code: said.and_then(|(last, _)| last.exit_code),
                json: said.and_then(|(last, _)| json(&last.stdout)),
                first_json: said.and_then(|(_, first)| first.as_ref()).and_then(json),
                stdout: said.map(|(last, _)| last.stdout.to_string()),
            };
            (record.id.to_string(), facts)
        };
        incident.steps().map(one).collect()
    }
}
