//! Secrets of the configuration are not written down, even when a step prints them.

use std::sync::Arc;

use crate::config::{Channel, Config, WebhookAccess};

/// What stands in a secret's place.
const INSTEAD: &str = "[redacted]";
/// Shorter texts are left: they are in ordinary output by chance.
const BYTES_MIN: usize = 8;

/// Takes known secrets out of texts.
#[derive(Clone, Debug, Default)]
pub struct Redaction(Arc<[Box<str>]>);

impl Redaction {
    /// Every token, key and header value of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
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
        Self::new(channels.chain(webhook))
    }

    fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut secrets: Vec<Box<str>> =
            secrets.into_iter().filter(|secret| secret.len() >= BYTES_MIN).map(Box::from).collect();
        // One may be the beginning of another.
        secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets.into())
    }

    /// The text without them.
    #[must_use]
    pub fn apply(&self, text: String) -> String {
        self.0.iter().fold(
            text,
            |text, secret| {
                if text.contains(&**secret) { text.replace(&**secret, INSTEAD) } else { text }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_the_longest_first_and_short_ones_left() {
        let redaction = Redaction::new(["s3cret-token", "s3cret-token-2", "true"]);
        let text = "true: s3cret-token, s3cret-token-2\n".to_owned();
        assert_eq!(redaction.apply(text), "true: [redacted], [redacted]\n");
    }
}
