//! `import`: a Markdown page that people followed by hand, compiled to runbooks, contacts and maintenance lists.
//!
//! Only what the page says is taken over. What it leaves to the reader's judgement is named with its line and marked in the YAML by
//! `# DECIDE:`; where no safe value exists the place stays empty, and a runbook with an empty place is refused when it is loaded.

mod bounded;
mod lists;
mod page;
mod procedure;
mod write;

use std::fmt;

use vvtv_toolkit::duration::PromDuration;

/// The longest page that is read, in bytes.
pub const BYTES_MAX: usize = 1 << 20;

/// What a page became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Names and texts of the files, runbooks first.
    pub files: Vec<(String, String)>,
    /// Everything that a person has to decide, in the order of the page.
    pub decisions: Vec<Decision>,
}

/// One place that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The page's name.
    pub page: String,
    /// The line of the page, from 1.
    pub line: usize,
    /// The file that it is marked in; empty for what became part of none.
    pub file: String,
    /// What of that file: a key, or `action 3`.
    pub about: String,
    /// What is to be decided.
    pub text: String,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.page, self.line)?;
        if !self.file.is_empty() {
            write!(f, "{}, {}: ", self.file, self.about)?;
        }
        f.write_str(&self.text)
    }
}

/// Why a page gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is no page.
    #[error("the page is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// There is nothing to compile.
    #[error("no procedure: expected a section `## Procedures` with `### ID: TITLE` and numbered actions")]
    NoProcedure,
    /// Two procedures would be written to one file.
    #[error("line {0}: another procedure has this name")]
    Twice(usize),
}

/// Compiles a page; `name` stands in messages and marks.
///
/// # Errors
/// There is no procedure in it.
pub fn import(name: &str, text: &str) -> Result<Import, ImportError> {
    if text.len() > BYTES_MAX {
        return Err(ImportError::TooLong);
    }
    let page = page::read(text);
    if page.procedures.is_empty() {
        return Err(ImportError::NoProcedure);
    }
    let mut import = Import { files: Vec::new(), decisions: Vec::new() };
    for procedure in &page.procedures {
        let mut writer = write::Writer::new(name, &format!("{}.yml", procedure.id), &mut import.decisions);
        procedure::write(procedure, &page, &mut writer);
        let file = writer.finish();
        if import.files.iter().any(|(other, _)| *other == file.0) {
            return Err(ImportError::Twice(procedure.line));
        }
        import.files.push(file);
    }
    if let Some(table) = &page.contacts {
        let mut writer = write::Writer::new(name, "contacts.yml", &mut import.decisions);
        lists::contacts(table, &mut writer);
        import.files.push(writer.finish());
    }
    if !page.lists.is_empty() {
        let mut writer = write::Writer::new(name, "maintenance.yml", &mut import.decisions);
        lists::maintenance(&page.lists, &mut writer);
        import.files.push(writer.finish());
    }
    for (line, text) in &page.rest {
        let (page, file) = (name.to_owned(), String::new());
        import.decisions.push(Decision { page, line: *line, file, about: String::new(), text: text.clone() });
    }
    import.decisions.sort_by_key(|decision| decision.line);
    Ok(import)
}

/// The first duration that a text names, as Prometheus writes it: `10 minutes` is `10m`.
fn duration(text: &str) -> Option<PromDuration> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = text.get(start..)?;
    let (number, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
    let unit = match rest.trim_start().to_ascii_lowercase() {
        unit if unit.starts_with("sec") => "s",
        unit if unit.starts_with("min") => "m",
        unit if unit.starts_with("hour") || unit.starts_with("hr") => "h",
        unit if unit.starts_with("day") => "d",
        _ => return duration(rest),
    };
    format!("{number}{unit}").parse().ok()
}

#[cfg(test)]
mod tests;
