//! What differs between installations and runbooks may use: the operating system, and variables that the configuration names.

pub mod platform;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use self::platform::Platform;

/// What runbooks may use of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteValues {
    /// Which of the platform choices counts.
    pub platform: Platform,
    /// Values that differ between installations.
    pub variables: BTreeMap<String, Variable>,
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
