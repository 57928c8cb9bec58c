//! Text for `/bin/sh`, parsed: its commands with their words, and what it does beside them. It is never run from this.
//!
//! The grammar is brush-parser's, held to what POSIX has (XCU 2, Shell Command Language). It recurses without a limit and panics on
//! some texts, hence a thread of its own with a deep stack, and a bound on what may be nested.

mod words;

use std::collections::BTreeSet;
use std::io::Cursor;

use brush_parser::ast::{
    AndOr, AssignmentValue, Command, CommandPrefixOrSuffixItem, CompoundCommand, CompoundList, IoFileRedirectKind,
    IoFileRedirectTarget, IoRedirect, Pipeline, Program, SimpleCommand, Word as Written,
};
use brush_parser::{Parser, ParserOptions, SourceInfo};

use super::table::is_nowhere;
use super::{DEPTH_MAX, Effect, Word, launcher};

const BYTES_MAX: usize = 64 << 10;
/// Brackets, substitutions and compound commands in one text. The parser's time may double with each `case` in another one.
const OPENERS_MAX: usize = 400;
const CASES_MAX: usize = 8;
/// Substitutions in one word: its parser's time may double with each one in another one.
const IN_WORD_MAX: usize = 12;
const STACK_BYTES: usize = 64 << 20;

/// A shell text's parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    /// Every command that has words, in substitutions too.
    pub(super) commands: Vec<Vec<Word>>,
    /// Loops: their keyword, and the first command of what they ask.
    loops: Vec<Vec<Word>>,
    /// Functions that it defines; what they do is among the commands.
    pub(super) functions: BTreeSet<String>,
    /// What it does beside its commands.
    pub(super) effects: Vec<Effect>,
}

/// The commands of a shell text as their words, each loop as one that begins with its keyword. Of what is no shell text there are none.
pub(crate) fn commands(text: &str) -> Vec<Vec<String>> {
    let script = parse(text).unwrap_or_default();
    let texts = |words: &Vec<Word>| words.iter().map(|word| word.text().to_owned()).collect();
    script.commands.iter().chain(&script.loops).map(texts).collect()
}

/// Takes a text apart.
///
/// # Errors
/// It is no shell text, or more than is looked at; the text goes on from "it".
pub(super) fn parse(text: &str) -> Result<Script, String> {
    parse_at(text, 0)
}

fn parse_at(text: &str, depth: usize) -> Result<Script, String> {
    if depth > DEPTH_MAX {
        return Err(format!("has more than {DEPTH_MAX} substitutions in one another"));
    }
    let program = program(text)?;
    let mut walker = Walker { script: Script::default(), depth };
    for list in &program.complete_commands {
        walker.list(list);
    }
    Ok(walker.script)
}

const fn options() -> ParserOptions {
    ParserOptions { enable_extended_globbing: false, posix_mode: true, sh_mode: true, tilde_expansion: false }
}

fn program(text: &str) -> Result<Program, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("is longer than {BYTES_MAX} bytes"));
    }
    let is_word = |word: &&str| ["if", "while", "until", "for", "case", "{"].contains(word);
    let openers =
        text.chars().filter(|c| matches!(c, '(' | '`')).count() + text.split_whitespace().filter(is_word).count();
    let cases = text.split(|c: char| !c.is_alphanumeric()).filter(|word| *word == "case").count();
    if openers > OPENERS_MAX || cases > CASES_MAX {
        return Err(format!("has more than {OPENERS_MAX} brackets and compound commands, or {CASES_MAX} `case`"));
    }
    let text = text.to_owned();
    let parse = move || Parser::new(Cursor::new(text), &options(), &SourceInfo::default()).parse_program();
    let thread = std::thread::Builder::new().name("shell-text".to_owned()).stack_size(STACK_BYTES).spawn(parse);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(program))) => Ok(program),
        Ok(Ok(Err(error))) => Err(format!("is no text for /bin/sh: {error}")),
        Ok(Err(_)) => Err("is no text that can be taken apart".to_owned()),
        Err(error) => Err(format!("cannot be taken apart now: {error}")),
    }
}

struct Walker {
    script: Script,
    /// Substitutions that this text stands in.
    depth: usize,
}

impl Walker {
    fn list(&mut self, list: &CompoundList) {
        for item in &list.0 {
            self.pipeline(&item.0.first);
            for next in &item.0.additional {
                let (AndOr::And(pipeline) | AndOr::Or(pipeline)) = next;
                self.pipeline(pipeline);
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        for command in &pipeline.seq {
            match command {
                Command::Simple(simple) => self.simple(simple),
                Command::Compound(compound, redirects) => {
                    self.compound(compound);
                    redirects.iter().flat_map(|list| &list.0).for_each(|redirect| self.redirect(redirect));
                }
                Command::Function(function) => {
                    self.script.functions.insert(function.fname.value.clone());
                    self.compound(&function.body.0);
                    function.body.1.iter().flat_map(|list| &list.0).for_each(|redirect| self.redirect(redirect));
                }
                Command::ExtendedTest(_) => self.unclear("[[", "is not known to /bin/sh"),
            }
        }
    }

    fn compound(&mut self, compound: &CompoundCommand) {
        match compound {
            CompoundCommand::BraceGroup(group) => self.list(&group.list),
            CompoundCommand::Subshell(subshell) => self.list(&subshell.list),
            CompoundCommand::ForClause(each) => {
                each.values.iter().flatten().for_each(|word| _ = self.word(word));
                self.list(&each.body.list);
            }
            CompoundCommand::CaseClause(case) => {
                self.word(&case.value);
                for item in &case.cases {
                    item.patterns.iter().for_each(|word| _ = self.word(word));
                    item.cmd.iter().for_each(|list| self.list(list));
                }
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition);
                self.list(&clause.then);
                for other in clause.elses.iter().flatten() {
                    other.condition.iter().for_each(|list| self.list(list));
                    self.list(&other.body);
                }
            }
            CompoundCommand::WhileClause(again) => self.again("while", &again.0, &again.1.list),
            CompoundCommand::UntilClause(again) => self.again("until", &again.0, &again.1.list),
            CompoundCommand::Arithmetic(_) | CompoundCommand::ArithmeticForClause(_) => {
                self.unclear("((", "is not known to /bin/sh");
            }
        }
    }

    fn again(&mut self, keyword: &str, condition: &CompoundList, body: &CompoundList) {
        let first = self.script.commands.len();
        self.list(condition);
        let asked = self.script.commands.get(first).cloned().unwrap_or_default();
        self.script.loops.push([vec![Word::fixed(keyword)], asked].concat());
        self.list(body);
    }

    fn simple(&mut self, command: &SimpleCommand) {
        let prefix = command.prefix.iter().flat_map(|prefix| &prefix.0);
        prefix.for_each(|item| self.item(item, &mut None));
        let mut words: Vec<Word> = command.word_or_name.iter().map(|word| self.word(word)).collect();
        let mut kept = Some(&mut words);
        let suffix = command.suffix.iter().flat_map(|suffix| &suffix.0);
        suffix.for_each(|item| self.item(item, &mut kept));
        if !words.is_empty() {
            self.script.commands.push(words);
        }
    }

    /// A part of a command; what is a word to the program goes to `words`, and without those it is an assignment to the shell.
    fn item(&mut self, item: &CommandPrefixOrSuffixItem, words: &mut Option<&mut Vec<Word>>) {
        match item {
            CommandPrefixOrSuffixItem::IoRedirect(redirect) => self.redirect(redirect),
            CommandPrefixOrSuffixItem::Word(word) => {
                let word = self.word(word);
                words.iter_mut().for_each(|words| words.push(word.clone()));
            }
            CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                if matches!(assignment.value, AssignmentValue::Array(_)) {
                    self.unclear(&word.value, "is not known to /bin/sh");
                }
                let word = self.word(word);
                if launcher::steers(&word) {
                    self.unclear(word.text(), "decides which programs run");
                }
                words.iter_mut().for_each(|words| words.push(word.clone()));
            }
            CommandPrefixOrSuffixItem::ProcessSubstitution(_, subshell) => {
                self.unclear("<(", "is not known to /bin/sh");
                self.list(&subshell.list);
            }
        }
    }

    fn redirect(&mut self, redirect: &IoRedirect) {
        match redirect {
            IoRedirect::File(_, kind, IoFileRedirectTarget::Filename(word)) => {
                let word = self.word(word);
                let sign = match kind {
                    IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput => return,
                    IoFileRedirectKind::Write => ">",
                    IoFileRedirectKind::Append => ">>",
                    IoFileRedirectKind::ReadAndWrite => "<>",
                    IoFileRedirectKind::Clobber => ">|",
                    IoFileRedirectKind::DuplicateOutput => ">&",
                };
                self.writes(sign, &word);
            }
            IoRedirect::File(_, kind, IoFileRedirectTarget::Duplicate(word)) => {
                let word = self.word(word);
                let is_descriptor =
                    |text: &str| text == "-" || text.trim_end_matches('-').bytes().all(|c| c.is_ascii_digit());
                if matches!(kind, IoFileRedirectKind::DuplicateOutput) && !word.known().is_some_and(is_descriptor) {
                    self.writes(">&", &word);
                }
            }
            IoRedirect::File(_, _, IoFileRedirectTarget::Fd(_)) => {}
            IoRedirect::File(_, _, IoFileRedirectTarget::ProcessSubstitution(_, subshell)) => {
                self.unclear("<(", "is not known to /bin/sh");
                self.list(&subshell.list);
            }
            IoRedirect::HereDocument(_, document) => {
                if document.requires_expansion
                    && (document.doc.value.contains("$(") || document.doc.value.contains('`'))
                {
                    self.unclear("<<", "has commands in its text that are not looked at");
                }
            }
            IoRedirect::HereString(_, word) => {
                self.word(word);
                self.unclear("<<<", "is not known to /bin/sh");
            }
            IoRedirect::OutputAndError(word, _) => {
                let word = self.word(word);
                self.writes("&>", &word);
            }
        }
    }

    fn writes(&mut self, sign: &str, file: &Word) {
        // What `-` stands for to programs is a file to the shell.
        if !file.known().is_some_and(|path| path.starts_with('/') && is_nowhere(path)) {
            self.script.effects.push(Effect::changes(format!("{sign} {}", file.text()), "writes a file"));
        }
    }

    fn unclear(&mut self, what: &str, why: &str) {
        self.script.effects.push(Effect::cannot_say(what, why));
    }

    /// Takes a word apart; commands in it are looked at as all others.
    fn word(&mut self, written: &Written) -> Word {
        let (word, substitutions) = match words::take_apart(&written.value, &options()) {
            Ok(taken) => taken,
            Err(why) => {
                self.unclear(&written.value, &why);
                return Word::several(written.value.clone());
            }
        };
        for text in substitutions {
            match parse_at(&text, self.depth + 1) {
                Ok(inner) => {
                    let calls = |words: &Vec<Word>| {
                        words.first().and_then(Word::known).is_some_and(|it| inner.functions.contains(it))
                    };
                    // A function that is defined in a subshell is not known outside.
                    self.script.commands.extend(inner.commands.into_iter().filter(|words| !calls(words)));
                    self.script.loops.extend(inner.loops);
                    self.script.effects.extend(inner.effects);
                }
                Err(why) => self.unclear(&text, &why),
            }
        }
        word
    }
}

#[cfg(test)]
mod tests;
