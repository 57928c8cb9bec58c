//! What commands do to the system that they are run on: they read, they change, or it cannot be said.
//!
//! One table for `check`, for `import`, and for what `shadow` runs. A program that the table does not have is never said to read.

use std::fmt;

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// It may read or change: the table does not have it, or its text decides and cannot be known.
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
}

/// What a program does with these arguments. A template (`{{ … }}`) stands for any text.
#[must_use]
pub fn of_argv(argv: &[&str]) -> Effect {
    unknown(argv.first().copied().unwrap_or_default())
}

/// What a text for `/bin/sh` does. What is no shell text cannot be said.
#[must_use]
pub fn of_shell(text: &str) -> Effect {
    unknown(text)
}

fn unknown(what: &str) -> Effect {
    Effect::CannotSay(Cause { what: what.to_owned(), why: "is not a program of the table".to_owned() })
}
