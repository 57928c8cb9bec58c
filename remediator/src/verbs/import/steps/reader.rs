//! The walk over a section's blocks: what stands before a script leads to it, what stands around it holds for it.

use std::collections::BTreeSet;

use super::{Procedure, Step};
use crate::verbs::import::document::{Block, Code, Content, Document};
use crate::verbs::import::language::{self, Part, Remark};
use crate::verbs::import::names;
use crate::verbs::import::report::Weight;
use crate::verbs::import::script::{self, Command};
use crate::verbs::import::sections::Section;
use crate::verbs::import::session::{self, Fence};
use crate::verbs::import::taken::Taken;
use crate::verbs::import::words::{Said, fields, said, sentences};

/// A title is a line, not a paragraph.
const TITLE_CHARS_MAX: usize = 120;

pub(super) fn read(document: &Document<'_>, section: &Section, title: &str, taken: &mut Taken) -> Procedure {
    let mut reader = Reader {
        document,
        taken,
        title,
        found: Procedure::default(),
        ids: BTreeSet::new(),
        headings: vec![Heading { level: 0, line: 0, title: title.to_owned(), part: None, said: Vec::new() }],
        item: Item::default(),
        pending: Vec::new(),
    };
    for block in document.blocks.get(section.blocks.clone()).unwrap_or_default() {
        reader.block(block);
    }
    reader.leave_item();
    reader.found
}

struct Heading {
    level: u8,
    line: usize,
    title: String,
    part: Option<Part>,
    /// Conditions that hold for every step below it.
    said: Vec<Said>,
}

/// The outermost list item that is being read; none between lists.
#[derive(Default)]
struct Item {
    index: Option<usize>,
    number: Option<u64>,
    line: usize,
    text: String,
    title: String,
    condition: Option<(usize, String)>,
    said: Vec<Said>,
    steps: usize,
}

struct Reader<'a, 'b> {
    document: &'a Document<'b>,
    taken: &'a mut Taken,
    title: &'a str,
    found: Procedure,
    ids: BTreeSet<String>,
    /// The headings that what is read stands below.
    headings: Vec<Heading>,
    item: Item,
    /// Paragraphs since the last script.
    pending: Vec<&'a Block>,
}

impl<'a> Reader<'a, '_> {
    fn block(&mut self, block: &'a Block) {
        if self.taken.has(block.first) {
            return;
        }
        let item = self.outermost(block);
        if item != self.item.index && !self.is_indented_too_little(block, item) {
            self.leave_item();
            self.enter_item(item);
        }
        match &block.content {
            Content::Heading { level, text } if item.is_none() && !block.quoted => {
                self.leave_item();
                self.heading(*level, text, block.first);
            }
            Content::Heading { .. } | Content::Table(_) | Content::Raw => {}
            Content::Prose(_) => self.prose(block),
            Content::Code(code) => self.code(block, code),
        }
    }

    /// A script below an item that leads to one: CommonMark counts it out of the item if it is indented by too little, which is
    /// soon done behind `10.`.
    fn is_indented_too_little(&self, block: &Block, item: Option<usize>) -> bool {
        let leads =
            self.item.index.is_some() && self.item.steps == 0 && self.pending.last().is_some_and(|last| leads(last));
        item.is_none() && leads && matches!(block.content, Content::Code(_))
    }

    fn outermost(&self, block: &Block) -> Option<usize> {
        let mut at = block.item?;
        while let Some(parent) = self.document.items.get(at).and_then(|item| item.parent) {
            at = parent;
        }
        Some(at)
    }

    fn enter_item(&mut self, index: Option<usize>) {
        let found = index.and_then(|index| self.document.items.get(index));
        self.item = Item {
            index,
            number: found.and_then(|item| item.number),
            line: found.map_or(0, |item| item.line),
            ..Item::default()
        };
    }

    fn heading(&mut self, level: u8, text: &str, line: usize) {
        self.headings.retain(|heading| heading.level < level);
        let asks = ["what", "how", "why", "when to"].iter().any(|word| text.to_lowercase().starts_with(word));
        let part = language::part(text);
        let said = if asks || part.is_some() { Vec::new() } else { said(text, line) };
        let conditions = said.iter().filter(|said| said.remark == Remark::Condition);
        let conditions = conditions.map(|said| Said { around: true, ..said.clone() }).collect();
        self.found.said.extend(said);
        self.headings.push(Heading { level, line, title: text.to_owned(), part, said: conditions });
    }

    fn prose(&mut self, block: &'a Block) {
        if self.aside(block) {
            return;
        }
        self.pending.push(block);
        let describes =
            self.headings.last().is_some_and(|heading| heading.part.is_some_and(|part| part != Part::Other));
        if self.item.index.is_none() {
            self.found.fields.extend(fields(block));
        }
        let named = sentences(block);
        if self.item.index.is_some() {
            if self.item.text.is_empty() {
                self.item.text = block.prose().unwrap_or_default();
            }
            return self.item.said.extend(named);
        }
        for mut said in named {
            said.describes = describes;
            if let (Remark::Condition, false, Some(heading)) = (said.remark, describes, self.headings.last_mut()) {
                heading.said.push(Said { around: true, ..said.clone() });
            }
            self.found.said.push(said);
        }
    }

    /// What stands in brackets right behind a script is about that one.
    fn aside(&mut self, block: &Block) -> bool {
        let brackets = block.prose().is_some_and(|text| text.starts_with('(') && text.ends_with(')'));
        let behind = self.pending.is_empty() && self.item.steps > 0;
        let Some(step) = self.found.steps.last_mut().filter(|_| brackets && behind) else { return false };
        let lines = self.document.written(block.first, block.last);
        step.description.extend(lines.map(|(_, line)| line.trim().to_owned()));
        step.keep(&sentences(block));
        self.taken.take(block.first, block.last);
        true
    }

    fn code(&mut self, block: &'a Block, code: &Code) {
        let before = self.pending.last().and_then(|block| block.prose()).unwrap_or_default();
        let script = match session::read(code, &before) {
            Fence::Script(script) => script,
            Fence::Other(why) => {
                let text = format!("{why}: it stays in `description`");
                self.found.notes.push((block.first, "description".to_owned(), Weight::Note, text));
                return self.pending.clear();
            }
        };
        let command = script::compile(&script);
        let pending = std::mem::take(&mut self.pending);
        let title = self.step_title(&pending, &command);
        let mut description = self.lead(&pending, &title);
        let unused = command.comments.iter().filter(|comment| comment.text != title);
        description.extend(unused.map(|comment| comment.text.clone()));
        description.extend(script.printed.iter().map(|line| self.document.line(*line).to_owned()));
        self.taken.take(block.first, block.last);
        self.item.steps += 1;
        let id = names::unused(names::step_id(&title), '_', &mut self.ids);
        let number = self.document.number(block).or(self.item.number).and_then(|number| u8::try_from(number).ok());
        let condition = self.item.condition.clone();
        let conditions = self.headings.iter().flat_map(|heading| heading.said.iter().cloned());
        let said: Vec<Said> = self.item.said.iter().cloned().chain(conditions).collect();
        let line = command.line;
        let mut step = Step { id, line, action: number, title, description, condition, said: Vec::new(), command };
        step.keep(&said);
        self.found.steps.push(step);
    }

    /// The title, and the condition that stands in it, which holds for what follows in the same item.
    fn step_title(&mut self, pending: &[&Block], command: &Command) -> String {
        let lead = pending.last().and_then(|block| Some((block.first, lead_in(&block.prose()?)?)));
        if let Some((line, text)) = &lead {
            let action = language::action(text);
            self.item.title = if action.what.is_empty() {
                language::bare(text).to_owned()
            } else {
                language::bare(&action.what).to_owned()
            };
            self.item.condition = action.condition.map(|condition| (*line, condition));
        } else if self.item.index.is_none() {
            (self.item.title, self.item.condition) = (String::new(), None);
        }
        let comment = command.comments.first().map(|comment| comment.text.clone()).unwrap_or_default();
        let (heading, line) =
            self.headings.last().map(|heading| (heading.title.clone(), heading.line)).unwrap_or_default();
        let fits = heading.chars().count() <= TITLE_CHARS_MAX;
        if comment.is_empty() && self.item.title.is_empty() && fits {
            self.taken.take(line, line);
        }
        let candidates = [comment, self.item.title.clone(), heading, self.title.to_owned()];
        let title = candidates.into_iter().find(|title| !title.trim().is_empty()).unwrap_or_default();
        language::short(&title, TITLE_CHARS_MAX)
    }

    /// The lines that lead to a step, as they are written; nothing if its title says the same.
    fn lead(&mut self, pending: &[&Block], title: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for block in pending {
            let whole = block.prose().unwrap_or_default();
            if language::bare(&whole) != title {
                let written = self.document.written(block.first, block.last);
                lines.extend(written.map(|(_, line)| line.trim().to_owned()));
            }
            self.taken.take(block.first, block.last);
        }
        lines
    }

    /// Ends the present item: what stands behind its last script belongs to that step.
    fn leave_item(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if self.item.index.is_none() {
            return;
        }
        if self.item.steps > 0 {
            let lines = self.lead(&pending, "");
            for step in self.found.steps.iter_mut().rev().take(self.item.steps) {
                step.keep(&self.item.said);
            }
            if let Some(step) = self.found.steps.last_mut() {
                step.description.extend(lines);
            }
        } else {
            if let Some(number) = self.item.number {
                let text = format!("`{}` has no command: it stays a person's task", language::bare(&self.item.text));
                self.found.notes.push((self.item.line, format!("action {number}"), Weight::Decide, text));
            }
            self.found.said.append(&mut self.item.said);
        }
        self.item = Item::default();
    }
}

fn leads(block: &Block) -> bool {
    block.prose().is_some_and(|text| text.trim_end().ends_with([':', '\u{ff1a}']))
}

/// The line of a paragraph that leads to a script: all of it if it is short, or its last sentence if that ends with a colon.
fn lead_in(text: &str) -> Option<String> {
    let text = text.trim();
    if text.starts_with('(') && text.ends_with(')') {
        return None;
    }
    let last = language::last_sentence(text);
    let fits = |text: &str| text.chars().count() <= TITLE_CHARS_MAX;
    if last == text && fits(text) || (last.ends_with([':', '\u{ff1a}']) && fits(last)) {
        Some(last.to_owned())
    } else {
        None
    }
}
