//! ffmpeg and ffprobe: a word that is no option's value is a file that ffmpeg writes.

use super::table::is_nowhere;
use super::{Effect, Word};

/// Options without a value.
const FLAGS: [&str; 24] = [
    "-y",
    "-n",
    "-hide_banner",
    "-re",
    "-nostdin",
    "-an",
    "-vn",
    "-sn",
    "-dn",
    "-shortest",
    "-stats",
    "-nostats",
    "-copyts",
    "-version",
    "-formats",
    "-codecs",
    "-encoders",
    "-decoders",
    "-protocols",
    "-filters",
    "-hwaccels",
    "-devices",
    "-buildconf",
    "-sources",
];
/// ffprobe's: nearly all of its options that take no value.
const SHOWS: &str = "-show_";
/// Options whose value is a file that is written, or that make one.
const WRITES: [&str; 7] =
    ["-progress", "-vstats", "-vstats_file", "-report", "-passlogfile", "-dump_attachment", "-sdp_file"];

pub(super) fn ffprobe(what: &str, words: &[Word], _: usize) -> Effect {
    let writes =
        |word: &&Word| word.prefix().split(':').next().is_some_and(|name| name == "-o" || WRITES.contains(&name));
    match words.iter().find(|word| word.may_be_option() || writes(word)) {
        Some(word) if word.may_be_option() => Effect::cannot_say(
            what,
            format!("may get options from `{}`: begin it with `-i` or fixed text", word.text()),
        ),
        Some(word) => Effect::changes(format!("{what} {}", word.text()), "writes a file"),
        None => Effect::Reads,
    }
}

pub(super) fn ffmpeg(what: &str, words: &[Word], _: usize) -> Effect {
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let text = word.prefix();
        let name = text.split(':').next().unwrap_or_default();
        if word.may_be_option() || (text.starts_with('-') && word.known().is_none()) {
            return Effect::cannot_say(what, format!("may get options or files from `{}`", word.text()));
        }
        if WRITES.contains(&name) {
            return Effect::changes(format!("{what} {text}"), "writes a file");
        }
        if text.starts_with('-') && text.len() > 1 {
            if !FLAGS.contains(&text) && !text.starts_with(SHOWS) && rest.next().is_some_and(Word::may_split) {
                return Effect::cannot_say(what, format!("may get files from what follows `{text}`"));
            }
            continue;
        }
        if !word.known().is_some_and(|path| is_nowhere(path) || matches!(path, "pipe:" | "pipe:1" | "pipe:2")) {
            return Effect::changes(format!("{what} {}", word.text()), "writes what it makes");
        }
    }
    Effect::Reads
}
