//! `check`: whether configuration, runbooks and alert rules agree, before anything depends on them.
//!
//! Everything that is found is reported, each with file, line, column and an excerpt. Errors keep a server from doing what the
//! operator thinks it will; warnings may be right on another machine than this one.

mod address;
mod diagnoses;
mod efficacy;
mod endless;
mod external;
mod levels;
mod metrics;
mod programs;
mod reach;
mod route;
mod rules;
mod secrets;
mod syntax;
mod targets;
mod unanswered;

use std::fmt;
use std::path::Path;

use vvtv_incident::Level;
use vvtv_toolkit::yaml::{Spanned, YamlError};

use crate::config::{self, Config, SecretFiles};
use crate::runbook::effect;
use crate::runbook::platform::Platform;
use crate::runbook::{Book, Command, LibraryError, Site, load_dir};
use crate::source::Source;
use crate::verbs::serve::disk;
use metrics::Metrics;
use rules::Rules;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It will not work as written.
    Error,
    /// It may be wrong.
    Warning,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub weight: Weight,
    /// Where, what, and an excerpt.
    pub text: String,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of looking: configuration, runbooks, how they fit together.
    pub findings: Vec<Finding>,
    /// Runbooks that were read.
    pub runbooks: usize,
    /// Alert rules that were read.
    pub rules: usize,
}

impl Report {
    /// How many findings have this weight.
    #[must_use]
    pub fn count(&self, weight: Weight) -> usize {
        self.findings.iter().filter(|finding| finding.weight == weight).count()
    }

    fn error(&mut self, error: &YamlError) {
        self.add(Weight::Error, error.to_string());
    }

    fn error_at<T>(&mut self, source: &Source, at: &Spanned<T>, message: impl Into<String>) {
        self.error(&source.error(at, message));
    }

    fn warning_at<T>(&mut self, source: &Source, at: &Spanned<T>, message: impl Into<String>) {
        self.add(Weight::Warning, source.error(at, message).to_string());
    }

    fn endless<T>(&mut self, source: &Source, at: &Spanned<T>, found: Vec<endless::Trouble>) {
        for trouble in found {
            self.add(trouble.weight, source.error(at, trouble.message).to_string());
        }
    }

    fn add(&mut self, weight: Weight, text: String) {
        let finding = Finding { weight, text };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            match finding.weight {
                Weight::Error => writeln!(f, "error: {}", finding.text.trim_end())?,
                Weight::Warning => writeln!(f, "warning: {}", finding.text.trim_end())?,
            }
        }
        let (errors, warnings) = (self.count(Weight::Error), self.count(Weight::Warning));
        write!(f, "{} runbooks, {} alert rules: {errors} errors, {warnings} warnings", self.runbooks, self.rules)
    }
}

/// Checks a configuration and all that it names. Nothing is asked over the network, and nothing is started but `sh -n`, which runs
/// nothing of what it reads.
#[must_use]
pub fn check(config_file: &Path) -> Report {
    let mut report = Report::default();
    let config = match config::load(config_file, SecretFiles::Report) {
        Ok(config) => config,
        Err(error) => {
            report.error(&error);
            return report;
        }
    };
    secrets::check(&config, &mut report);
    external::check(&config, &mut report);
    levels::check(&config, &mut report);
    for warning in disk::shared(&config) {
        report.warning_at(&config.marks.source, &warning.mark, warning.message);
    }
    programs::check_duties(&config, &mut report);
    check_duties(&config, &mut report);
    let rules = Rules::read(&config, &mut report);
    let routes = unanswered::routes(&config, &mut report);
    let metrics = Metrics::read(&config, &rules.records, &mut report);
    for platform in [Platform::Linux, Platform::Macos] {
        let site = Site { platform, ..config.site.clone() };
        match load_dir(&config.runbooks, &site) {
            Ok(books) => {
                report.runbooks = books.len();
                if platform == Platform::current() {
                    efficacy::check(&books, &config, &mut report);
                    if let Some(routes) = &routes {
                        unanswered::check(&rules, routes, &books, &config, &mut report);
                    }
                }
                for book in &books {
                    check_book(book, &config, &rules, &mut report);
                    reach::check(book, &config, &mut report);
                    address::check(book, &mut report);
                    diagnoses::check(book, &mut report);
                    targets::check(book, &config, &mut report);
                    if let Some(metrics) = &metrics {
                        metrics.check(book, &mut report);
                    }
                    if platform == Platform::current() {
                        programs::check(book, &mut report);
                        syntax::check(book, &mut report);
                    }
                }
            }
            Err(LibraryError::Files(errors)) => errors.iter().for_each(|error| report.error(error)),
            Err(error @ (LibraryError::List { .. } | LibraryError::TooMany(_) | LibraryError::Empty(_))) => {
                let message = crate::conditions::chain(&error);
                report.error_at(&config.marks.source, &config.marks.runbooks, message);
            }
        }
    }
    report
}

/// Why a shell text would be refused as a step; nothing if it would not.
pub(crate) fn refused(text: &str) -> Vec<String> {
    endless::shell(text).into_iter().filter(|it| it.weight == Weight::Error).map(|it| it.message).collect()
}

/// The words of a shell text that is one plain command, so that it needs no shell.
pub(crate) fn words(text: &str) -> Option<Vec<String>> {
    let starts_plainly = !text.split_whitespace().next()?.contains('=');
    if !starts_plainly || text.contains(['|', '&', ';', '<', '>', '$', '`', '(', ')', '*', '?', '~', '\n', '\\']) {
        return None;
    }
    effect::commands(text).pop()
}

fn check_book(book: &Book, config: &Config, rules: &Rules, report: &mut Report) {
    let source = &book.marks.source;
    if let (Some(escalate), Some(mark)) = (book.plan.escalate, &book.marks.escalate)
        && !config.contacts.iter().any(|contact| contact.level == escalate.level)
    {
        let highest = config.contacts.last().map_or(Level::FIRST, |contact| contact.level);
        report.error_at(source, mark, format!("no contact has level {}: they end at {highest}", escalate.level.get()));
    }
    if !config.rules.is_empty() {
        for (alert, mark) in &book.marks.alerts {
            rules.check(alert, mark, book, report);
            unanswered::check_target(alert, book, rules, report);
        }
    }
    for (id, mark) in &book.marks.commands {
        let Some(spec) = book.steps.get(id) else { continue };
        let found = match &spec.command {
            Command::Run(arguments) => {
                let words: Vec<&str> = arguments.iter().map(crate::runbook::Argument::as_str).collect();
                endless::command(&words)
            }
            Command::Shell(text) => endless::shell(text),
        };
        report.endless(source, mark, found);
    }
}

/// What a machine runs by the calendar must end, too.
fn check_duties(config: &Config, report: &mut Report) {
    for chore in config.maintenance.iter().flat_map(|duty| &*duty.chores) {
        let words: Vec<&str> = chore.argv.iter().map(String::as_str).collect();
        report.endless(&config.marks.source, &chore.mark, endless::command(&words));
    }
}

#[cfg(test)]
mod tests;
