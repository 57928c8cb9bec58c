//! `remediator.yml` as it is written. What it means is `super`'s business.

use std::collections::BTreeMap;

use serde::Deserialize;
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::Spanned;

use super::people::{WrittenHeartbeat, WrittenUnanswered, WrittenWatchdog};
use super::upstream::{One, Several};
use crate::runbook::platform::ByPlatform;
use crate::runbook::{VariableText, WrittenChore, WrittenMode};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) listen: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) external_url: Option<Spanned<String>>,
    pub(super) database: Spanned<String>,
    pub(super) runbooks: Spanned<String>,
    #[serde(default)]
    pub(super) rules: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) metrics: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, Spanned<ByPlatform<VariableText>>>,
    pub(super) prometheus: Spanned<One>,
    pub(super) alertmanager: Spanned<Several>,
    #[serde(default)]
    pub(super) alertmanager_config: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) mode: WrittenMode,
    #[serde(default)]
    pub(super) webhook: Option<Webhook>,
    #[serde(default)]
    pub(super) limits: Option<Limits>,
    pub(super) contacts: Spanned<Vec<Contact>>,
    #[serde(default)]
    pub(super) channels: BTreeMap<String, Spanned<Channel>>,
    #[serde(default)]
    pub(super) targets: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) inventory: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) environment: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) reconcile: Option<Spanned<PromDuration>>,
    #[serde(default)]
    pub(super) maintenance_windows: Vec<MaintenanceWindow>,
    #[serde(default)]
    pub(super) maintenance: Vec<Duty>,
    #[serde(default)]
    pub(super) journal: Journal,
    #[serde(default)]
    pub(super) unanswered: WrittenUnanswered,
    #[serde(default)]
    pub(super) watchdog: Option<WrittenWatchdog>,
    #[serde(default)]
    pub(super) heartbeat: Option<WrittenHeartbeat>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaintenanceWindow {
    pub(super) name: Spanned<String>,
    pub(super) cron: Spanned<String>,
    pub(super) lasts: Spanned<PromDuration>,
    pub(super) timezone: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Duty {
    pub(super) name: Spanned<String>,
    pub(super) schedule: Spanned<String>,
    pub(super) timezone: Spanned<String>,
    pub(super) owner: Spanned<u8>,
    pub(super) due_within: Spanned<PromDuration>,
    #[serde(default)]
    pub(super) steps: Option<Spanned<Vec<WrittenChore>>>,
    #[serde(default)]
    pub(super) person: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    #[serde(default)]
    pub(super) token_file: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) unauthenticated: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) receiver: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) sns_topics: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Journal {
    pub(super) retention: Option<Spanned<PromDuration>>,
    pub(super) apart_from: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) concurrent_changes: Option<Spanned<usize>>,
    pub(super) changes_per_hour: Option<Spanned<usize>>,
    pub(super) max_unhealthy_ratio: Option<Spanned<f64>>,
    pub(super) systemic_from: Option<Spanned<usize>>,
    pub(super) attempts_per_step: Option<Spanned<u32>>,
    pub(super) efficacy_min_runs: Option<Spanned<u32>>,
    pub(super) relapses: Option<Spanned<u32>>,
    pub(super) health_interval: Option<Spanned<PromDuration>>,
    pub(super) health_interval_idle: Option<Spanned<PromDuration>>,
    pub(super) health_questions_per_second: Option<Spanned<u32>>,
    pub(super) health_timeout: Option<Spanned<PromDuration>>,
    pub(super) health_unknown_for: Option<Spanned<PromDuration>>,
    pub(super) approval_expires: Option<Spanned<PromDuration>>,
    pub(super) ack_expires: Option<Spanned<PromDuration>>,
    pub(super) page_hold: Option<Spanned<PromDuration>>,
    pub(super) returns_within: Option<Spanned<PromDuration>>,
    pub(super) open_incidents: Option<Spanned<usize>>,
    pub(super) alerts_per_incident: Option<Spanned<usize>>,
    pub(super) pages_per_incident: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contact {
    pub(super) level: Spanned<u8>,
    pub(super) name: Spanned<String>,
    pub(super) respond_within: Spanned<PromDuration>,
    #[serde(default)]
    pub(super) scope: String,
    pub(super) notify: Spanned<Vec<Spanned<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Channel {
    Pagerduty(Pagerduty),
    Webhook(WebhookChannel),
    Slack(Slack),
    Opsgenie(Opsgenie),
    Alertmanager(AlertmanagerChannel),
    Email(Box<Email>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slack {
    pub(super) url_file: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opsgenie {
    pub(super) api_key_file: Spanned<String>,
    #[serde(default)]
    pub(super) url: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertmanagerChannel {
    #[serde(default)]
    pub(super) url: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) urls: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub(super) token_file: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Email {
    pub(super) server: Spanned<String>,
    pub(super) from: Spanned<String>,
    pub(super) to: Spanned<String>,
    #[serde(default)]
    pub(super) tls: Option<Spanned<EmailTls>>,
    #[serde(default)]
    pub(super) ca_file: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) username: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) password_file: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EmailTls {
    Starttls,
    Tls,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pagerduty {
    pub(super) routing_key_file: Spanned<String>,
    #[serde(default)]
    pub(super) url: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookChannel {
    pub(super) url: Spanned<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) token_file: Option<Spanned<String>>,
}
