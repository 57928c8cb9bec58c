//! Commands of a page as what a step runs, with what a person has to know about it.

mod terminal;

use super::bounded::bounded;
use super::placeholders::placeholders;
use super::report::Weight;
use super::session::{CodeLine, Pending, Script, is_command};
use super::write::{Writer, list};
use crate::runbook::effect::{self, Effect};
use crate::verbs::check::{refused, words};

/// What a step runs.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) line: usize,
    linux: Written,
    macos: Option<Written>,
    pub(super) effect: Effect,
    /// Comments that are no part of it.
    pub(super) comments: Vec<CodeLine>,
    pub(super) notes: Vec<(usize, Weight, String)>,
    /// What has to be settled before it may run.
    pub(super) undecided: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Written {
    Run(Vec<String>),
    Shell(String),
}

/// A command for each platform, as text, and what was seen on the way.
#[derive(Default)]
struct Draft {
    linux: String,
    macos: Option<String>,
    comments: Vec<CodeLine>,
    notes: Vec<(usize, Weight, String)>,
    several: bool,
}

/// Compiles a script. Several lines stay one text for one shell.
pub(super) fn compile(script: &Script) -> Command {
    let line = script.linux.iter().find(|line| is_command(line)).map_or(0, |line| line.line);
    let mut draft = draft(&script.linux);
    if let Some(first) = script.macos.first() {
        let macos = self::draft(&script.macos);
        let text = format!(
            "`{}`: what differs between installations can be a site variable, {{var: NAME}}",
            first.text.trim()
        );
        draft.notes.push((first.line, Weight::Decide, text));
        draft.notes.extend(macos.notes);
        draft.comments.extend(macos.comments.into_iter().filter(|it| !it.text.to_lowercase().contains("macos")));
        draft.macos = Some(macos.linux);
        draft.several |= macos.several;
    }
    let text = format!("{}\n{}", draft.linux, draft.macos.as_deref().unwrap_or_default());
    let mut undecided = script.doubts.clone();
    undecided.extend(placeholders(&text).iter().map(|name| format!("what `{name}` stands for")));
    undecided.extend(terminal::waits(script.linux.iter().chain(&script.macos)));
    let effect = worst(&effect_of(&draft.linux), draft.macos.as_deref().map(effect_of));
    if let (true, Effect::CannotSay(cause)) = (script.unlabelled, &effect) {
        undecided.push(format!("whether these are commands: the page does not say so, and {cause}"));
    }
    if let (false, Some(word)) = (effect.reads(), terminal::irreversible(&text)) {
        draft.notes.push((line, Weight::Danger, format!("what `{word}` does cannot be taken back")));
    }
    if draft.several && !effect.reads() {
        strict(&mut draft, line);
    }
    let linux = written(draft.linux);
    Command {
        line,
        linux,
        macos: draft.macos.map(written),
        effect,
        comments: draft.comments,
        notes: draft.notes,
        undecided,
    }
}

impl Command {
    pub(super) fn write(&self, indent: usize, out: &mut Writer<'_>) {
        match (&self.linux, &self.macos) {
            (Written::Run(argv), None) => out.line(indent, &format!("run: {}", list(argv))),
            (Written::Shell(text), None) => out.text(indent, "shell", text),
            (Written::Run(linux), Some(Written::Run(macos))) => {
                out.line(indent, &format!("run: {{linux: {}, macos: {}}}", list(linux), list(macos)));
            }
            (linux, Some(macos)) => {
                out.line(indent, "shell:");
                out.text(indent + 2, "linux", &linux.shell());
                out.text(indent + 2, "macos", &macos.shell());
            }
        }
    }
}

impl Written {
    /// As text for a shell; words that needed none are quoted as a shell reads them.
    fn shell(&self) -> String {
        match self {
            Self::Shell(text) => text.clone(),
            Self::Run(argv) => {
                let argv = argv.iter().cloned().map(crate::runbook::Argument::Literal).collect();
                crate::runbook::Command::Run(argv).to_string()
            }
        }
    }
}

/// In `bash` where the text is written in what only it has: `/bin/sh` would take `[[` for a program and `&>` for two things.
fn written(text: String) -> Written {
    if terminal::needs_bash(&text) {
        return Written::Run(vec!["bash".to_owned(), "-c".to_owned(), text]);
    }
    words(&text).map_or(Written::Shell(text), Written::Run)
}

fn effect_of(text: &str) -> Effect {
    match words(text) {
        Some(argv) => effect::of_argv(&argv.iter().map(String::as_str).collect::<Vec<_>>()),
        None => effect::of_shell(text),
    }
}

fn worst(linux: &Effect, macos: Option<Effect>) -> Effect {
    let rank = |effect: &Effect| match effect {
        Effect::Reads => 0,
        Effect::CannotSay(_) => 1,
        Effect::Changes(_) => 2,
    };
    macos.filter(|macos| rank(macos) > rank(linux)).unwrap_or_else(|| linux.clone())
}

/// A person at a terminal sees a command fail and types no further; a script has to be told.
fn strict(draft: &mut Draft, line: usize) {
    let strict = |text: &str| {
        let told = text.lines().any(|line| line.trim_start().starts_with("set -e"));
        if told || !text.contains('\n') { text.to_owned() } else { format!("set -eu\n{text}") }
    };
    let linux = strict(&draft.linux);
    if linux != draft.linux {
        let text =
            "several lines are one script, which ends at the first that fails (`set -eu`): is that what was meant?";
        draft.notes.push((line, Weight::Decide, text.to_owned()));
    }
    draft.linux = linux;
    draft.macos = draft.macos.as_deref().map(strict);
}

fn draft(lines: &[CodeLine]) -> Draft {
    let commands: Vec<&CodeLine> = lines.iter().filter(|line| is_command(line)).collect();
    match commands.as_slice() {
        [one] if !is_open(&one.text) => single(one, lines),
        _ if lines.iter().any(|line| is_open(&line.text)) => {
            let text = text(lines);
            let first = commands.first().map_or(0, |line| line.line);
            let notes =
                refused(&text).into_iter().map(|message| (first, Weight::Decide, not_taken(&message))).collect();
            Draft { linux: text, notes, several: true, ..Draft::default() }
        }
        _ => several(lines),
    }
}

fn not_taken(message: &str) -> String {
    format!("`check` refuses it: {message}")
}

/// Whether a command goes on behind this line.
fn is_open(line: &str) -> bool {
    let mut pending = Pending::default();
    pending.take(line);
    pending.continues()
}

/// One command; what is said about it in comments becomes words about the step.
fn single(one: &CodeLine, lines: &[CodeLine]) -> Draft {
    let (command, behind) = without_comment(one.text.trim());
    let mut comments: Vec<CodeLine> = lines
        .iter()
        .filter(|line| !line.text.trim().is_empty() && line.line != one.line)
        .map(|line| CodeLine { line: line.line, text: line.text.trim().trim_start_matches('#').trim().to_owned() })
        .collect();
    if let Some(text) = behind {
        comments.insert(0, CodeLine { line: one.line, text: text.to_owned() });
    }
    let bounded = bounded(command);
    let notes = bounded.notes.into_iter().map(|text| (one.line, Weight::Decide, text)).collect();
    Draft { linux: bounded.linux, macos: bounded.macos, comments, notes, several: false }
}

/// Commands that each stand on a line of their own, in one shell.
fn several(lines: &[CodeLine]) -> Draft {
    let mut draft = Draft { several: true, ..Draft::default() };
    let (mut linux, mut macos) = (lines.to_vec(), lines.to_vec());
    let mut differs = false;
    for ((line, linux), macos) in lines.iter().zip(&mut linux).zip(&mut macos) {
        if !is_command(line) {
            continue;
        }
        let (command, comment) = without_comment(line.text.trim());
        let bounded = bounded(command);
        let with_comment =
            |text: &str| comment.map_or_else(|| text.to_owned(), |comment| format!("{text}  # {comment}"));
        if bounded.linux != command {
            linux.text = with_comment(&bounded.linux);
        }
        differs |= bounded.macos.is_some();
        macos.text = bounded.macos.map_or_else(|| linux.text.clone(), |text| with_comment(&text));
        draft.notes.extend(bounded.notes.into_iter().map(|text| (line.line, Weight::Decide, text)));
    }
    draft.linux = text(&linux);
    draft.macos = differs.then(|| text(&macos));
    draft
}

/// Lines as one text, without blank ones around it and without the indentation that all of them have.
fn text(lines: &[CodeLine]) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let said = || lines.iter().map(|line| line.text.as_str()).filter(|line| !line.trim().is_empty());
    let common = said().map(indent).min().unwrap_or(0);
    let lines: Vec<&str> = lines.iter().map(|line| line.text.get(common..).unwrap_or_default().trim_end()).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// A command without the comment behind it, and the comment. A `#` in quotes or within a word is none.
fn without_comment(text: &str) -> (&str, Option<&str>) {
    let mut quote = None;
    let mut before = ' ';
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') if before.is_whitespace() => {
                let (command, comment) = text.split_at(index);
                return (command.trim_end(), Some(comment.trim_start_matches('#').trim()));
            }
            _ => {}
        }
        before = c;
    }
    (text, None)
}
