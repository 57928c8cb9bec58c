//! The ways to people, and the trouble that comes back: what one incident finds out and others go by.

use super::Fleet;
use crate::command::{Command, EntryKind};
use crate::ids::ChannelName;
use crate::incident::Incident;
use crate::reason::Reason;
use crate::returns::Key;
use crate::state::Phase;
use crate::turn::Decisions;

impl Fleet {
    pub(super) fn channel_fails(&mut self, channel: ChannelName, out: &mut Decisions) {
        let leads_to_somebody = self.policy.contacts.iter().any(|contact| contact.channels.contains(&channel));
        if leads_to_somebody && self.channels.fails(channel.clone()) {
            self.channel_changed(&channel, Reason::ChannelFailing, out);
        } else {
            out.record(None, EntryKind::Ignored, Reason::Stale, channel.as_str());
        }
    }

    pub(super) fn channel_works(&mut self, channel: &ChannelName, out: &mut Decisions) {
        if self.channels.works(channel) {
            self.channel_changed(channel, Reason::ChannelWorking, out);
        } else {
            out.record(None, EntryKind::Ignored, Reason::Stale, channel.as_str());
        }
    }

    /// Incidents whose pages wait, or whose timers do, are looked at again.
    fn channel_changed(&mut self, channel: &ChannelName, reason: Reason, out: &mut Decisions) {
        out.record(None, EntryKind::Channel, reason, channel.as_str());
        let concerned = |incident: &&Incident| incident.escalation.has_called();
        let ids: Vec<_> = self.incidents.values().filter(concerned).map(|incident| incident.id).collect();
        for id in ids {
            self.evaluate(id, out);
        }
    }

    /// Takes in, from an incident's last turn, what its successors must know.
    pub(super) fn remember(&mut self, incident: &Incident, first: usize, out: &mut Decisions) {
        let limit = self.policy.open_incidents;
        let is_about_budget = |command: &Command| matches!(command, Command::Page(order) if matches!(order.reason, Reason::BudgetSpent | Reason::RunbookBudgetSpent));
        let mut forgotten = Vec::new();
        if out.commands.get(first..).unwrap_or_default().iter().any(is_about_budget) {
            forgotten.extend(self.returns.note_budget_call(incident.key(), out.now, limit));
        }
        let went_away = matches!(incident.reason, Reason::Stabilised | Reason::Monitored | Reason::AlertResolved);
        if went_away && matches!(incident.phase, Phase::Closed { .. }) {
            forgotten.extend(self.returns.note_over(incident.key(), out.now, incident.times_back(), limit));
        }
        for (runbook, target) in forgotten {
            out.record(None, EntryKind::Ignored, Reason::LimitReached, format!("remembered: {runbook}: {target}"));
        }
    }
}

impl Incident {
    /// What it is about.
    pub(crate) fn key(&self) -> Key {
        (self.runbook.clone(), self.target.clone())
    }
}
