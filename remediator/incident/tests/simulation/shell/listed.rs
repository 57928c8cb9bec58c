//! Alertmanager's own list, which holds what is delivered to others and what is muted.

use vvtv_incident::{Alert, Event, Fingerprint, Muting, Scope};

use super::{ALERTS, CLAIMED, Shell};

/// How the fingerprints of alerts begin that are never delivered.
pub(super) const FOREIGN: &str = "foreign/";

impl Shell {
    /// One that Alertmanager has for others, or mutes: it is never delivered.
    fn foreign(name: &str, stream: &str) -> Alert {
        let fingerprint = Fingerprint::new(format!("{FOREIGN}{name}/{stream}"));
        Alert { fingerprint, ..Self::alert(name, stream) }
    }

    /// The shell looks at Alertmanager's list: what was delivered, and what never is.
    pub(super) fn reconcile(&mut self) {
        let (asked_at, scope) = (self.now, Scope::All);
        let foreign: Vec<_> = (0..self.dice.below(4))
            .map(|_| {
                let (name, stream) = (*self.dice.pick(&ALERTS), *self.dice.pick(&CLAIMED));
                Self::foreign(name, stream)
            })
            .collect();
        let ours: Vec<_> = self.firing.iter().map(|(name, stream)| Self::alert(name, stream)).collect();
        let listed: Vec<_> = ours.into_iter().chain(foreign).collect();
        let active = listed.iter().map(|alert| alert.fingerprint.clone()).collect();
        for alert in listed {
            // Some of what others are told is silenced.
            let silenced = alert.fingerprint.as_str().starts_with(FOREIGN) && self.dice.once_in(4);
            let muting = Muting::Unknown;
            self.deliver(if silenced { Event::AlertSuppressed(alert) } else { Event::AlertListed { alert, muting } });
        }
        self.deliver(Event::Reconciled { active, scope, asked_at });
        // Some are silenced for a while; the next repetition says that they are not any more.
        for (name, stream) in self.firing.clone() {
            if self.dice.once_in(6) {
                self.deliver(Event::AlertSuppressed(Self::alert(name, stream)));
            }
        }
    }
}
