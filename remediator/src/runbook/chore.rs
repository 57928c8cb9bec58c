//! Steps outside of any runbook: a program and its arguments, written as a runbook's `run`, with no incident to read anything of.

use std::time::Duration;

use serde::Deserialize;
use vvtv_incident::StepId;
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::redaction::Redactor;
use vvtv_toolkit::yaml::{Spanned, YamlError};

use super::argument::{Argument, Piece};
use super::build::Builder;
use super::{Command, Site};
use crate::runbook::platform::ByPlatform;
use crate::source::{Source, place};

/// A step as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    #[serde(default)]
    title: Option<String>,
    run: Spanned<ByPlatform<Vec<Spanned<Piece>>>>,
    #[serde(default)]
    timeout: Option<Spanned<PromDuration>>,
}

/// A step, checked.
#[derive(Clone, Debug)]
pub struct Chore {
    /// Name for people.
    pub title: String,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The longest it may run.
    pub timeout: Duration,
    /// Its place in the file.
    pub mark: Spanned<()>,
}

/// Checks steps.
///
/// # Errors
/// The first thing that is wrong, in its place.
pub fn chores(source: &Source, site: &Site, written: &[Written]) -> Result<Vec<Chore>, YamlError> {
    let mut builder = Builder::new(source.clone(), site);
    let mut chores = Vec::new();
    for step in written {
        let command = builder.run(&StepId::new("chore"), &step.run);
        let timeout = builder.timeout(step.timeout.as_ref());
        let Command::Run(arguments) = command else { continue };
        if arguments.iter().any(|argument| matches!(argument, Argument::Template(_))) {
            builder.wrong(&step.run, "there is no incident to fill in a template: write the text, or {var: NAME}");
        }
        let argv: Vec<String> = arguments.iter().map(|argument| argument.as_str().to_owned()).collect();
        let title = step.title.clone().unwrap_or_else(|| Redactor::default().arguments(&argv));
        chores.push(Chore { title, argv, timeout, mark: place(&step.run) });
    }
    builder.errors.into_iter().next().map_or(Ok(chores), Err)
}
