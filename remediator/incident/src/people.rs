//! One incident's people: who is called about it, who has it in hand, what they are told, and when their pages are taken back.

use std::time::Duration;

use crate::command::{Command, EntryKind, PageOrder};
use crate::escalation::{Due, Ending, Next};
use crate::health::Health;
use crate::ids::{Level, Person, StepId};
use crate::incident::{Flow, Incident};
use crate::policy::Mode;
use crate::reason::Reason;
use crate::state::{Block, Phase, Stage, StepMachine};
use crate::turn::{Relevance, Systemic, Turn};

impl Incident {
    /// Something happened that a person must know of: whoever has the incident in hand is told; if nobody has, and nobody was called
    /// before, the first level is called at once.
    pub(crate) fn page_first_level(&mut self, reason: Reason, turn: &mut Turn<'_>) {
        if let Some(by) = self.escalation.in_hand_of(turn.now).cloned() {
            self.escalation.note_told(reason);
            self.tell(&by, reason, turn);
            return;
        }
        if self.escalation.has_called() {
            return;
        }
        self.escalation.let_go(turn.now);
        if !self.in_trouble() {
            // New trouble after the repair: its timers do not count from the old one.
            self.escalation.restart(turn.now);
        }
        self.page(Due { level: Level::FIRST, at: turn.now, reason }, turn);
    }

    /// The same of something that lasts, and is found again at every look: whoever has it in hand is told once.
    pub(crate) fn page_first_level_once(&mut self, reason: Reason, turn: &mut Turn<'_>) {
        match self.escalation.in_hand_of(turn.now).cloned() {
            Some(by) if self.escalation.note_told(reason) => self.tell(&by, reason, turn),
            Some(_) => {}
            None => self.page_first_level(reason, turn),
        }
    }

    /// A change waits for the budget. The call about that is made once an hour; the timers call as they always do.
    pub(crate) fn budget_is_spent(&mut self, reason: Reason, turn: &mut Turn<'_>) {
        let nobody_knows = !self.escalation.has_called() && self.escalation.in_hand_of(turn.now).is_none();
        if turn.budget_was_called && nobody_knows {
            self.record(turn, EntryKind::Ignored, Reason::AlreadyPaged, reason.as_str());
        } else {
            self.page_first_level_once(reason, turn);
        }
    }

    /// Tells whoever has the incident in hand, by the pages that are open. Without one they took it at the console, which shows it.
    fn tell(&mut self, by: &Person, reason: Reason, turn: &mut Turn<'_>) {
        if turn.mode() == Mode::Shadow {
            return;
        }
        self.record(turn, EntryKind::Told, reason, by.as_str());
        self.update_pages(reason, turn);
    }

    fn update_pages(&self, reason: Reason, turn: &mut Turn<'_>) {
        let update = |page| Command::UpdatePage { incident: self.id, page, reason };
        turn.decided.commands.extend(self.escalation.open_pages().into_values().map(update));
    }

    /// A step failed: whoever has a page open finds its last words there, unless what followed from it has just told them.
    pub(crate) fn tell_of_failure(&mut self, step: &StepId, reason: Reason, since: usize, turn: &mut Turn<'_>) {
        let told = |command: &Command| matches!(command, Command::Page(_) | Command::UpdatePage { .. });
        // Nobody need hear of what was ended on purpose.
        let over = matches!(self.phase, Phase::Exhausted | Phase::Closing { .. } | Phase::Closed { .. });
        let just_told = turn.decided.commands.get(since..).unwrap_or_default().iter().any(told);
        if !over && !just_told && !self.escalation.open_pages().is_empty() {
            self.record(turn, EntryKind::Told, reason, step.as_str());
            self.update_pages(reason, turn);
        }
    }

    /// The trouble came back while its pages were open, or somebody had it in hand: they are told, less often the more often it does.
    pub(crate) fn tell_of_return(&mut self, turn: &mut Turn<'_>) {
        if !self.times_back().is_power_of_two() {
            return;
        }
        if let Some(by) = self.escalation.in_hand_of(turn.now).cloned() {
            self.tell(&by, Reason::Relapse, turn);
        } else if self.escalation.has_called() {
            let number = format!("return {}", self.times_back());
            self.record(turn, EntryKind::Told, Reason::Relapse, number);
            self.update_pages(Reason::Relapse, turn);
        }
    }

    pub(crate) fn page(&mut self, due: Due, turn: &mut Turn<'_>) {
        if turn.mode() == Mode::Shadow || turn.policy.contact(due.level).is_none() {
            return;
        }
        if self.escalation.pages.len() >= turn.policy.pages_per_incident as usize {
            if self.reason != Reason::LimitReached {
                self.reason = Reason::LimitReached;
                self.record(turn, EntryKind::Ignored, Reason::LimitReached, "pages of one incident");
            }
            self.escalation.reached = Some((due.level, turn.now));
            return;
        }
        let page = self.escalation.called(turn.now, due);
        self.record(turn, EntryKind::Paged, due.reason, due.level.to_string());
        turn.push(Command::Page(PageOrder { incident: self.id, page, level: due.level, reason: due.reason }));
    }

    pub(crate) fn escalate(&mut self, turn: &mut Turn<'_>) {
        if self.waits_for_others(turn) || self.is_quiet(turn) {
            // The cause's own timers call people, and quiet ones nobody; this incident's go on when there is reason to.
            self.escalation.stand_still(turn.now);
            return;
        }
        let stood_still = self.escalation.still_since.is_some();
        self.escalation.go_on(turn.now);
        if self.waits_for_its_target() {
            self.page_first_level_once(Reason::UnknownTarget, turn);
        }
        let resting = self.resting(turn);
        if !resting && self.blind(turn) {
            self.page_first_level_once(Reason::HealthUnknown, turn);
        }
        if let Some(due) = self.call_who_is_due(resting, turn) {
            self.escalation.stand_still(turn.now);
            if !stood_still {
                self.record(turn, EntryKind::NotCalled, Reason::NoOtherChannel, due.level.to_string());
            }
        }
    }

    /// Calls whoever is due, and those after them while the ones before cannot be reached. Gives the call that cannot be made.
    fn call_who_is_due(&mut self, resting: bool, turn: &mut Turn<'_>) -> Option<Due> {
        // Every call is of a higher level than the one that could not be reached; one more finds that nobody else is due.
        for _ in 0..turn.policy.contacts.len() + 2 {
            for page in self.escalation.find_undeliverable(turn.people()) {
                self.record(turn, EntryKind::PageDelivered, Reason::Undeliverable, page.to_string());
            }
            match self.escalation.due(turn.now, turn.runbook, turn.people()) {
                Some(Next::Call(due)) if !resting => self.page(due, turn),
                Some(Next::Unreachable(due)) => return Some(due),
                Some(Next::Call(_)) | None => return None,
            }
        }
        None
    }

    /// A page arrived, late perhaps.
    pub(crate) fn page_arrived(&mut self, page: u32, turn: &mut Turn<'_>) -> Relevance {
        let is_news = self.escalation.arrived(page, turn.now);
        if is_news {
            self.record(turn, EntryKind::PageDelivered, Reason::Delivered, page.to_string());
            Relevance::Current
        } else {
            Relevance::Stale
        }
    }

    /// Whether its steps wait because nothing that exists is called as its target.
    pub(crate) const fn waits_for_its_target(&self) -> bool {
        matches!(self.phase.machine(), Some(StepMachine { stage: Stage::Blocked { by: Block::UnknownTarget, .. }, .. }))
    }

    /// Whether another incident, or a person's plan, accounts for this one's trouble.
    pub(crate) fn waits_for_others(&self, turn: &Turn<'_>) -> bool {
        self.in_trouble()
            && (self.suppressed() || turn.cause.is_some() || turn.maintenance || turn.systemic == Systemic::Follower)
    }

    /// Whether its trouble seems to be over, so that nobody's time runs: a return joins the pages that are open, and goes on from there.
    fn is_quiet(&self, turn: &Turn<'_>) -> bool {
        let health = self.health.health();
        match self.phase {
            Phase::Stabilising => matches!(health, Health::Healthy { .. }),
            Phase::Monitoring { .. } => {
                let is_sick = matches!(health, Health::Unhealthy { .. });
                self.escalation.ends.is_some() && !is_sick && !self.blind(turn)
            }
            Phase::Working(_) => self.escalation.ends.is_some() && self.waits_for_its_target() && !self.firing(),
            Phase::Exhausted => self.escalation.ends.is_some() && turn.for_people && !self.firing(),
            Phase::Restoring(_) | Phase::Closing { .. } | Phase::Closed { .. } => false,
        }
    }

    /// Whether the timers rest because the target is healthy, or was when it was last seen.
    pub(crate) fn resting(&self, turn: &Turn<'_>) -> bool {
        let healthy = matches!(self.health.health(), Health::Healthy { .. });
        let nobody_called = !self.in_trouble() && !self.escalation.has_called();
        turn.mode() == Mode::Shadow || healthy || nobody_called && !self.blind(turn)
    }

    /// Whether health has been unknown for too long to do without a person.
    fn blind(&self, turn: &Turn<'_>) -> bool {
        !turn.for_people && self.health.unknown_for(turn.now).is_some_and(|time| time >= turn.policy.health_unknown_for)
    }

    /// How often the trouble has come back: in quick successors of one incident, and within each.
    #[must_use]
    pub const fn times_back(&self) -> u32 {
        self.returned.saturating_add(self.relapses)
    }

    /// The target has been healthy for long enough. Pages stay open for a while longer, and for long where the trouble is known to come
    /// back: a return joins them.
    pub(crate) fn hold_pages(&mut self, turn: &Turn<'_>) {
        if self.escalation.open_pages().is_empty() {
            self.escalation.restart(turn.now);
            return;
        }
        let comes_back = self.times_back() > 0;
        let quiet_for = turn.policy.page_hold.max(if comes_back { turn.policy.returns_within } else { Duration::ZERO });
        self.escalation.ends = Some(Ending { at: turn.now + quiet_for, quiet_for });
    }

    /// Nothing was done, and there is no health to wait for: what nobody claims any more is over, as soon as its pages need not be held.
    pub(crate) fn unclaimed(&mut self, turn: &mut Turn<'_>) -> Option<Flow> {
        if self.firing() {
            if self.escalation.ends.take().is_some() {
                self.relapses += 1;
                self.tell_of_return(turn);
            }
            return None;
        }
        if self.escalation.ends.is_none() {
            self.hold_pages(turn);
        }
        if self.holds_pages(Reason::AlertResolved, turn) {
            return Some(Flow::Wait);
        }
        Some(self.close(Reason::AlertResolved, turn))
    }

    /// Takes the pages back if it has been quiet for long enough; whether they are open on.
    pub(crate) fn holds_pages(&mut self, reason: Reason, turn: &mut Turn<'_>) -> bool {
        match self.escalation.ends {
            None => false,
            Some(ends) if turn.now < ends.at => true,
            Some(_) => {
                self.resolve_pages(reason, turn);
                self.escalation.go_on(turn.now);
                self.escalation.end(turn.now);
                false
            }
        }
    }

    pub(crate) fn resolve_pages(&mut self, reason: Reason, turn: &mut Turn<'_>) {
        for page in self.escalation.resolve_pages() {
            self.record(turn, EntryKind::PageResolved, reason, page.to_string());
            turn.push(Command::ResolvePage { incident: self.id, page });
        }
    }
}
