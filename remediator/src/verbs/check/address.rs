//! Data in what programs take for an address: there it must be one segment or one value, whatever the program makes of it.

use super::Report;
use super::endless::has;
use crate::runbook::effect;
use crate::runbook::{Book, Command, has_raw_data};

/// Programs whose arguments are addresses, or lead to some: `-d @FILE`, `-i concat:…`.
const PROGRAMS: [&str; 4] = ["curl", "ffmpeg", "ffprobe", "wget"];
/// Variables of a step's environment that have alert data in them.
const DATA: [&str; 3] = ["VVTV_TARGET", "VVTV_ALERT", "VVTV_LABEL_"];

/// What is wrong with a command.
struct Trouble {
    message: String,
    certain: bool,
}

pub(super) fn check(book: &Book, report: &mut Report) {
    for (id, mark) in &book.marks.commands {
        let Some(spec) = book.steps.get(id) else { continue };
        let found = match &spec.command {
            Command::Run(arguments) => run(&arguments.iter().map(crate::runbook::Argument::as_str).collect::<Vec<_>>()),
            Command::Shell(text) => in_shell(text),
        };
        for trouble in found {
            if trouble.certain {
                report.error_at(&book.marks.source, mark, trouble.message);
            } else {
                report.warning_at(&book.marks.source, mark, trouble.message);
            }
        }
    }
}

/// The program may stand behind `sudo` and the like.
fn run(words: &[&str]) -> Vec<Trouble> {
    let Some((at, program)) = words.iter().enumerate().find_map(|(at, word)| Some((at, takes_addresses(word)?))) else {
        return Vec::new();
    };
    let arguments = words.get(at + 1..).unwrap_or_default();
    let mut found = Vec::new();
    if let Some(raw) = arguments.iter().find(|word| has_raw_data(word)) {
        let message = format!(
            "data reaches `{program}` as it is, in `{raw}`: end each `{{{{ … }}}}` with `| segment`, in a query with `| query_value`"
        );
        found.push(Trouble { message, certain: true });
    }
    let templates = arguments.iter().any(|word| word.contains("{{"));
    if program == "curl" && templates && !has(arguments, 'g', "--globoff") {
        let message = "`curl` takes braces and brackets for many addresses: add `--globoff`".to_owned();
        found.push(Trouble { message, certain: true });
    }
    found
}

fn in_shell(text: &str) -> Vec<Trouble> {
    let says = |word: &str| DATA.iter().any(|name| word.contains('$') && word.contains(name));
    let advice = "write the step as `run` with `{{ … | segment }}`";
    let mut found = Vec::new();
    for words in effect::commands(text) {
        let program = words.iter().find_map(|word| takes_addresses(word));
        if let Some(word) = words.iter().find(|word| says(word) && (program.is_some() || word.contains("://"))) {
            let message = format!("data would choose what is asked, in `{word}`: {advice}");
            found.push(Trouble { message, certain: true });
        } else if let Some(program) = program
            && DATA.iter().chain(&["VVTV_FACTS"]).any(|name| text.contains(name))
            && let Some(word) = words.iter().find(|word| word.contains('$') && !is_the_facts_file(word))
        {
            let message = format!("`{program}` may be told by data what to ask, in `{word}`: {advice}");
            found.push(Trouble { message, certain: false });
        }
    }
    found
}

/// `@$VVTV_FACTS`, as `curl --data` takes it: a path of the remediator's own.
fn is_the_facts_file(word: &str) -> bool {
    matches!(word.trim_start_matches('@'), "$VVTV_FACTS" | "${VVTV_FACTS}")
}

fn takes_addresses(word: &str) -> Option<&'static str> {
    let name = word.rsplit('/').next().unwrap_or(word);
    PROGRAMS.into_iter().find(|program| *program == name)
}
