//! A runbook as a page for people: Markdown of the form that runbooks are written in by hand.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::redaction;
use vvtv_toolkit::yaml::{Spanned, YamlError};

use super::argument::Piece;
use super::carried;
use super::file::{File, Severity, Step, StepKind};
use super::words::{Titles, condition, duration, one_line};
use super::{Argument, Command, Variable};
use crate::config::Config;
use crate::runbook::platform::ByPlatform;
use crate::source::Source;

/// The page of one runbook. With a configuration, site variables have their values and levels their people.
///
/// Only the file's shape must be right: its meaning is `check`'s business.
///
/// # Errors
/// The file is no runbook.
pub fn page(source: &Source, config: Option<&Config>) -> Result<String, YamlError> {
    let file: File = source.parse()?;
    let mut writer = Writer { page: String::new(), titles: titles(&file), config };
    writer.head(&file);
    writer.actions(&file.steps.value);
    writer.timers(&file);
    if let Some(most) = &file.limits.changes_per_hour {
        writer.bold("Limit", &format!("at most {} changes within an hour; then people are called", most.value));
    }
    writer.recovery(&file);
    // Site variables may hold what only their programs need to know.
    let mut page = redaction::text(&writer.page).into_owned();
    // A runbook with a secret in it is not the same without it.
    if let Cow::Borrowed(text) = redaction::text(source.text()) {
        page.push_str(&carried::below(&page, text));
    }
    Ok(page)
}

struct Writer<'a> {
    page: String,
    titles: Titles<'a>,
    config: Option<&'a Config>,
}

fn titles(file: &File) -> Titles<'_> {
    let stages = file.recovery.iter().flat_map(|recovery| &recovery.restore);
    let stages = stages.flat_map(|stage| [&stage.apply, &stage.undo]);
    file.steps.value.iter().chain(stages).map(|step| (step.id.value.as_str(), title(step))).collect()
}

fn title(step: &Step) -> &str {
    step.title.as_deref().unwrap_or(&step.id.value)
}

fn span(written: &Spanned<PromDuration>) -> String {
    duration(written.value.get())
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        self.page.push_str(text);
        self.page.push('\n');
    }

    /// A paragraph that begins with a word in bold.
    fn bold(&mut self, name: &str, text: &str) {
        self.line(&format!("**{name}:** {text}\n"));
    }

    fn head(&mut self, file: &File) {
        self.line(&format!("### {}: {}\n", file.id.value, file.title.value));
        for (name, text) in [("Symptoms", &file.symptoms), ("Impact", &file.impact)] {
            if let Some(text) = text {
                self.bold(name, &one_line(text));
            }
        }
        let severity = match file.severity {
            Severity::Warning => "Warning",
            Severity::Major => "Major",
            Severity::Critical => "Critical",
        };
        let names = |names: &[Spanned<String>]| names.iter().map(|it| it.value.as_str()).collect::<Vec<_>>().join(", ");
        self.quote(file.description.as_deref(), &file.undecided, "");
        self.bold("Severity", severity);
        self.bold(
            "Alerts",
            &format!("{}; the trouble's place is the label `{}`", names(&file.alerts.value), file.target.value),
        );
        if !file.causes.is_empty() {
            self.bold(
                "Waits for",
                &format!("{}, while it is at work on the same {}", names(&file.causes), file.target.value),
            );
        }
        let held = file.healthy_for.as_ref().map_or_else(|| duration(super::build::HEALTHY_FOR), span);
        self.bold("Healthy", &format!("when this yields 1, for {held} without a break:"));
        self.fence("promql", file.healthy.value.trim(), "");
        self.line("");
    }

    /// What others wrote, in a quote: no line of it becomes part of the page's form.
    fn quote(&mut self, description: Option<&str>, undecided: &[Spanned<String>], indent: &str) {
        let entries = undecided.iter().map(|entry| format!("Not decided: {}", one_line(&entry.value)));
        let lines: Vec<String> =
            description.into_iter().flat_map(str::lines).map(str::to_owned).chain(entries).collect();
        lines.iter().for_each(|line| self.line(format!("{indent}> {line}").trim_end()));
        if !lines.is_empty() {
            self.line("");
        }
    }

    fn fence(&mut self, language: &str, text: &str, indent: &str) {
        self.line(&format!("{indent}```{language}"));
        text.lines().for_each(|line| self.line(format!("{indent}{line}").trim_end()));
        self.line(&format!("{indent}```"));
    }

    fn actions(&mut self, steps: &[Step]) {
        self.line(
            "**Immediate Actions:** (before every change health is asked again, and a healthy target is left alone)\n",
        );
        let mut last = None;
        for (step, index) in steps.iter().zip(1..) {
            let number = step.action.map_or(index, usize::from);
            let heading = self.heading(step);
            if last == Some(number) {
                self.line(&format!("   {heading}:"));
            } else {
                self.line(&format!("{number}. {heading}:"));
            }
            last = Some(number);
            self.command(step, "   ");
        }
    }

    fn heading(&self, step: &Step) -> String {
        match &step.when {
            Some(when) => format!("{}, if {}", title(step), condition(&when.value, &self.titles)),
            None => title(step).to_owned(),
        }
    }

    fn command(&mut self, step: &Step, indent: &str) {
        let texts = match (&step.run, &step.shell) {
            (Some(run), _) => both(&run.value, |pieces| self.argv(pieces)),
            (None, Some(shell)) => both(&shell.value, |text| text.trim_end().to_owned()),
            (None, None) => (String::new(), None),
        };
        let text = match texts {
            (linux, Some(macos)) => format!("{linux}\n# or on macOS:\n{macos}"),
            (text, None) => text,
        };
        self.quote(step.description.as_deref(), &step.undecided, indent);
        self.fence("bash", &text, indent);
        self.line(&format!("{indent}({})\n", notes(step)));
    }

    fn argv(&self, pieces: &[Spanned<Piece>]) -> String {
        let none = BTreeMap::new();
        let variables = self.config.map_or(&none, |config| &config.site.variables);
        let arguments = pieces.iter().flat_map(|piece| match &piece.value {
            Piece::Text(text) => vec![Argument::Literal(text.clone())],
            Piece::Var(name) => match variables.get(name).map(Variable::argv) {
                Some(argv) => argv.iter().cloned().map(Argument::Literal).collect(),
                None => vec![Argument::Literal(format!("{{{name}}}"))],
            },
        });
        Command::Run(arguments.collect()).to_string()
    }

    fn timers(&mut self, file: &File) {
        let first = format!("{} to respond", span(&file.respond_within));
        let Some(escalate) = &file.escalate else { return self.bold("Timer", &first) };
        let level = escalate.level.value;
        let after = span(&escalate.after);
        self.bold("Timer", &format!("{first}; {after} to stabilize before escalating to Level {level}"));
        let contacts = self.config.map_or(&[][..], |config| &config.contacts);
        let name = contacts.iter().find(|contact| contact.level.get() == level);
        let name = name.map(|contact| format!(" ({})", contact.name)).unwrap_or_default();
        let text =
            format!("If it is not healthy within {after}, escalate to Level {level}{name} with diagnostic bundle");
        self.bold("Escalation", &text);
    }

    fn recovery(&mut self, file: &File) {
        let Some(recovery) = &file.recovery else { return };
        let mut text = match recovery.monitor.get() {
            Duration::ZERO => "Close at once".to_owned(),
            monitor => format!("Monitor for {}", duration(monitor)),
        };
        if !recovery.restore.is_empty() {
            text.push_str(", then take the temporary measures back one by one; one that hurts is put in place again:");
        }
        self.bold("Recovery", &text);
        for (stage, number) in recovery.restore.iter().zip(1..) {
            let (apply, undo) = (self.heading(&stage.apply), title(&stage.undo));
            self.line(&format!("{number}. {apply}:"));
            self.command(&stage.apply, "   ");
            self.line(&format!("   If that hurts: {undo}:"));
            self.command(&stage.undo, "   ");
        }
    }
}

fn both<T, R>(choice: &ByPlatform<T>, mut say: impl FnMut(&T) -> R) -> (R, Option<R>) {
    match choice {
        ByPlatform::Same(value) => (say(value), None),
        ByPlatform::Each { linux, macos } => (say(linux), Some(say(macos))),
    }
}

/// What the machine keeps to when it runs the step.
fn notes(step: &Step) -> String {
    let is = |flag: &Option<Spanned<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
    let mut text = match step.kind.as_ref().map(|kind| kind.value) {
        Some(StepKind::Diagnose) if is(&step.reads_only) => "reads, as its author says; no table knows it".to_owned(),
        Some(StepKind::Diagnose) => "reads".to_owned(),
        Some(StepKind::Change) | None => "changes the system".to_owned(),
    };
    let limit = step.timeout.as_ref().map_or_else(|| duration(super::step::TIMEOUT), span);
    // Writing to a String cannot fail.
    let _ = write!(text, "; at most {limit}");
    if is(&step.background) {
        text.push_str("; what follows does not wait for it");
    }
    if let Some(settle) = step.settle.as_ref() {
        let _ = write!(text, "; then up to {} for the target to become healthy", span(settle));
    }
    if is(&step.repeatable) {
        text.push_str("; may be repeated");
    }
    text
}
