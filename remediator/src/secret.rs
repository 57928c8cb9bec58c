//! Secrets: read from files or the environment, never printed.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

/// The largest secret file that is read.
const BYTES_MAX: u64 = 64 << 10;

/// A token or key. Its `Debug` and `Display` hide it; [`Secret::reveal`] is the one way to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Reads a file's text without the white space around it.
    ///
    /// # Errors
    /// The file cannot be read, is empty, is larger than 64 KiB, or holds something other than one line of text.
    pub fn read(path: &Path) -> Result<Self, String> {
        Self::one_line(&text(path)?, &path.display().to_string())
    }

    /// Reads a file's text, which may have several lines: a key in PEM.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or is larger than 64 KiB.
    pub fn read_lines(path: &Path) -> Result<Self, String> {
        let text = text(path)?;
        let secret = text.trim();
        if secret.is_empty() {
            return Err(format!("the secret in {} is empty", path.display()));
        }
        if secret.len() as u64 > BYTES_MAX {
            return Err(format!("the secret in {} is larger than {BYTES_MAX} bytes", path.display()));
        }
        Ok(Self::new(secret))
    }

    /// Takes a variable of the environment.
    ///
    /// # Errors
    /// There is no such variable, or it holds something other than one line of text.
    pub fn from_environment(name: &str) -> Result<Self, String> {
        let text = std::env::var(name).map_err(|error| format!("cannot read the secret in ${name}: {error}"))?;
        Self::one_line(&text, &format!("${name}"))
    }

    fn one_line(text: &str, place: &str) -> Result<Self, String> {
        let secret = text.trim();
        if secret.is_empty() {
            return Err(format!("the secret in {place} is empty"));
        }
        if secret.len() as u64 > BYTES_MAX || secret.chars().any(char::is_control) {
            return Err(format!("the secret in {place} is not one line of text"));
        }
        Ok(Self::new(secret))
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

fn text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot read the secret in {}: {error}", path.display()))?;
    Ok(text)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_trimmed_and_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "  s3cret\n").unwrap();
        let secret = Secret::read(&path).unwrap();
        assert_eq!(secret.reveal(), "s3cret");
        assert_eq!(format!("{secret:?} {secret}"), "Secret(…) <secret>");
    }

    #[test]
    fn an_empty_or_broken_secret_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(Secret::read(&path), Err(format!("the secret in {} is empty", path.display())));
        std::fs::write(&path, "one\ntwo").unwrap();
        assert_eq!(Secret::read(&path), Err(format!("the secret in {} is not one line of text", path.display())));
    }
}
