//! The ways to reach people, as they are written in `channels`.

use std::collections::BTreeMap;

use url::Url;
use vvtv_incident::ChannelName;
use vvtv_toolkit::yaml::{Spanned, YamlError, place};

use super::build::{Builder, base_url, url};
use super::file;
use crate::paging::channels::{Email, EmailTls, Settings};
use crate::secret::Secret;

const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
/// Members that a cluster may have.
const ALERTMANAGERS_MAX: usize = 10;
const OPSGENIE: &str = "https://api.opsgenie.com/v2/alerts";

/// What to do about a routing key that is not there: a new installation has none.
const ROUTING_KEY: &str = ": PagerDuty's routing key belongs there (of a service's integration `Events API v2`); without PagerDuty, \
                           use a channel `webhook`; `mode: shadow` calls nobody and starts without";

/// The places of headers, whose values stand in the file as they are.
pub(super) fn headers(channels: &BTreeMap<String, Spanned<file::Channel>>) -> Vec<(String, Spanned<()>)> {
    let webhooks = channels.values().filter_map(|channel| match &channel.value {
        file::Channel::Webhook(webhook) => Some(&webhook.headers),
        file::Channel::Pagerduty(_)
        | file::Channel::Slack(_)
        | file::Channel::Opsgenie(_)
        | file::Channel::Alertmanager(_)
        | file::Channel::Email(_) => None,
    });
    webhooks.flatten().map(|(name, value)| (name.clone(), place(value))).collect()
}

impl Builder {
    pub(super) fn channels(
        &mut self,
        written: &BTreeMap<String, Spanned<file::Channel>>,
    ) -> Result<BTreeMap<ChannelName, Settings>, YamlError> {
        let mut channels = BTreeMap::new();
        for (name, channel) in written {
            channels.insert(ChannelName::new(name.as_str()), self.channel(channel)?);
        }
        Ok(channels)
    }

    fn channel(&mut self, written: &Spanned<file::Channel>) -> Result<Settings, YamlError> {
        match &written.value {
            file::Channel::Pagerduty(pagerduty) => Ok(Settings::Pagerduty {
                routing_key: self.needed_secret(&pagerduty.routing_key_file, ROUTING_KEY)?,
                url: self.url_or(pagerduty.url.as_ref(), PAGERDUTY, written)?,
            }),
            file::Channel::Webhook(webhook) => self.webhook(webhook),
            file::Channel::Slack(slack) => {
                let address = self.secret(&slack.url_file)?;
                // What cannot be read here is reported already.
                let wrong = !address.reveal().is_empty() && Url::parse(address.reveal()).is_err();
                if wrong {
                    return Err(self.source.error(&slack.url_file, "the text of this file is not an address"));
                }
                Ok(Settings::Slack { url: address })
            }
            file::Channel::Opsgenie(opsgenie) => Ok(Settings::Opsgenie {
                api_key: self.secret(&opsgenie.api_key_file)?,
                url: self.url_or(opsgenie.url.as_ref(), OPSGENIE, written)?,
            }),
            file::Channel::Alertmanager(alertmanager) => Ok(Settings::Alertmanager {
                urls: self.alertmanagers(alertmanager, written)?,
                token: self.optional_secret(alertmanager.token_file.as_ref())?,
            }),
            file::Channel::Email(email) => Ok(Settings::Email(self.email(email)?)),
        }
    }

    fn url_or<T>(
        &self,
        written: Option<&Spanned<String>>,
        default: &str,
        channel: &Spanned<T>,
    ) -> Result<Url, YamlError> {
        match written {
            Some(text) => url(&self.source, text),
            None => Url::parse(default).map_err(|error| self.source.error(channel, error.to_string())),
        }
    }

    /// Where each of a cluster takes alerts.
    fn alertmanagers<T>(
        &self,
        written: &file::AlertmanagerChannel,
        channel: &Spanned<T>,
    ) -> Result<Vec<Url>, YamlError> {
        let named = match (&written.url, &written.urls) {
            (Some(one), None) => std::slice::from_ref(one),
            (None, Some(all)) => match all.value.get(ALERTMANAGERS_MAX) {
                Some(one_too_many) => {
                    return Err(self
                        .source
                        .error(one_too_many, format!("more than {ALERTMANAGERS_MAX} Alertmanagers")));
                }
                None if all.value.is_empty() => return Err(self.source.error(all, "no Alertmanager is named")),
                None => all.value.as_slice(),
            },
            (None, None) => {
                return Err(self.source.error(channel, "an Alertmanager has a `url`, a cluster has `urls`"));
            }
            (Some(_), Some(all)) => return Err(self.source.error(all, "`url` and `urls` exclude each other")),
        };
        let takes_alerts = |text: &Spanned<String>| {
            let url = base_url(&self.source, text)?.join("api/v2/alerts");
            url.map_err(|error| self.source.error(text, error.to_string()))
        };
        named.iter().map(takes_alerts).collect()
    }

    fn optional_secret(&mut self, path: Option<&Spanned<String>>) -> Result<Option<Secret>, YamlError> {
        path.map(|path| self.secret(path)).transpose()
    }

    fn webhook(&mut self, webhook: &file::WebhookChannel) -> Result<Settings, YamlError> {
        for (name, value) in &webhook.headers {
            let valid = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && reqwest::header::HeaderValue::from_str(&value.value).is_ok();
            if !valid {
                return Err(self.source.error(value, format!("`{name}` with this value is not an HTTP header")));
            }
        }
        Ok(Settings::Webhook {
            token: self.optional_secret(webhook.token_file.as_ref())?,
            url: url(&self.source, &webhook.url)?,
            headers: webhook.headers.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect(),
        })
    }

    fn email(&mut self, email: &file::Email) -> Result<Email, YamlError> {
        let server = email.server.value.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        let Some((host, Ok(port))) = server.filter(|(host, _)| !host.is_empty()) else {
            let message = "not a mail server: expected HOST:PORT, e.g. mail.example:587";
            return Err(self.source.error(&email.server, message));
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        let certificate = email.ca_file.as_ref().map(|path| self.certificate(path)).transpose()?;
        let tls = match email.tls.as_ref().map_or(file::EmailTls::Starttls, |tls| tls.value) {
            file::EmailTls::Starttls => EmailTls::Starttls(certificate),
            file::EmailTls::Tls => EmailTls::Implicit(certificate),
            file::EmailTls::None if is_this_machine(&host) => EmailTls::Loopback,
            file::EmailTls::None => {
                let message = "everybody on the way could read the mail: without TLS only a server on this machine";
                return Err(self.source.error(&email.server, message));
            }
        };
        let login = match (&email.username, &email.password_file) {
            (Some(name), Some(password)) => Some((name.value.clone(), self.secret(password)?)),
            (None, None) => None,
            (Some(only), None) | (None, Some(only)) => {
                return Err(self.source.error(only, "a login has both `username` and `password_file`"));
            }
        };
        Ok(Email { host, port, tls, login, from: self.address(&email.from)?, to: self.address(&email.to)? })
    }

    fn address(&self, text: &Spanned<String>) -> Result<lettre::Address, YamlError> {
        let wrong = |error| self.source.error(text, format!("not a mail address: {error}"));
        text.value.parse().map_err(|error: lettre::address::AddressError| wrong(error))
    }

    fn certificate(&self, path: &Spanned<String>) -> Result<String, YamlError> {
        let file = self.source.resolve(&path.value);
        let wrong = |error: String| self.source.error(path, format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        match lettre::transport::smtp::client::Certificate::from_pem(text.as_bytes()) {
            Ok(_) => Ok(text),
            Err(error) => Err(wrong(vvtv_toolkit::logging::chain(&error))),
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
