//! `remediator.yml`: what an operator writes once per installation. Read whole and checked before anything starts.

mod build;
mod channel;
mod duties;
mod file;
pub mod live;
mod people;
pub mod redaction;
mod secret;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;
use vvtv_incident::{Level, Policy, ReceiverName, Target};
use vvtv_toolkit::yaml::{Spanned, YamlError};

pub use people::Heartbeat;
pub use secret::Secret;

use crate::alerts::sns::TopicArn;
use crate::maintenance::duty::Duty;
use crate::maintenance::windows::Window;
use crate::runbook::Site;
use crate::source::Source;
use crate::upstream::Upstream;

/// The configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the web server listens, `HOST:PORT` or `:PORT`.
    pub listen: String,
    /// Under which address people and PagerDuty reach the console; with a slash at the end.
    pub external_url: Url,
    /// The SQLite file.
    pub database: PathBuf,
    /// The directory of the runbooks.
    pub runbooks: PathBuf,
    /// Files of alert rules that `check` compares the runbooks with.
    pub rules: Vec<PathBuf>,
    /// Alertmanager's configuration, by whose routes `check` knows which rules' alerts are sent here.
    pub alertmanager_config: Option<PathBuf>,
    /// Scrapes or lists of names: the metrics that `check` lets the runbooks ask for. None: it does not look.
    pub metrics: Vec<PathBuf>,
    /// Variables of the environment that steps are given besides the usual ones.
    pub environment: Vec<String>,
    /// What runbooks may use of this installation.
    pub site: Site,
    /// Prometheus.
    pub prometheus: Upstream,
    /// The Alertmanagers of one cluster; one at least.
    pub alertmanager: Vec<Upstream>,
    /// Who may deliver alerts.
    pub webhook: WebhookAccess,
    /// Alertmanager's receiver that delivers them; without it, the one that deliveries name.
    pub receiver: Option<ReceiverName>,
    /// Topics of Amazon SNS through which alerts come.
    pub sns_topics: Vec<TopicArn>,
    /// The limits and people that hold for all runbooks.
    pub policy: Policy,
    /// Who is called, first level first.
    pub contacts: Vec<Contact>,
    /// The ways to reach them.
    pub channels: BTreeMap<ChannelName, Channel>,
    /// PromQL that yields one sample for each target that exists, with the label that runbooks name as `target`.
    pub targets: String,
    /// Targets that exist whatever Prometheus says.
    pub inventory: BTreeSet<Target>,
    /// Time between two looks at Alertmanager's own list of alerts.
    pub reconcile: Duration,
    /// Who is told regularly that we live.
    pub heartbeat: Option<Heartbeat>,
    /// Planned times in which nothing is done.
    pub maintenance_windows: Vec<Window>,
    /// What comes round by the calendar.
    pub maintenance: Vec<Duty>,
    /// How long a closed incident is kept in the journal.
    pub retention: Duration,
    /// Directories that others fill: the journal should be on another disk.
    pub apart_from: Vec<PathBuf>,
    /// Places in the file, for `check`.
    pub marks: Marks,
}

impl Config {
    /// The file of the token that the server makes for whoever works on its machine: beside the journal, and as powerful.
    #[must_use]
    pub fn operator_token_file(&self) -> PathBuf {
        self.database.with_extension("operator-token")
    }
}

/// Who may deliver alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookAccess {
    /// Nobody has decided: the server does not start so.
    Undecided,
    /// Whoever shows this bearer token.
    Token(Secret),
    /// Everybody who reaches the port.
    Anybody,
}

/// A person or rota, and how to reach them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The rung of the escalation.
    pub level: Level,
    /// Name for people.
    pub name: String,
    /// What they decide about.
    pub scope: String,
    /// Time until the next level is called.
    pub respond_within: Duration,
    /// The channels to use, all of them.
    pub notify: Vec<ChannelName>,
}

/// The name of a configured channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Box<str>);

impl ChannelName {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ChannelName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A way to reach a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
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

/// Places in `remediator.yml`.
#[derive(Clone, Debug)]
pub struct Marks {
    /// The file.
    pub source: Source,
    /// The list of contacts.
    pub contacts: Spanned<()>,
    /// The console's address; where there is none, the list of those who would be sent there.
    pub external_url: Spanned<()>,
    /// The runbooks directory.
    pub runbooks: Spanned<()>,
    /// Each site variable.
    pub variables: BTreeMap<String, Spanned<()>>,
    /// Header values that stand in the file as they are.
    pub headers: Vec<(String, Spanned<()>)>,
    /// Secret files that could not be read, when [`SecretFiles::Report`] was asked for.
    pub unread_secrets: Vec<(String, Spanned<()>)>,
    /// Secret files that were read.
    pub secret_files: Vec<(PathBuf, Spanned<()>)>,
    /// Each rules file.
    pub rules: Vec<Spanned<()>>,
    /// The file of Alertmanager's configuration.
    pub alertmanager_config: Option<Spanned<()>>,
    /// Each file with names of metrics.
    pub metrics: Vec<Spanned<()>>,
    /// Each directory that the journal should be apart from.
    pub apart_from: Vec<Spanned<()>>,
}

/// What to do about a secret file that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFiles {
    /// Refuse the configuration.
    Demand,
    /// Note it in [`Marks::unread_secrets`]: a file can be checked where its secrets are not.
    Report,
}

/// Reads and checks a configuration.
///
/// # Errors
/// What is wrong, with file, line and column.
pub fn load(path: &Path, secrets: SecretFiles) -> Result<Config, YamlError> {
    build::config(Source::read(path)?, secrets)
}

#[cfg(test)]
mod tests;
