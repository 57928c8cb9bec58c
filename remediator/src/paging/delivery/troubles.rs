//! Channels that take no messages, as everybody may see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use vvtv_incident::Timestamp;

use crate::clock::rfc3339;
use crate::contacts::Contact;
use crate::metrics::ChannelMetrics;

/// A channel that takes no messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Since when.
    pub since: Timestamp,
    /// Why not, as its receiver said last.
    pub error: String,
}

/// All of them, by name.
pub(crate) type Troubles = BTreeMap<String, Trouble>;

/// Where workers say how their channels stand.
#[derive(Clone, Debug)]
pub(super) struct Board {
    shown: Arc<watch::Sender<Troubles>>,
    metrics: ChannelMetrics,
}

impl Board {
    pub(super) fn new(metrics: ChannelMetrics) -> Self {
        Self { shown: Arc::new(watch::Sender::new(Troubles::new())), metrics }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Troubles> {
        self.shown.subscribe()
    }

    /// A channel is there; how it stands stays as it is, if it was there before.
    pub(super) fn add(&self, channel: &str) {
        let since = self.shown.borrow().get(channel).map(|trouble| trouble.since);
        self.metrics.show(channel, since);
    }

    pub(super) fn fails(&self, channel: &str, trouble: Trouble) {
        self.metrics.show(channel, Some(trouble.since));
        self.shown.send_modify(|all| drop(all.insert(channel.to_owned(), trouble)));
    }

    pub(super) fn works(&self, channel: &str) {
        self.metrics.show(channel, None);
        self.shown.send_modify(|all| drop(all.remove(channel)));
    }

    /// A channel is not there any more.
    pub(super) fn remove(&self, channel: &str) {
        self.metrics.forget(channel);
        self.shown.send_modify(|all| drop(all.remove(channel)));
    }
}

/// What people must know of them, a sentence or two for each; first, whether anybody can be called at all.
pub(crate) fn sentences(troubles: &Troubles, contacts: &[Contact]) -> Vec<String> {
    let fails = |channel: &vvtv_incident::ChannelName| troubles.contains_key(channel.as_str());
    let nobody = !troubles.is_empty() && contacts.iter().all(|contact| contact.notify.iter().all(fails));
    let nobody = nobody.then(|| "Nobody can be called: every channel to every contact fails.".to_owned());
    let each = troubles.iter().map(|(name, trouble)| {
        let since = rfc3339(trouble.since);
        let error = &trouble.error;
        format!(
            "The channel {name} has taken no message since {since}: {error}. What waits is tried until it is taken."
        )
    });
    nobody.into_iter().chain(each).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vvtv_incident::Level;

    use super::*;
    use vvtv_incident::ChannelName;

    #[test]
    fn what_people_are_told() {
        let contact = |level, channels: &[&str]| Contact {
            level: Level::new(level),
            name: "SRE On-Call".to_owned(),
            scope: String::new(),
            respond_within: Duration::from_secs(300),
            notify: channels.iter().map(|name| ChannelName::new(*name)).collect(),
        };
        let contacts = [contact(1, &["hook"]), contact(2, &["hook", "mail"])];
        let trouble =
            |error: &str| Trouble { since: Timestamp::from_millis(1_795_360_763_564), error: error.to_owned() };
        let hook = ("hook".to_owned(), trouble("cannot reach the webhook"));
        let mail = ("mail".to_owned(), trouble("451: greylisted"));
        let told = "has taken no message since 2026-11-22T15:19:23.564Z:";
        let rest = "What waits is tried until it is taken.";
        let hook_says = format!("The channel hook {told} cannot reach the webhook. {rest}");
        let mail_says = format!("The channel mail {told} 451: greylisted. {rest}");
        let nobody = "Nobody can be called: every channel to every contact fails.".to_owned();
        assert_eq!(sentences(&Troubles::new(), &contacts), [""; 0]);
        assert_eq!(sentences(&Troubles::from([hook.clone()]), &contacts), [hook_says.as_str()]);
        assert_eq!(sentences(&Troubles::from([hook, mail]), &contacts), [nobody, hook_says, mail_says]);
    }
}
