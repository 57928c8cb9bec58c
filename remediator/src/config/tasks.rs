//! `maintenance`: what comes round by the calendar.

use std::collections::BTreeSet;
use std::time::Duration;

use vvtv_incident::{Doer, Level, TaskName};
use vvtv_toolkit::yaml::{Document, Spanned, YamlError};

use super::build::{positive, schedule};
use super::file;
use crate::maintenance::task::TaskSpec;
use crate::runbook::{TaskStep, task_steps};
use crate::site::SiteValues;

/// Entries that there may be.
const TASKS_MAX: usize = 100;
/// Steps that one of them may have.
const STEPS_MAX: usize = 20;
/// The longest that a task may stay undone.
const DUE_WITHIN_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// The longest text for a person.
const TITLE_CHARS_MAX: usize = 200;

pub(super) fn tasks(
    source: &Document,
    site: &SiteValues,
    written: &[file::Task],
    contacts: usize,
) -> Result<Vec<TaskSpec>, YamlError> {
    let mut names = BTreeSet::new();
    let mut tasks = Vec::new();
    for task in written {
        let name = &task.name;
        if names.len() == TASKS_MAX {
            return Err(source.error(name, format!("more than {TASKS_MAX} entries")));
        }
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.value.is_empty() || name.value.len() > 64 || !name.value.chars().all(valid) {
            return Err(source.error(name, "not a name: expected a-z, 0-9 and -, at most 64 of them"));
        }
        if !names.insert(&name.value) {
            return Err(source.error(name, "another entry has this name"));
        }
        if task.owner.value == 0 || usize::from(task.owner.value) > contacts {
            let message = format!("no contact has level {}: they go from 1 to {contacts}", task.owner.value);
            return Err(source.error(&task.owner, message));
        }
        let due_within = positive(source, &task.due_within)?;
        if due_within > DUE_WITHIN_MAX {
            return Err(source.error(&task.due_within, "longer than a year: nobody would ever be called"));
        }
        let (steps, title) = work(source, site, task)?;
        let doer = if steps.is_empty() { Doer::Person } else { Doer::Machine };
        let plan = vvtv_incident::Duty {
            name: TaskName::new(name.value.as_str()),
            title: title.into(),
            owner: Level::new(task.owner.value),
            due_within,
            doer,
        };
        let schedule = schedule(source, &task.schedule, &task.timezone)?;
        tasks.push(TaskSpec { plan, schedule, steps: steps.into() });
    }
    Ok(tasks)
}

/// What is to be done: a machine's steps, or none; and what it is for people.
fn work(source: &Document, site: &SiteValues, task: &file::Task) -> Result<(Vec<TaskStep>, String), YamlError> {
    match (&task.steps, &task.person) {
        (Some(steps), None) => Ok((machine(source, site, steps)?, task.name.value.replace('-', " "))),
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
            Err(source.error(&task.name, "who does it? `steps: [{run: [PROGRAM, ARGUMENT, …]}]`, or `person: TEXT`"))
        }
    }
}

fn machine(
    source: &Document,
    site: &SiteValues,
    steps: &Spanned<Vec<crate::runbook::WrittenTaskStep>>,
) -> Result<Vec<TaskStep>, YamlError> {
    if steps.value.is_empty() {
        return Err(source.error(steps, "a machine needs steps"));
    }
    if steps.value.len() > STEPS_MAX {
        return Err(source.error(steps, format!("more than {STEPS_MAX} steps")));
    }
    task_steps(source, site, &steps.value)
}
