//! Programs that runbooks call and this machine lacks: a warning, since runbooks are often checked elsewhere.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Report;
use crate::config::Config;
use crate::runbook::effect;
use crate::runbook::{Book, Command};

/// One warning for each program, where the runbook calls it first.
pub(super) fn check(book: &Book, report: &mut Report) {
    let mut told = BTreeSet::new();
    for id in book.plan.all_steps().map(|step| &step.id) {
        let (Some(spec), Some(mark)) = (book.steps.get(id), book.marks.commands.get(id)) else { continue };
        let programs: Vec<String> = match &spec.command {
            Command::Run(arguments) => {
                arguments.first().map(|program| program.as_str().to_owned()).into_iter().collect()
            }
            Command::Shell(text) => {
                effect::commands(text).into_iter().filter_map(|words| words.into_iter().next()).collect()
            }
        };
        for program in programs.iter().filter(|program| looks_like_a_program(program) && !is_there(program)) {
            if !told.insert(program.clone()) {
                continue;
            }
            report.warning_at(&book.marks.source, mark, format!("`{program}` is not on this machine's PATH"));
        }
    }
}

/// The same of what comes round by the calendar.
pub(super) fn check_duties(config: &Config, report: &mut Report) {
    let mut told = BTreeSet::new();
    for chore in config.maintenance.iter().flat_map(|duty| &*duty.chores) {
        let Some(program) = chore.argv.first().filter(|program| !is_there(program)) else { continue };
        if told.insert(program.clone()) {
            let message = format!("`{program}` is not on this machine's PATH");
            report.warning_at(&config.marks.source, &chore.mark, message);
        }
    }
}

/// What the shell does itself, and names that are known only when it runs, are looked for nowhere.
fn looks_like_a_program(word: &str) -> bool {
    !effect::is_builtin(word)
        && !matches!(word, "while" | "until")
        && word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c))
}

fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return is_executable(Path::new(program));
    }
    std::env::split_paths(&crate::steps::search_path()).any(|dir| is_executable(&dir.join(program)))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
