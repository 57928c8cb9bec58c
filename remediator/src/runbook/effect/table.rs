//! The table: what each program does, by its verbs and options. What stands here is from the programs' manual pages.

mod containers;
mod files;
mod network;
mod services;
mod system;
mod tools;

pub(super) use files::is_nowhere;

use super::arguments::{Arguments, Style, sort};
use super::{Effect, Word};

/// One line: programs that take the same arguments.
struct Program {
    /// Names, separated by blanks.
    names: &'static str,
    /// Options that take a value, separated by blanks. Where a verb decides, only they and those with `=` may stand before it.
    valued: &'static str,
    does: Does,
}

/// What decides.
enum Does {
    /// Whatever its arguments: it only reads.
    Reads,
    /// Whatever its arguments: it changes, and how.
    Changes(&'static str),
    /// It cannot be said, and why.
    CannotSay(&'static str),
    /// It reads unless one of these options, separated by blanks, is given.
    Unless(&'static [(&'static str, Self)]),
    /// The same if it has at most so many operands; it changes otherwise.
    UpTo(usize, &'static str, &'static [(&'static str, Self)]),
    /// It changes, unless one of the first options is given, and beside them only those of the second.
    OnlyWith(&'static str, &'static str, &'static str),
    /// The first operand decides: verbs, separated by blanks. An empty text stands for none.
    Verb(&'static [(&'static str, Self)]),
    /// The verb comes after so many other operands.
    VerbAt(usize, &'static [(&'static str, Self)]),
    /// Options that decide before anything else: if one is given, what it says counts, otherwise the rest.
    First(&'static [(&'static str, Self)], &'static Self),
    /// A look of its own at the sorted arguments.
    Look(fn(&str, &Arguments<'_>) -> Effect),
    /// A look of its own at the words.
    Words(fn(&str, &[Word], usize) -> Effect),
}

const fn reads(names: &'static str) -> Program {
    Program { names, valued: "", does: Does::Reads }
}

const fn changes(names: &'static str, why: &'static str) -> Program {
    Program { names, valued: "", does: Does::Changes(why) }
}

const fn program(names: &'static str, valued: &'static str, does: Does) -> Program {
    Program { names, valued, does }
}

/// What `/bin/sh` does itself, and to itself alone.
const BUILTINS: &str = ". : [ alias bg break cd continue echo eval exec exit export false fg getopts hash jobs local printf \
                        pwd read readonly return set shift test times trap true type ulimit umask unalias unset wait command";

/// Those of them that change nothing beyond the shell, whatever they are given; the others run something, or are told what to do.
const BUILTINS_THAT_READ: &str = ": [ bg break cd continue echo exit export false fg getopts hash jobs local printf pwd read readonly \
                                  return set shift test times true type umask unset wait";

/// Whether the shell has a program of this name in itself.
pub(crate) fn is_builtin(name: &str) -> bool {
    BUILTINS.split_ascii_whitespace().any(|builtin| builtin == name)
}

/// What a program does with these arguments.
pub(super) fn look_up(name: &str, arguments: &[Word], depth: usize) -> Effect {
    let tables = [
        files::PROGRAMS,
        system::PROGRAMS,
        services::PROGRAMS,
        network::PROGRAMS,
        containers::PROGRAMS,
        tools::PROGRAMS,
    ];
    let named = |program: &&Program| program.names.split_ascii_whitespace().any(|one| one == name);
    match tables.into_iter().flatten().find(named) {
        Some(_) if matches!(arguments, [only] if matches!(only.known(), Some("--version" | "--help"))) => Effect::Reads,
        Some(program) => {
            let asked = Asked { program, words: arguments, depth };
            asked.answer(name, &program.does, &sort(arguments, program.valued, Style::Getopt))
        }
        None => Effect::cannot_say(name, "is not in the table of what programs do"),
    }
}

struct Asked<'a> {
    program: &'a Program,
    words: &'a [Word],
    depth: usize,
}

impl Asked<'_> {
    fn answer(&self, what: &str, does: &Does, given: &Arguments<'_>) -> Effect {
        match does {
            Does::Reads => Effect::Reads,
            Does::Changes(why) => Effect::changes(what, *why),
            Does::CannotSay(why) => Effect::cannot_say(what, *why),
            Does::Unless(options) => unsure(what, given).and(self.options(what, options, given)),
            Does::UpTo(most, why, options) => {
                let too_many = given.operands.len() > *most || given.operands.iter().any(|word| word.may_split());
                let operands = if too_many { Effect::changes(what, *why) } else { Effect::Reads };
                operands.and(unsure(what, given)).and(self.options(what, options, given))
            }
            Does::OnlyWith(reading, harmless, why) => {
                let other =
                    given.options.iter().any(|option| !option.is_one_of(reading) && !option.is_one_of(harmless));
                if given.has(reading) && !other { unsure(what, given) } else { Effect::changes(what, *why) }
            }
            Does::Verb(verbs) => self.verb(what, 0, verbs, given),
            Does::VerbAt(at, verbs) => self.verb(what, *at, verbs, given),
            Does::First(options, rest) => {
                match options.iter().find_map(|(names, does)| Some((given.given(names).next()?, does))) {
                    Some((option, does)) => self.answer(&format!("{what} {}", option.name), does, given),
                    None => self.answer(what, rest, given),
                }
            }
            Does::Look(look) => unsure(what, given).and(look(what, given)),
            Does::Words(look) => look(what, self.words, self.depth),
        }
    }

    fn options(&self, what: &str, options: &[(&str, Does)], given: &Arguments<'_>) -> Effect {
        Effect::all(options.iter().flat_map(|(names, does)| {
            given.given(names).map(move |option| self.answer(&format!("{what} {}", option.name), does, given))
        }))
    }

    fn verb(&self, what: &str, at: usize, verbs: &[(&str, Does)], given: &Arguments<'_>) -> Effect {
        if let Some(option) = self.unknown_before_verb() {
            return Effect::cannot_say(format!("{what} {option}"), "is not in the table of what programs do");
        }
        let verb = match given.operands.get(at) {
            None => "",
            Some(word) => match word.known() {
                Some(verb) if given.operands.iter().take(at).all(|word| !word.may_split()) => verb,
                Some(_) | None => return Effect::cannot_say(what, format!("is told by `{}` what to do", word.text())),
            },
        };
        let named = |names: &str| names.split_ascii_whitespace().any(|one| one == verb) || (names == verb);
        let said = if verb.is_empty() { what.to_owned() } else { format!("{what} {verb}") };
        match verbs.iter().find(|(names, _)| named(names)) {
            Some((_, does)) => {
                let mut operands = given.operands.clone();
                if at < operands.len() {
                    operands.remove(at);
                }
                let options = given.options.clone();
                self.answer(&said, does, &Arguments { options, operands, unsure: given.unsure })
            }
            None => Effect::cannot_say(said, "is not in the table of what programs do"),
        }
    }

    /// An option before the verb that the table does not have: whether the word after it is its value cannot be said.
    fn unknown_before_verb(&self) -> Option<&str> {
        let valued = |name: &str| self.program.valued.split_ascii_whitespace().any(|one| one == name);
        let known = |name: &str| valued(name) || FLAGS.split_ascii_whitespace().any(|one| one == name);
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            let text = word.prefix();
            if !text.starts_with('-') || text == "--" {
                return None;
            }
            if text.contains('=') {
                continue;
            }
            let attached = text.get(..2).filter(|short| !text.starts_with("--") && text.len() > 2 && valued(short));
            if attached.is_some() {
                continue;
            }
            if !known(text) {
                return Some(word.text());
            }
            if valued(text) {
                words.next();
            }
        }
        None
    }
}

/// Options without a value that may stand before a verb.
const FLAGS: &str = "-4 -6 -a -A -b -br -c4 -D -d -details -h -j -json -l -n -o -oneline -p -q -r -s -stats -t -v -vv -vvv -y --all \
                     --debug --help --json --no-ask-password --no-legend --no-optional-locks --no-pager --now --quiet --raw \
                     --system --tls --user --verbose --version -V -P --no-auth-warning --full --plain --failed";

/// A word that may be an option when it runs may be one that changes.
fn unsure(what: &str, given: &Arguments<'_>) -> Effect {
    match given.unsure {
        Some(word) => Effect::cannot_say(
            what,
            format!("may get options from `{}`: put it in quotes, after `--` or other text", word.text()),
        ),
        None => Effect::Reads,
    }
}
