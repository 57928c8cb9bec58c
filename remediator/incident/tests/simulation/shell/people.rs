//! What holds of people whatever happens: who may be called, and what becomes of every page.

use std::time::Duration;

use vvtv_incident::{
    Arrival, BudgetCall, Event, Incident, IncidentId, Level, Operation, PageOrder, PageRecord, PastIncident, Person,
    Phase, Reason, Standing,
};

use super::{HOUR, Shell};

impl Shell {
    /// Somebody takes something in hand, whatever goes on with it.
    pub(super) fn acknowledge(&mut self) {
        let open: Vec<_> = self.fleet.incidents().map(|incident| incident.id).collect();
        if !open.is_empty() {
            let (incident, by) = (*self.dice.pick(&open), Person::new("ben"));
            self.deliver(Event::Operator { incident, by, operation: Operation::Ack });
        }
    }

    /// What the core is told of channels.
    pub(super) fn note_channel(&mut self, event: &Event) {
        if let Event::ChannelFails(channel) = event {
            self.failing.fails(channel.clone());
        } else if let Event::ChannelWorks(channel) = event {
            self.failing.works(channel);
        }
    }

    pub(super) fn note_in_hand(&mut self) {
        let in_hand = self.fleet.incidents().filter_map(|incident| match incident.escalation.standing {
            Standing::InHand { until, .. } => Some((incident.id, until)),
            Standing::Open => None,
        });
        self.in_hand = in_hand.collect();
    }

    /// Nobody is called about what somebody has in hand, nor because a channel that he shares failed, nor twice an hour about the budget.
    pub(super) fn check_call(&mut self, order: &PageOrder, state: &Incident) {
        let until = self.in_hand.get(&order.incident);
        assert!(
            until.is_none_or(|until| *until <= self.now),
            "{order:?} is called about what is in hand until {until:?}"
        );
        let contact = self.policy.contact(order.level).unwrap();
        if order.level > Level::FIRST || order.reason == Reason::Repeated {
            assert!(self.failing.reach(contact), "{order:?} is called over channels that fail: {:?}", self.failing);
        }
        let mut others = state.escalation.pages.iter().filter(|page| page.page != order.page && !page.resolved);
        let before = others.rfind(|page| page.level < order.level && !matches!(page.arrival, Arrival::Taken { .. }));
        if let Some(before) = before {
            self.check_hop(order, before);
        }
        if matches!(order.reason, Reason::BudgetSpent | Reason::RunbookBudgetSpent) {
            let (runbook, target) = (state.runbook.clone(), state.target.clone());
            let same = |call: &&BudgetCall| (&call.runbook, &call.target) == (&runbook, &target);
            let lately = self.budget_calls.iter().rfind(same).is_some_and(|call| self.now.since(call.called_at) < HOUR);
            assert!(!lately, "{order:?} is the second call about the budget within an hour");
            self.budget_calls.push(BudgetCall { runbook, target, called_at: self.now });
        }
    }

    /// While the last call has not arrived, and cannot, others are called only over another channel.
    fn check_hop(&self, order: &PageOrder, before: &PageRecord) {
        let [now, then] = [order.level, before.level].map(|level| self.policy.contact(level).unwrap());
        if self.failing.reach(then) {
            return;
        }
        let another = now.channels.iter().any(|channel| !then.channels.contains(channel));
        assert!(another, "{order:?} is called because {before:?} did not arrive over the channels that they share");
    }

    /// More is told only by pages that are open.
    pub(super) fn check_update(&self, incident: IncidentId, page: u32) {
        let state = self.fleet.incident(incident).expect("an update of an incident that is not there");
        let open = state.escalation.pages.iter().any(|record| record.page == page && !record.resolved);
        assert!(open, "an update of page {page} of {incident}, which is over");
        assert!(self.pager.has(incident, page), "page {page} of {incident} is lost");
    }

    pub(super) fn note_over(&mut self, incident: &Incident) {
        if let (Phase::Closed { at }, Reason::Stabilised | Reason::Monitored | Reason::AlertResolved) =
            (&incident.phase, incident.reason)
        {
            self.over.push(PastIncident {
                runbook: incident.runbook.clone(),
                target: incident.target.clone(),
                closed_at: *at,
                times_back: incident.times_back(),
            });
        }
    }

    /// What is open has arrived once every channel takes messages.
    pub(super) fn check_pages(&mut self) {
        self.run_until(self.now + Duration::from_secs(60));
        assert_eq!(self.pager.next_at(self.now), None, "pages wait although every channel takes them");
    }

    /// No page of an open incident is lost: it waits for a channel, or one took it.
    pub(super) fn check_outbox(&self, incident: &Incident) {
        for page in incident.escalation.pages.iter().filter(|page| !page.resolved) {
            assert!(self.pager.has(incident.id, page.page), "page {} of {} is lost", page.page, incident.id);
        }
    }
}
