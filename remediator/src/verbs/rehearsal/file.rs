//! `NAME.test.yml` as it is written.
//!
//! ```yaml
//! tests:
//!   - name: a frozen encoder is restarted
//!     alerts: [{at: 0s, name: PublisherLost, until: 20s}]       # labels: {…} besides `stream: main`
//!     health: [{at: 0s, is: sick}, {at: 12s, is: healthy}]       # of `runbook: ID`, or of every one
//!     steps:                                                     # results by attempt; the last one stands for later ones too
//!       encoder_status: [{takes: 200ms, json: {state: stuck}}]
//!       restart_encoder: [{takes: 4s, health: healthy}]          # health from its end on
//!     until: 10m
//!     expect:                                                    # the whole timeline, in order
//!       - 0s opened segment-age: main [alert_firing]
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) tests: Vec<Case>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: Spanned<String>,
    pub(super) alerts: Vec<Alert>,
    #[serde(default)]
    pub(super) health: Vec<HealthAt>,
    #[serde(default)]
    pub(super) steps: BTreeMap<String, Spanned<Vec<StepResult>>>,
    /// Answers to PromQL conditions, by the query as the runbook has it.
    #[serde(default)]
    pub(super) promql: BTreeMap<String, Truth>,
    #[serde(default)]
    pub(super) operators: Vec<Operator>,
    #[serde(default)]
    pub(super) until: Option<PromDuration>,
    pub(super) expect: Spanned<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alert {
    pub(super) at: PromDuration,
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) until: Option<PromDuration>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthAt {
    pub(super) at: PromDuration,
    pub(super) is: Health,
    #[serde(default)]
    pub(super) runbook: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    Healthy,
    Sick,
    Unknown,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Truth {
    #[serde(rename = "true")]
    True,
    #[serde(rename = "false")]
    False,
    Unknown,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StepResult {
    pub(super) takes: Option<PromDuration>,
    pub(super) exit_code: i32,
    pub(super) json: Option<serde_json::Value>,
    pub(super) stdout: String,
    /// It runs into its timeout.
    pub(super) hangs: bool,
    /// Nobody sees its end.
    pub(super) lost: bool,
    /// What the target's health is from its end on.
    pub(super) health: Option<Health>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operator {
    pub(super) at: PromDuration,
    #[serde(rename = "do")]
    pub(super) what: Spanned<Deed>,
    /// The change that an approval is for.
    #[serde(default)]
    pub(super) step: Option<String>,
}

/// What somebody does about the first incident.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Deed {
    Ack,
    Hold,
    Release,
    Approve,
    Abort,
}
