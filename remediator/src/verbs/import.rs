//! `import`: a Markdown page that people followed by hand, compiled to runbooks, contacts and maintenance lists.
//!
//! Only what the page says is taken over. What it leaves to the reader's judgement is named with its line and marked in the YAML by
//! `# DECIDE:`. Where no safe value exists the place stays empty, and what has to be settled before a step may run stands in its
//! `undecided`: a runbook with either is refused when it is loaded. Every line of the page is in a file or in the report.

mod bounded;
mod document;
mod encoding;
mod head;
mod language;
mod lists;
mod names;
mod placeholders;
mod procedure;
mod rendered;
mod report;
mod script;
mod sections;
mod session;
mod steps;
mod taken;
mod time;
mod words;
mod write;

use std::collections::BTreeSet;

use document::{Block, Content, Document};
use lists::Checklist;
pub use report::{Counts, Decision, LeftOut, Report, Weight};
use sections::Section;
use taken::Taken;
use write::Writer;

/// The longest page that is read, in bytes.
pub const BYTES_MAX: usize = 1 << 20;

/// The most lines that a page may have.
pub const LINES_MAX: usize = 10_000;

/// The most runbooks that a page may have.
pub const RUNBOOKS_MAX: usize = 100;

/// What a page became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The page's name.
    pub page: String,
    /// Names and texts of the files, runbooks first.
    pub files: Vec<(String, String)>,
    /// Everything that a person has to decide or know: dangerous places first, then in the order of the page.
    pub decisions: Vec<Decision>,
    /// Lines that became part of no file.
    pub left_out: Vec<LeftOut>,
}

/// Why a page gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is no page.
    #[error("the page has more than {BYTES_MAX} bytes or {LINES_MAX} lines")]
    TooLong,
    /// Somebody's whole wiki.
    #[error("the page has more than {RUNBOOKS_MAX} runbooks: import its parts")]
    TooMany,
    /// A byte that is not UTF-8.
    #[error(
        "line {line}: the byte 0x{byte:02x} is not UTF-8: save the page as UTF-8, e.g. with `iconv -f ISO-8859-1 -t UTF-8`"
    )]
    NoText {
        /// Its line, from 1.
        line: usize,
        /// The byte.
        byte: u8,
    },
    /// A unit of UTF-16 that is half of something.
    #[error("line {line}: not UTF-16, which the page's first bytes say that it is")]
    Utf16 {
        /// Its line, from 1.
        line: usize,
    },
    /// It begins with UTF-32's byte order mark.
    #[error("the page is UTF-32: save it as UTF-8")]
    Utf32,
    /// There is nothing to compile.
    #[error("nothing to compile: the page has no text below a heading")]
    Nothing,
}

/// Compiles a page; `name` stands in messages and marks, and names a runbook that has no heading.
///
/// # Errors
/// It is no text, too long, or has nothing in it.
pub fn import(name: &str, page: impl AsRef<[u8]>) -> Result<Import, ImportError> {
    let page = page.as_ref();
    if page.len() > BYTES_MAX {
        return Err(ImportError::TooLong);
    }
    let text = encoding::text(page)?;
    if text.lines().nth(LINES_MAX).is_some() {
        return Err(ImportError::TooLong);
    }
    let document = Document::read(&text);
    let mut importer = Importer::new(name, &document);
    importer.rendered();
    let contacts = importer.contacts();
    let sections = sections::sections(&document);
    let runbooks = sections::runbooks(&sections);
    if runbooks.len() > RUNBOOKS_MAX {
        return Err(ImportError::TooMany);
    }
    importer.runbooks(&sections, &runbooks);
    importer.import.files.extend(contacts);
    importer.maintenance(&sections);
    importer.outside(&sections);
    let mut import = importer.import;
    if import.files.is_empty() {
        return Err(ImportError::Nothing);
    }
    import.decisions.sort_by_key(|decision| (decision.weight, decision.line));
    Ok(import)
}

struct Importer<'a, 'b> {
    document: &'a Document<'b>,
    taken: Taken,
    import: Import,
    /// Names of files without their ending.
    ids: BTreeSet<String>,
}

impl<'a, 'b> Importer<'a, 'b> {
    fn new(name: &str, document: &'a Document<'b>) -> Self {
        let import = Import { page: name.to_owned(), files: Vec::new(), decisions: Vec::new(), left_out: Vec::new() };
        let ids = ["contacts", "maintenance"].map(str::to_owned).into();
        Self { document, taken: Taken::none_of(document.lines.len()), import, ids }
    }

    /// Something about no file.
    fn say(&mut self, line: usize, weight: Weight, text: &str) {
        let (page, file, about) = (self.import.page.clone(), String::new(), String::new());
        self.import.decisions.push(Decision { page, line, file, about, weight, text: text.to_owned() });
    }

    fn rendered(&mut self) {
        for rendered::Rendered { line, file } in rendered::find(self.document, &mut self.taken) {
            match file {
                Some((name, text)) if self.ids.insert(name.trim_end_matches(".yml").to_owned()) => {
                    self.say(line, Weight::Note, &format!("{name} is as it was rendered"));
                    self.import.files.push((name, text));
                }
                Some((name, _)) => {
                    let text = format!("{name} stands on the page twice: the first is taken");
                    self.say(line, Weight::Danger, &text);
                }
                None => {
                    let text = "the page was changed after it was rendered: its words are read, and the runbook that \
                                stands here is not; compare the two";
                    self.say(line, Weight::Danger, text);
                }
            }
        }
    }

    fn contacts(&mut self) -> Option<(String, String)> {
        let open = self.document.blocks.iter().filter(|block| !self.taken.has(block.first));
        let table = open.filter_map(Block::table).find(|table| lists::is_contacts(table))?;
        let page = self.import.page.clone();
        let mut writer = Writer::new(&page, "contacts.yml", &mut self.import.decisions);
        lists::contacts(self.document, table, &mut self.taken, &mut writer);
        Some(writer.finish())
    }

    fn runbooks(&mut self, sections: &[Section], runbooks: &[usize]) {
        let before = self.import.files.len();
        for &index in runbooks {
            let Some(section) = sections.get(index) else { continue };
            if section.lines.clone().any(|line| before > 0 && self.taken.has(line)) {
                continue;
            }
            self.runbook(sections, index, section);
        }
    }

    fn runbook(&mut self, sections: &[Section], index: usize, section: &Section) {
        let (heading, line) = self.title(sections, index, section);
        let mut name = head::name(&heading, line);
        let tasks_only = index == 0 && self.document.items.iter().any(|item| item.task);
        let procedure = steps::read(self.document, section, &name.title, &mut self.taken);
        let text = section.blocks.clone().filter_map(|index| self.document.blocks.get(index));
        let text = text.filter(|block| !matches!(block.content, Content::Heading { .. }));
        let has_text = text.into_iter().any(|block| !self.taken.has(block.first));
        if procedure.steps.is_empty() && (tasks_only || !has_text) && index == 0 {
            return;
        }
        if let Some(heading) = section.heading.or_else(|| only_child(sections, index)) {
            let lines = self.document.blocks.get(heading).map_or(0..0, |block| block.first..block.last + 1);
            lines.for_each(|line| self.taken.take(line, line));
        }
        let id = names::unused(name.id.clone(), '-', &mut self.ids);
        if id != name.id {
            let text = format!("another runbook or list has the name `{}`: this one is `{id}`", name.id);
            self.say(line, Weight::Decide, &text);
            name.id = id;
        }
        let page = self.import.page.clone();
        let mut writer = Writer::new(&page, &format!("{}.yml", name.id), &mut self.import.decisions);
        procedure::write(self.document, section, &procedure, &name, &mut self.taken, &mut writer);
        self.import.files.push(writer.finish());
    }

    /// The heading that names a runbook; the page's name where there is none.
    fn title(&self, sections: &[Section], index: usize, section: &Section) -> (String, usize) {
        let named = if section.heading.is_some() { Some(section) } else { only_section(sections, index) };
        match named.filter(|section| !section.title.trim().is_empty()) {
            Some(section) => (section.title.clone(), section.lines.start),
            None => {
                let file = self.import.page.rsplit(['/', '\\']).next().unwrap_or_default();
                (file.split_once('.').map_or(file, |(stem, _)| stem).to_owned(), 1)
            }
        }
    }

    fn maintenance(&mut self, sections: &[Section]) {
        let lists: Vec<Checklist> = lists::checklists(self.document, sections, &mut self.taken);
        if !lists.is_empty() {
            let page = self.import.page.clone();
            let mut writer = Writer::new(&page, "maintenance.yml", &mut self.import.decisions);
            lists::maintenance(&lists, &mut writer);
            self.import.files.push(writer.finish());
        }
    }

    /// What stands in none of the files.
    fn outside(&mut self, sections: &[Section]) {
        let code = |block: &&Block| matches!(block.content, Content::Code(_));
        let lost: Vec<_> = self
            .document
            .blocks
            .iter()
            .filter(code)
            .map(|block| block.first)
            .filter(|line| !self.taken.has(*line))
            .collect();
        let mut told = BTreeSet::new();
        for line in lost {
            let section = sections.iter().rev().find(|section| section.lines.contains(&line));
            let (line, title) = section.map_or((line, ""), |section| (section.lines.start, section.title.as_str()));
            if told.insert(line) {
                let text = format!(
                    "`{title}`: commands outside a runbook are left out; take what one needs as `diagnose` steps"
                );
                self.say(line, Weight::Decide, &text);
            }
        }
        for (line, text) in self.document.said(1, self.document.lines.len()) {
            if !self.taken.has(line) && !document::is_marks(text) {
                self.import.left_out.push(LeftOut { line, text: text.to_owned() });
            }
        }
    }
}

/// The one section that all of a page stands below.
fn only_section(sections: &[Section], index: usize) -> Option<&Section> {
    let mut below = sections.iter().filter(|section| section.heading.is_some() && section.parent == index);
    below.next().filter(|_| below.next().is_none() && index == 0)
}

fn only_child(sections: &[Section], index: usize) -> Option<usize> {
    only_section(sections, index).and_then(|section| section.heading)
}

#[cfg(test)]
mod tests;
