//! All runbooks of a directory, and what must hold between them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vvtv_incident::{AlertName, RunbookId};
use vvtv_toolkit::yaml::{Document, YamlError};

use super::{LoadedRunbook, build};
use crate::site::SiteValues;

/// Files that a directory of runbooks may hold.
const FILES_MAX: usize = 1_000;

/// Why a directory gives no runbooks.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The directory cannot be listed.
    #[error("cannot list the runbooks in {dir}")]
    List {
        /// Which.
        dir: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There are more files than anybody writes.
    #[error("more than {FILES_MAX} files in {0}")]
    TooMany(PathBuf),
    /// There is no runbook in it.
    #[error("no runbook (*.yml) in {0}")]
    Empty(PathBuf),
    /// Something is wrong in the files.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Files(Vec<YamlError>),
}

/// Reads every `*.yml` (and `*.yaml`) of a directory but the `*.test.yml`, in the order of their names.
///
/// # Errors
/// Everything that is wrong in any of them, not just the first.
pub fn load_dir(dir: &Path, site: &SiteValues) -> Result<Vec<LoadedRunbook>, LibraryError> {
    let mut books = Vec::new();
    let mut errors = Vec::new();
    for path in files(dir)? {
        match Document::read(&path).map_err(|error| vec![error]).and_then(|source| build::book(source, site)) {
            Ok(book) => books.push(book),
            Err(wrong) => errors.extend(wrong),
        }
    }
    let complete = errors.is_empty();
    between(&books, complete, &mut errors);
    if errors.is_empty() { Ok(books) } else { Err(LibraryError::Files(errors)) }
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, LibraryError> {
    let list = |source| LibraryError::List { dir: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(list)? {
        let path = entry.map_err(list)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_test = name.ends_with(".test.yml") || name.ends_with(".test.yaml");
        if (name.ends_with(".yml") || name.ends_with(".yaml")) && !is_test && !name.starts_with('.') {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(LibraryError::TooMany(dir.to_owned()));
        }
    }
    if files.is_empty() {
        return Err(LibraryError::Empty(dir.to_owned()));
    }
    files.sort();
    Ok(files)
}

/// Ids and alerts belong to one runbook each; causes exist and do not go in a circle.
fn between(books: &[LoadedRunbook], complete: bool, errors: &mut Vec<YamlError>) {
    let mut ids: BTreeMap<&RunbookId, &LoadedRunbook> = BTreeMap::new();
    let mut answers: BTreeMap<&AlertName, &LoadedRunbook> = BTreeMap::new();
    for book in books {
        let source = &book.marks.source;
        if let Some(other) = ids.insert(&book.plan.id, book) {
            let message = format!("{} has this id too", other.source.display());
            errors.push(source.error(&book.marks.id, message));
        }
        for (alert, mark) in &book.marks.alerts {
            if let Some(other) = answers.insert(alert, book) {
                let message = format!("{alert} is answered by {} too", other.source.display());
                errors.push(source.error(mark, message));
            }
        }
    }
    for book in books {
        for (cause, mark) in book.plan.causes.iter().zip(&book.marks.causes) {
            // A cause whose own file is broken is not missing.
            if complete && !ids.contains_key(cause) {
                errors.push(book.marks.source.error(mark, format!("no runbook has the id `{cause}`")));
            } else if leads_to(cause, &book.plan.id, &ids) {
                errors.push(book.marks.source.error(mark, format!("`{cause}` waits for `{}` too", book.plan.id)));
            }
        }
    }
}

fn leads_to(from: &RunbookId, to: &RunbookId, books: &BTreeMap<&RunbookId, &LoadedRunbook>) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        if id == to {
            return true;
        }
        if seen.insert(id) {
            open.extend(books.get(id).into_iter().flat_map(|book| &book.plan.causes));
        }
    }
    false
}
