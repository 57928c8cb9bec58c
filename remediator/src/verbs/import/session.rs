//! What a block of code is: a script, a session at a terminal with its prompts and what was printed, or no commands at all.

mod prompt;

use super::document::Code;
use super::language;
use crate::runbook::effect::{self, Effect};
pub(super) use prompt::Pending;
use prompt::{Prompt, prompt};

const SHELLS: [&str; 7] = ["bash", "sh", "shell", "zsh", "ksh", "dash", "ash"];
const SESSIONS: [&str; 8] =
    ["console", "shell-session", "shellsession", "sh-session", "bash-session", "terminal", "session", "term"];

/// What a block of code is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fence {
    Script(Script),
    /// No commands, and why.
    Other(String),
}

/// Commands in one shell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) linux: Vec<CodeLine>,
    /// What stands below "or on macOS".
    pub(super) macos: Vec<CodeLine>,
    /// Lines that were printed.
    pub(super) printed: Vec<usize>,
    /// Why a person has to look whether these are the commands.
    pub(super) doubts: Vec<String>,
    /// The page does not say that they are commands at all.
    pub(super) unlabelled: bool,
}

/// A line of code and its place on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeLine {
    pub(super) line: usize,
    pub(super) text: String,
}

/// Reads a block of code; `before` is the text that leads to it.
pub(super) fn read(code: &Code, before: &str) -> Fence {
    let language = code.language.as_str();
    let (shell, session) = (SHELLS.contains(&language), SESSIONS.contains(&language));
    if !shell && !session && !language.is_empty() {
        return Fence::Other(format!("a `{language}` block has no commands"));
    }
    let lines: Vec<CodeLine> =
        code.text.lines().zip(code.line..).map(|(text, line)| CodeLine { line, text: text.to_owned() }).collect();
    let Some(first) = lines.iter().map(|line| line.text.trim()).find(|text| !text.is_empty()) else {
        return Fence::Other("an empty block of code".to_owned());
    };
    let found = prompt(first);
    let mut script = match found {
        Some((Prompt::Other, _)) => return Fence::Other("a session in another program than a shell".to_owned()),
        Some((Prompt::User, _)) => typed(&lines, Prompt::User),
        Some((Prompt::Root, _)) if session || !first.starts_with('#') || (!shell && roots(&lines)) => {
            typed(&lines, Prompt::Root)
        }
        Some((Prompt::Continued, rest)) if !shell => {
            let mut script = typed(&lines, Prompt::Continued);
            if rest.starts_with(['/', '.', '~']) {
                script.doubts.push(format!("`{first}`: a prompt, or a redirection that empties the file?"));
            }
            script
        }
        _ => {
            if !shell && language::announces_output(before) {
                return Fence::Other("what a command prints".to_owned());
            }
            if !shell && !may_be_command(&lines) {
                return Fence::Other("no commands, by its first line".to_owned());
            }
            let mut script = Script { unlabelled: !shell, ..Script::default() };
            if session {
                script.doubts.push("a session without a prompt: are these commands, or what they print?".to_owned());
            }
            if !shell && matches!(found, Some((Prompt::Root, rest)) if is_known(rest)) {
                script.doubts.push(format!("`{first}`: a comment, or root's prompt?"));
            }
            script.linux = lines;
            script
        }
    };
    if code.open {
        script.doubts.push("the fence is not closed: where do the commands end?".to_owned());
    }
    script.macos = split_at_macos(&mut script.linux);
    if !script.linux.iter().chain(&script.macos).any(is_command) {
        return Fence::Other("comments, and no command".to_owned());
    }
    Fence::Script(script)
}

/// Whether a line has more than a comment on it.
pub(super) fn is_command(line: &CodeLine) -> bool {
    let text = line.text.trim();
    !text.is_empty() && !text.starts_with('#')
}

/// Whether every line that is not blank has root's prompt, and the first one a program that is known.
fn roots(lines: &[CodeLine]) -> bool {
    let mut said = lines.iter().map(|line| line.text.trim()).filter(|text| !text.is_empty());
    let mut prompts = said.clone();
    let first = said.next().and_then(|text| text.strip_prefix("# "));
    prompts.all(|text| text.starts_with("# ")) && first.is_some_and(is_known)
}

fn is_known(command: &str) -> bool {
    !matches!(effect::of_shell(command), Effect::CannotSay(_))
}

/// The lines behind a prompt with those that continue them; all others were printed.
fn typed(lines: &[CodeLine], main: Prompt) -> Script {
    let mut script = Script::default();
    let mut pending = Pending::default();
    for CodeLine { line, text } in lines {
        let found = prompt(text);
        if pending.continues() {
            let text = match found {
                Some((Prompt::Continued, rest)) => rest,
                _ => text,
            };
            pending.take(text);
            script.linux.push(CodeLine { line: *line, text: text.to_owned() });
        } else if let Some((_, rest)) = found.filter(|(prompt, _)| *prompt == main) {
            pending.take(rest);
            script.linux.push(CodeLine { line: *line, text: rest.to_owned() });
        } else if text.trim_start().starts_with("# ") {
            script.linux.push(CodeLine { line: *line, text: text.trim().to_owned() });
        } else if !text.trim().is_empty() {
            script.printed.push(*line);
        }
    }
    script
}

fn split_at_macos(lines: &mut Vec<CodeLine>) -> Vec<CodeLine> {
    let says = |line: &CodeLine| line.text.trim().starts_with('#') && line.text.to_lowercase().contains("macos");
    match lines.iter().position(says) {
        Some(at) if lines.iter().take(at).any(is_command) => lines.split_off(at),
        _ => Vec::new(),
    }
}

/// Whether the first line that is no comment may begin with the name of a program.
fn may_be_command(lines: &[CodeLine]) -> bool {
    let Some(first) = lines.iter().find(|line| is_command(line)) else { return true };
    let text = first.text.trim();
    let word = text.split_whitespace().next().unwrap_or_default();
    let assigns =
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    let calls = word.split_once('(').is_some_and(|(name, rest)| !name.is_empty() && !rest.starts_with(')'));
    let starts =
        word.starts_with(|c: char| c.is_ascii_lowercase() || "/.~$_<\"'(!:".contains(c)) || word == "[" || word == "[[";
    let function = calls && !word.starts_with(['$', '(']);
    (starts || assigns) && !function && !word.ends_with(':') && !is_markup(text)
}

fn is_markup(text: &str) -> bool {
    text.starts_with("<?") || text.starts_with("<!") || text.starts_with("---") || text.starts_with("...")
}

#[cfg(test)]
mod tests;
