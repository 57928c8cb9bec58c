//! What each kind of channel needs to be reached, as the configuration has said and checked it.

use std::collections::BTreeMap;

use url::Url;

use crate::secret::Secret;

/// A way to reach a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// PagerDuty Events API v2.
    Pagerduty {
        /// The integration's routing key.
        routing_key: Secret,
        /// The enqueue address.
        url: Url,
    },
    /// Any receiver of JSON by POST.
    Webhook {
        /// Where to.
        url: Url,
        /// Headers to send along.
        headers: BTreeMap<String, String>,
        /// A bearer token to send along.
        token: Option<Secret>,
    },
    /// A Slack incoming webhook.
    Slack {
        /// Its address, which is all that it takes to write there.
        url: Secret,
    },
    /// Opsgenie's Alert API.
    Opsgenie {
        /// The integration's key.
        api_key: Secret,
        /// The address of alerts, without a slash at the end.
        url: Url,
    },
    /// Alertmanagers of one cluster, which have receivers of their own.
    Alertmanager {
        /// The address of each that takes alerts; one at least.
        urls: Vec<Url>,
        /// A bearer token to send along.
        token: Option<Secret>,
    },
    /// Mail to one address.
    Email(Email),
}

/// How mail is handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The server that takes it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub tls: EmailTls,
    /// Who the server must be told to be, if it asks for that.
    pub login: Option<(String, Secret)>,
    /// The sender.
    pub from: lettre::Address,
    /// The receiver. Another one is another channel: each is tried until it has it.
    pub to: lettre::Address,
}

/// Privacy of the connection to a mail server. The text is a PEM certificate to trust besides the system's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailTls {
    /// From the first byte on (port 465).
    Implicit(Option<String>),
    /// After STARTTLS, which the server must offer.
    Starttls(Option<String>),
    /// Plain text, to this machine only.
    Loopback,
}
