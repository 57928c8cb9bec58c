//! Pages that `render` wrote: the runbook is taken as it is while the page is as it was rendered.

use super::document::{Content, Document};
use super::taken::Taken;
use crate::runbook::carried;

/// A runbook that stands below its page.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) line: usize,
    /// The file's name and its text; none if the page was changed since, or the text is no runbook.
    pub(super) file: Option<(String, String)>,
}

/// Finds them; the lines of those that are as they were are taken.
pub(super) fn find(document: &Document<'_>, taken: &mut Taken) -> Vec<Rendered> {
    let mut found = Vec::new();
    let mut start = None;
    let mut announced = None;
    for block in document.blocks.iter().filter(|block| block.item.is_none() && !block.quoted) {
        match &block.content {
            Content::Heading { .. } => start = Some(block.first),
            Content::Prose(lines) => {
                let field =
                    lines.iter().find_map(|line| line.field.as_ref()).filter(|(name, _)| name == carried::FIELD);
                let digest = field.and_then(|(_, text)| carried::digest_in(text));
                announced = digest.map(|digest| (block.first, digest.to_owned()));
            }
            Content::Code(code) => {
                let (Some((line, wanted)), Some(from)) = (announced.take(), start) else { continue };
                let above = document.lines.get(from - 1..line - 1).unwrap_or_default();
                let same = carried::digest(above.iter().copied()) == wanted;
                let file = same.then(|| carried::id_of(&code.text)).flatten();
                let file = file.map(|id| (format!("{id}.yml"), code.text.clone()));
                if file.is_some() {
                    taken.take(from, block.last);
                }
                found.push(Rendered { line, file });
            }
            Content::Table(_) | Content::Raw => {}
        }
    }
    found
}
