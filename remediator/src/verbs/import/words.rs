//! What the paragraphs of a runbook say: fields with a name in bold, and sentences that a machine cannot keep to by itself.

use super::document::{Block, Content, ProseLine};
use super::language::{self, Remark};

/// `**Name:** text`, with the lines that continue it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) line: usize,
    pub(super) last: usize,
    pub(super) name: String,
    pub(super) text: String,
}

/// A sentence that is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) line: usize,
    pub(super) remark: Remark,
    pub(super) text: String,
    /// It stands where a page says what an alert means, and asks nothing of anybody.
    pub(super) describes: bool,
    /// It stands around a step, not in what leads to it.
    pub(super) around: bool,
}

/// A sentence is named by its beginning; all of it is in a description.
const CHARS_MAX: usize = 300;

/// Fields whose values are not rules for anybody.
const VALUES: [&str; 8] =
    ["symptoms", "impact", "severity", "alerts", "waits for", "healthy", "immediate actions", "meaning"];

/// The fields of a paragraph.
pub(super) fn fields(block: &Block) -> Vec<Field> {
    groups(block)
        .into_iter()
        .filter_map(|lines| {
            let (first, rest) = lines.split_first()?;
            let (name, text) = first.field.clone()?;
            let text = rest.iter().fold(text, |text, line| format!("{text} {}", line.text));
            let last = rest.last().map_or(first.line, |line| line.line);
            Some(Field { line: first.line, last, name, text: text.trim().to_owned() })
        })
        .collect()
}

/// The sentences of a paragraph that are named. In a `> [!WARNING]` all of them are.
pub(super) fn sentences(block: &Block) -> Vec<Said> {
    let mut found = Vec::new();
    for lines in groups(block) {
        let Some(first) = lines.first() else { continue };
        let value = first.field.as_ref().is_some_and(|(name, _)| VALUES.contains(&name.to_lowercase().as_str()));
        let text = lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ");
        if block.warns {
            found.push(Said {
                line: first.line,
                remark: Remark::Prohibition,
                text: language::short(&text, CHARS_MAX),
                describes: false,
                around: false,
            });
        } else if !value {
            found.extend(said(&text, first.line));
        }
    }
    found
}

/// The sentences of a text that are named.
pub(super) fn said(text: &str, line: usize) -> Vec<Said> {
    let remarks = language::remarks(text).into_iter();
    remarks
        .map(|(remark, text)| Said {
            line,
            remark,
            text: language::short(text, CHARS_MAX),
            describes: false,
            around: false,
        })
        .collect()
}

/// The lines of a paragraph, a new group with each field.
fn groups(block: &Block) -> Vec<&[ProseLine]> {
    let Content::Prose(lines) = &block.content else { return Vec::new() };
    lines.chunk_by(|_, next| next.field.is_none()).collect()
}
