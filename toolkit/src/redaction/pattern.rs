//! Compiling patterns, small: a program that writes a line of log a minute holds all of them.

use regex::{Regex, RegexBuilder};

/// What one pattern may remember of texts that it has seen, for each thread that uses it.
const REMEMBERED_BYTES: usize = 128 << 10;

/// Letters, digits and boundaries of the languages that secrets are written in. With those of all scripts a repeated class alone takes
/// hundreds of kilobytes.
const ASCII: [(&str, &str); 3] = [(r"\w", "[0-9A-Za-z_]"), (r"\d", "[0-9]"), (r"\b", r"(?-u:\b)")];

/// `None` for a broken pattern, which the tests name.
pub(super) fn compile(pattern: &str) -> Option<Regex> {
    let ascii = ASCII.iter().fold(pattern.to_owned(), |pattern, (class, ascii)| pattern.replace(class, ascii));
    RegexBuilder::new(&ascii).dfa_size_limit(REMEMBERED_BYTES).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_ascii_within_brackets_too() {
        let found = |pattern: &str, text: &str| compile(pattern).unwrap().is_match(text);
        assert!(found(r"^[\w.-]{3}\d$", "a_-1") && found(r"^[^\w]$", "é") && found(r"\bé", "aé"));
        assert!(!found(r"^\w$", "é") && !found(r"^\d$", "٣") && !found(r"^[^\w-]$", "-"));
    }

    #[test]
    fn a_broken_pattern_is_none() {
        assert!(compile("(").is_none());
    }
}
