//! The ways to people in the small world: channels that take pages, or do not for a while, and an outbox that loses none.

use std::collections::BTreeSet;
use std::time::Duration;

use vvtv_incident::{BudgetCall, ChannelName, Event, IncidentId, PageOrder, Reason};

use crate::world::{World, seconds};

/// Channels, and what they took.
#[derive(Default)]
pub(crate) struct Pager {
    /// Channels that take nothing.
    down: BTreeSet<ChannelName>,
    /// Pages that wait for a channel, in order.
    outbox: Vec<(ChannelName, PageOrder)>,
    /// Every page that a channel took, and when.
    taken: Vec<(u64, u8, ChannelName)>,
}

impl World {
    pub(crate) fn note_budget_call(&mut self, order: &PageOrder) {
        let incident = self.fleet.incident(order.incident);
        if let (Reason::BudgetSpent | Reason::RunbookBudgetSpent, Some(it)) = (order.reason, incident) {
            let (runbook, target) = (it.runbook.clone(), it.target.clone());
            self.budget_calls.push(BudgetCall { runbook, target, called_at: self.now });
        }
    }

    /// Over every channel to the level: what one takes arrives soon, what none takes waits, and is found not to be taken after a while.
    pub(crate) fn send(&mut self, order: &PageOrder) {
        let contact = self.policy.contact(order.level).unwrap().clone();
        for channel in contact.channels {
            if self.pager.down.contains(&channel) {
                self.pager.outbox.push((channel.clone(), order.clone()));
                self.later(seconds(10), Event::ChannelFails(channel), None);
            } else {
                self.take(&channel, order);
            }
        }
    }

    fn take(&mut self, channel: &ChannelName, order: &PageOrder) {
        self.pager.taken.push((self.now.millis() / 1000, order.level.get(), channel.clone()));
        let event = Event::PageDelivered { incident: order.incident, page: order.page };
        self.later(Duration::from_millis(50), event, None);
    }

    /// A channel takes nothing from now on.
    pub(crate) fn break_channel(&mut self, name: &str) {
        self.pager.down.insert(ChannelName::new(name));
    }

    /// A channel takes what has waited for it, in order, and everything after that.
    pub(crate) fn mend_channel(&mut self, name: &str) {
        let channel = ChannelName::new(name);
        self.pager.down.remove(&channel);
        self.event(Event::ChannelWorks(channel.clone()));
        let (waited, others) = std::mem::take(&mut self.pager.outbox).into_iter().partition(|(it, _)| *it == channel);
        self.pager.outbox = others;
        let waited: Vec<(ChannelName, PageOrder)> = waited;
        for (channel, order) in waited {
            self.take(&channel, &order);
        }
    }

    pub(crate) fn taken_in_short(&self) -> String {
        let line = |(at, level, channel): &(u64, u8, ChannelName)| format!("{at}s L{level} {channel}");
        self.pager.taken.iter().map(line).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn updates_in_short(&self) -> String {
        let line = |(at, incident, page, reason): &(u64, IncidentId, u32, Reason)| {
            format!("{at}s #{incident} page {page} {reason}")
        };
        self.updates.iter().map(line).collect::<Vec<_>>().join(", ")
    }

    /// A channel that was mended before anybody found out that it failed never did.
    pub(crate) fn is_outdated(&self, event: &Event) -> bool {
        matches!(event, Event::ChannelFails(channel) if !self.pager.down.contains(channel))
    }

    /// What waits is tried again by a new start.
    pub(crate) fn send_again(&mut self) {
        let mut pages: Vec<PageOrder> = Vec::new();
        for (_, order) in std::mem::take(&mut self.pager.outbox) {
            if !pages.contains(&order) {
                pages.push(order);
            }
        }
        for order in pages {
            self.send(&order);
        }
    }
}
