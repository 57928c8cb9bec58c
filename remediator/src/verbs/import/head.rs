//! What a runbook has before its steps: whose it is, how bad its alerts are, and who is called when.

use vvtv_toolkit::duration::PromDuration;

use super::document::{Block, Content, Document, Table, is_marks, is_rule};
use super::language::{self, Part, Remark};
use super::names;
use super::sections::Section;
use super::steps::Procedure;
use super::taken::Taken;
use super::time::{self, duration};
use super::write::{Writer, list, scalar};

/// A runbook's name and place.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) id: String,
    pub(super) title: String,
    /// The alert's, where the heading is one.
    pub(super) alert: Option<String>,
    pub(super) line: usize,
}

/// The name that a heading gives: `segment-age: High Segment Age`, `NodeDiskFull`.
pub(super) fn name(heading: &str, line: usize) -> Name {
    let whole = heading.trim();
    let about = names::unprefixed(whole);
    let parts = about.split_once(": ").or_else(|| about.split_once('\u{ff1a}'));
    let (id, title) = parts.filter(|(id, _)| id.contains(char::is_alphanumeric)).unwrap_or((about, whole));
    let bare = id.trim_matches(|c: char| !c.is_alphanumeric());
    let alert = names::is_alert_name(bare).then(|| bare.to_owned());
    let id = names::id(id);
    // What the id does not show stays in the title.
    let title = if title.trim().is_empty() || id != bare { whole } else { title.trim() };
    Name { id, title: title.to_owned(), alert, line }
}

/// What a key says of the page, by field or heading.
struct Page<'a, 'b> {
    document: &'a Document<'b>,
    section: &'a Section,
    procedure: &'a Procedure,
    name: &'a Name,
}

/// Writes everything before `steps`.
pub(super) fn write(
    document: &Document<'_>,
    section: &Section,
    procedure: &Procedure,
    name: &Name,
    taken: &mut Taken,
    out: &mut Writer<'_>,
) {
    let page = Page { document, section, procedure, name };
    out.line(0, &format!("id: {}", scalar(&name.id)));
    out.text(0, "title", &name.title);
    for (key, part) in [("symptoms", Part::Symptoms), ("impact", Part::Impact)] {
        if let Some(text) = page.told(key, part, taken) {
            out.text(0, key, &text);
        }
    }
    page.description(taken, out);
    page.undecided(out);
    page.labels(out);
    page.times(taken, out);
}

impl Page<'_, '_> {
    fn field(&self, names: &[&str]) -> Option<(usize, &str)> {
        let is = |name: &str| names.contains(&name.to_lowercase().as_str());
        let field = self.procedure.fields.iter().find(|field| is(&field.name))?;
        Some((field.line, &field.text))
    }

    /// A text that stands in a field of that name, or below a heading for it.
    fn told(&self, key: &str, part: Part, taken: &mut Taken) -> Option<String> {
        if let Some(field) = self.procedure.fields.iter().find(|field| field.name.eq_ignore_ascii_case(key)) {
            taken.take(field.line, field.last);
            return Some(field.text.clone());
        }
        let blocks = self.document.blocks.get(self.section.blocks.clone())?;
        let is_part =
            |content: &Content| matches!(content, Content::Heading { text, .. } if language::part(text) == Some(part));
        let at = blocks.iter().position(|block| is_part(&block.content))?;
        let below = blocks.get(at + 1..)?.iter().take_while(|block| matches!(block.content, Content::Prose(_)));
        let below: Vec<_> = below.filter(|block| !taken.has(block.first)).collect();
        let (first, last) = (below.first()?.first, below.last()?.last);
        let lines: Vec<_> = self.document.said(first, last).map(|(_, line)| line).collect();
        taken.take(first, last);
        if let Some(heading) = blocks.get(at).filter(|block| key.eq_ignore_ascii_case(heading_text(&block.content))) {
            taken.take(heading.first, heading.last);
        }
        Some(lines.join("\n"))
    }

    /// Every line that nothing else has.
    fn description(&self, taken: &mut Taken, out: &mut Writer<'_>) {
        let mut lines = Vec::new();
        for (number, line) in self.document.written(self.section.lines.start, self.section.lines.end.saturating_sub(1))
        {
            if !taken.has(number) && !is_rule(line) {
                lines.push(line);
            }
            taken.take(number, number);
        }
        if lines.iter().any(|line| !is_marks(line)) {
            out.text(0, "description", lines.join("\n").trim_start());
        }
        for said in self.procedure.said.iter().filter(|said| said.describes || said.remark == Remark::Condition) {
            out.note(said.line, "description", "a condition in words, which no machine keeps to");
        }
        for said in self.procedure.said.iter().filter(|said| !said.describes && said.remark == Remark::Undo) {
            let text = format!("“{}” as stages to apply and undo (`recovery.restore`)", said.text);
            out.decide(0, said.line, "recovery", &text);
        }
    }

    /// What the page forbids or warns of, for all of the runbook.
    fn undecided(&self, out: &mut Writer<'_>) {
        let mut entries: Vec<String> = Vec::new();
        let prohibitions =
            self.procedure.said.iter().filter(|said| !said.describes && said.remark == Remark::Prohibition);
        for said in prohibitions {
            let entry = format!("how “{}” is kept to", said.text);
            if !entries.contains(&entry) {
                out.danger(0, said.line, "undecided", &entry);
                entries.push(entry);
            }
        }
        if !entries.is_empty() {
            out.line(0, &format!("undecided: {}", list(&entries)));
        }
    }

    fn labels(&self, out: &mut Writer<'_>) {
        let line = self.name.line;
        let alerts =
            self.field(&["alerts", "alert"]).map(|(line, text)| (line, text.split(';').next().unwrap_or(text)));
        let names: Vec<String> = alerts
            .map(|(_, text)| text.split([',', ' ', '`']).map(str::to_owned).filter(|name| !name.is_empty()).collect())
            .unwrap_or_else(|| self.name.alert.iter().cloned().collect());
        let text = if names.is_empty() {
            "which alerts, by the names that the alert rules give them?"
        } else {
            "are these the names that the alert rules give them?"
        };
        out.decide(0, alerts.map_or(line, |(line, _)| line), "alerts", text);
        out.line(0, &format!("alerts: {}", list(&names)));
        let target = self.field(&["alerts"]).and_then(|(_, text)| text.split_once("label `")?.1.split('`').next());
        match target {
            Some(target) => out.line(0, &format!("target: {}", scalar(target))),
            None => {
                out.decide(0, line, "target", "which alert label says where the trouble is, e.g. stream?");
                out.line(0, "target: \"\"");
            }
        }
        out.decide(0, line, "causes", "which other runbooks have to be at rest before this one acts?");
        let causes =
            self.field(&["waits for"]).and_then(|(_, text)| text.split_once(", while ")).map(|(names, _)| names);
        let causes: Vec<_> = causes.into_iter().flat_map(|names| names.split(", ")).map(str::to_owned).collect();
        out.line(0, &format!("causes: {}", list(&causes)));
    }

    /// The row of the table of alerts that is this procedure's: its name comes first in the alert's.
    fn row(&self) -> Option<(&Table, usize, &[String])> {
        let tables = self.document.blocks.iter().filter_map(Block::table).filter(|table| is_alerts(table));
        let mut rows =
            tables.flat_map(|table| table.rows.iter().map(move |(line, row)| (table, *line, row.as_slice())));
        rows.find(|(table, _, row)| {
            let alert = table.cell(row, "alert").and_then(|alert| alert.split_whitespace().next());
            alert.map(|alert| names::id(alert.trim_matches('`'))).as_deref() == Some(&self.name.id)
        })
    }

    fn times(&self, taken: &mut Taken, out: &mut Writer<'_>) {
        let row = self.row();
        let line = row.map_or(self.name.line, |(_, line, _)| line);
        let cell = |column: &str| row.and_then(|(table, _, row)| table.cell(row, column)).unwrap_or_default();
        let test = if row.is_some() { format!("`{}`", cell("alert")) } else { "its symptoms".to_owned() };
        let question =
            format!("PromQL that is 1 when healthy and 0 when sick, for {test}; how long must it hold (healthy_for)?");
        out.decide(0, line, "healthy", &question);
        out.line(0, "healthy: \"\"");
        let severity = self.field(&["severity"]).filter(|_| row.is_none()).map_or(cell("severity"), |(_, text)| text);
        let severity = severity.to_lowercase();
        if !["warning", "major", "critical"].contains(&severity.as_str()) {
            out.decide(0, line, "severity", "the page gives none of warning, major, critical");
        }
        out.line(0, &format!("severity: {}", scalar(&severity)));
        self.respond_within(cell("response"), line, out);
        self.escalate(cell("escalation"), line, out);
        if let Some((_, line, _)) = row {
            out.note(line, "severity", &format!("as the page has it: {}", self.document.line(line)));
            taken.take(line, line);
        }
    }

    fn respond_within(&self, cell: &str, line: usize, out: &mut Writer<'_>) {
        let timer = self.field(&["timer"]).and_then(|(_, text)| text.split_once(" to respond")).map(|(time, _)| time);
        let text = if cell.is_empty() { timer.unwrap_or_default() } else { cell };
        let times = time::times(text);
        if times.len() > 1 || times.iter().any(|time| time.range) {
            out.decide(0, line, "respond_within", &format!("the page says `{text}`: the shortest time is taken"));
        }
        match times.iter().map(|named| named.time).min() {
            Some(time) if !time.get().is_zero() => out.line(0, &format!("respond_within: {time}")),
            _ => {
                out.decide(0, line, "respond_within", "the page has no response time for it");
                out.line(0, "respond_within: 0s");
            }
        }
    }

    fn escalate(&self, cell: &str, line: usize, out: &mut Writer<'_>) {
        let timer = self.field(&["timer"]).map(|(line, text)| {
            // `5 minutes to respond; 10 minutes to stabilize before …`.
            let text = text.split_once("to respond;").map_or(text, |(_, text)| text);
            (line, text)
        });
        let mut levels = time::levels(cell);
        if levels.is_empty() {
            levels.extend(
                timer.and_then(|(_, text)| time::levels(text).first().map(|(level, _)| (*level, duration(text)))),
            );
        }
        let timer = timer.and_then(|(line, text)| Some((line, duration(text)?)));
        if levels.len() > 1 {
            let text = format!("the page says `{cell}`: the first is taken, further levels are called by `contacts`");
            out.decide(0, line, "escalate", &text);
        }
        let (level, in_table) =
            levels.first().copied().map_or((None, duration(cell)), |(level, time)| (Some(level), time));
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
}

/// Whether a table is one of alerts with their times.
pub(super) fn is_alerts(table: &Table) -> bool {
    let has = |column| table.column(column).is_some();
    has("alert") && (has("severity") || has("response") || has("escalation"))
}

fn heading_text(content: &Content) -> &str {
    match content {
        Content::Heading { text, .. } => text,
        Content::Prose(_) | Content::Code(_) | Content::Table(_) | Content::Raw => "",
    }
}
