//! Text of others, shown to people: what would act on a terminal, hide, or turn the order of letters around is shown instead of obeyed.

use std::borrow::Cow;
use std::fmt::Write as _;

/// On one line: control characters by their pictures (␛ for ESC, ␊ for a line feed), other characters that do not show as `\u{202e}`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    shown(text, |_| false)
}

/// The same for text of several lines: line feeds and tabs stay.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    shown(text, |c| matches!(c, '\n' | '\t'))
}

fn shown(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let hidden = |c: char| !stays(c) && (c.is_control() || acts_unseen(c));
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !hidden(c) => out.push(c),
            '\u{7f}' => out.push('\u{2421}'),
            // Control Pictures follow the order of what they stand for.
            c if c < ' ' => out.extend(char::from_u32(0x2400 + u32::from(c))),
            c => {
                // Writing into a text cannot fail.
                let _: Result<(), _> = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    Cow::Owned(out)
}

/// Direction (Unicode Standard Annex #9, "Trojan Source"), line ends that are none of ASCII's, and what takes no room. The joiners U+200C
/// and U+200D stay: words of several scripts need them.
const fn acts_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_unseen_is_shown() {
        assert_eq!(visible("\u{1b}[2Ja\u{202e}b\r\n\tc\0\u{7f}\u{9b}d"), "␛[2Ja\\u{202e}b␍␊␉c␀␡\\u{9b}d");
        assert_eq!(visible_lines("a\u{1b}\n\tb\u{2028}\r"), "a␛\n\tb\\u{2028}␍");
        assert_eq!(
            visible("x\u{2066}y\u{2069}\u{200b}\u{feff}\u{e0041}"),
            "x\\u{2066}y\\u{2069}\\u{200b}\\u{feff}\\u{e0041}"
        );
    }

    #[test]
    fn ordinary_text_of_any_script_stays() {
        for text in ["main/läuft 100 %", "पृष्ठ क्‍ष", "می‌خواهم", "👩‍👩‍👧 🦀", "‘quotes’ – …", ""]
        {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
