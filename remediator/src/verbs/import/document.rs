//! A page as CommonMark has it: a list of blocks, each with its lines. Nothing is judged here.

mod reader;

/// A page.
#[derive(Debug, Default)]
pub(super) struct Document<'a> {
    /// Its lines; line n has index n - 1.
    pub(super) lines: Vec<&'a str>,
    /// In the page's order.
    pub(super) blocks: Vec<Block>,
    /// List items, each after the one that it stands in.
    pub(super) items: Vec<Item>,
}

/// A block that has no other blocks in it.
#[derive(Debug)]
pub(super) struct Block {
    /// Its first and last line, from 1.
    pub(super) first: usize,
    pub(super) last: usize,
    /// The innermost list item that it stands in.
    pub(super) item: Option<usize>,
    /// Whether it stands in a quote.
    pub(super) quoted: bool,
    /// Whether that quote is a `> [!WARNING]` or `> [!CAUTION]`.
    pub(super) warns: bool,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Heading {
        level: u8,
        text: String,
    },
    Prose(Vec<ProseLine>),
    Code(Code),
    Table(Table),
    /// HTML, metadata before the page, a footnote.
    Raw,
}

/// One line of a paragraph, without its marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProseLine {
    pub(super) line: usize,
    pub(super) text: String,
    /// `**Name:** rest`.
    pub(super) field: Option<(String, String)>,
}

/// A fenced or indented block of code.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// The first word behind the fence, in lower case; empty if there is none.
    pub(super) language: String,
    /// The line of its first line of code.
    pub(super) line: usize,
    pub(super) text: String,
    /// A fence without an end: it goes on to the end of what it stands in.
    pub(super) open: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) line: usize,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) line: usize,
    /// As it is written, which need not be its place in the list.
    pub(super) number: Option<u64>,
    /// `- [ ]`.
    pub(super) task: bool,
    pub(super) parent: Option<usize>,
}

impl<'a> Document<'a> {
    /// Reads a text whose line ends are `\n`.
    pub(super) fn read(text: &'a str) -> Self {
        reader::read(text)
    }

    /// A line without what stands around it.
    pub(super) fn line(&self, number: usize) -> &'a str {
        number.checked_sub(1).and_then(|index| self.lines.get(index)).map_or("", |line| line.trim())
    }

    /// The lines that are not blank.
    pub(super) fn said(&self, first: usize, last: usize) -> impl Iterator<Item = (usize, &'a str)> + use<'_, 'a> {
        (first..=last).map(move |number| (number, self.line(number))).filter(|(_, line)| !line.is_empty())
    }

    /// The lines as they are written, but for what is invisible at their ends and for blank ones.
    pub(super) fn written(&self, first: usize, last: usize) -> impl Iterator<Item = (usize, &'a str)> + use<'_, 'a> {
        let line = |number: usize| number.checked_sub(1).and_then(|index| self.lines.get(index));
        let written = move |number| (number, line(number).map_or("", |line| line.trim_end()));
        (first..=last).map(written).filter(|(_, line)| !line.is_empty())
    }

    /// The number of the outermost numbered item around a block.
    pub(super) fn number(&self, block: &Block) -> Option<u64> {
        let mut found = None;
        let mut at = block.item;
        while let Some(item) = at.and_then(|index| self.items.get(index)) {
            found = item.number.or(found);
            at = item.parent;
        }
        found
    }
}

impl Block {
    /// The table that it is.
    pub(super) fn table(&self) -> Option<&Table> {
        let Content::Table(table) = &self.content else { return None };
        Some(table)
    }

    /// Its text on one line, if it is prose.
    pub(super) fn prose(&self) -> Option<String> {
        let Content::Prose(lines) = &self.content else { return None };
        Some(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" "))
    }
}

impl Table {
    /// The column whose name begins so.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column.to_lowercase().starts_with(name))
    }

    /// The cell of a row under the column whose name begins so.
    pub(super) fn cell<'a>(&self, row: &'a [String], column: &str) -> Option<&'a str> {
        row.get(self.column(column)?).map(String::as_str)
    }
}

/// Whether a line only separates.
pub(super) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    ["---", "***", "___"].iter().any(|rule| line.starts_with(rule)) && line.chars().all(|c| "-*_ ".contains(c))
}

/// Whether a line has nothing but Markdown's signs on it.
pub(super) fn is_marks(line: &str) -> bool {
    !line.contains(char::is_alphanumeric)
}
