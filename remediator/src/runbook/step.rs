//! From what is written of one step to what it means.

use std::time::Duration;

use vvtv_incident::StepId;
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::Spanned;

use super::argument::{Argument, Piece, template_start};
use super::build::Builder;
use super::file::{self, StepKind, When};
use super::{Command, StepSpec, is_identifier};
use crate::conditions::Condition;
use crate::conditions::expression::{self, Reads};
use crate::conditions::promql::Query;
use crate::runbook::platform::ByPlatform;
use crate::source::place;

pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// A step that runs longer than this is a job, not an action of a runbook.
const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);
const DEPTH_MAX: usize = 8;

impl Builder<'_> {
    /// Checks one step and keeps its particulars; `None` if something is wrong with it, which is then noted.
    pub(super) fn step(&mut self, written: &file::Step, kind: StepKind) -> Option<vvtv_incident::Step> {
        self.undecided(&written.undecided);
        let before = self.errors.len();
        let id = StepId::new(&*written.id.value);
        if !is_identifier(id.as_str()) {
            self.wrong(&written.id, "not an id of a step: expected a-z, 0-9 and _, at most 64 of them");
        }
        if self.specs.contains_key(&id) {
            self.wrong(&written.id, "another step has this id");
        }
        let timeout = self.timeout(written.timeout.as_ref());
        if let Some(attempts) = written.attempts.as_ref().filter(|attempts| attempts.value == 0) {
            self.wrong(attempts, "must be at least 1");
        }
        let mut plan_kind = self.kind(written, kind);
        let efficacy_floor = self.floor(written.efficacy_floor.as_ref());
        let when = written.when.as_ref().and_then(|when| {
            self.conditions.insert(id.clone(), place(when));
            self.condition(&when.value, 0)
        });
        let command = self.command(&id, written);
        if matches!(plan_kind, vvtv_incident::Kind::Diagnose { background: true, .. }) {
            self.background.push(id.clone());
        }
        let command = command.filter(|_| self.errors.len() == before)?;
        let reads_only = written.reads_only.as_ref().is_some_and(|flag| flag.value);
        if let vvtv_incident::Kind::Diagnose { known_to_read, .. } = &mut plan_kind {
            *known_to_read = reads_only || command.effect().reads();
        }
        let spec = StepSpec {
            id: id.clone(),
            title: written.title.clone().unwrap_or_else(|| id.as_str().replace('_', " ")),
            action: written.action,
            when,
            command,
            timeout,
            output: written.output,
            reads_only,
        };
        let conditional = spec.when.is_some();
        self.specs.insert(id.clone(), spec);
        let attempts = written.attempts.as_ref().map(|attempts| attempts.value);
        Some(vvtv_incident::Step { id, kind: plan_kind, conditional, timeout, attempts, efficacy_floor })
    }

    /// How long a step may take.
    pub(super) fn timeout(&mut self, written: Option<&Spanned<PromDuration>>) -> Duration {
        let timeout = self.time(written, TIMEOUT);
        if let Some(mark) = written.filter(|_| timeout > TIMEOUT_MAX) {
            self.wrong(mark, "longer than an hour: an action of a runbook must end");
        }
        timeout
    }

    /// A program and its arguments.
    pub(super) fn run(&mut self, id: &StepId, run: &Spanned<ByPlatform<Vec<Spanned<Piece>>>>) -> Command {
        self.commands.insert(id.clone(), place(run));
        let pieces = run.value.get(self.site.platform);
        let arguments: Vec<_> = pieces.iter().flat_map(|piece| self.arguments(piece)).collect();
        match arguments.first() {
            Some(Argument::Literal(program)) if !program.is_empty() => {}
            Some(Argument::Literal(_)) => self.wrong(run, "the program's name is empty"),
            Some(Argument::Template(_)) => self.wrong(run, "data may not choose the program: write its name"),
            // Every element was refused, which is noted already.
            None if !pieces.is_empty() => {}
            None => self.wrong(run, "nothing to run: expected [PROGRAM, ARGUMENT, …]"),
        }
        Command::Run(arguments)
    }

    fn command(&mut self, id: &StepId, written: &file::Step) -> Option<Command> {
        match (&written.run, &written.shell) {
            (Some(run), None) => Some(self.run(id, run)),
            (None, Some(shell)) => {
                self.commands.insert(id.clone(), place(shell));
                let text = shell.value.get(self.site.platform);
                if text.trim().is_empty() || text.contains('\0') {
                    self.wrong(shell, "the shell text is empty or has a NUL in it");
                }
                if template_start(text).is_some() {
                    let message = "data may not become shell text: read it from the environment (\"$VVTV_TARGET\") \
                                   or from the JSON file named by $VVTV_FACTS";
                    self.wrong(shell, message);
                }
                Some(Command::Shell(text.clone()))
            }
            (Some(run), Some(_)) => {
                self.wrong(run, "a step has either `run` or `shell`");
                None
            }
            (None, None) => {
                self.wrong(&written.id, "a step needs `run: [PROGRAM, ARGUMENT, …]` or `shell: TEXT`");
                None
            }
        }
    }

    fn arguments(&mut self, piece: &Spanned<Piece>) -> Vec<Argument> {
        match &piece.value {
            Piece::Text(text) => {
                let checked = Argument::new(text).and_then(|argument| {
                    let reads = match &argument {
                        Argument::Literal(_) => Reads::default(),
                        Argument::Template(template) => expression::check_template(template)?,
                    };
                    self.check_reads(&reads)?;
                    Ok(argument)
                });
                match checked {
                    Ok(argument) => vec![argument],
                    Err(message) => {
                        self.wrong(piece, message);
                        Vec::new()
                    }
                }
            }
            Piece::Var(name) => match self.site.variables.get(name) {
                Some(variable) => variable.argv().iter().cloned().map(Argument::Literal).collect(),
                None => {
                    self.wrong(piece, unknown_variable(name));
                    Vec::new()
                }
            },
        }
    }

    fn condition(&mut self, written: &When, depth: usize) -> Option<Condition> {
        match written {
            When::Promql(text) => match Query::parse(&text.value) {
                Ok(query) => Some(Condition::Promql(query)),
                Err(message) => {
                    self.wrong(text, message);
                    None
                }
            },
            When::Expr(text) => {
                let checked = expression::check_expression(&text.value).and_then(|reads| self.check_reads(&reads));
                match checked {
                    Ok(()) => Some(Condition::Expr(text.value.clone().into())),
                    Err(message) => {
                        self.wrong(text, message);
                        None
                    }
                }
            }
            When::All(parts) => self.parts(parts, depth).map(Condition::All),
            When::Any(parts) => self.parts(parts, depth).map(Condition::Any),
        }
    }

    fn parts(&mut self, parts: &Spanned<Vec<When>>, depth: usize) -> Option<Vec<Condition>> {
        if parts.value.is_empty() {
            self.wrong(parts, "an empty list of conditions says nothing");
            return None;
        }
        if depth >= DEPTH_MAX {
            self.wrong(parts, format!("conditions nested deeper than {DEPTH_MAX}"));
            return None;
        }
        let checked: Vec<_> = parts.value.iter().map(|part| self.condition(part, depth + 1)).collect();
        checked.into_iter().collect()
    }

    /// Whether everything that an expression reads is there when it is read.
    fn check_reads(&self, reads: &Reads) -> Result<(), String> {
        for step in &reads.steps {
            let id = StepId::new(step.as_str());
            if !self.specs.contains_key(&id) {
                return Err(format!("no step before this one is called `{step}`"));
            }
            if self.background.contains(&id) {
                return Err(format!("`{step}` runs in the background: its result may not be there yet"));
            }
        }
        for name in &reads.vars {
            match self.site.variables.get(name) {
                None => return Err(unknown_variable(name)),
                Some(variable) if variable.one().is_none() => {
                    return Err(format!("variable `{name}` is a whole argv: splice it with {{var: {name}}}"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn unknown_variable(name: &str) -> String {
    format!("no variable `{name}` in the configuration's `variables`")
}
