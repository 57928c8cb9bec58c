//! What is known so far in one incident: the values that conditions and argument templates can name.

use std::collections::BTreeMap;

use serde::Serialize;

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
    /// Its state: `pending`, `skipped`, `running`, `ok`, `failed`, `timeout` or `unknown`.
    pub state: String,
    /// Its exit code, if it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Its standard output as JSON, if the step's `output` is `json` and it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
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
