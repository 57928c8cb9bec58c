//! From the parser's events to blocks.

use std::ops::Range;

use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{Block, Code, Content, Document, Item, ProseLine, Table};

/// What is being read.
#[derive(Default)]
enum Open {
    #[default]
    Nothing,
    /// A paragraph, or the text of an item that has none.
    Prose(Vec<Piece>),
    Heading(u8, Vec<Piece>),
    Code(Code),
    Table(Table),
    Raw,
}

/// A run of text within one line.
struct Piece {
    line: usize,
    text: String,
    strong: bool,
}

struct Reader<'a> {
    document: Document<'a>,
    text: &'a str,
    /// Offsets at which lines begin.
    starts: Vec<usize>,
    open: Open,
    /// Where the open block begins and, so far, ends.
    range: Range<usize>,
    items: Vec<usize>,
    /// For each quote that is open, whether it warns.
    quotes: Vec<bool>,
    strong: usize,
    cell: Option<Vec<Piece>>,
}

pub(super) fn read(text: &str) -> Document<'_> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut reader = Reader {
        document: Document { lines: text.lines().collect(), ..Document::default() },
        text,
        starts,
        open: Open::Nothing,
        range: 0..0,
        items: Vec::new(),
        quotes: Vec::new(),
        strong: 0,
        cell: None,
    };
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        reader.event(event, range);
    }
    reader.close();
    reader.document
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.inline(text.to_string(), range),
            Event::Code(text) => self.inline(format!("`{text}`"), range),
            Event::InlineHtml(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.inline(text.to_string(), range);
            }
            Event::FootnoteReference(text) => self.inline(format!("[^{text}]"), range),
            Event::TaskListMarker(_) => {
                if let Some(item) = self.items.last().and_then(|index| self.document.items.get_mut(*index)) {
                    item.task = true;
                }
            }
            Event::SoftBreak | Event::HardBreak | Event::Rule | Event::Html(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Paragraph => self.begin(Open::Prose(Vec::new()), range),
            Tag::Heading { level, .. } => self.begin(Open::Heading(level as u8, Vec::new()), range),
            Tag::CodeBlock(kind) => {
                let code = self.code(&kind, &range);
                self.begin(Open::Code(code), range);
            }
            Tag::Table(_) => {
                let table = Table { line: self.line(range.start), ..Table::default() };
                self.begin(Open::Table(table), range);
            }
            Tag::TableRow => {
                let line = self.line(range.start);
                if let Open::Table(table) = &mut self.open {
                    table.rows.push((line, Vec::new()));
                }
            }
            Tag::TableCell => self.cell = Some(Vec::new()),
            Tag::HtmlBlock | Tag::MetadataBlock(_) => self.begin(Open::Raw, range),
            Tag::Item => {
                self.close();
                self.item(&range);
            }
            Tag::BlockQuote(kind) => {
                self.close();
                self.quotes.push(matches!(kind, Some(BlockQuoteKind::Warning | BlockQuoteKind::Caution)));
            }
            Tag::Strong => self.strong += 1,
            Tag::List(_) | Tag::FootnoteDefinition(_) => self.close(),
            Tag::TableHead
            | Tag::Emphasis
            | Tag::Strikethrough
            | Tag::Superscript
            | Tag::Subscript
            | Tag::Link { .. }
            | Tag::Image { .. }
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong => self.strong = self.strong.saturating_sub(1),
            TagEnd::TableCell => self.end_cell(),
            TagEnd::Item => {
                self.close();
                self.items.pop();
            }
            TagEnd::BlockQuote(_) => {
                self.close();
                self.quotes.pop();
            }
            TagEnd::Paragraph
            | TagEnd::Heading(_)
            | TagEnd::CodeBlock
            | TagEnd::Table
            | TagEnd::HtmlBlock
            | TagEnd::MetadataBlock(_)
            | TagEnd::List(_)
            | TagEnd::FootnoteDefinition => self.close(),
            TagEnd::TableHead
            | TagEnd::TableRow
            | TagEnd::Emphasis
            | TagEnd::Strikethrough
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::Link
            | TagEnd::Image
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition => {}
        }
    }

    fn item(&mut self, range: &Range<usize>) {
        let written = self.text.get(range.clone()).unwrap_or_default().trim_start();
        let digits = written.find(|c: char| !c.is_ascii_digit()).unwrap_or(written.len());
        let number = written.get(..digits).and_then(|digits| digits.parse().ok());
        let item = Item { line: self.line(range.start), number, task: false, parent: self.items.last().copied() };
        self.items.push(self.document.items.len());
        self.document.items.push(item);
    }

    fn code(&self, kind: &CodeBlockKind<'_>, range: &Range<usize>) -> Code {
        let line = self.line(range.start);
        let CodeBlockKind::Fenced(info) = kind else { return Code { line, ..Code::default() } };
        let language = info.split([' ', ',', '\t', '}']).next().unwrap_or_default();
        let language = language.trim_start_matches(['{', '.']).to_lowercase();
        let written = self.text.get(range.clone()).unwrap_or_default();
        let fence = |line: &str| {
            let line = line.trim_start_matches(['>', ' ', '\t']).trim_end();
            let sign = line.chars().next().filter(|sign| "`~".contains(*sign))?;
            Some((sign, line.chars().take_while(|c| *c == sign).count(), line.chars().all(|c| c == sign)))
        };
        let opened = written.lines().next().and_then(fence);
        let closed = written.lines().skip(1).last().and_then(fence);
        let open = !matches!((opened, closed), (Some((sign, count, _)), Some((other, others, true))) if sign == other && others >= count);
        Code { language, line: line + 1, text: String::new(), open }
    }

    fn begin(&mut self, open: Open, range: Range<usize>) {
        self.close();
        (self.open, self.range) = (open, range);
    }

    fn inline(&mut self, text: String, range: Range<usize>) {
        let piece = Piece { line: self.line(range.start), text, strong: self.strong > 0 };
        if let Some(cell) = &mut self.cell {
            return cell.push(piece);
        }
        match &mut self.open {
            Open::Prose(pieces) | Open::Heading(_, pieces) => pieces.push(piece),
            Open::Code(code) => code.text.push_str(&piece.text),
            Open::Table(_) | Open::Raw => {}
            Open::Nothing => (self.open, self.range) = (Open::Prose(vec![piece]), range.clone()),
        }
        self.range.end = self.range.end.max(range.end);
    }

    fn end_cell(&mut self) {
        let text = joined(&self.cell.take().unwrap_or_default());
        if let Open::Table(table) = &mut self.open {
            match table.rows.last_mut() {
                Some((_, cells)) => cells.push(text),
                None => table.header.push(text),
            }
        }
    }

    fn close(&mut self) {
        let content = match std::mem::take(&mut self.open) {
            Open::Nothing => return,
            Open::Prose(pieces) => Content::Prose(lines(&pieces)),
            Open::Heading(level, pieces) => Content::Heading { level, text: joined(&pieces) },
            Open::Code(code) => Content::Code(code),
            Open::Table(table) => Content::Table(table),
            Open::Raw => Content::Raw,
        };
        let first = self.line(self.range.start);
        let last = self.line(self.range.end.saturating_sub(1).max(self.range.start));
        self.document.blocks.push(Block {
            first,
            last,
            item: self.items.last().copied(),
            quoted: !self.quotes.is_empty(),
            warns: self.quotes.contains(&true),
            content,
        });
    }

    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }
}

fn joined(pieces: &[Piece]) -> String {
    lines(pieces).iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn lines(pieces: &[Piece]) -> Vec<ProseLine> {
    pieces
        .chunk_by(|one, other| one.line == other.line)
        .map(|pieces| {
            let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
            let line = pieces.first().map_or(0, |piece| piece.line);
            ProseLine { line, text: text.trim().to_owned(), field: field(pieces) }
        })
        .collect()
}

/// A line that begins with a name in bold and a colon, which stands in the bold or behind it.
fn field(pieces: &[Piece]) -> Option<(String, String)> {
    let bold = pieces.iter().take_while(|piece| piece.strong).count();
    let (name, rest) = pieces.split_at_checked(bold)?;
    let of = |pieces: &[Piece]| pieces.iter().map(|piece| piece.text.as_str()).collect::<String>();
    let (name, rest) = (of(name), of(rest));
    let colon = [':', '\u{ff1a}'];
    let (name, rest) = match name.trim().strip_suffix(colon) {
        Some(name) => (name, rest.trim()),
        None => (name.trim(), rest.trim_start().strip_prefix(colon)?.trim()),
    };
    (!name.is_empty()).then(|| (name.to_owned(), rest.to_owned()))
}
