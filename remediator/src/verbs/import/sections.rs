//! Which parts of a page are runbooks: by what their headings say, and by how headings repeat, which holds in any language.

use std::collections::BTreeMap;
use std::ops::Range;

use super::document::{Content, Document};
use super::{language, names};

/// A heading and everything below it. The first one is the page itself.
#[derive(Debug)]
pub(super) struct Section {
    /// The heading's block; none for the page.
    pub(super) heading: Option<usize>,
    pub(super) level: u8,
    pub(super) title: String,
    /// The blocks, without the heading.
    pub(super) blocks: Range<usize>,
    /// The lines, with the heading.
    pub(super) lines: Range<usize>,
    pub(super) parent: usize,
    children: Vec<usize>,
}

/// The sections of a page, in its order.
pub(super) fn sections(document: &Document<'_>) -> Vec<Section> {
    let end = document.blocks.len();
    let mut sections = vec![Section {
        heading: None,
        level: 0,
        title: String::new(),
        blocks: 0..end,
        lines: 1..document.lines.len() + 1,
        parent: 0,
        children: Vec::new(),
    }];
    let mut open = vec![0];
    for (index, block) in document.blocks.iter().enumerate() {
        let Content::Heading { level, text } = &block.content else { continue };
        if block.item.is_some() || block.quoted {
            continue;
        }
        while let Some(last) = open.last().copied().filter(|last| *last > 0) {
            match sections.get_mut(last) {
                Some(section) if section.level >= *level => {
                    (section.blocks.end, section.lines.end) = (index, block.first);
                    open.pop();
                }
                _ => break,
            }
        }
        let parent = open.last().copied().unwrap_or(0);
        let own = sections.len();
        open.push(own);
        if let Some(section) = sections.get_mut(parent) {
            section.children.push(own);
        }
        sections.push(Section {
            heading: Some(index),
            level: *level,
            title: text.clone(),
            blocks: index + 1..end,
            lines: block.first..document.lines.len() + 1,
            parent,
            children: Vec::new(),
        });
    }
    sections
}

/// The sections that are runbooks; none is part of another.
pub(super) fn runbooks(sections: &[Section]) -> Vec<usize> {
    let below: Vec<usize> = sections
        .iter()
        .enumerate()
        .filter(|(_, section)| language::holds_procedures(&section.title))
        .flat_map(|(index, section)| if section.children.is_empty() { vec![index] } else { section.children.clone() })
        .collect();
    if !below.is_empty() {
        return outermost(sections, below);
    }
    let repeated = repeated(sections);
    let with_parts = with_parts(sections, 0, &repeated);
    if !with_parts.is_empty() {
        return with_parts;
    }
    let named = |section: &&Section| section.heading.is_some() && is_name(&section.title);
    let level = sections.iter().filter(named).map(|section| section.level).min();
    let named = sections.iter().enumerate().filter(|(_, section)| named(section) && Some(section.level) == level);
    match named.map(|(index, _)| index).collect::<Vec<_>>() {
        named if named.is_empty() => vec![0],
        named => named,
    }
}

fn outermost(sections: &[Section], found: Vec<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for index in found {
        let blocks = sections.get(index).map(|section| section.blocks.clone()).unwrap_or_default();
        let inside = |other: &usize| sections.get(*other).is_some_and(|other| other.blocks.end >= blocks.end);
        if !kept.iter().any(|other| *other <= index && inside(other)) {
            kept.push(index);
        }
    }
    kept
}

/// Titles that stand below two or more siblings: they name parts, whatever the language.
fn repeated(sections: &[Section]) -> Vec<String> {
    let mut parents: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
    for section in sections.iter().skip(1) {
        let grandparent = sections.get(section.parent).map_or(0, |parent| parent.parent);
        let parents = parents.entry((grandparent, section.title.to_lowercase())).or_default();
        if section.parent > 0 && !parents.contains(&section.parent) {
            parents.push(section.parent);
        }
    }
    parents.into_iter().filter(|(_, parents)| parents.len() > 1).map(|((_, title), _)| title).collect()
}

fn with_parts(sections: &[Section], index: usize, repeated: &[String]) -> Vec<usize> {
    let Some(section) = sections.get(index) else { return Vec::new() };
    let is_part = |child: &usize| {
        sections.get(*child).is_some_and(|child| {
            language::part(&child.title).is_some() || repeated.contains(&child.title.to_lowercase())
        })
    };
    let (parts, own): (Vec<usize>, Vec<usize>) = section.children.iter().partition(|child| is_part(child));
    // Headings have six levels, and so has this.
    let inner: Vec<usize> = own.into_iter().flat_map(|child| with_parts(sections, child, repeated)).collect();
    if inner.is_empty() && !parts.is_empty() { vec![index] } else { inner }
}

/// Whether a heading names an alert: `NodeDiskFull`, `segment-age: High Segment Age`.
fn is_name(title: &str) -> bool {
    let title = names::unprefixed(title).trim_matches('`');
    let id = title.split_once(": ").map(|(id, _)| id);
    let is_id = |id: &str| {
        id.contains(['-', '_']) && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
    };
    names::is_alert_name(title) || id.is_some_and(is_id)
}
