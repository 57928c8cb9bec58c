//! A YAML file that is being read: its text is kept so that an error of meaning can be shown in its place.

use std::path::{Path, PathBuf};

use super::{Spanned, YamlError, error_at, parse, read};
use serde::de::DeserializeOwned;

/// A file's path and text.
#[derive(Clone, Debug)]
pub struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, YamlError> {
        Ok(Self { path: path.to_owned(), text: read(path)? })
    }

    /// A text that did not come from a file; `path` is only used in messages and to resolve relative paths.
    #[must_use]
    pub const fn from_text(path: PathBuf, text: String) -> Self {
        Self { path, text }
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole text as a value.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, YamlError> {
        parse(&self.name(), &self.text)
    }

    /// An error in the meaning of a value of this file.
    #[must_use]
    pub fn error<T>(&self, value: &Spanned<T>, message: impl Into<String>) -> YamlError {
        error_at(&self.name(), &self.text, value, message)
    }

    /// A path that stands in the file: relative ones are relative to the file's directory.
    #[must_use]
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.parent().unwrap_or_else(|| Path::new("")).join(path)
    }
}

/// The place of a value without the value, to keep beside what was made of it.
#[must_use]
pub fn place<T>(value: &Spanned<T>) -> Spanned<()> {
    Spanned::new((), value.referenced, value.defined)
}
