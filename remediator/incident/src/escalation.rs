//! Who is called, when and why: a machine of its own beside the steps.

use serde::{Deserialize, Serialize};

use crate::ids::{Level, Person};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::runbook::Runbook;
use crate::time::Timestamp;

/// The escalation of one incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// When the present trouble began: the timers count from here.
    pub since: Timestamp,
    /// Whether the timers run.
    pub standing: Standing,
    /// The highest level called in the present trouble, and the time from which its response time counts.
    pub reached: Option<(Level, Timestamp)>,
    /// Every page of the incident.
    pub pages: Vec<PageRecord>,
    /// Since when the timers stand still, because another incident or a person's plan accounts for the trouble.
    #[serde(default)]
    pub still_since: Option<Timestamp>,
}

/// Whether somebody has the incident in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nobody yet: the timers run.
    Open,
    /// Somebody, until this time.
    InHand {
        /// Who.
        by: Person,
        /// Until when the timers rest.
        until: Timestamp,
    },
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRecord {
    /// Number within the incident, from 1.
    pub page: u32,
    /// Who is called.
    pub level: Level,
    /// Why.
    pub reason: Reason,
    /// When it was due.
    pub due_at: Timestamp,
    /// Whether it has been taken back.
    pub resolved: bool,
}

/// A call that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) level: Level,
    pub(crate) at: Timestamp,
    pub(crate) reason: Reason,
}

impl Escalation {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self { since: now, standing: Standing::Open, reached: None, pages: Vec::new(), still_since: None }
    }

    /// Starts the timers anew: new trouble in the same incident, or a wait that was nobody's fault.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        self.since = now;
        self.standing = Standing::Open;
        self.reached = None;
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
        self.standing = Standing::InHand { by, until };
    }

    /// The next call, if nothing changes before.
    pub(crate) fn next(&self, runbook: &Runbook, policy: &Policy) -> Option<Due> {
        let due = match (&self.standing, self.reached) {
            (Standing::InHand { until, .. }, reached) => {
                let level = reached.map_or(Level::FIRST, |(level, _)| policy.level_after(level));
                Due { level, at: *until, reason: Reason::AcknowledgementExpired }
            }
            (Standing::Open, None) => self.first_call(runbook, policy),
            (Standing::Open, Some((level, called_at))) => self.call_after(level, called_at, runbook, policy)?,
        };
        policy.contact(due.level).map(|_| due)
    }

    fn first_call(&self, runbook: &Runbook, policy: &Policy) -> Due {
        let first = Due { level: Level::FIRST, at: self.since + runbook.respond_within, reason: Reason::ResponseTime };
        match self.timer_call(Level::new(0), runbook, policy) {
            Some(timer) if timer.at <= first.at => timer,
            Some(_) | None => first,
        }
    }

    fn call_after(&self, level: Level, called_at: Timestamp, runbook: &Runbook, policy: &Policy) -> Option<Due> {
        if let Some(timer) = self.timer_call(level, runbook, policy) {
            return Some(timer);
        }
        let at = called_at + policy.contact(level)?.respond_within;
        let next = policy.level_after(level);
        let reason = if next == level { Reason::Repeated } else { Reason::NoAcknowledgement };
        Some(Due { level: next, at, reason })
    }

    fn timer_call(&self, reached: Level, runbook: &Runbook, policy: &Policy) -> Option<Due> {
        let timer = runbook.escalate?;
        // A level that nobody holds means the highest that somebody does.
        let highest = policy.contacts.iter().map(|contact| contact.level).max()?;
        let level = timer.level.min(highest);
        if level <= reached {
            return None;
        }
        Some(Due { level, at: self.since + timer.after, reason: Reason::EscalationTimer })
    }

    /// The next call for people who watch: whom, when, why.
    #[must_use]
    pub fn next_call(&self, runbook: &Runbook, policy: &Policy) -> Option<(Level, Timestamp, Reason)> {
        self.next(runbook, policy).map(|due| (due.level, due.at, due.reason))
    }

    /// The call that is due now: of several overdue ones only the highest, as after a restart.
    pub(crate) fn due(&self, now: Timestamp, runbook: &Runbook, policy: &Policy) -> Option<Due> {
        let mut ahead = Self { pages: Vec::new(), ..self.clone() };
        let mut found = None;
        // Each turn moves one level up or ends at the last, so the number of contacts bounds it.
        for _ in 0..=policy.contacts.len() {
            let Some(due) = ahead.next(runbook, policy).filter(|due| due.at <= now) else { break };
            ahead.standing = Standing::Open;
            ahead.reached = Some((due.level, due.at));
            found = Some(due);
            if due.reason == Reason::Repeated {
                break;
            }
        }
        found
    }

    /// Notes a call and gives the page's number.
    pub(crate) fn called(&mut self, now: Timestamp, due: Due) -> u32 {
        let page = u32::try_from(self.pages.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.standing = Standing::Open;
        self.reached = Some((due.level, now));
        self.pages.push(PageRecord { page, level: due.level, reason: due.reason, due_at: due.at, resolved: false });
        page
    }

    /// The next level's response time counts as run out: this one cannot be reached.
    pub(crate) fn unreachable(&mut self, now: Timestamp, page: u32, policy: &Policy) -> Option<Due> {
        let failed = self.pages.iter().find(|record| record.page == page && !record.resolved)?.level;
        let next = policy.level_after(failed);
        let higher = self.reached.is_none_or(|(reached, _)| next > reached);
        (next != failed && higher).then_some(Due { level: next, at: now, reason: Reason::Undeliverable })
    }

    pub(crate) fn has_called(&self) -> bool {
        self.reached.is_some()
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
