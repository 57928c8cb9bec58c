//! Secrets that stand where anybody can read them.

use std::os::unix::fs::PermissionsExt as _;

use url::Url;

use super::{Report, Weight};
use crate::config::{Channel, Config, WebhookAccess};

/// Parts of names whose values are secrets.
const TELLING: [&str; 6] = ["authorization", "token", "secret", "password", "api-key", "apikey"];

pub(super) fn check(config: &Config, report: &mut Report) {
    let source = &config.marks.source;
    for (message, mark) in &config.marks.unread_secrets {
        report.warning_at(source, mark, message.clone());
    }
    for (file, mark) in &config.marks.secret_files {
        if file.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0) {
            report.warning_at(source, mark, format!("everybody on this machine can read {}", file.display()));
        }
    }
    for (name, mark) in &config.marks.headers {
        let name = name.to_ascii_lowercase();
        if TELLING.iter().any(|word| name.contains(word)) {
            report.error_at(
                source,
                mark,
                format!("a secret in plain text: put it into a file and name that, as `token_file` or `files` (header `{name}`)"),
            );
        }
    }
    for (what, url) in urls(config) {
        if url.password().is_some() {
            let message = format!(
                "{}: a secret in plain text: the address of {what} has a password in it",
                source.path().display()
            );
            report.add(Weight::Error, message);
        }
    }
    if config.webhook == WebhookAccess::Undecided {
        report.add(Weight::Error, format!("{}: {}", source.path().display(), crate::verbs::serve::WEBHOOK_UNDECIDED));
    }
}

fn urls(config: &Config) -> Vec<(String, &Url)> {
    let mut urls = vec![("Prometheus".to_owned(), &config.prometheus.url)];
    urls.extend(config.alertmanager.iter().map(|it| ("Alertmanager".to_owned(), &it.url)));
    for (name, channel) in &config.channels {
        let its = match channel {
            Channel::Pagerduty { url, .. } | Channel::Webhook { url, .. } | Channel::Opsgenie { url, .. } => {
                std::slice::from_ref(url)
            }
            Channel::Alertmanager { urls, .. } => urls,
            Channel::Slack { .. } | Channel::Email(_) => &[],
        };
        urls.extend(its.iter().map(|url| (format!("channel {name}"), url)));
    }
    urls
}
