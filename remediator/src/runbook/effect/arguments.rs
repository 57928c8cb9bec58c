//! A program's arguments sorted into options and operands, as getopt(3) does it: clusters, values, `--`, abbreviated long options.

use super::Word;

/// Arguments, sorted.
#[derive(Debug, Default)]
pub(super) struct Arguments<'a> {
    /// Options in their order, each with its value if it takes one.
    pub(super) options: Vec<Given<'a>>,
    /// Everything else in its order.
    pub(super) operands: Vec<&'a Word>,
    /// A word that may turn out to be an option when it runs.
    pub(super) unsure: Option<&'a Word>,
}

/// An option that is given.
#[derive(Clone, Debug)]
pub(super) struct Given<'a> {
    /// `-x` or `--long`.
    pub(super) name: String,
    /// It is a name of the table, and no abbreviation of another one.
    whole: bool,
    /// What it is given.
    pub(super) value: Option<Value<'a>>,
}

/// The value of an option.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// The next word.
    Word(&'a Word),
    /// The rest of its own word: known, or not.
    Rest(Option<&'a str>),
}

impl<'a> Value<'a> {
    /// Its text, if that is known.
    pub(super) fn known(&self) -> Option<&'a str> {
        match self {
            Self::Word(word) => word.known(),
            Self::Rest(rest) => *rest,
        }
    }
}

/// How a program writes its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `-abc` is three options, `--long` one.
    Getopt,
    /// `-name` is one option, and its value stands behind it.
    OneDash,
}

/// Sorts arguments. `valued` has the options that take a value, separated by blanks: those whose value is always part of their word
/// (`-i[SUFFIX]`) are not among them.
pub(super) fn sort<'a>(words: &'a [Word], valued: &str, style: Style) -> Arguments<'a> {
    let takes_value = |name: &str| valued.split_ascii_whitespace().any(|option| option == name);
    let mut sorted = Arguments::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word.may_be_option() && sorted.unsure.is_none() {
            sorted.unsure = Some(word);
        }
        let text = word.prefix();
        if text == "--" && word.known().is_some() {
            sorted.operands.extend(rest);
            break;
        }
        if !text.starts_with('-') || text == "-" {
            sorted.operands.push(word);
            continue;
        }
        let is_long = text.starts_with("--") || style == Style::OneDash;
        if is_long {
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(Value::Rest(word.known().map(|_| value)))),
                None if takes_value(text) => (text, value_of(&mut rest, &mut sorted.unsure)),
                None => (text, None),
            };
            if word.known().is_none() && value.is_none() {
                // Data goes on where the option's name stands.
                sorted.unsure.get_or_insert(word);
            }
            sorted.options.push(Given { name: name.to_owned(), whole: takes_value(name), value });
            continue;
        }
        cluster(word, &takes_value, &mut rest, &mut sorted);
    }
    sorted
}

/// `-n5`, `-xvf FILE`: each letter is an option until one takes the rest for its value.
fn cluster<'a>(
    word: &'a Word,
    takes_value: &impl Fn(&str) -> bool,
    rest: &mut std::slice::Iter<'a, Word>,
    sorted: &mut Arguments<'a>,
) {
    let letters = word.prefix().get(1..).unwrap_or_default();
    for (at, letter) in letters.char_indices() {
        let name = format!("-{letter}");
        if takes_value(&name) {
            let value = letters.get(at + letter.len_utf8()..).unwrap_or_default();
            let value = match (value, word.known()) {
                ("", Some(_)) => value_of(rest, &mut sorted.unsure),
                (value, known) => Some(Value::Rest(known.map(|_| value))),
            };
            sorted.options.push(Given { name, whole: true, value });
            return;
        }
        sorted.options.push(Given { name, whole: true, value: None });
    }
    if word.known().is_none() {
        sorted.unsure.get_or_insert(word);
    }
}

/// The next word. One that may be several, or none, leaves it open which is the value.
fn value_of<'a>(rest: &mut std::slice::Iter<'a, Word>, unsure: &mut Option<&'a Word>) -> Option<Value<'a>> {
    let word = rest.next()?;
    if word.may_split() {
        unsure.get_or_insert(word);
    }
    Some(Value::Word(word))
}

impl<'a> Arguments<'a> {
    /// The options that one of these names means; long ones may be abbreviated.
    pub(super) fn given(&self, names: &str) -> impl Iterator<Item = &Given<'a>> {
        self.options.iter().filter(move |option| option.is_one_of(names))
    }

    /// Whether one of these options is given.
    pub(super) fn has(&self, names: &str) -> bool {
        self.given(names).next().is_some()
    }
}

impl Given<'_> {
    /// Whether one of these names means it.
    pub(super) fn is_one_of(&self, names: &str) -> bool {
        names.split_ascii_whitespace().any(|name| self.means(name))
    }

    fn means(&self, name: &str) -> bool {
        self.name == name
            || (!self.whole && self.name.len() > 3 && self.name.starts_with("--") && name.starts_with(&self.name))
    }
}
