//! From what is written in `remediator.yml` to what it means.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use url::Url;
use vvtv_incident::{Level, Mode, Policy, ReceiverName, Target};
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::{Spanned, YamlError};

use super::duties;
use super::file::{self, File};
use super::upstream::plain_headers;
use super::{Channel, ChannelName, Config, Contact, Marks, Secret, SecretFiles, WebhookAccess, channel, people};
use crate::alerts::receivers::RECEIVER_BYTES_MAX;
use crate::alerts::sns::TopicArn;
use crate::conditions::targets::NAMES_MAX;
use crate::maintenance::schedule::Schedule;
use crate::maintenance::windows::{LASTS_MAX, Window};
use crate::runbook::platform::Platform;
use crate::runbook::{Site, Variable};
use crate::source::{Source, place};

const LISTEN: &str = "127.0.0.1:10048";
const EXTERNAL_URL: &str = "http://localhost:10048";
const TARGETS: &str = "group by (stream) (vvtv_ingest_up)";
const RECONCILE: Duration = Duration::from_secs(30);
const RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);
const RETENTION_MIN: Duration = Duration::from_secs(7 * 24 * 3600);
/// What the name of a variable that holds a secret has in it.
const SECRETS: [&str; 6] = ["TOKEN", "SECRET", "PASSW", "CREDENTIAL", "PRIVATE", "KEY"];
/// How long the core remembers incidents that are over.
const RETURNS_WITHIN_MAX: Duration = Duration::from_secs(3600);
/// Levels that a ladder of people may have.
const CONTACTS_MAX: usize = 20;

pub(super) struct Builder {
    pub(super) source: Source,
    secrets: SecretFiles,
    unread_secrets: Vec<(String, Spanned<()>)>,
    pub(super) secret_files: Vec<(std::path::PathBuf, Spanned<()>)>,
}

pub(super) fn config(source: Source, secrets: SecretFiles) -> Result<Config, YamlError> {
    let mut file: File = source.parse()?;
    let mut builder = Builder { source, secrets, unread_secrets: Vec::new(), secret_files: Vec::new() };
    let mode = Mode::from(file.mode);
    if mode == Mode::Shadow {
        // Nobody is called: a new installation can watch before it has the means to call.
        builder.secrets = SecretFiles::Report;
    }
    let channels = builder.channels(&file.channels)?;
    builder.secrets = secrets;
    let contacts = builder.contacts(&file.contacts, &channels)?;
    let mut policy = builder.policy(file.limits.take().unwrap_or_default())?;
    policy.mode = mode;
    policy.contacts = contacts.iter().map(rung).collect();
    let reconcile = file.reconcile.as_ref().map_or(Ok(RECONCILE), |every| positive(&builder.source, every))?;
    policy.unanswered = people::unanswered(&builder.source, &file.unanswered)?;
    policy.watch = Some(people::watch(&builder.source, file.watchdog.as_ref(), reconcile)?);
    let heartbeat = builder.heartbeat(file.heartbeat.as_ref())?;
    let webhook = builder.webhook_access(file.webhook.as_ref())?;
    let receiver = receiver(&builder.source, file.webhook.as_ref())?;
    let prometheus = builder.upstream(&place(&file.prometheus), &file.prometheus.value)?;
    let alertmanager = builder.upstreams(&file.alertmanager)?;
    let site = builder.site(&file.variables)?;
    let maintenance = duties::duties(&builder.source, &site, &file.maintenance, contacts.len())?;
    let source = &builder.source;
    let marks = builder.marks(&file);
    Ok(Config {
        listen: listen(source, file.listen.as_ref())?,
        external_url: match &file.external_url {
            Some(text) => base_url(source, text)?,
            None => Url::parse(EXTERNAL_URL).map_err(|error| source.error(&file.contacts, error.to_string()))?,
        },
        database: database(source, &file.database)?,
        runbooks: source.resolve(&file.runbooks.value),
        rules: file.rules.iter().map(|path| source.resolve(&path.value)).collect(),
        alertmanager_config: file.alertmanager_config.as_ref().map(|path| source.resolve(&path.value)),
        metrics: file.metrics.iter().map(|path| source.resolve(&path.value)).collect(),
        site,
        prometheus,
        alertmanager,
        webhook,
        receiver,
        sns_topics: sns_topics(source, file.webhook.as_ref())?,
        policy,
        contacts,
        channels,
        targets: targets(source, file.targets.as_ref())?,
        inventory: inventory(source, &file.inventory)?,
        environment: environment(source, &file.environment)?,
        reconcile,
        heartbeat,
        maintenance_windows: file.maintenance_windows.iter().map(|it| window(source, it)).collect::<Result<_, _>>()?,
        maintenance,
        retention: match &file.journal.retention {
            Some(text) if text.value.get() < RETENTION_MIN => {
                return Err(source.error(text, "must be at least 7d: what happened last week is asked for"));
            }
            Some(text) => text.value.get(),
            None => RETENTION,
        },
        apart_from: file.journal.apart_from.iter().map(|path| source.resolve(&path.value)).collect(),
        marks,
    })
}

/// A contact as the core knows it.
fn rung(contact: &Contact) -> vvtv_incident::Contact {
    vvtv_incident::Contact {
        level: contact.level,
        respond_within: contact.respond_within,
        channels: contact.notify.iter().map(|name| vvtv_incident::ChannelName::new(name.as_str())).collect(),
    }
}

fn listen(source: &Source, text: Option<&Spanned<String>>) -> Result<String, YamlError> {
    let Some(text) = text else { return Ok(LISTEN.to_owned()) };
    match text.value.rsplit_once(':').map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(_)) => Ok(text.value.clone()),
        Some(Err(_)) | None => {
            Err(source.error(text, "not an address to listen on: expected HOST:PORT, e.g. 127.0.0.1:10048"))
        }
    }
}

fn database(source: &Source, text: &Spanned<String>) -> Result<std::path::PathBuf, YamlError> {
    match text.value.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(source.resolve(path)),
        Some(_) | None => Err(source.error(text, "not a database: expected sqlite:PATH")),
    }
}

fn receiver(source: &Source, webhook: Option<&file::Webhook>) -> Result<Option<ReceiverName>, YamlError> {
    let Some(name) = webhook.and_then(|webhook| webhook.receiver.as_ref()) else { return Ok(None) };
    if name.value.is_empty() || name.value.len() > RECEIVER_BYTES_MAX {
        return Err(source.error(name, format!("not a receiver's name: expected 1 to {RECEIVER_BYTES_MAX} bytes")));
    }
    Ok(Some(ReceiverName::new(name.value.as_str())))
}

fn sns_topics(source: &Source, webhook: Option<&file::Webhook>) -> Result<Vec<TopicArn>, YamlError> {
    let written = webhook.map(|webhook| webhook.sns_topics.as_slice()).unwrap_or_default();
    let topic = |text: &Spanned<String>| {
        let wrong = || source.error(text, "not a topic of Amazon SNS: expected arn:aws:sns:REGION:ACCOUNT:NAME");
        TopicArn::parse(&text.value).ok_or_else(wrong)
    };
    written.iter().map(topic).collect()
}

/// A query that names what it counts.
fn targets(source: &Source, query: Option<&Spanned<String>>) -> Result<String, YamlError> {
    let Some(query) = query else { return Ok(TARGETS.to_owned()) };
    let text = query.value.trim();
    if text.is_empty() {
        return Err(source.error(query, "the query is empty"));
    }
    let counts = text.strip_prefix("count").is_some_and(|rest| rest.trim_start().starts_with('('));
    if counts {
        let message = format!("a number names no targets: expected one sample for each, e.g. `{TARGETS}`");
        return Err(source.error(query, message));
    }
    Ok(query.value.clone())
}

fn inventory(source: &Source, names: &[Spanned<String>]) -> Result<BTreeSet<Target>, YamlError> {
    if let Some(one_too_many) = names.get(NAMES_MAX) {
        return Err(source.error(one_too_many, format!("more than {NAMES_MAX} targets")));
    }
    if let Some(empty) = names.iter().find(|name| name.value.is_empty()) {
        return Err(source.error(empty, "a target needs a name"));
    }
    Ok(names.iter().map(|name| Target::new(name.value.as_str())).collect())
}

/// Names of variables that steps are given as they are here.
fn environment(source: &Source, names: &[Spanned<String>]) -> Result<Vec<String>, YamlError> {
    for name in names {
        let is_name = !name.value.is_empty()
            && !name.value.starts_with(|c: char| c.is_ascii_digit())
            && name.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(source.error(name, "not the name of a variable: expected letters, digits and _"));
        }
        let upper = name.value.to_ascii_uppercase();
        if SECRETS.iter().any(|word| upper.contains(word)) {
            let message =
                "it looks like a secret, and the environment of a step is no place for one: let the step read a file";
            return Err(source.error(name, message));
        }
    }
    Ok(names.iter().map(|name| name.value.clone()).collect())
}

pub(super) fn url(source: &Source, text: &Spanned<String>) -> Result<Url, YamlError> {
    let url = Url::parse(&text.value).map_err(|error| source.error(text, format!("not an address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(source.error(text, "not an address: expected http://HOST:PORT or https://HOST"));
    }
    Ok(url)
}

/// An address that paths are joined to: with a slash at the end, so that joining keeps its own path.
pub(super) fn base_url(source: &Source, text: &Spanned<String>) -> Result<Url, YamlError> {
    let mut url = url(source, text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(source.error(text, "not a base address: it has a query or a fragment"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

pub(super) fn positive(source: &Source, text: &Spanned<PromDuration>) -> Result<Duration, YamlError> {
    let duration = text.value.get();
    if duration.is_zero() {
        return Err(source.error(text, "must be longer than zero"));
    }
    Ok(duration)
}

fn window(source: &Source, written: &file::MaintenanceWindow) -> Result<Window, YamlError> {
    let lasts = positive(source, &written.lasts)?;
    if lasts > LASTS_MAX {
        return Err(source.error(&written.lasts, "longer than a day: pause the remediator instead"));
    }
    Ok(Window {
        name: written.name.value.clone(),
        lasts,
        schedule: schedule(source, &written.cron, &written.timezone)?,
    })
}

pub(super) fn schedule(source: &Source, cron: &Spanned<String>, zone: &Spanned<String>) -> Result<Schedule, YamlError> {
    let zone_is_known = jiff::tz::TimeZone::get(&zone.value).is_ok();
    Schedule::new(&cron.value, &zone.value)
        .map_err(|message| source.error(if zone_is_known { cron } else { zone }, message))
}

impl Builder {
    pub(super) fn secret(&mut self, path: &Spanned<String>) -> Result<Secret, YamlError> {
        self.needed_secret(path, "")
    }

    /// `what` is what belongs into the file, said where there is none.
    pub(super) fn needed_secret(&mut self, path: &Spanned<String>, what: &str) -> Result<Secret, YamlError> {
        let file = self.source.resolve(&path.value);
        let read = Secret::read(&file).map_err(|message| message + what);
        if read.is_ok() {
            self.secret_files.push((file, place(path)));
        }
        self.or_report(read, path)
    }

    /// The secret, or an empty one where its absence is only reported.
    pub(super) fn or_report<T>(&mut self, read: Result<Secret, String>, at: &Spanned<T>) -> Result<Secret, YamlError> {
        match read {
            Ok(secret) => Ok(secret),
            Err(message) if self.secrets == SecretFiles::Report => {
                self.unread_secrets.push((message, place(at)));
                Ok(Secret::new(""))
            }
            Err(message) => Err(self.source.error(at, message)),
        }
    }

    /// Places in the file.
    fn marks(&self, file: &File) -> Marks {
        let asked = [plain_headers(&file.prometheus.value), file.alertmanager.value.plain_headers()].concat();
        Marks {
            source: self.source.clone(),
            contacts: place(&file.contacts),
            external_url: file.external_url.as_ref().map_or_else(|| place(&file.contacts), place),
            runbooks: place(&file.runbooks),
            variables: file.variables.iter().map(|(name, value)| (name.clone(), place(value))).collect(),
            headers: channel::headers(&file.channels).into_iter().chain(asked).collect(),
            unread_secrets: self.unread_secrets.clone(),
            secret_files: self.secret_files.clone(),
            rules: file.rules.iter().map(place).collect(),
            alertmanager_config: file.alertmanager_config.as_ref().map(place),
            metrics: file.metrics.iter().map(place).collect(),
            apart_from: file.journal.apart_from.iter().map(place).collect(),
        }
    }

    fn webhook_access(&mut self, written: Option<&file::Webhook>) -> Result<WebhookAccess, YamlError> {
        let Some(written) = written else { return Ok(WebhookAccess::Undecided) };
        match (&written.token_file, &written.unauthenticated) {
            (Some(_), Some(open)) if open.value => {
                Err(self.source.error(open, "`token_file` and `unauthenticated: true` exclude each other"))
            }
            (Some(path), _) => Ok(WebhookAccess::Token(self.secret(path)?)),
            (None, Some(open)) if open.value => Ok(WebhookAccess::Anybody),
            (None, _) => Ok(WebhookAccess::Undecided),
        }
    }

    fn contacts(
        &self,
        written: &Spanned<Vec<file::Contact>>,
        channels: &BTreeMap<ChannelName, Channel>,
    ) -> Result<Vec<Contact>, YamlError> {
        if written.value.is_empty() {
            return Err(self.source.error(written, "nobody to call: at least a contact of level 1 is needed"));
        }
        if written.value.len() > CONTACTS_MAX {
            return Err(self.source.error(written, format!("more than {CONTACTS_MAX} contacts")));
        }
        let mut contacts = Vec::new();
        for (contact, expected) in written.value.iter().zip(1_u8..) {
            if contact.level.value != expected {
                let message = format!("expected level {expected} here: levels count up from 1 without gaps");
                return Err(self.source.error(&contact.level, message));
            }
            if contact.name.value.trim().is_empty() {
                return Err(self.source.error(&contact.name, "a contact needs a name"));
            }
            contacts.push(Contact {
                level: Level::new(contact.level.value),
                name: contact.name.value.clone(),
                scope: contact.scope.clone(),
                respond_within: positive(&self.source, &contact.respond_within)?,
                notify: self.notify(contact, channels)?,
            });
        }
        Ok(contacts)
    }

    fn notify(
        &self,
        contact: &file::Contact,
        channels: &BTreeMap<ChannelName, Channel>,
    ) -> Result<Vec<ChannelName>, YamlError> {
        if contact.notify.value.is_empty() {
            let message = format!("{} cannot be reached: no channel to notify", contact.name.value);
            return Err(self.source.error(&contact.notify, message));
        }
        let mut names = BTreeSet::new();
        for written in &contact.notify.value {
            let name = ChannelName::new(&written.value);
            if !channels.contains_key(&name) {
                let known: Vec<_> = channels.keys().map(ChannelName::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let message = format!("no channel is called `{name}` (channels: {known})");
                return Err(self.source.error(written, message));
            }
            if !names.insert(name) {
                return Err(self.source.error(written, "this channel is named twice"));
            }
        }
        Ok(contact.notify.value.iter().map(|name| ChannelName::new(&name.value)).collect())
    }

    fn policy(&self, limits: file::Limits) -> Result<Policy, YamlError> {
        let mut policy = Policy::default();
        self.count(&mut policy.concurrent_changes, limits.concurrent_changes)?;
        self.count(&mut policy.changes_per_hour, limits.changes_per_hour)?;
        self.count(&mut policy.systemic_from, limits.systemic_from)?;
        self.count(&mut policy.attempts_per_step, limits.attempts_per_step)?;
        self.count(&mut policy.open_incidents, limits.open_incidents)?;
        self.count(&mut policy.alerts_per_incident, limits.alerts_per_incident)?;
        self.count(&mut policy.pages_per_incident, limits.pages_per_incident)?;
        self.count(&mut policy.efficacy_min_runs, limits.efficacy_min_runs)?;
        if let Some(relapses) = limits.relapses {
            policy.relapses = relapses.value;
        }
        if let Some(ratio) = limits.max_unhealthy_ratio {
            if !(0.0..=1.0).contains(&ratio.value) {
                return Err(self.source.error(&ratio, "not a ratio: expected a number from 0 to 1"));
            }
            policy.max_unhealthy_ratio = ratio.value;
        }
        self.time(&mut policy.health_interval, limits.health_interval)?;
        self.time(&mut policy.health_interval_idle, limits.health_interval_idle)?;
        self.count(&mut policy.health_questions_per_second, limits.health_questions_per_second)?;
        self.time(&mut policy.health_timeout, limits.health_timeout)?;
        self.time(&mut policy.health_unknown_for, limits.health_unknown_for)?;
        self.time(&mut policy.approval_expires, limits.approval_expires)?;
        self.time(&mut policy.ack_expires, limits.ack_expires)?;
        self.time(&mut policy.page_hold, limits.page_hold)?;
        if let Some(long) = limits.returns_within.as_ref().filter(|time| time.value.get() > RETURNS_WITHIN_MAX) {
            return Err(self.source.error(long, "must be at most 1h: what is longer ago is not remembered"));
        }
        self.time(&mut policy.returns_within, limits.returns_within)?;
        Ok(policy)
    }

    fn count<T: Default + PartialEq>(&self, place: &mut T, written: Option<Spanned<T>>) -> Result<(), YamlError> {
        if let Some(written) = written {
            if written.value == T::default() {
                return Err(self.source.error(&written, "must be at least 1"));
            }
            *place = written.value;
        }
        Ok(())
    }

    fn time(&self, place: &mut Duration, written: Option<Spanned<PromDuration>>) -> Result<(), YamlError> {
        if let Some(written) = written {
            *place = positive(&self.source, &written)?;
        }
        Ok(())
    }

    fn site(
        &self,
        written: &BTreeMap<String, Spanned<crate::runbook::platform::ByPlatform<crate::runbook::VariableText>>>,
    ) -> Result<Site, YamlError> {
        let platform = Platform::current();
        let mut variables = BTreeMap::new();
        for (name, value) in written {
            if !crate::runbook::is_identifier(name) {
                return Err(self.source.error(value, format!("`{name}` is not a name: expected a-z, 0-9 and _")));
            }
            let variable = Variable::new(value.value.get(platform).clone())
                .map_err(|message| self.source.error(value, format!("variable `{name}`: {message}")))?;
            variables.insert(name.clone(), variable);
        }
        Ok(Site { platform, variables })
    }
}
