//! Which secrets of the configuration are never written down, even when a step prints them. What others look like is the toolkit's knowledge.

use vvtv_toolkit::redaction::Redactor;

use crate::config::{Channel, Config, WebhookAccess};
use crate::upstream::Upstream;

/// Hides every token, key and header value of a configuration, besides what is known by its look.
#[must_use]
pub fn redactor(config: &Config) -> Redactor {
    let channels = config.channels.values().flat_map(|channel| match channel {
        Channel::Pagerduty { routing_key, .. } => vec![routing_key.reveal()],
        Channel::Webhook { headers, token, .. } => {
            headers.values().map(String::as_str).chain(token.as_ref().map(|token| token.reveal())).collect()
        }
        Channel::Slack { url } => vec![url.reveal()],
        Channel::Opsgenie { api_key, .. } => vec![api_key.reveal()],
        Channel::Alertmanager { token, .. } => token.iter().map(|token| token.reveal()).collect(),
        Channel::Email(email) => email.login.iter().map(|(_, password)| password.reveal()).collect(),
    });
    let webhook = match &config.webhook {
        WebhookAccess::Token(token) => Some(token.reveal()),
        WebhookAccess::Anybody | WebhookAccess::Undecided => None,
    };
    let heartbeat = config.heartbeat.as_ref().map(|heartbeat| heartbeat.url.reveal());
    let asked = [&config.prometheus].into_iter().chain(&config.alertmanager).flat_map(Upstream::secrets);
    Redactor::new(channels.chain(webhook).chain(heartbeat).chain(asked))
}
