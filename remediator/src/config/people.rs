//! What is left to people from the beginning, and how they learn that nobody watches: `unanswered`, `watchdog`, `heartbeat`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use url::Url;
use vvtv_incident::{AlertName, Unanswered, Watch};
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::{Document, Spanned, YamlError};

use super::build::{Builder, positive};
use crate::secret::Secret;

/// Alertmanager delivers the alert that always fires once a minute (alert-rules/alertmanager.yml).
const SILENT_AFTER: Duration = Duration::from_secs(5 * 60);
/// The name that the Prometheus community gives to that alert.
const WATCHDOG: &str = "Watchdog";
/// So many looks of ours at Prometheus and Alertmanager may fail before that is silence.
const LOOKS: u32 = 3;
const EVERY: Duration = Duration::from_secs(60);
const SEVERITIES_MAX: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenUnanswered {
    severities: Option<Vec<Spanned<String>>>,
    respond_within: Option<Spanned<PromDuration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenWatchdog {
    alert: Option<Spanned<String>>,
    silent_after: Option<Spanned<PromDuration>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenHeartbeat {
    url_file: Spanned<String>,
    #[serde(default)]
    every: Option<Spanned<PromDuration>>,
}

/// A sign of life for a service that calls people when it stays away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The address to call; whoever knows it can pretend that we live.
    pub url: Secret,
    /// How often.
    pub every: Duration,
}

pub(super) fn unanswered(source: &Document, written: &WrittenUnanswered) -> Result<Unanswered, YamlError> {
    let default = Unanswered::default();
    let severities = match &written.severities {
        None => default.severities,
        Some(values) => {
            if let Some(one_too_many) = values.get(SEVERITIES_MAX) {
                return Err(source.error(one_too_many, format!("more than {SEVERITIES_MAX} severities")));
            }
            if let Some(empty) = values.iter().find(|value| value.value.is_empty()) {
                return Err(source.error(empty, "the value of the label `severity` is empty"));
            }
            values.iter().map(|value| value.value.as_str().into()).collect::<BTreeSet<_>>()
        }
    };
    let respond_within = written.respond_within.as_ref().map(|text| text.value.get());
    Ok(Unanswered { severities, respond_within })
}

/// Who is silent for less than a few of our looks may only have been missed.
pub(super) fn watch(
    source: &Document,
    written: Option<&WrittenWatchdog>,
    reconcile: Duration,
) -> Result<Watch, YamlError> {
    let silent_after = match written.and_then(|it| it.silent_after.as_ref()) {
        Some(text) if text.value.get() < reconcile * LOOKS => {
            let least = PromDuration::new(reconcile * LOOKS);
            let message = format!("must be at least {least}: Prometheus and Alertmanager are asked every `reconcile`");
            return Err(source.error(text, message));
        }
        Some(text) => text.value.get(),
        None => SILENT_AFTER.max(reconcile * LOOKS),
    };
    let alert = match written.and_then(|it| it.alert.as_ref()) {
        Some(name) if name.value.is_empty() => return Err(source.error(name, "an alert needs a name")),
        Some(name) => AlertName::new(name.value.as_str()),
        None => AlertName::new(WATCHDOG),
    };
    Ok(Watch { alert, expected: written.is_some(), silent_after })
}

impl Builder {
    pub(super) fn heartbeat(&mut self, written: Option<&WrittenHeartbeat>) -> Result<Option<Heartbeat>, YamlError> {
        let Some(written) = written else { return Ok(None) };
        let url = self.secret(&written.url_file)?;
        // What cannot be read here is reported already.
        let is_http = |url: Url| matches!(url.scheme(), "http" | "https");
        if !url.reveal().is_empty() && !Url::parse(url.reveal()).is_ok_and(is_http) {
            return Err(self
                .source
                .error(&written.url_file, "the text of this file is not an address of http or https"));
        }
        let every = written.every.as_ref().map_or(Ok(EVERY), |every| positive(&self.source, every))?;
        Ok(Some(Heartbeat { url, every }))
    }
}
