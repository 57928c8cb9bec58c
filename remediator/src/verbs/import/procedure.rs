//! One runbook of the page, written.

use super::document::Document;
use super::head::{self, Name};
use super::language::{self, Remark};
use super::report::Weight;
use super::sections::Section;
use super::steps::{Procedure, Step};
use super::taken::Taken;
use super::time::duration;
use super::write::{Writer, list, remark, scalar};
use crate::runbook::effect::Effect;

pub(super) fn write(
    document: &Document<'_>,
    section: &Section,
    procedure: &Procedure,
    name: &Name,
    taken: &mut Taken,
    out: &mut Writer<'_>,
) {
    head::write(document, section, procedure, name, taken, out);
    if procedure.steps.iter().any(|step| matches!(step.command.effect, Effect::CannotSay(_))) {
        let text = "of some step it cannot be said whether it reads or changes: every change waits for approval";
        out.decide(0, name.line, "mode", text);
        out.line(0, "mode: approve");
    }
    out.decide(0, name.line, "steps", "the page gives no step a limit: 30s holds where no `timeout` is written");
    if procedure.steps.is_empty() {
        out.decide(0, name.line, "steps", "the page has no commands: a runbook needs steps");
        out.line(0, "steps: []");
    } else {
        out.line(0, "steps:");
    }
    for part in in_order(procedure) {
        match part {
            Ok(step) => write_step(step, out),
            Err((line, about, weight, text)) => remark(out, 2, *line, about, *weight, text),
        }
    }
    recovery(procedure, out);
}

type Note = (usize, String, Weight, String);

/// Steps, and what became none, in the order of the page.
fn in_order(procedure: &Procedure) -> Vec<Result<&Step, &Note>> {
    let mut parts: Vec<(usize, Result<&Step, &Note>)> = procedure.steps.iter().map(|it| (it.line, Ok(it))).collect();
    parts.extend(procedure.notes.iter().map(|note| (note.0, Err(note))));
    parts.sort_by_key(|(line, _)| *line);
    parts.into_iter().map(|(_, part)| part).collect()
}

fn write_step(step: &Step, out: &mut Writer<'_>) {
    let about = step.about();
    let changes = !step.command.effect.reads();
    let condition = step.condition.as_ref();
    let when = condition.filter(|(_, text)| !language::only_says_still_sick(text));
    if let (Some((line, text)), None) = (condition, when) {
        let text = format!("“{text}”: health is asked before every change; is that enough? If not, add a `when`");
        out.decide(2, *line, &about, &text);
    }
    for (line, weight, text) in &step.command.notes {
        remark(out, 2, *line, &about, *weight, text);
    }
    if changes {
        let text = "the page says neither what it must not run beside (locks), nor how long it takes to help (settle), \
                    nor whether it may run twice (repeatable), nor what is needed before";
        out.decide(2, step.line, &about, text);
    }
    out.line(2, &format!("- id: {}", scalar(&step.id)));
    if let Some(number) = step.action {
        out.line(4, &format!("action: {number}"));
    }
    out.text(4, "title", &step.title);
    if !step.description.is_empty() {
        out.text(4, "description", &step.description.join("\n"));
    }
    // What is not settled has no effect yet.
    if let (Effect::CannotSay(cause), true) = (&step.command.effect, step.command.undecided.is_empty()) {
        let text = format!("{cause}, so it counts as a change: does it only read (kind: diagnose, reads_only: true)?");
        out.danger(4, step.line, &about, &text);
    }
    out.line(4, if changes { "kind: change" } else { "kind: diagnose" });
    undecided(step, &about, changes, out);
    if let Some((line, text)) = when {
        out.danger(
            4,
            *line,
            &about,
            &format!("“{text}” as an expression over what earlier steps reported, or as PromQL"),
        );
        out.line(4, "when: {expr: \"\"}");
    }
    step.command.write(4, out);
}

/// What keeps the step from being run until somebody has settled it.
fn undecided(step: &Step, about: &str, changes: bool, out: &mut Writer<'_>) {
    let mut entries: Vec<String> = Vec::new();
    for text in &step.command.undecided {
        out.danger(4, step.line, about, text);
        entries.push(text.clone());
    }
    for said in &step.said {
        let holds = match said.remark {
            Remark::Prohibition => true,
            Remark::Condition => changes && !language::only_says_still_sick(&said.text),
            Remark::Undo => false,
        };
        let entry = format!("how “{}” is kept to", said.text);
        if !holds && said.around {
            // It is named once, about the runbook.
        } else if !holds {
            let text = format!("“{}”: a machine does not look at it", said.text);
            out.note(said.line, about, &text);
        } else if !entries.contains(&entry) {
            out.danger(4, said.line, about, &entry);
            entries.push(entry);
        }
    }
    if !entries.is_empty() {
        out.line(4, &format!("undecided: {}", list(&entries)));
    }
}

fn recovery(procedure: &Procedure, out: &mut Writer<'_>) {
    let Some(field) = procedure.fields.iter().find(|field| field.name.eq_ignore_ascii_case("recovery")) else { return };
    out.line(0, "recovery:");
    match duration(&field.text) {
        Some(time) => out.line(2, &format!("monitor: {time}")),
        None => out.decide(2, field.line, "recovery", "the page names no time to monitor for"),
    }
    // "Monitor for 15 minutes, gradually restore quality settings": what comes after is more than waiting.
    if let Some((_, more)) = field.text.split_once(',') {
        let text = format!("“{}” as stages to apply and undo, by the values that the changes reported", more.trim());
        out.decide(2, field.line, "recovery", &text);
        out.line(2, "restore: []");
    } else {
        out.decide(2, field.line, "recovery", "are the changes taken back then? The page says nothing of it (restore)");
    }
}
