//! The page's form: Markdown in, procedures, tables and checklists out. Nothing is judged here.

/// What the page has.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) procedures: Vec<Procedure>,
    /// The table of alerts with their times.
    pub(super) alerts: Option<Table>,
    /// The table of people.
    pub(super) contacts: Option<Table>,
    pub(super) lists: Vec<Checklist>,
    /// Lines that are part of nothing, and why that matters.
    pub(super) rest: Vec<(usize, String)>,
}

/// `### ID: TITLE` and what follows it.
#[derive(Debug)]
pub(super) struct Procedure {
    pub(super) line: usize,
    pub(super) id: String,
    pub(super) title: String,
    /// `**Name:** text`.
    pub(super) fields: Vec<(usize, String, String)>,
    pub(super) actions: Vec<Action>,
}

/// `3. Title:` and its commands.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) line: usize,
    pub(super) number: u8,
    pub(super) title: String,
    pub(super) commands: Vec<Written>,
}

/// A command as it stands on the page.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) line: usize,
    pub(super) text: String,
    /// The comment before or behind it.
    pub(super) comment: Option<String>,
    /// Whether it stands below "or on macOS".
    pub(super) macos: bool,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

#[derive(Debug)]
pub(super) struct Checklist {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) items: Vec<(usize, String)>,
}

impl Table {
    /// The cell of a row under the column whose name begins so.
    pub(super) fn cell<'a>(&self, row: &'a [String], column: &str) -> Option<&'a str> {
        let index = self.header.iter().position(|name| name.to_ascii_lowercase().starts_with(column))?;
        row.get(index).map(String::as_str)
    }
}

impl Procedure {
    /// A field's line and text.
    pub(super) fn field(&self, name: &str) -> Option<(usize, &str)> {
        let found = self.fields.iter().find(|(_, field, _)| field.eq_ignore_ascii_case(name))?;
        Some((found.0, &found.2))
    }
}

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Nothing,
    Procedure,
    /// A heading of which nothing was read so far; its line.
    Heading(usize),
    Checklist,
}

struct Reader<'a> {
    page: Page,
    under: Under,
    section: &'a str,
    heading: &'a str,
    in_fence: bool,
    table: Option<Table>,
    comment: Option<String>,
    macos: bool,
}

pub(super) fn read(text: &str) -> Page {
    let mut reader = Reader {
        page: Page::default(),
        under: Under::Nothing,
        section: "",
        heading: "",
        in_fence: false,
        table: None,
        comment: None,
        macos: false,
    };
    for (line, number) in text.lines().zip(1..) {
        reader.line(line.trim(), number);
    }
    reader.end_table();
    reader.page
}

impl<'a> Reader<'a> {
    fn line(&mut self, text: &'a str, number: usize) {
        if text.starts_with("```") {
            self.in_fence = !self.in_fence;
            (self.comment, self.macos) = (None, false);
            return;
        }
        if self.in_fence {
            return self.command(text, number);
        }
        if let Some(row) = text.strip_prefix('|') {
            return self.row(row, number);
        }
        self.end_table();
        if let Some(title) = text.strip_prefix("### ") {
            self.heading(title.trim(), number);
        } else if let Some(title) = text.strip_prefix("## ") {
            (self.section, self.heading, self.under) = (title.trim(), title.trim(), Under::Heading(number));
        } else if self.under == Under::Procedure {
            self.in_procedure(text, number);
        } else if let Some(item) = text.strip_prefix("- [ ] ").or_else(|| text.strip_prefix("- [x] ")) {
            self.item(item.trim(), number);
        }
    }

    fn heading(&mut self, title: &'a str, line: usize) {
        self.heading = title;
        self.under = Under::Heading(line);
        if self.section.eq_ignore_ascii_case("procedures") {
            let (id, title) = title.split_once(": ").unwrap_or((title, title));
            let (id, title) = (slug(id, '-'), title.trim().to_owned());
            self.page.procedures.push(Procedure { line, id, title, fields: Vec::new(), actions: Vec::new() });
            self.under = Under::Procedure;
        }
    }

    fn in_procedure(&mut self, text: &str, line: usize) {
        let Some(procedure) = self.page.procedures.last_mut() else { return };
        let bold = text.strip_prefix("**").and_then(|rest| rest.split_once(":**"));
        let numbered = text.split_once(". ").and_then(|(number, title)| Some((number.parse().ok()?, title)));
        if let Some((name, text)) = bold {
            procedure.fields.push((line, name.trim().to_owned(), text.trim().to_owned()));
        } else if let Some((number, title)) = numbered {
            let title = title.trim().trim_end_matches(':').to_owned();
            procedure.actions.push(Action { line, number, title, commands: Vec::new() });
        } else if !text.is_empty() && text != "---" {
            self.page.rest.push((line, format!("in no form that is understood, and left out: `{text}`")));
        }
    }

    fn command(&mut self, text: &str, line: usize) {
        if let Under::Heading(heading) = self.under {
            let text = format!(
                "`{}`: commands outside a procedure are left out; take what a runbook needs as `diagnose` steps",
                self.heading
            );
            self.page.rest.push((heading, text));
            self.under = Under::Nothing;
        }
        if self.under != Under::Procedure || text.is_empty() {
            return;
        }
        if let Some(comment) = text.strip_prefix('#') {
            if comment.to_ascii_lowercase().contains("macos") {
                self.macos = true;
            } else {
                self.comment = Some(comment.trim().to_owned());
            }
            return;
        }
        let (text, behind) = without_comment(text);
        let comment = behind.map(str::to_owned).or_else(|| self.comment.take());
        let written = Written { line, text: text.to_owned(), comment, macos: self.macos };
        match self.page.procedures.last_mut().and_then(|procedure| procedure.actions.last_mut()) {
            Some(action) => action.commands.push(written),
            None => self
                .page
                .rest
                .push((line, format!("stands before the first numbered action, and is left out: `{text}`"))),
        }
    }

    fn row(&mut self, text: &str, line: usize) {
        let cells: Vec<String> = text.trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        match &mut self.table {
            None => self.table = Some(Table { header: cells, rows: Vec::new() }),
            Some(_) if cells.iter().all(|cell| cell.chars().all(|c| "-: ".contains(c))) => {}
            Some(table) => table.rows.push((line, cells)),
        }
    }

    fn end_table(&mut self) {
        let Some(table) = self.table.take() else { return };
        let has = |column: &str| table.header.iter().any(|name| name.to_ascii_lowercase().starts_with(column));
        if has("alert") {
            self.page.alerts = Some(table);
        } else if has("contact") && has("level") {
            self.page.contacts = Some(table);
        } else if let Some((line, _)) = table.rows.first() {
            self.page.rest.push((*line, "a table of neither alerts nor contacts is left out".to_owned()));
        }
    }

    fn item(&mut self, text: &str, line: usize) {
        if let Under::Heading(line) = self.under {
            self.page.lists.push(Checklist { line, name: slug(self.heading, '-'), items: Vec::new() });
            self.under = Under::Checklist;
        }
        if let (Under::Checklist, Some(list)) = (self.under, self.page.lists.last_mut()) {
            list.items.push((line, text.to_owned()));
        }
    }
}

/// A text as a name: what is neither letter nor digit becomes the joint.
pub(super) fn slug(text: &str, joint: char) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with(joint) {
            name.push(joint);
        }
        if name.len() >= 60 {
            break;
        }
    }
    name.trim_end_matches(joint).to_owned()
}

/// A command without the comment behind it, and the comment. A `#` in quotes or within a word is none.
fn without_comment(text: &str) -> (&str, Option<&str>) {
    let mut quote = None;
    let mut before = ' ';
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') if before.is_whitespace() => {
                let (command, comment) = text.split_at(index);
                return (command.trim_end(), Some(comment.trim_start_matches('#').trim()));
            }
            _ => {}
        }
        before = c;
    }
    (text, None)
}
