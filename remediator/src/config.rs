//! `remediator.yml`: what an operator writes once per installation. Read whole and checked before anything starts.

mod build;
mod channel;
mod file;
pub(crate) mod live;
mod people;
pub(crate) mod redaction;
pub(crate) mod reload;
mod tasks;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;
use vvtv_incident::{ChannelName, Policy, ReceiverName, Target};
use vvtv_toolkit::yaml::{Document, Spanned, YamlError};

pub use people::Heartbeat;

use crate::alerts::sns::TopicArn;
use crate::contacts::Contact;
use crate::maintenance::task::TaskSpec;
use crate::maintenance::windows::Window;
use crate::paging::channels::Settings;
use crate::secret::Secret;
use crate::site::SiteValues;
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
    pub site: SiteValues,
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
    pub channels: BTreeMap<ChannelName, Settings>,
    /// PromQL that yields one sample for each target that exists, with the label that runbooks name as `target`.
    /// Without it, those of the inventory are all.
    pub targets: Option<String>,
    /// Targets that exist whatever Prometheus says.
    pub inventory: BTreeSet<Target>,
    /// Time between two looks at Alertmanager's own list of alerts.
    pub reconcile: Duration,
    /// Who is told regularly that we live.
    pub heartbeat: Option<Heartbeat>,
    /// Planned times in which nothing is done.
    pub maintenance_windows: Vec<Window>,
    /// What comes round by the calendar.
    pub maintenance: Vec<TaskSpec>,
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

/// Places in `remediator.yml`.
#[derive(Clone, Debug)]
pub struct Marks {
    /// The file.
    pub source: Document,
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
    build::config(Document::read(path)?, secrets)
}

#[cfg(test)]
mod tests;
