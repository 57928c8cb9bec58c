//! The page's tables of people and its checklists.

use std::collections::BTreeSet;

use super::document::{Content, Document, Table};
use super::names;
use super::sections::Section;
use super::taken::Taken;
use super::time::{duration, times};
use super::write::{Writer, scalar};

/// A list of tasks.
#[derive(Debug)]
pub(super) struct Checklist {
    line: usize,
    name: String,
    items: Vec<(usize, String)>,
}

/// Whether a table is one of people.
pub(super) fn is_contacts(table: &Table) -> bool {
    table.column("contact").is_some() && table.column("level").is_some()
}

/// `contacts:` for `remediator.yml`.
pub(super) fn contacts(document: &Document<'_>, table: &Table, taken: &mut Taken, out: &mut Writer<'_>) {
    const KNOWN: [&str; 4] = ["level", "contact", "response", "scope"];
    let mut levels = BTreeSet::new();
    out.line(0, "# Part of remediator.yml.");
    out.line(0, "contacts:");
    for (line, row) in &table.rows {
        let cell = |column: &str| table.cell(row, column).unwrap_or_default();
        let name = cell("contact");
        let level: String = cell("level").chars().filter(char::is_ascii_digit).collect();
        let level = level.parse::<u8>().unwrap_or_default();
        let about = format!("level {level}");
        out.decide(2, *line, &about, &format!("how is {name} reached? Name channels, e.g. notify: [pagerduty]"));
        let said = times(cell("response"));
        if level == 0 || said.is_empty() {
            out.decide(2, *line, &about, "the row's level or response time is not understood");
        }
        if said.len() > 1 || said.iter().any(|time| time.range) {
            out.decide(2, *line, &about, &format!("the page says `{}`: the first time is taken", cell("response")));
        }
        if !levels.insert(level) {
            out.decide(2, *line, &about, "another row has this level: one contact has each");
        }
        let known = |column: &String| KNOWN.iter().any(|known| column.to_lowercase().starts_with(known));
        for (column, value) in
            table.header.iter().zip(row).filter(|(column, value)| !known(column) && !value.is_empty())
        {
            out.decide(2, *line, &about, &format!("the page also has {column}: {value}"));
        }
        let respond = duration(cell("response")).map_or_else(|| "\"\"".to_owned(), |time| time.to_string());
        let (name, scope) = (scalar(name), scalar(cell("scope")));
        out.line(
            2,
            &format!("- {{level: {level}, name: {name}, respond_within: {respond}, scope: {scope}, notify: []}}"),
        );
        out.note(*line, &about, &format!("as the page has it: {}", document.line(*line)));
        taken.take(*line, *line);
    }
    taken.take(table.line, table.line + 1);
}

/// The checklists that stand in none of the runbooks.
pub(super) fn checklists(document: &Document<'_>, sections: &[Section], taken: &mut Taken) -> Vec<Checklist> {
    let mut lists: Vec<(usize, Checklist)> = Vec::new();
    for block in &document.blocks {
        let task = block.item.and_then(|index| document.items.get(index)).is_some_and(|item| item.task);
        let (Content::Prose(_), true, false) = (&block.content, task, taken.has(block.first)) else { continue };
        let within = sections.iter().enumerate().rev().find(|(_, section)| section.lines.contains(&block.first));
        let (index, section) = within.map_or((0, None), |(index, section)| (index, Some(section)));
        let text = block.prose().unwrap_or_default();
        taken.take(block.first, block.last);
        match lists.last_mut() {
            Some((last, list)) if *last == index => list.items.push((block.first, text)),
            _ => {
                let line = section.map_or(block.first, |section| section.lines.start);
                let name = names::id(section.map_or("", |section| section.title.as_str()));
                if section.is_some_and(|section| section.heading.is_some()) {
                    taken.take(line, line);
                }
                lists.push((index, Checklist { line, name, items: vec![(block.first, text)] }));
            }
        }
    }
    lists.into_iter().map(|(_, list)| list).collect()
}

/// The checklists, each with what has to be known before a machine can go through it.
pub(super) fn maintenance(lists: &[Checklist], out: &mut Writer<'_>) {
    let mut taken = BTreeSet::new();
    out.line(0, "maintenance:");
    for list in lists {
        let name = names::unused(list.name.clone(), '-', &mut taken);
        out.line(2, &format!("- name: {}", scalar(&name)));
        out.decide(4, list.line, &name, "at what time, as a cron expression, and in which time zone?");
        out.line(4, "schedule: \"\"");
        out.line(4, "timezone: \"\"");
        out.decide(4, list.line, &name, "which contact level has what the machine cannot do, and for how long?");
        out.line(4, "owner: 0");
        out.line(4, "due_within: \"\"");
        out.line(4, "steps:");
        for (line, item) in &list.items {
            out.decide(6, *line, &name, "a machine needs a command for it; a person's task is an entry of its own, with `person: TEXT` for `steps`");
            out.line(6, &format!("- {{title: {}, run: []}}", scalar(item)));
        }
    }
}
