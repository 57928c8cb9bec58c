//! Steps of a runbook as the page has them: each script is one, with the words that lead to it.

mod reader;

use super::document::Document;
use super::language::{self, Remark};
use super::report::Weight;
use super::script::Command;
use super::sections::Section;
use super::taken::Taken;
use super::words::{Field, Said};

/// More sentences around one step are not kept apart: these hold it back already, and all are in a description.
const SAID_MAX: usize = 20;

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) id: String,
    pub(super) line: usize,
    pub(super) action: Option<u8>,
    pub(super) title: String,
    pub(super) description: Vec<String>,
    /// The condition in the page's words.
    pub(super) condition: Option<(usize, String)>,
    /// Sentences around it that a machine cannot keep to by itself.
    pub(super) said: Vec<Said>,
    pub(super) command: Command,
}

/// What is in a runbook's section.
#[derive(Debug, Default)]
pub(super) struct Procedure {
    pub(super) steps: Vec<Step>,
    pub(super) fields: Vec<Field>,
    /// Sentences about all of it.
    pub(super) said: Vec<Said>,
    /// What became no step, and why.
    pub(super) notes: Vec<(usize, String, Weight, String)>,
}

impl Step {
    /// Keeps sentences that stand around it, without its own condition.
    fn keep(&mut self, said: &[Said]) {
        for said in said {
            let own = self
                .condition
                .as_ref()
                .is_some_and(|(_, text)| said.remark == Remark::Condition && said.text.contains(text.as_str()));
            // A question that the step asks is no condition of it.
            let asked = said.remark == Remark::Condition && language::bare(&said.text) == self.title;
            if !own && !asked && self.said.len() < SAID_MAX && !self.said.contains(said) {
                self.said.push(said.clone());
            }
        }
    }

    /// What a decision about it is about.
    pub(super) fn about(&self) -> String {
        self.action.map_or_else(|| format!("step {}", self.id), |number| format!("action {number}"))
    }
}

/// Reads a section; lines that a step has are taken.
pub(super) fn read(document: &Document<'_>, section: &Section, title: &str, taken: &mut Taken) -> Procedure {
    reader::read(document, section, title, taken)
}
