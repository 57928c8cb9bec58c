//! `maintenance`: what comes round by the calendar.

use std::collections::BTreeSet;
use std::time::Duration;

use vvtv_incident::{Doer, Level, TaskName};
use vvtv_toolkit::yaml::{Spanned, YamlError};

use super::build::{positive, schedule};
use super::file;
use crate::maintenance::duty::Duty;
use crate::runbook::{Chore, Site, chores};
use crate::source::Source;

/// Entries that there may be.
const DUTIES_MAX: usize = 100;
/// Steps that one of them may have.
const STEPS_MAX: usize = 20;
/// The longest that a task may stay undone.
const DUE_WITHIN_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// The longest text for a person.
const TITLE_CHARS_MAX: usize = 200;

pub(super) fn duties(
    source: &Source,
    site: &Site,
    written: &[file::Duty],
    contacts: usize,
) -> Result<Vec<Duty>, YamlError> {
    let mut names = BTreeSet::new();
    let mut duties = Vec::new();
    for duty in written {
        let name = &duty.name;
        if names.len() == DUTIES_MAX {
            return Err(source.error(name, format!("more than {DUTIES_MAX} entries")));
        }
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.value.is_empty() || name.value.len() > 64 || !name.value.chars().all(valid) {
            return Err(source.error(name, "not a name: expected a-z, 0-9 and -, at most 64 of them"));
        }
        if !names.insert(&name.value) {
            return Err(source.error(name, "another entry has this name"));
        }
        if duty.owner.value == 0 || usize::from(duty.owner.value) > contacts {
            let message = format!("no contact has level {}: they go from 1 to {contacts}", duty.owner.value);
            return Err(source.error(&duty.owner, message));
        }
        let due_within = positive(source, &duty.due_within)?;
        if due_within > DUE_WITHIN_MAX {
            return Err(source.error(&duty.due_within, "longer than a year: nobody would ever be called"));
        }
        let (chores, title) = work(source, site, duty)?;
        let doer = if chores.is_empty() { Doer::Person } else { Doer::Machine };
        let plan = vvtv_incident::Duty {
            name: TaskName::new(name.value.as_str()),
            title: title.into(),
            owner: Level::new(duty.owner.value),
            due_within,
            doer,
        };
        let schedule = schedule(source, &duty.schedule, &duty.timezone)?;
        duties.push(Duty { plan, schedule, chores: chores.into() });
    }
    Ok(duties)
}

/// What is to be done: a machine's steps, or none; and what it is for people.
fn work(source: &Source, site: &Site, duty: &file::Duty) -> Result<(Vec<Chore>, String), YamlError> {
    match (&duty.steps, &duty.person) {
        (Some(steps), None) => Ok((machine(source, site, steps)?, duty.name.value.replace('-', " "))),
        (None, Some(person)) => {
            let text = person.value.trim();
            if text.is_empty() || text.chars().count() > TITLE_CHARS_MAX {
                let message = format!("what is the person to do? At most {TITLE_CHARS_MAX} characters");
                return Err(source.error(person, message));
            }
            Ok((Vec::new(), text.to_owned()))
        }
        (Some(_), Some(person)) => Err(source.error(person, "either `steps` for a machine or `person`, not both")),
        (None, None) => {
            Err(source.error(&duty.name, "who does it? `steps: [{run: [PROGRAM, ARGUMENT, …]}]`, or `person: TEXT`"))
        }
    }
}

fn machine(
    source: &Source,
    site: &Site,
    steps: &Spanned<Vec<crate::runbook::WrittenChore>>,
) -> Result<Vec<Chore>, YamlError> {
    if steps.value.is_empty() {
        return Err(source.error(steps, "a machine needs steps"));
    }
    if steps.value.len() > STEPS_MAX {
        return Err(source.error(steps, format!("more than {STEPS_MAX} steps")));
    }
    chores(source, site, &steps.value)
}
