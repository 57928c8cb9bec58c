//! Which of Alertmanager's receivers is ours: the one that the configuration names, or those that deliveries have come through.
//!
//! Alertmanager is the user's own and routes much to others. Its list is asked for our receivers alone, as soon as one is known.

use tokio::sync::watch;
use vvtv_incident::{ReceiverName, Scope};

/// The longest name that is kept.
pub(crate) const RECEIVER_BYTES_MAX: usize = 256;
/// Receivers that are remembered; beyond it, the one that was named first is forgotten.
const RECEIVERS_MAX: usize = 8;

/// The receivers that are known.
#[derive(Debug)]
pub(crate) struct Receivers {
    configured: Option<ReceiverName>,
    /// Named by deliveries, the first first.
    heard: Vec<ReceiverName>,
    scope: watch::Sender<Scope>,
}

impl Receivers {
    /// What the configuration names, and what an earlier run heard.
    #[must_use]
    pub(crate) fn new(configured: Option<ReceiverName>, heard: Vec<ReceiverName>) -> Self {
        let it = Self { configured, heard, scope: watch::Sender::new(Scope::All) };
        it.scope.send_replace(it.known());
        it
    }

    /// Whose alerts to ask for, as it becomes known.
    #[must_use]
    pub(crate) fn scope(&self) -> watch::Receiver<Scope> {
        self.scope.subscribe()
    }

    /// A delivery has come through this one. Gives what is to be written down, if that is new.
    pub(crate) fn hear(&mut self, name: &ReceiverName) -> Option<Vec<ReceiverName>> {
        if self.heard.contains(name) || self.configured.as_ref() == Some(name) {
            return None;
        }
        self.heard.push(name.clone());
        if self.heard.len() > RECEIVERS_MAX {
            self.heard.remove(0);
        }
        if let Some(configured) = &self.configured {
            tracing::warn!(
                receiver = name.as_str(),
                configured = configured.as_str(),
                "a delivery came through a receiver that is not the configured one: Alertmanager's list is not asked for it"
            );
            return None;
        }
        tracing::info!(
            receiver = name.as_str(),
            "deliveries come through this receiver: Alertmanager's list is asked for it"
        );
        self.scope.send_replace(self.known());
        Some(self.heard.clone())
    }

    fn known(&self) -> Scope {
        match &self.configured {
            Some(name) => Scope::Receivers([name.clone()].into()),
            None if self.heard.is_empty() => Scope::All,
            None => Scope::Receivers(self.heard.iter().cloned().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ReceiverName {
        ReceiverName::new(text)
    }

    fn scope(names: &[&str]) -> Scope {
        Scope::Receivers(names.iter().map(|it| name(it)).collect())
    }

    #[test]
    fn deliveries_name_the_receivers_and_an_earlier_run_has_heard_some() {
        let mut receivers = Receivers::new(None, Vec::new());
        let known = receivers.scope();
        assert_eq!(*known.borrow(), Scope::All);
        assert_eq!(receivers.hear(&name("remediator")), Some(vec![name("remediator")]));
        assert_eq!(receivers.hear(&name("remediator")), None);
        assert_eq!(*known.borrow(), scope(&["remediator"]));
        let mut receivers = Receivers::new(None, vec![name("remediator")]);
        assert_eq!(*receivers.scope().borrow(), scope(&["remediator"]));
        for number in 0..8 {
            receivers.hear(&name(&number.to_string()));
        }
        assert_eq!(*receivers.scope().borrow(), scope(&["0", "1", "2", "3", "4", "5", "6", "7"]));
    }

    #[test]
    fn what_is_configured_stays_whatever_deliveries_name() {
        let mut receivers = Receivers::new(Some(name("ours")), vec![name("heard before")]);
        assert_eq!(receivers.hear(&name("other")), None);
        assert_eq!(*receivers.scope().borrow(), scope(&["ours"]));
    }
}
