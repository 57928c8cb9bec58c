//! The page's tables of people and its checklists.

use super::duration;
use super::page::{Checklist, Table};
use super::write::{Writer, scalar};

/// `contacts:` for `remediator.yml`.
pub(super) fn contacts(table: &Table, out: &mut Writer<'_>) {
    out.line(0, "# Part of remediator.yml.");
    out.line(0, "contacts:");
    for (line, row) in &table.rows {
        let cell = |column: &str| table.cell(row, column).unwrap_or_default();
        let name = cell("contact");
        let level: String = cell("level").chars().filter(char::is_ascii_digit).collect();
        let level = level.parse::<u8>().unwrap_or_default();
        let about = format!("level {level}");
        out.decide(2, *line, &about, &format!("how is {name} reached? Name channels, e.g. notify: [pagerduty]"));
        let respond = duration(cell("response"));
        if level == 0 || respond.is_none() {
            out.decide(2, *line, &about, "the row's level or response time is not understood");
        }
        let respond = respond.map_or_else(|| "\"\"".to_owned(), |time| time.to_string());
        let (name, scope) = (scalar(name), scalar(cell("scope")));
        out.line(
            2,
            &format!("- {{level: {level}, name: {name}, respond_within: {respond}, scope: {scope}, notify: []}}"),
        );
    }
}

/// The checklists, each with what has to be known before a machine can go through it.
pub(super) fn maintenance(lists: &[Checklist], out: &mut Writer<'_>) {
    out.line(0, "maintenance:");
    for list in lists {
        out.line(2, &format!("- name: {}", scalar(&list.name)));
        out.decide(4, list.line, &list.name, "at what time, as a cron expression, and in which time zone?");
        out.line(4, "schedule: \"\"");
        out.line(4, "timezone: \"\"");
        out.decide(4, list.line, &list.name, "which contact level has what the machine cannot do, and for how long?");
        out.line(4, "owner: 0");
        out.line(4, "due_within: \"\"");
        out.line(4, "steps:");
        for (line, item) in &list.items {
            out.decide(6, *line, &list.name, "a machine needs a command for it; a person's task is an entry of its own, with `person: TEXT` for `steps`");
            out.line(6, &format!("- {{title: {}, run: []}}", scalar(item)));
        }
    }
}
