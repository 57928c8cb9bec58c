//! The environment of a step: nothing inherited but a short list, and what the step may want to know of its incident.

use std::ffi::OsString;
use std::path::Path;

use super::{Job, Launch};

/// Variables that are handed on as they are, besides those that the configuration names.
const HANDED_ON: [&str; 4] = ["HOME", "LANG", "TZ", "VVTV_ROOT"];
/// Searched after what `PATH` says: servers' programs live where ordinary users do not look.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Labels longer than this are only in the facts file: environment and arguments share what the kernel gives.
const LABEL_BYTES_MAX: usize = 4 << 10;
/// More labels than this are only in the facts file.
const LABELS_MAX: usize = 64;

/// What the environments of all steps have in common.
pub(super) fn common(named: &[String]) -> Vec<(OsString, OsString)> {
    let inherited = std::env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| HANDED_ON.contains(&name) || named.iter().any(|it| it == name))
    });
    std::iter::once(("PATH".into(), search_path())).chain(inherited).collect()
}

/// What one step has besides; the names are what a shell takes for a variable.
///
/// `VVTV_TARGET`, `VVTV_ALERT`, `VVTV_INCIDENT`, `VVTV_RUNBOOK`, `VVTV_STEP`, `VVTV_ATTEMPT`, `VVTV_LABEL_<name>` for each label,
/// and `VVTV_FACTS`, the path of a JSON file with everything. A task's has `VVTV_TASK` (its number), `VVTV_TASK_NAME` and `VVTV_FACTS`. A label that no environment can hold (a NUL, an odd name, too long)
/// is left out and is in that file.
///
/// # Errors
/// The target has a NUL in it: a step that cannot be told its target must not run.
pub(super) fn of(launch: &Launch, facts: &Path) -> Result<Vec<(OsString, OsString)>, String> {
    if launch.facts.target.contains('\0') {
        return Err("the target has a NUL in it".to_owned());
    }
    let own = match &launch.job {
        Job::Step { incident, runbook, step, attempt } => vec![
            ("VVTV_TARGET", launch.facts.target.clone()),
            ("VVTV_ALERT", without_nul(&launch.facts.alert.name).unwrap_or_default().to_owned()),
            ("VVTV_INCIDENT", incident.to_string()),
            ("VVTV_RUNBOOK", runbook.to_string()),
            ("VVTV_STEP", step.to_string()),
            ("VVTV_ATTEMPT", attempt.to_string()),
        ],
        Job::Task { task, name } => vec![("VVTV_TASK", task.to_string()), ("VVTV_TASK_NAME", name.to_string())],
    };
    let mut environment: Vec<(OsString, OsString)> =
        own.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    environment.push(("VVTV_FACTS".into(), facts.into()));
    let labels = launch.facts.alert.labels.iter().filter(|(name, value)| is_label_name(name) && fits(value));
    environment
        .extend(labels.take(LABELS_MAX).map(|(name, value)| (format!("VVTV_LABEL_{name}").into(), value.into())));
    Ok(environment)
}

/// Where a step's programs are looked for, in order.
#[must_use]
pub(crate) fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").filter(|path| !path.is_empty()).unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push(PATH);
    path
}

fn without_nul(text: &str) -> Option<&str> {
    (!text.contains('\0')).then_some(text)
}

fn fits(value: &str) -> bool {
    value.len() <= LABEL_BYTES_MAX && without_nul(value).is_some()
}

fn is_label_name(name: &str) -> bool {
    name.len() <= 128 && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
