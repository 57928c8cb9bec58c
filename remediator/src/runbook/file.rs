//! A runbook as it is written. What it means is `build`'s business.

use serde::Deserialize;
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::Spanned;

use super::Output;
use super::argument::Piece;
use crate::runbook::platform::ByPlatform;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) id: Spanned<String>,
    pub(super) title: Spanned<String>,
    #[serde(default)]
    pub(super) symptoms: Option<String>,
    #[serde(default)]
    pub(super) impact: Option<String>,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) undecided: Vec<Spanned<String>>,
    pub(super) alerts: Spanned<Vec<Spanned<String>>>,
    pub(super) severity: Severity,
    pub(super) target: Spanned<String>,
    #[serde(default)]
    pub(super) causes: Vec<Spanned<String>>,
    pub(super) healthy: Spanned<String>,
    #[serde(default)]
    pub(super) healthy_for: Option<Spanned<PromDuration>>,
    pub(super) respond_within: Spanned<PromDuration>,
    #[serde(default)]
    pub(super) escalate: Option<Escalate>,
    #[serde(default)]
    pub(super) mode: Mode,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) steps: Spanned<Vec<Step>>,
    #[serde(default)]
    pub(super) recovery: Option<Recovery>,
}

/// What happens to changes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    #[default]
    Act,
    Approve,
    Shadow,
}

impl From<Mode> for vvtv_incident::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Act => Self::Act,
            Mode::Approve => Self::Approve,
            Mode::Shadow => Self::Shadow,
        }
    }
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Warning,
    Major,
    Critical,
}

impl From<Severity> for vvtv_incident::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Major => Self::Major,
            Severity::Critical => Self::Critical,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    #[serde(default)]
    pub(super) changes_per_hour: Option<Spanned<usize>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Escalate {
    pub(super) level: Spanned<u8>,
    pub(super) after: Spanned<PromDuration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) id: Spanned<String>,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) action: Option<u8>,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) undecided: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) kind: Option<Spanned<StepKind>>,
    #[serde(default)]
    pub(super) background: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) reads_only: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) when: Option<Spanned<When>>,
    #[serde(default)]
    pub(super) run: Option<Spanned<ByPlatform<Vec<Spanned<Piece>>>>>,
    #[serde(default)]
    pub(super) shell: Option<Spanned<ByPlatform<String>>>,
    #[serde(default)]
    pub(super) timeout: Option<Spanned<PromDuration>>,
    #[serde(default)]
    pub(super) output: Output,
    #[serde(default)]
    pub(super) locks: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub(super) settle: Option<Spanned<PromDuration>>,
    #[serde(default)]
    pub(super) repeatable: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) attempts: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) on_failure: Option<Spanned<OnFailure>>,
    #[serde(default)]
    pub(super) efficacy_floor: Option<Spanned<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StepKind {
    Diagnose,
    Change,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OnFailure {
    Stop,
    Continue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum When {
    Promql(Spanned<String>),
    Expr(Spanned<String>),
    All(Spanned<Vec<Self>>),
    Any(Spanned<Vec<Self>>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recovery {
    #[serde(default)]
    pub(super) monitor: PromDuration,
    #[serde(default)]
    pub(super) restore: Vec<Restore>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    pub(super) apply: Step,
    pub(super) undo: Step,
}
