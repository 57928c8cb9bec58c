//! Pages whose links lead nowhere: whoever reads them elsewhere opens a loopback address on a machine of their own.

use url::{Host, Url};

use super::Report;
use crate::config::{Channel, Config};

pub(super) fn check(config: &Config, report: &mut Report) {
    if !is_loopback(&config.external_url) {
        return;
    }
    let mut leaving = config.channels.iter().filter(|(_, channel)| leaves(channel)).map(|(name, _)| name);
    let Some(name) = leaving.next() else { return };
    let message = format!(
        "pages that channel `{name}` takes to other machines link to {}, which leads there to nothing: let `external_url` be the address \
         under which people reach the console",
        config.external_url
    );
    report.warning_at(&config.marks.source, &config.marks.external_url, message);
}

/// Whether what it is given is read on another machine.
fn leaves(channel: &Channel) -> bool {
    match channel {
        Channel::Pagerduty { url, .. } | Channel::Webhook { url, .. } | Channel::Opsgenie { url, .. } => {
            !is_loopback(url)
        }
        Channel::Alertmanager { urls, .. } => !urls.iter().all(is_loopback),
        // What cannot be read here is reported already.
        Channel::Slack { url } => Url::parse(url.reveal()).is_ok_and(|url| !is_loopback(&url)),
        // A mail server on this machine passes mail on.
        Channel::Email(_) => true,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
