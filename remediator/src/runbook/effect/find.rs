//! `find`: its actions.

use super::{Effect, Word, of_words};

/// Actions that write.
const WRITES: [&str; 5] = ["-delete", "-fprint", "-fprint0", "-fprintf", "-fls"];

pub(super) fn look(what: &str, words: &[Word], depth: usize) -> Effect {
    let mut effect = Effect::Reads;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word.may_be_option() {
            return Effect::cannot_say(what, format!("may get actions from `{}`", word.text()));
        }
        let text = word.prefix();
        if WRITES.contains(&text) {
            let why = if text == "-delete" { "removes files" } else { "writes a file" };
            effect = effect.and(Effect::changes(format!("{what} {text}"), why));
        }
        if ["-exec", "-execdir", "-ok", "-okdir"].contains(&text) {
            let command = rest.by_ref().take_while(|word| !matches!(word.known(), Some(";" | "+")));
            // What it finds is a path, and begins as where it was looked for does.
            let inner: Vec<Word> = command.map(in_its_place).collect();
            effect = effect.and(of_words(&inner, depth + 1));
        }
    }
    effect
}

fn in_its_place(word: &Word) -> Word {
    match word.text().find("{}") {
        Some(0) => Word::operand(word.text()),
        Some(at) => Word::quoted(word.text().to_owned(), at),
        None => word.clone(),
    }
}
