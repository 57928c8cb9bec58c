//! The whole plan of a runbook when nothing helps: every step, every wait, every person called, on a virtual clock.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use vvtv_incident::{
    Answer, EntryKind, Event, Fingerprint, LabelName, Level, Outcome, Policy, Sender, StepId, Timestamp, Verdict,
};

use super::world::{Ending, Happens, Line, Script, World, default_target};
use crate::conditions::promql::Query;
use crate::config::Config;
use crate::runbook::{Command, LoadedRunbook};

/// How long a step is taken to run.
const TAKES: Duration = Duration::from_secs(1);
/// After the last level's first call everything repeats.
const UNTIL: Duration = Duration::from_secs(12 * 3600);

/// Every condition holds, every step ends well after a second, and the target stays sick.
struct NothingHelps;

impl Script for NothingHelps {
    fn ending(&self, _: &StepId, _: u32, timeout: Duration) -> Ending {
        Ending {
            takes: TAKES.min(timeout),
            outcome: Outcome::Ok,
            exit_code: Some(0),
            stdout: String::new(),
            health: None,
        }
    }

    fn promql(&self, _: &Query) -> Answer {
        Answer::Yes
    }

    fn decided(&self, _: &StepId) -> Option<Answer> {
        Some(Answer::Yes)
    }
}

/// The plan as text, or `None` if no runbook has this id.
#[must_use]
pub fn simulate(config: &Config, books: &[LoadedRunbook], runbook: &str) -> Option<String> {
    let book = books.iter().find(|book| book.plan.id.as_str() == runbook)?;
    let policy = Policy { contacts: config.policy.contacts.clone(), ..Policy::default() };
    let mut world = World::new(policy, books, &config.site, &NothingHelps);
    let start = Timestamp::default();
    world.at(start, Happens::Health { runbook: None, verdict: Verdict::Unhealthy });
    world.at(start, Happens::Event(Event::AlertFiring(alert(book)?)));
    world.run(start + UNTIL);
    let mut text = format!("{} ({}) on {}\n", book.title, book.plan.id, default_target());
    let _ = writeln!(text, "If every condition holds, every step takes a second, and nothing helps:\n");
    for line in &world.lines {
        let Some(said) = say(line, book, config) else { continue };
        let _ = writeln!(text, "{}  {said}", clock(line.at));
        if line.entry.event == EntryKind::Paged && line.entry.detail == last_level(config).to_string() {
            let _ = writeln!(text, "\nThen the last level is called again and again, until somebody takes it in hand.");
            break;
        }
    }
    Some(text)
}

fn alert(book: &LoadedRunbook) -> Option<vvtv_incident::Alert> {
    let labels = BTreeMap::from([(LabelName::new(book.plan.target.as_str()), default_target().as_str().into())]);
    let name = book.plan.alerts.first()?.clone();
    Some(vvtv_incident::Alert {
        fingerprint: Fingerprint::new("simulated"),
        name,
        labels,
        starts_at: Timestamp::default(),
        sender: Sender::default(),
    })
}

fn last_level(config: &Config) -> Level {
    config.contacts.last().map_or(Level::FIRST, |contact| contact.level)
}

fn say(line: &Line, book: &LoadedRunbook, config: &Config) -> Option<String> {
    let entry = &line.entry;
    match entry.event {
        EntryKind::StepStarted => {
            let id = entry.detail.split(' ').next().unwrap_or_default();
            let spec = book.step(&StepId::new(id))?;
            let number = spec.action.map(|action| format!("{action}. ")).unwrap_or_default();
            Some(format!("{number}{}\n          {}", spec.title, command(&spec.command)))
        }
        EntryKind::StepSkipped => Some(format!("left out: {} ({})", entry.detail, entry.reason)),
        EntryKind::Blocked => Some(format!("waits: {} ({})", entry.detail, entry.reason)),
        EntryKind::Paged => {
            let contact = config.contacts.iter().find(|contact| contact.level.to_string() == entry.detail)?;
            Some(format!("CALLS {} {}: {}", contact.level, contact.name, entry.reason.explanation()))
        }
        EntryKind::Phase => Some(format!("{}: {}", entry.detail, entry.reason.explanation())),
        EntryKind::Opened => Some(format!("alert {}", book.plan.alerts.first()?)),
        EntryKind::Alert
        | EntryKind::Ignored
        | EntryKind::StepFinished
        | EntryKind::Health
        | EntryKind::PageDelivered
        | EntryKind::PageResolved
        | EntryKind::Told
        | EntryKind::NotCalled
        | EntryKind::Channel
        | EntryKind::Task
        | EntryKind::Clock
        | EntryKind::Journal
        | EntryKind::Operator
        | EntryKind::Closed => None,
    }
}

fn command(command: &Command) -> String {
    match command {
        Command::Run(arguments) => arguments.iter().map(crate::runbook::Argument::as_str).collect::<Vec<_>>().join(" "),
        Command::Shell(text) => text.clone(),
    }
}

/// Hours, minutes, seconds.
fn clock(at: Timestamp) -> String {
    let seconds = at.since(Timestamp::default()).as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
