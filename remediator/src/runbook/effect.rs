//! What commands do to the system that they are run on: they read, they change, or it cannot be said.
//!
//! One table for `check`, for `import`, and for what runs without anybody's approval. It never guesses in favour: a program, verb or
//! shell construct that it does not have cannot be said, and neither can a word that is known only when it runs where an option or a
//! verb could stand.

mod arguments;
mod awk;
mod database;
mod find;
mod launcher;
mod media;
mod net;
mod sed;
mod shell;
mod table;
mod word;

use std::fmt;

pub(crate) use launcher::{Inner, inner};
pub(crate) use shell::commands;
pub(crate) use table::is_builtin;
pub(crate) use word::Word;

/// Commands in commands (`sudo sh -c '…'`, substitutions) that are looked into.
const DEPTH_MAX: usize = 8;

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// It may read or change: the table does not have it, or what decides is known only when it runs.
    CannotSay(Cause),
    /// It changes something.
    Changes(Cause),
}

/// The part of a command that an effect comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Program and verb, option or redirection, as written.
    pub what: String,
    /// What is to be said of it, as the end of a sentence that begins with `what`.
    pub why: String,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.what, self.why)
    }
}

impl Effect {
    /// Whether the command is known to read and nothing else.
    #[must_use]
    pub const fn reads(&self) -> bool {
        matches!(self, Self::Reads)
    }

    /// Where an effect other than reading comes from.
    #[must_use]
    pub const fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Reads => None,
            Self::CannotSay(cause) | Self::Changes(cause) => Some(cause),
        }
    }

    /// Both one after the other: what weighs more counts, of two that weigh the same the first.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Changes(_), _) | (_, Self::Reads) | (Self::CannotSay(_), Self::CannotSay(_)) => self,
            (Self::Reads | Self::CannotSay(_), _) => other,
        }
    }

    fn changes(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Changes(Cause { what: what.into(), why: why.into() })
    }

    fn cannot_say(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::CannotSay(Cause { what: what.into(), why: why.into() })
    }

    fn all(effects: impl IntoIterator<Item = Self>) -> Self {
        effects.into_iter().fold(Self::Reads, Self::and)
    }
}

/// What a program does with these arguments. A template (`{{ … }}`) stands for any one word that is no option.
#[must_use]
pub(crate) fn of_argv(argv: &[&str]) -> Effect {
    let words: Vec<Word> = argv.iter().map(|text| Word::argument(text)).collect();
    of_words(&words, 0)
}

/// What a text for `/bin/sh` does. What is no shell text cannot be said.
#[must_use]
pub(crate) fn of_shell(text: &str) -> Effect {
    of_text(text, 0)
}

fn of_text(text: &str, depth: usize) -> Effect {
    match shell::parse(text) {
        Ok(script) => {
            let commands = script.commands.iter().map(|words| match words.first().and_then(Word::known) {
                // Its body is among the commands.
                Some(name) if script.functions.contains(name) => Effect::Reads,
                _ => of_words(words, depth),
            });
            Effect::all(script.effects.iter().cloned().chain(commands))
        }
        Err(why) => Effect::cannot_say(excerpt(text), why),
    }
}

fn of_words(words: &[Word], depth: usize) -> Effect {
    let Some((program, arguments)) = words.split_first() else { return Effect::Reads };
    let Some(path) = program.known() else {
        return Effect::cannot_say(program.text(), "names the program only when it runs");
    };
    let Some(name) = program_name(path) else {
        return Effect::cannot_say(path, "lies where programs of any name may lie");
    };
    if depth >= DEPTH_MAX {
        return Effect::cannot_say(name, format!("is a command within more than {DEPTH_MAX} others"));
    }
    match inner(name, arguments) {
        Some(Inner::Command(words)) => of_words(&words, depth + 1),
        Some(Inner::Shell(text)) => of_text(&text, depth + 1),
        Some(Inner::Effect(effect)) => effect,
        None => table::look_up(name, arguments, depth),
    }
}

/// The name of a program that lies where the system's programs lie; a bare name is looked for there.
fn program_name(path: &str) -> Option<&str> {
    const PLACES: [&str; 9] = [
        "/bin",
        "/sbin",
        "/usr/bin",
        "/usr/sbin",
        "/usr/local/bin",
        "/usr/local/sbin",
        "/usr/lib/postgresql",
        "/opt/homebrew/bin",
        "/vvtv/bin",
    ];
    match path.rsplit_once('/') {
        None => Some(path),
        Some((place, name)) => {
            let of_postgres = place.starts_with("/usr/lib/postgresql/") && !place.contains("..");
            (of_postgres || PLACES.contains(&place)).then_some(name)
        }
    }
}

fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let line = text.trim().lines().next().unwrap_or_default();
    if line.chars().count() <= CHARS_MAX {
        line.to_owned()
    } else {
        line.chars().take(CHARS_MAX).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests;
