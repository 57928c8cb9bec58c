//! Runbooks: what the files say, checked as far as one can without asking anybody.
//!
//! The core gets a [`vvtv_incident::Runbook`], the plan; commands, queries and texts stay here, beside it.

mod argument;
mod build;
pub(crate) mod carried;
mod display;
pub(crate) mod effect;
mod file;
mod library;
mod page;
mod place;
mod schema;
mod step;
mod task_step;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vvtv_incident::{AlertName, StepId};
use vvtv_toolkit::yaml::{Document, Spanned, YamlError};

pub use argument::Argument;
pub(crate) use argument::template_start;
pub(crate) use file::Mode as WrittenMode;
pub use library::{LibraryError, load_dir};
pub use page::page;
pub(crate) use place::has_raw_data;
pub use schema::schema;
pub use task_step::{TaskStep, Written as WrittenTaskStep, task_steps};

use self::effect::Effect;
use crate::conditions::Condition;
use crate::conditions::facts::Facts;
use crate::conditions::promql::Query;
use crate::site::SiteValues;

/// One runbook.
#[derive(Clone, Debug)]
pub struct LoadedRunbook {
    /// What the core needs of it.
    pub plan: vvtv_incident::Runbook,
    /// Name for people.
    pub title: String,
    /// How the trouble shows.
    pub symptoms: Option<String>,
    /// What it means for viewers.
    pub impact: Option<String>,
    /// The test that the trouble is gone: 1 is healthy, 0 is sick, anything else is unknown.
    pub healthy: Query,
    /// Every step by its id, restores and their undos included.
    pub steps: BTreeMap<StepId, StepSpec>,
    /// The file.
    pub source: PathBuf,
    /// Places in the file.
    pub marks: Marks,
}

/// The runbooks that are in force, whenever one looks.
#[derive(Clone)]
pub struct RunbooksInForce(Arc<dyn Fn() -> Vec<Arc<LoadedRunbook>> + Send + Sync>);

impl RunbooksInForce {
    /// What this gives, each time that it is asked.
    pub fn new(look: impl Fn() -> Vec<Arc<LoadedRunbook>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    /// All of them, now.
    #[must_use]
    pub fn get(&self) -> Vec<Arc<LoadedRunbook>> {
        (self.0)()
    }
}

impl fmt::Debug for RunbooksInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.get().iter().map(|book| &book.plan.id)).finish()
    }
}

/// One step's particulars.
#[derive(Clone, Debug)]
pub struct StepSpec {
    /// Its name.
    pub id: StepId,
    /// Name for people.
    pub title: String,
    /// The number of the page's action that it is part of.
    pub action: Option<u8>,
    /// Whether it is run at all.
    pub when: Option<Condition>,
    /// What is run.
    pub command: Command,
    /// The longest it may run.
    pub timeout: Duration,
    /// How its standard output is read.
    pub output: Output,
    /// Its author vouches for a diagnosis of which nothing else says that it only reads.
    pub reads_only: bool,
}

/// What a step runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A program with its arguments, each template yielding exactly one.
    Run(Vec<Argument>),
    /// Fixed text for `/bin/sh`; data reaches it by environment and file only.
    Shell(String),
}

/// How a step's standard output is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// As JSON where it parses, so that later steps can name its parts.
    #[default]
    Json,
    /// As text, even if it looks like JSON.
    Text,
}

/// Places in a runbook's file.
#[derive(Clone, Debug)]
pub struct Marks {
    /// The file.
    pub source: Document,
    /// Its `id`.
    pub id: Spanned<()>,
    /// Each alert that it answers.
    pub alerts: Vec<(AlertName, Spanned<()>)>,
    /// The label that it names as its target.
    pub target: Spanned<()>,
    /// Each runbook that it names as a cause.
    pub causes: Vec<Spanned<()>>,
    /// Its `healthy` query.
    pub healthy: Spanned<()>,
    /// Its `escalate` level.
    pub escalate: Option<Spanned<()>>,
    /// Each step's command.
    pub commands: BTreeMap<StepId, Spanned<()>>,
    /// Each step's `when`.
    pub conditions: BTreeMap<StepId, Spanned<()>>,
}

impl Command {
    /// What it does, as far as it can be said before it runs.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::Run(arguments) => effect::of_argv(&arguments.iter().map(Argument::as_str).collect::<Vec<_>>()),
            Self::Shell(text) => effect::of_shell(text),
        }
    }
}

impl LoadedRunbook {
    /// A step's particulars.
    #[must_use]
    pub fn step(&self, id: &StepId) -> Option<&StepSpec> {
        self.steps.get(id)
    }

    /// Whether what a step prints is read as JSON.
    #[must_use]
    pub fn writes_json(&self, id: &StepId) -> bool {
        self.step(id).is_some_and(|spec| spec.output == Output::Json)
    }
}

impl StepSpec {
    /// The argument vector to run, with every template rendered.
    ///
    /// # Errors
    /// A template reads something that is not there, or yields something that must not be an argument; the text names which.
    pub fn argv(&self, facts: &Facts, site: &SiteValues) -> Result<Vec<String>, String> {
        match &self.command {
            Command::Shell(text) => Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()]),
            Command::Run(arguments) => argument::render(arguments, facts, site),
        }
    }
}

/// Reads one runbook.
///
/// # Errors
/// Everything that is wrong in it.
pub fn parse(source: Document, site: &SiteValues) -> Result<LoadedRunbook, Vec<YamlError>> {
    build::book(source, site)
}

/// Whether a text can name a step or a variable: `a-z`, `0-9` and `_`, not beginning with a digit.
///
/// Expressions name steps and variables after a dot, where nothing else would parse.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests;
