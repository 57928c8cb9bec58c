//! Who is called, when and why: a machine of its own beside the steps.
//!
//! A page that no channel takes waits for one that does. Meanwhile the next level is called only if another channel leads there; where
//! none does, the timers stand still until somebody can be told: nobody is called because a channel that he shares failed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::channels::{Channels, People};
use crate::ids::{Level, Person};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::runbook::Runbook;
use crate::time::Timestamp;

/// The escalation of one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// When the present trouble began: the timers count from here.
    pub since: Timestamp,
    /// Whether the timers run.
    pub standing: Standing,
    /// The level called last in the present trouble, and the time from which its response time counts.
    pub reached: Option<(Level, Timestamp)>,
    /// Every page of the incident.
    pub pages: Vec<PageRecord>,
    /// Since when the timers stand still: another incident or a person's plan accounts for the trouble, or nobody can be told.
    pub still_since: Option<Timestamp>,
    /// The trouble seems to be over, and its pages are taken back unless it returns before.
    pub ends: Option<Ending>,
}

/// When pages are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// At this time.
    pub at: Timestamp,
    /// Or so long after an alert fires again.
    pub quiet_for: Duration,
}

/// Whether somebody has the incident in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody yet: the timers run.
    Open,
    /// Somebody, until this time.
    InHand {
        /// The person who acknowledged, or holds, the incident.
        by: Person,
        /// Until when the timers rest.
        until: Timestamp,
        /// What they were told of since.
        told: BTreeSet<Reason>,
    },
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRecord {
    /// Number within the incident, from 1.
    pub page: u32,
    /// Who is called.
    pub level: Level,
    /// What led to the call.
    pub reason: Reason,
    /// When it was due.
    pub due_at: Timestamp,
    /// Whether it has arrived.
    pub arrival: Arrival,
    /// Whether it has been taken back.
    pub resolved: bool,
}

/// Whether a page has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// No channel has taken it yet.
    Awaited,
    /// Every channel that leads there fails, and it is tried until one takes it.
    Undeliverable,
    /// A channel took it.
    Taken {
        /// When the first channel took it.
        at: Timestamp,
    },
}

/// A call that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) level: Level,
    pub(crate) at: Timestamp,
    pub(crate) reason: Reason,
}

/// What the timers come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A call.
    Call(Due),
    /// A call that cannot be made: no channel to anybody who could be called takes anything.
    Unreachable(Due),
}

impl Next {
    pub(crate) const fn at(self) -> Timestamp {
        match self {
            Self::Call(due) | Self::Unreachable(due) => due.at,
        }
    }
}

impl Escalation {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self { since: now, standing: Standing::Open, reached: None, pages: Vec::new(), still_since: None, ends: None }
    }

    /// Starts the timers anew: new trouble in the same incident. Whoever has it in hand keeps it.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        self.since = now;
        self.reached = None;
        if self.in_hand_of(now).is_none() {
            self.standing = Standing::Open;
        }
    }

    /// The trouble is over, and so is everything that was done about it.
    pub(crate) fn end(&mut self, now: Timestamp) {
        self.standing = Standing::Open;
        self.ends = None;
        self.restart(now);
    }

    /// An alert fires again: what ends ends later.
    pub(crate) fn fired_again(&mut self, now: Timestamp) {
        if let Some(ends) = &mut self.ends {
            ends.at = ends.at.max(now + ends.quiet_for);
        }
    }

    /// Stops the timers where they are.
    pub(crate) fn stand_still(&mut self, now: Timestamp) {
        self.still_since.get_or_insert(now);
    }

    /// Lets the timers go on; the time that they stood still does not count.
    pub(crate) fn go_on(&mut self, now: Timestamp) {
        let Some(still_since) = self.still_since.take() else { return };
        let still = now.since(still_since);
        self.since = self.since + still;
        self.reached = self.reached.map(|(level, at)| (level, at + still));
    }

    pub(crate) fn take_in_hand(&mut self, by: Person, until: Timestamp) {
        self.standing = Standing::InHand { by, until, told: BTreeSet::new() };
    }

    /// Who has it in hand now.
    pub(crate) fn in_hand_of(&self, now: Timestamp) -> Option<&Person> {
        match &self.standing {
            Standing::InHand { by, until, .. } if now < *until => Some(by),
            Standing::InHand { .. } | Standing::Open => None,
        }
    }

    /// Nobody has it in hand any more, and nobody was called before: the timers count from now.
    pub(crate) fn let_go(&mut self, now: Timestamp) {
        if matches!(self.standing, Standing::InHand { .. }) {
            self.standing = Standing::Open;
            self.since = now;
        }
    }

    /// Notes what whoever has it in hand is told of; whether that is news.
    pub(crate) fn note_told(&mut self, reason: Reason) -> bool {
        match &mut self.standing {
            Standing::InHand { told, .. } => told.insert(reason),
            Standing::Open => false,
        }
    }

    /// What the timers come to, if nothing changes before.
    pub(crate) fn next(&self, runbook: &Runbook, people: People<'_>) -> Option<Next> {
        let due = match (&self.standing, self.reached) {
            (Standing::InHand { until, .. }, reached) => {
                let level = reached.map_or(Level::FIRST, |(level, _)| people.policy.level_after(level));
                Due { level, at: *until, reason: Reason::AcknowledgementExpired }
            }
            (Standing::Open, None) => self.first_call(runbook, people),
            (Standing::Open, Some((level, called_at))) if self.may_hear(level, people) => {
                self.call_after(level, called_at, runbook, people)?
            }
            (Standing::Open, Some((level, called_at))) => {
                return self.instead_of(level, called_at, runbook, people);
            }
        };
        people.policy.contact(due.level)?;
        if self.reached.is_none() && due.level == Level::FIRST {
            // Somebody's page must wait for a channel.
            return Some(Next::Call(due));
        }
        Some(self.over_a_channel(due, people))
    }

    fn first_call(&self, runbook: &Runbook, people: People<'_>) -> Due {
        let first = Due { level: Level::FIRST, at: self.since + runbook.respond_within, reason: Reason::ResponseTime };
        match self.timer_call(Level::new(0), runbook, people) {
            Some(timer) if timer.at <= first.at => timer,
            Some(_) | None => first,
        }
    }

    fn call_after(&self, level: Level, called_at: Timestamp, runbook: &Runbook, people: People<'_>) -> Option<Due> {
        if let Some(timer) = self.timer_call(level, runbook, people) {
            return Some(timer);
        }
        let at = called_at + people.policy.contact(level)?.respond_within;
        let next = people.policy.level_after(level);
        let reason = if next == level { Reason::Repeated } else { Reason::NoAcknowledgement };
        Some(Due { level: next, at, reason })
    }

    /// The runbook's own timer, as long as it calls somebody who can be reached.
    fn timer_call(&self, reached: Level, runbook: &Runbook, people: People<'_>) -> Option<Due> {
        let timer = runbook.escalate?;
        // A level that nobody holds means the highest that somebody does.
        let highest = people.policy.contacts.iter().map(|contact| contact.level).max()?;
        let level = timer.level.min(highest);
        if level <= reached {
            return None;
        }
        let level = people.from(level)?;
        Some(Due { level, at: self.since + timer.after, reason: Reason::EscalationTimer })
    }

    /// The same call to somebody who can be reached: the next level that can, or again the highest that was told before.
    fn over_a_channel(&self, due: Due, people: People<'_>) -> Next {
        if let Some(level) = people.from(due.level) {
            return Next::Call(Due { level, ..due });
        }
        match self.told(people) {
            Some((level, _)) => Next::Call(Due { level, reason: Reason::Repeated, ..due }),
            None => Next::Unreachable(due),
        }
    }

    /// Whether a level's last page has arrived, or may do so yet.
    fn may_hear(&self, level: Level, people: People<'_>) -> bool {
        let last = self.pages.iter().rev().find(|page| page.level == level && !page.resolved);
        last.is_none_or(|page| matches!(page.arrival, Arrival::Taken { .. })) || people.reach(level)
    }

    /// The highest level that can be reached and has a page that arrived, and when it did.
    fn told(&self, people: People<'_>) -> Option<(Level, Timestamp)> {
        let taken = self.pages.iter().filter(|page| !page.resolved).filter_map(|page| match page.arrival {
            Arrival::Taken { at } => Some((page.level, at)),
            Arrival::Awaited | Arrival::Undeliverable => None,
        });
        taken.filter(|(level, _)| people.reach(*level)).max()
    }

    /// No channel takes the page of the level that was called last: the next that has another one is called, or what comes after the
    /// highest level that was told.
    fn instead_of(&self, level: Level, called_at: Timestamp, runbook: &Runbook, people: People<'_>) -> Option<Next> {
        if let Some(above) = people.above(level) {
            return Some(Next::Call(Due { level: above, at: called_at, reason: Reason::Undeliverable }));
        }
        match self.told(people) {
            Some((told, told_at)) => {
                let due = self.call_after(told, told_at.max(called_at), runbook, people)?;
                Some(self.over_a_channel(due, people))
            }
            None => Some(Next::Unreachable(Due { level, at: called_at, reason: Reason::NoOtherChannel })),
        }
    }

    /// The next call for people who watch: whom, when, why; nobody while no channel that is left leads to anybody.
    #[must_use]
    pub fn next_call(
        &self,
        runbook: &Runbook,
        policy: &Policy,
        channels: &Channels,
    ) -> Option<(Level, Timestamp, Reason)> {
        match self.next(runbook, People { policy, channels })? {
            Next::Call(due) => Some((due.level, due.at, due.reason)),
            Next::Unreachable(_) => None,
        }
    }

    /// What is due now: of several overdue calls only the highest, as after a restart.
    pub(crate) fn due(&self, now: Timestamp, runbook: &Runbook, people: People<'_>) -> Option<Next> {
        let first = self.next(runbook, people).filter(|next| next.at() <= now)?;
        let Next::Call(mut found) = first else { return Some(first) };
        let mut ahead = Self { pages: Vec::new(), ..self.clone() };
        // Each turn moves one level up or ends at the last, so the number of contacts bounds it.
        for _ in 0..people.policy.contacts.len() {
            // What was in hand, or could not be told, did not run meanwhile.
            if matches!(found.reason, Reason::Repeated | Reason::Undeliverable | Reason::AcknowledgementExpired) {
                break;
            }
            ahead.standing = Standing::Open;
            ahead.reached = Some((found.level, found.at));
            match ahead.next(runbook, people) {
                Some(Next::Call(due)) if due.at <= now => found = due,
                Some(_) | None => break,
            }
        }
        Some(Next::Call(found))
    }

    /// Notes a call and gives the page's number.
    pub(crate) fn called(&mut self, now: Timestamp, due: Due) -> u32 {
        let page = u32::try_from(self.pages.len()).unwrap_or(u32::MAX).saturating_add(1);
        if due.reason == Reason::AcknowledgementExpired {
            self.since = now;
        }
        self.standing = Standing::Open;
        self.reached = Some((due.level, now));
        let Due { level, reason, at: due_at } = due;
        self.pages.push(PageRecord { page, level, reason, due_at, arrival: Arrival::Awaited, resolved: false });
        page
    }

    /// Notes that a channel took a page; whether that is news. A level that hears of it late is the one reached from then on.
    pub(crate) fn arrived(&mut self, page: u32, now: Timestamp) -> bool {
        let is_awaited =
            |record: &&mut PageRecord| record.page == page && !matches!(record.arrival, Arrival::Taken { .. });
        let Some(record) = self.pages.iter_mut().find(is_awaited) else { return false };
        record.arrival = Arrival::Taken { at: now };
        let (level, resolved) = (record.level, record.resolved);
        if !resolved && self.reached.is_some_and(|(reached, _)| level > reached) {
            self.reached = Some((level, now));
        }
        true
    }

    /// Marks the pages that no channel takes, and gives those that were not marked before.
    pub(crate) fn find_undeliverable(&mut self, people: People<'_>) -> Vec<u32> {
        let awaited = self.pages.iter_mut().filter(|page| !page.resolved && page.arrival == Arrival::Awaited);
        awaited
            .filter(|page| people.policy.contact(page.level).is_some() && !people.reach(page.level))
            .map(|page| {
                page.arrival = Arrival::Undeliverable;
                page.page
            })
            .collect()
    }

    pub(crate) const fn has_called(&self) -> bool {
        self.reached.is_some()
    }

    /// The last page of each level that was called and has not been told that it is over.
    pub(crate) fn open_pages(&self) -> BTreeMap<Level, u32> {
        self.pages.iter().filter(|page| !page.resolved).map(|page| (page.level, page.page)).collect()
    }

    /// Marks every page as taken back and gives the numbers of those that were not.
    pub(crate) fn resolve_pages(&mut self) -> Vec<u32> {
        self.pages
            .iter_mut()
            .filter(|page| !page.resolved)
            .map(|page| {
                page.resolved = true;
                page.page
            })
            .collect()
    }
}
