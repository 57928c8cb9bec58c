//! A step's command and condition as people read them.

use std::fmt;

use super::{Argument, Command};
use crate::conditions::Condition;

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(text) => f.write_str(text.trim_end()),
            Self::Run(arguments) => {
                for (index, argument) in arguments.iter().enumerate() {
                    let (Argument::Literal(text) | Argument::Template(text)) = argument;
                    let space = if index == 0 { "" } else { " " };
                    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+{}".contains(c);
                    if !text.is_empty() && text.chars().all(plain) {
                        write!(f, "{space}{text}")?;
                    } else {
                        write!(f, "{space}'{}'", text.replace('\'', "'\\''"))?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (index, part) in parts.iter().enumerate() {
                let word = if index == 0 { "" } else { word };
                write!(f, "{word}({part})")?;
            }
            Ok(())
        };
        match self {
            Self::Promql(query) => f.write_str(query.as_str()),
            Self::Expr(text) => f.write_str(text),
            Self::All(parts) => join(f, parts, " and "),
            Self::Any(parts) => join(f, parts, " or "),
        }
    }
}
