//! Which of the ways to people take no messages.

use std::collections::BTreeSet;

use crate::ids::{ChannelName, Level};
use crate::policy::{Contact, Policy};

/// The channels that fail, as far as was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channels(BTreeSet<ChannelName>);

impl Channels {
    /// A channel fails; whether that is news.
    pub fn fails(&mut self, channel: ChannelName) -> bool {
        self.0.insert(channel)
    }

    /// A channel takes messages; whether that is news.
    pub fn works(&mut self, channel: &ChannelName) -> bool {
        self.0.remove(channel)
    }

    /// Forgets those that lead to nobody.
    pub(crate) fn keep_those_of(&mut self, policy: &Policy) {
        self.0.retain(|channel| policy.contacts.iter().any(|contact| contact.channels.contains(channel)));
    }

    /// Whether a contact may be reached: not every channel that leads there fails.
    #[must_use]
    pub fn reach(&self, contact: &Contact) -> bool {
        contact.channels.is_empty() || !contact.channels.is_subset(&self.0)
    }
}

/// The people, and who of them can be reached.
#[derive(Clone, Copy)]
pub(crate) struct People<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) channels: &'a Channels,
}

impl People<'_> {
    pub(crate) fn reach(self, level: Level) -> bool {
        self.policy.contact(level).is_some_and(|contact| self.channels.reach(contact))
    }

    /// This level or, if it cannot be reached, the next that can.
    pub(crate) fn from(self, level: Level) -> Option<Level> {
        let above = self.policy.contacts.iter().filter(|contact| contact.level >= level);
        above.filter(|contact| self.channels.reach(contact)).map(|contact| contact.level).min()
    }

    /// The next level after this one that can be reached.
    pub(crate) fn above(self, level: Level) -> Option<Level> {
        self.from(Level::new(level.get().saturating_add(1)))
    }
}
