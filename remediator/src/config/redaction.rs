//! Which secrets of the configuration are never written down, even when a step prints them. What others look like is the toolkit's knowledge.

use vvtv_toolkit::redaction::Redactor;

use crate::config::{Config, WebhookAccess};
use crate::paging::channels::Settings;
use crate::upstream::Upstream;

/// Hides every token, key and header value of a configuration, besides what is known by its look.
#[must_use]
pub(crate) fn redactor(config: &Config) -> Redactor {
    let channels = config.channels.values().flat_map(|channel| match channel {
        Settings::Pagerduty { routing_key, .. } => vec![routing_key.reveal()],
        Settings::Webhook { headers, token, .. } => {
            headers.values().map(String::as_str).chain(token.as_ref().map(|token| token.reveal())).collect()
        }
        Settings::Slack { url } => vec![url.reveal()],
        Settings::Opsgenie { api_key, .. } => vec![api_key.reveal()],
        Settings::Alertmanager { token, .. } => token.iter().map(|token| token.reveal()).collect(),
        Settings::Email(email) => email.login.iter().map(|(_, password)| password.reveal()).collect(),
    });
    let webhook = match &config.webhook {
        WebhookAccess::Token(token) => Some(token.reveal()),
        WebhookAccess::Anybody | WebhookAccess::Undecided => None,
    };
    let heartbeat = config.heartbeat.as_ref().map(|heartbeat| heartbeat.url.reveal());
    let asked = [&config.prometheus].into_iter().chain(&config.alertmanager).flat_map(Upstream::secrets);
    Redactor::new(channels.chain(webhook).chain(heartbeat).chain(asked))
}
