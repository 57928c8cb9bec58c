//! Arguments of a `run`: each written element becomes exactly one argument, whatever the data in it.
//!
//! Alert data is anybody's text. It can never become a second argument (there is no shell and no splitting), the program to run
//! (the first element takes no template), an option (a leading `-` is refused unless the author wrote it), a way out of a directory
//! that the author wrote (`..` as a path component is refused), or more than one segment or query value of an address or path
//! (`place`).

use std::fmt;

use minijinja::Value;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{Site, place};
use crate::conditions::expression;
use crate::conditions::facts::Facts;

/// The longest argument: a page of memory less than what Linux takes (`MAX_ARG_STRLEN`).
const BYTES_MAX: usize = 124 << 10;

/// A checked element of a `run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The text itself.
    Literal(String),
    /// A minijinja template.
    Template(String),
}

/// An element as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A text or template.
    Text(String),
    /// `{var: NAME}`: the site variable's whole argv.
    Var(String),
}

/// A site variable as it is written: a text or a list of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableText {
    /// One argument.
    One(String),
    /// A whole argv.
    Argv(Vec<String>),
}

/// A checked site variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable(VariableText);

impl Variable {
    /// Checks a variable's value.
    ///
    /// # Errors
    /// It is empty, or has a NUL in it.
    pub fn new(text: VariableText) -> Result<Self, String> {
        if text.as_argv().is_empty() || text.as_argv().first().is_some_and(String::is_empty) {
            return Err("is empty".to_owned());
        }
        if text.as_argv().iter().any(|argument| argument.contains('\0')) {
            return Err("has a NUL in it".to_owned());
        }
        Ok(Self(text))
    }

    /// The value as a whole argv.
    #[must_use]
    pub fn argv(&self) -> &[String] {
        self.0.as_argv()
    }

    /// The value as one argument, if it is one text.
    #[must_use]
    pub fn one(&self) -> Option<&str> {
        match &self.0 {
            VariableText::One(text) => Some(text),
            VariableText::Argv(_) => None,
        }
    }
}

impl VariableText {
    fn as_argv(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Argv(argv) => argv,
        }
    }
}

impl Argument {
    /// Checks a text that is written as an argument.
    ///
    /// # Errors
    /// It is a template that could turn data into an option, or has a NUL in it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.contains('\0') {
            return Err("an argument cannot have a NUL in it".to_owned());
        }
        let Some(start) = template_start(text) else { return Ok(Self::Literal(text.to_owned())) };
        let prefix = text.get(..start).unwrap_or_default();
        if prefix.starts_with('-') && !fixes_the_option(prefix) {
            return Err("data would choose the option: write the option as a whole, as in `--name={{ … }}`".to_owned());
        }
        place::check(text)?;
        Ok(Self::Template(text.to_owned()))
    }

    /// The element as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Template(text) => text,
        }
    }

    fn render(&self, facts: &Value) -> Result<String, String> {
        let template = match self {
            Self::Literal(text) => return Ok(text.clone()),
            Self::Template(template) => template,
        };
        let text = expression::render(template, facts)?;
        if text.contains('\0') {
            return Err("the value has a NUL in it".to_owned());
        }
        if text.len() > BYTES_MAX {
            return Err(format!("the value is longer than {BYTES_MAX} bytes"));
        }
        if text.starts_with('-') && template_start(template) == Some(0) {
            return Err("the value begins with `-` and would be taken for an option".to_owned());
        }
        if climbs(&text) && !climbs(template) {
            return Err("the value has `..` as a path component".to_owned());
        }
        Ok(text)
    }
}

/// Renders the elements in order.
pub(super) fn render(arguments: &[Argument], facts: &Facts, site: &Site) -> Result<Vec<String>, String> {
    let facts = expression::context(facts, site);
    arguments
        .iter()
        .map(|argument| argument.render(&facts).map_err(|error| format!("argument `{}`: {error}", argument.as_str())))
        .collect()
}

/// Where the first template syntax of a text begins.
pub(crate) fn template_start(text: &str) -> Option<usize> {
    ["{{", "{%", "{#"].iter().filter_map(|open| text.find(open)).min()
}

/// Whether a prefix that begins with `-` leaves nothing of the option's name to data: `--name=`, `-n`.
fn fixes_the_option(prefix: &str) -> bool {
    if prefix.starts_with("--") { prefix.contains('=') } else { prefix.len() > 1 }
}

fn climbs(text: &str) -> bool {
    text.split('/').any(|component| component == "..")
}

impl<'de> Deserialize<'de> for Piece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PieceVisitor)
    }
}

struct PieceVisitor;

impl<'de> Visitor<'de> for PieceVisitor {
    type Value = Piece;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an argument (quote what YAML takes for something else) or {var: NAME}")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Piece, E> {
        Ok(Piece::Text(text.to_owned()))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Piece, E> {
        Ok(Piece::Text(number.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Piece, A::Error> {
        match map.next_key::<String>()?.as_deref() {
            Some("var") => {}
            Some(other) => return Err(A::Error::unknown_field(other, &["var"])),
            None => return Err(A::Error::missing_field("var")),
        }
        let name = map.next_value()?;
        match map.next_key::<String>()? {
            Some(other) => Err(A::Error::unknown_field(&other, &["var"])),
            None => Ok(Piece::Var(name)),
        }
    }
}

impl<'de> Deserialize<'de> for VariableText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VariableVisitor)
    }
}

struct VariableVisitor;

impl<'de> Visitor<'de> for VariableVisitor {
    type Value = VariableText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<VariableText, E> {
        Ok(VariableText::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<VariableText, A::Error> {
        let mut argv = Vec::new();
        while let Some(argument) = seq.next_element()? {
            argv.push(argument);
        }
        Ok(VariableText::Argv(argv))
    }
}
