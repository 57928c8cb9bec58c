//! The ways to people in the random world: channels that fail for a while, and an outbox that is on disk.
//!
//! A channel's worker tries the oldest message, tells the core when it has failed for a while, and when it takes messages again. All that
//! it knows itself is lost in a crash; what waits is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vvtv_incident::{ChannelName, Contact, Event, IncidentId, PageOrder, Timestamp};

use crate::dice::Dice;

const NAMES: [&str; 3] = ["pager", "phone", "mail"];
/// After so long without an answer a channel is said to fail.
const FAILS_AFTER: Duration = Duration::from_secs(10);

/// A page on its way over one channel.
#[derive(Clone, Debug)]
struct Page {
    order: PageOrder,
    channel: ChannelName,
}

#[derive(Default)]
pub(crate) struct Pager {
    // On disk.
    waiting: Vec<Page>,
    // In the world.
    down: BTreeSet<ChannelName>,
    pub(crate) taken: BTreeSet<(IncidentId, u32)>,
    // In memory.
    silent_since: BTreeMap<ChannelName, Timestamp>,
    told: BTreeSet<ChannelName>,
    tried: BTreeSet<(IncidentId, u32, ChannelName)>,
}

/// One to three channels that lead to a contact; often the same to all of them.
pub(crate) fn channels(dice: &mut Dice, alike: bool) -> BTreeSet<ChannelName> {
    if alike {
        return [ChannelName::new(NAMES[0])].into();
    }
    let mut channels: BTreeSet<_> =
        NAMES.iter().filter(|_| dice.once_in(3)).map(|name| ChannelName::new(*name)).collect();
    channels.insert(ChannelName::new(*dice.pick(&NAMES)));
    channels
}

impl Pager {
    /// Written down with the decision.
    pub(crate) fn commit(&mut self, order: &PageOrder, contact: &Contact) {
        let pages = contact.channels.iter().map(|channel| Page { order: order.clone(), channel: channel.clone() });
        self.waiting.extend(pages);
    }

    /// Nobody needs it any more.
    pub(crate) fn forget(&mut self, incident: IncidentId, page: u32) {
        self.waiting.retain(|it| (it.order.incident, it.order.page) != (incident, page));
    }

    /// Whether a page waits for some channel, or was taken.
    pub(crate) fn has(&self, incident: IncidentId, page: u32) -> bool {
        let waits = self.waiting.iter().any(|it| (it.order.incident, it.order.page) == (incident, page));
        waits || self.taken.contains(&(incident, page))
    }

    /// A channel begins to fail, or ends.
    pub(crate) fn turn(&mut self, dice: &mut Dice) {
        let channel = ChannelName::new(*dice.pick(&NAMES));
        if !self.down.remove(&channel) {
            self.down.insert(channel);
        }
    }

    pub(crate) fn mend(&mut self) {
        self.down.clear();
    }

    /// Everything that the workers know is lost.
    pub(crate) fn crash(&mut self) {
        self.silent_since.clear();
        self.told.clear();
        self.tried.clear();
    }

    /// When a worker has something to do.
    pub(crate) fn next_at(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self.waiting.iter().filter_map(|page| {
            if !self.down.contains(&page.channel) {
                return Some(now);
            }
            if self.told.contains(&page.channel) {
                return None;
            }
            Some(self.silent_since.get(&page.channel).map_or(now, |since| *since + FAILS_AFTER))
        });
        due.min()
    }

    /// The workers try once: what the core is told of it.
    pub(crate) fn work(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        let waiting = std::mem::take(&mut self.waiting);
        for page in waiting {
            let channel = page.channel.clone();
            if self.down.contains(&channel) {
                let since = *self.silent_since.entry(channel.clone()).or_insert(now);
                if now.since(since) >= FAILS_AFTER && self.told.insert(channel.clone()) {
                    events.push(Event::ChannelFails(channel));
                }
                self.waiting.push(page);
                continue;
            }
            self.silent_since.remove(&channel);
            if self.told.remove(&channel) {
                events.push(Event::ChannelWorks(channel));
            }
            let (incident, page) = (page.order.incident, page.order.page);
            self.taken.insert((incident, page));
            events.push(Event::PageDelivered { incident, page });
        }
        events
    }
}
