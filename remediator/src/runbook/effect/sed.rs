//! sed: whether it edits its files, and whether its script writes or runs anything.

use std::iter::Peekable;
use std::str::Chars;

use super::arguments::{Style, sort};
use super::{Effect, Word, excerpt};

const HARMLESS: &str = "-n -E -r -e -s -u -z -l --quiet --silent --regexp-extended --expression --separate --unbuffered \
                        --null-data --line-length --posix --sandbox";

pub(super) fn look(what: &str, words: &[Word], _: usize) -> Effect {
    let given = sort(words, "-e -f -l --expression --file --line-length", Style::Getopt);
    if let Some(option) = given.given("-i --in-place -I").next() {
        return Effect::changes(format!("{what} {}", option.name), "edits its files");
    }
    if let Some(word) = given.unsure {
        return Effect::cannot_say(what, format!("may get options from `{}`", word.text()));
    }
    if let Some(option) = given.options.iter().find(|option| !option.is_one_of(HARMLESS)) {
        return Effect::cannot_say(format!("{what} {}", option.name), "is not in the table of what programs do");
    }
    let mut scripts: Vec<Option<&str>> =
        given.given("-e --expression").map(|option| option.value.as_ref().and_then(|value| value.known())).collect();
    if scripts.is_empty() {
        scripts.extend(given.operands.first().map(|word| word.known()));
    }
    Effect::all(scripts.into_iter().map(|script| match script {
        Some(text) => script_effect(what, text),
        None => Effect::cannot_say(what, "is told only when it runs what to do"),
    }))
}

fn script_effect(what: &str, text: &str) -> Effect {
    let said = || format!("{what} '{}'", excerpt(text));
    match Script(text.chars().peekable()).reads() {
        Some(true) => Effect::Reads,
        Some(false) => Effect::changes(said(), "writes a file or runs something"),
        None => Effect::cannot_say(said(), "is a script that is not understood here"),
    }
}

/// A sed script, command by command.
struct Script<'a>(Peekable<Chars<'a>>);

impl Script<'_> {
    /// Whether it only edits what it prints; `None` if it is not understood.
    fn reads(&mut self) -> Option<bool> {
        while self.address()? {
            match self.0.next()? {
                '{' | '}' | 'p' | 'P' | 'd' | 'D' | 'q' | 'Q' | '=' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | 'l'
                | 'F' | 'z' => {
                    self.exit_code();
                }
                's' => {
                    let delimiter = self.0.next()?;
                    self.part(delimiter)?;
                    self.part(delimiter)?;
                    while let Some(flag) = self.0.next_if(|c| !matches!(c, ';' | '\n' | '}' | ' ' | '#')) {
                        match flag {
                            'w' | 'e' => return Some(false),
                            'g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9' => {}
                            _ => return None,
                        }
                    }
                }
                'y' => {
                    let delimiter = self.0.next()?;
                    self.part(delimiter)?;
                    self.part(delimiter)?;
                }
                'a' | 'i' | 'c' | 'r' | 'R' | '#' => self.line(),
                'b' | 't' | 'T' | ':' => while self.0.next_if(|c| !matches!(c, '\n' | ';' | '}')).is_some() {},
                'w' | 'W' | 'e' => return Some(false),
                _ => return None,
            }
        }
        Some(true)
    }

    /// Skips what stands before a command; `false` at the end.
    fn address(&mut self) -> Option<bool> {
        loop {
            match self.0.peek() {
                None => return Some(false),
                Some('/') => {
                    self.0.next();
                    self.part('/')?;
                    while self.0.next_if(|c| matches!(c, 'I' | 'M')).is_some() {}
                }
                Some('\\') => {
                    self.0.next();
                    let delimiter = self.0.next()?;
                    self.part(delimiter)?;
                }
                Some(c) if c.is_ascii_digit() || " \t\n;,$!~+".contains(*c) => _ = self.0.next(),
                Some(_) => return Some(true),
            }
        }
    }

    /// Up to the delimiter.
    fn part(&mut self, delimiter: char) -> Option<()> {
        loop {
            match self.0.next()? {
                '\\' => _ = self.0.next()?,
                '\n' => return None,
                c if c == delimiter => return Some(()),
                _ => {}
            }
        }
    }

    fn exit_code(&mut self) {
        while self.0.next_if(|c| c.is_ascii_digit() || *c == ' ').is_some() {}
    }

    fn line(&mut self) {
        while self.0.next_if(|c| *c != '\n').is_some() {}
    }
}
