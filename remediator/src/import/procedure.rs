//! One procedure of the page as a runbook.

use std::collections::BTreeSet;

use vvtv_toolkit::duration::PromDuration;

use super::bounded::bounded;
use super::duration;
use super::page::{Action, Page, Procedure, Written, slug};
use super::write::{Writer, scalar};
use crate::check::words;

/// First words of actions that only look.
const READS: [&str; 12] =
    ["check", "test", "verify", "capture", "look", "review", "inspect", "confirm", "see", "show", "list", "monitor"];
/// First words of actions that alter something.
const CHANGES: [&str; 20] = [
    "restart", "reduce", "enable", "disable", "inject", "raise", "lower", "increase", "decrease", "clear", "clean",
    "rotate", "stop", "start", "switch", "set", "use", "restore", "kill", "reload",
];
/// Conditions that only say that the trouble is still there, which is asked before every change anyway.
const STILL_SICK: [&str; 4] = ["needed", "persist", "continue", "still"];

pub(super) fn write(procedure: &Procedure, page: &Page, out: &mut Writer<'_>) {
    head(procedure, out);
    times(procedure, page, out);
    out.decide(0, procedure.line, "steps", "the page gives no step a limit: 30s holds where no `timeout` is written");
    out.line(0, "steps:");
    let mut ids = BTreeSet::new();
    for action in &procedure.actions {
        steps(action, &mut ids, out);
    }
    recovery(procedure, out);
}

fn head(procedure: &Procedure, out: &mut Writer<'_>) {
    out.line(0, &format!("id: {}", scalar(&procedure.id)));
    out.line(0, &format!("title: {}", scalar(&procedure.title)));
    for name in ["symptoms", "impact"] {
        if let Some((_, text)) = procedure.field(name) {
            out.line(0, &format!("{name}: {}", scalar(text)));
        }
    }
    out.decide(0, procedure.line, "alerts", "which alerts, by the names that the alert rules give them?");
    out.line(0, "alerts: []");
    out.decide(0, procedure.line, "target", "which alert label says where the trouble is, e.g. stream?");
    out.line(0, "target: \"\"");
    out.decide(0, procedure.line, "causes", "which other runbooks have to be at rest before this one acts?");
    out.line(0, "causes: []");
}

/// The row of the table of alerts that is this procedure's: its name comes first in the alert's.
fn times(procedure: &Procedure, page: &Page, out: &mut Writer<'_>) {
    let rows = page.alerts.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row)));
    let mut mine = rows.filter(|(table, (_, row))| {
        table.cell(row, "alert").is_some_and(|alert| {
            alert.split_whitespace().next().map(|name| slug(name, '-')).as_deref() == Some(&procedure.id)
        })
    });
    let row = mine.next();
    let line = row.map_or(procedure.line, |(_, (line, _))| *line);
    let cell = |column: &str| row.and_then(|(table, (_, row))| table.cell(row, column)).unwrap_or_default();
    let test = if row.is_some() { format!("`{}`", cell("alert")) } else { "its symptoms".to_owned() };
    let question =
        format!("PromQL that is 1 when healthy and 0 when sick, for {test}; how long must it hold (healthy_for)?");
    out.decide(0, line, "healthy", &question);
    out.line(0, "healthy: \"\"");
    let severity = cell("severity").to_ascii_lowercase();
    if !["warning", "major", "critical"].contains(&severity.as_str()) {
        out.decide(0, line, "severity", "the page gives none of warning, major, critical");
    }
    out.line(0, &format!("severity: {}", scalar(&severity)));
    match duration(cell("response")) {
        Some(time) => out.line(0, &format!("respond_within: {time}")),
        None => {
            out.decide(0, line, "respond_within", "the page has no response time for it");
            out.line(0, "respond_within: 0s");
        }
    }
    escalate(procedure, cell("escalation"), line, out);
}

fn escalate(procedure: &Procedure, cell: &str, line: usize, out: &mut Writer<'_>) {
    let level = cell.to_ascii_lowercase().split_once("level ").and_then(|(_, rest)| rest.chars().next()?.to_digit(10));
    let in_table = cell.split_once("after").and_then(|(_, rest)| duration(rest));
    let timer = procedure.field("timer").and_then(|(line, text)| Some((line, duration(text)?)));
    match (level, in_table, timer) {
        (Some(level), Some(after), timer) => {
            if let Some((line, other)) = timer.filter(|(_, other)| *other != after) {
                let text = format!("the page says {after} in its table and {other} here: which?");
                out.decide(0, line, "escalate", &text);
            }
            out.line(0, &format!("escalate: {{level: {level}, after: {after}}}"));
        }
        (level, in_table, timer) => {
            let after: Option<PromDuration> = in_table.or(timer.map(|(_, after)| after));
            out.decide(0, line, "escalate", "the page lacks the level or the time of the escalation");
            let after = after.map_or_else(|| "0s".to_owned(), |after| after.to_string());
            out.line(0, &format!("escalate: {{level: {}, after: {after}}}", level.unwrap_or(0)));
        }
    }
}

/// What is done, and under which condition in the page's words.
fn condition(title: &str) -> (String, Option<String>) {
    let lower = title.to_ascii_lowercase();
    if let Some(rest) = title.get(3..).filter(|_| lower.starts_with("if ")) {
        let (condition, what) = rest.split_once(", ").unwrap_or((rest, ""));
        let mut what = what.to_owned();
        if let Some(first) = what.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        return (what, Some(condition.to_owned()));
    }
    match lower.rfind(" if ") {
        Some(at) => (title.get(..at).unwrap_or_default().to_owned(), title.get(at + 4..).map(str::to_owned)),
        None => (title.to_owned(), None),
    }
}

fn kind(texts: [&str; 2]) -> Option<&'static str> {
    texts.iter().find_map(|text| {
        let verb = text.split_whitespace().next()?.to_ascii_lowercase();
        let reads = READS.contains(&verb.as_str()).then_some("diagnose");
        reads.or_else(|| CHANGES.contains(&verb.as_str()).then_some("change"))
    })
}

fn steps(action: &Action, ids: &mut BTreeSet<String>, out: &mut Writer<'_>) {
    let about = format!("action {}", action.number);
    if action.commands.is_empty() {
        return out.decide(
            2,
            action.line,
            &about,
            &format!("`{}` has no command: it stays a person's task", action.title),
        );
    }
    let (linux, macos): (Vec<_>, Vec<_>) = action.commands.iter().partition(|command| !command.macos);
    if macos.is_empty() {
        linux.iter().for_each(|command| step(action, &[command], &[], ids, out));
    } else {
        step(action, &linux, &macos, ids, out);
    }
}

fn step(action: &Action, linux: &[&Written], macos: &[&Written], ids: &mut BTreeSet<String>, out: &mut Writer<'_>) {
    let about = format!("action {}", action.number);
    let Some(first) = linux.first().or_else(|| macos.first()) else { return };
    let (what, condition) = condition(&action.title);
    let comment = first.comment.clone().unwrap_or_default();
    let title = [&comment, &what, &action.title].into_iter().find(|text| !text.is_empty()).cloned().unwrap_or_default();
    let kind = kind([&what, &comment]);
    let when = condition.as_ref().filter(|text| !STILL_SICK.iter().any(|word| text.contains(word)));
    if let (Some(text), None) = (&condition, when) {
        let text = format!("“if {text}”: health is asked before every change; is that enough? If not, add a `when`");
        out.decide(2, action.line, &about, &text);
    }
    let platforms = commands(linux, macos, &about, out);
    if kind == Some("change") {
        let text = "the page says neither what it must not run beside (locks), nor how long it takes to help (settle), \
                    nor whether it may run twice (repeatable), nor what is needed before";
        out.decide(2, first.line, &about, text);
    }
    out.line(2, &format!("- id: {}", scalar(&unused(&title, ids))));
    out.line(4, &format!("action: {}", action.number));
    out.line(4, &format!("title: {}", scalar(&title)));
    if let Some(kind) = kind {
        out.line(4, &format!("kind: {kind}"));
    } else {
        out.decide(4, action.line, &about, "does it only read (kind: diagnose) or alter the system (kind: change)?");
        out.line(4, "kind: \"\"");
    }
    if let Some(text) = when {
        let text = format!("“if {text}” as an expression over what earlier steps reported, or as PromQL");
        out.decide(4, action.line, &about, &text);
        out.line(4, "when: {expr: \"\"}");
    }
    out.line(4, &platforms);
}

/// The command's line, and the marks about it before.
fn commands(linux: &[&Written], macos: &[&Written], about: &str, out: &mut Writer<'_>) -> String {
    let mut on_linux = Vec::new();
    let mut on_macos = Vec::new();
    for command in linux {
        let bounded = bounded(&command.text);
        bounded.notes.iter().for_each(|note| out.decide(2, command.line, about, note));
        on_linux.push(bounded.linux);
        on_macos.extend(bounded.macos);
    }
    if let Some(first) = macos.first() {
        on_macos.clear();
        let text = "the page has another form for macOS; what differs between installations can be a site variable, {var: NAME}";
        out.decide(2, first.line, about, text);
    }
    for command in macos {
        let bounded = bounded(&command.text);
        bounded.notes.iter().for_each(|note| out.decide(2, command.line, about, note));
        on_macos.push(bounded.linux);
    }
    let (linux, macos) = (on_linux.join(" && "), on_macos.join(" && "));
    match (words(&linux), words(&macos)) {
        (Some(argv), _) if macos.is_empty() => format!("run: {}", list(&argv)),
        (Some(linux), Some(macos)) => format!("run: {{linux: {}, macos: {}}}", list(&linux), list(&macos)),
        _ if macos.is_empty() => format!("shell: {}", scalar(&linux)),
        _ => format!("shell: {{linux: {}, macos: {}}}", scalar(&linux), scalar(&macos)),
    }
}

fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| scalar(word)).collect::<Vec<_>>().join(", "))
}

fn unused(title: &str, ids: &mut BTreeSet<String>) -> String {
    let slug = slug(title, '_');
    let slug = if slug.starts_with(|c: char| c.is_ascii_lowercase()) { slug } else { format!("step_{slug}") };
    let mut id = slug.clone();
    let mut count = 1;
    while !ids.insert(id.clone()) {
        count += 1;
        id = format!("{slug}_{count}");
    }
    id
}

fn recovery(procedure: &Procedure, out: &mut Writer<'_>) {
    let Some((line, text)) = procedure.field("recovery") else { return };
    out.line(0, "recovery:");
    match duration(text) {
        Some(time) => out.line(2, &format!("monitor: {time}")),
        None => out.decide(2, line, "recovery", "the page names no time to monitor for"),
    }
    // "Monitor for 15 minutes, gradually restore quality settings": what comes after is more than waiting.
    if let Some((_, more)) = text.split_once(',') {
        let text = format!("“{}” as stages to apply and undo, by the values that the changes reported", more.trim());
        out.decide(2, line, "recovery", &text);
        out.line(2, "restore: []");
    } else {
        out.decide(2, line, "recovery", "are the changes taken back then? The page says nothing of it (restore)");
    }
}
