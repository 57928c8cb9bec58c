//! awk: whether its program text writes or runs anything.

use super::arguments::{Style, sort};
use super::{Effect, Word, excerpt};

pub(super) fn look(what: &str, words: &[Word], _: usize) -> Effect {
    let given = sort(words, "-F -v -f -i -l -E -e --field-separator --assign --file --source", Style::Getopt);
    if let Some(word) = given.unsure {
        return Effect::cannot_say(what, format!("may get options from `{}`", word.text()));
    }
    if let Some(option) =
        given.options.iter().find(|option| !option.is_one_of("-F -v --field-separator --assign --re-interval"))
    {
        return Effect::cannot_say(format!("{what} {}", option.name), "is not in the table of what programs do");
    }
    match given.operands.first().map(|word| (word.known(), word.text())) {
        None => Effect::Reads,
        Some((None, text)) => Effect::cannot_say(what, format!("is told by `{text}` what to do")),
        Some((Some(text), _)) => program(what, text),
    }
}

/// A program writes by `print … > FILE`, and runs something by `system`, `print … | COMMAND` and `COMMAND | getline`. Where a regular
/// expression or a comparison could be taken for one of these, it is: what cannot be told apart at sight is not said to read.
fn program(what: &str, text: &str) -> Effect {
    let printed = text.find("print").and_then(|at| text.get(at..)).unwrap_or_default();
    let piped_in = || {
        text.match_indices("getline").any(|(at, _)| {
            text.get(..at).unwrap_or_default().trim_end().trim_end_matches('&').trim_end().ends_with('|')
        })
    };
    if printed.replace(">=", "").contains('>') {
        return Effect::cannot_say(format!("{what} '{}'", excerpt(text)), "may write a file");
    }
    if text.contains("system") || text.contains('@') || printed.replace("||", "").contains('|') || piped_in() {
        return Effect::cannot_say(format!("{what} '{}'", excerpt(text)), "may run something");
    }
    Effect::Reads
}
