//! API tokens: read from files that not everybody can read, compared by their digests.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::{constant_time, hmac, rand};
use axum::http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};

use super::Role;

/// A token shorter than this can be guessed.
const BYTES_MIN: usize = 16;
/// The largest token file that is read.
const BYTES_MAX: u64 = 4096;
/// Random bytes of a token that is made here.
const RANDOM_BYTES: usize = 32;

/// A token's name and role; the token itself is not kept.
#[derive(Clone)]
pub struct Token {
    name: Arc<str>,
    role: Role,
    digest: [u8; 32],
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}: {})", self.name, self.role)
    }
}

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read the token in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It cannot be made.
    #[error("cannot make the token file {}: {source}", path.display())]
    Make {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Others can read or change it.
    #[error("the token file {} has the mode {mode:04o}: others than its owner and group can read it, or others than its owner change it (chmod 640)", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Not one line of 16 bytes or more.
    #[error("the token in {} is not one line of at least {BYTES_MIN} visible ASCII characters", path.display())]
    Form {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Wraps a token that was read elsewhere.
    #[must_use]
    pub fn new(name: &str, role: Role, token: &str) -> Self {
        Self { name: name.into(), role, digest: digest(token) }
    }

    /// A new token that nobody can show; what is exchanged for it is good as long as it is.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random(name: &str, role: Role) -> std::io::Result<Self> {
        random().map(|text| Self::new(name, role, &text))
    }

    /// Reads a token from a file.
    ///
    /// # Errors
    /// The file cannot be read, can be read or changed by others, or holds no token.
    pub fn read(name: &str, role: Role, path: &Path) -> Result<Self, TokenError> {
        read_token(path).map(|text| Self::new(name, role, &text))
    }

    /// Reads a token from a file, which is made with a random token (mode 0600) if it is not there.
    ///
    /// # Errors
    /// As [`Token::read`], or the file cannot be made.
    pub fn read_or_make(name: &str, role: Role, path: &Path) -> Result<Self, TokenError> {
        if !path.exists() {
            make(path).map_err(|source| TokenError::Make { path: path.to_owned(), source })?;
        }
        Self::read(name, role, path)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What its bearer may do.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.name == other.name && self.role == other.role && same(&self.digest, &other.digest)
    }

    pub(super) fn is(&self, shown: &[u8; 32]) -> bool {
        same(&self.digest, shown)
    }

    /// A signature that only this token can have made: whoever changes the token makes it void.
    pub(super) fn sign(&self, message: &str) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.digest), message.as_bytes())
    }

    pub(super) fn signed(&self, message: &str, signature: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.digest);
        hmac::verify(&key, message.as_bytes(), signature).is_ok()
    }
}

/// Reads a token file's text, for programs that show the token to a server.
///
/// # Errors
/// As [`Token::read`].
pub fn read_token(path: &Path) -> Result<String, TokenError> {
    let failed = |source| TokenError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if mode & 0o026 != 0 {
        return Err(TokenError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    let token = text.trim();
    let fits = token.len() as u64 <= BYTES_MAX && token.len() >= BYTES_MIN;
    if !fits || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Form { path: path.to_owned() });
    }
    Ok(token.to_owned())
}

/// Whole or not at all: the file has its name only once the token is in it.
fn make(path: &Path) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    if beside.exists() {
        std::fs::remove_file(&beside)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    writeln!(file, "{}", random()?)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

/// 32 random bytes as hexadecimal digits.
pub(super) fn random() -> std::io::Result<String> {
    let mut bytes = [0; RANDOM_BYTES];
    rand::fill(&mut bytes).map_err(|_| std::io::Error::other("the system gives no random bytes"))?;
    Ok(hex(&bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares without telling by its time where the first difference is.
pub(super) fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// The one value of `Authorization`: its scheme in lower case, and what follows it. Two values are a contradiction, and none.
pub(crate) fn authorization(headers: &HeaderMap) -> Option<(String, &str)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, credentials) = value.to_str().ok()?.trim().split_once(' ')?;
    Some((scheme.to_ascii_lowercase(), credentials.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_token_file_is_one_line_that_only_its_owner_and_group_can_read() {
        let read = |text: &str, mode: u32| {
            let file = file(text, mode);
            let told = Token::read("ci", Role::Viewer, file.path());
            told.map(|_| ()).map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
        };
        let good = "0123456789abcdef\n";
        assert_eq!([read(good, 0o600), read(good, 0o640), read(good, 0o400)], [Ok(()), Ok(()), Ok(())]);
        let exposed = |mode: &str| {
            Err(format!(
                "the token file FILE has the mode {mode}: others than its owner and group can read it, or others than its owner change it (chmod 640)"
            ))
        };
        assert_eq!([read(good, 0o644), read(good, 0o660), read(good, 0o602)], ["0644", "0660", "0602"].map(exposed));
        let form = Err("the token in FILE is not one line of at least 16 visible ASCII characters".to_owned());
        for text in
            ["", "short\n", "0123456789abcdef\n0123456789abcdef\n", "0123456789 abcdef", "päßwört-päßwört-päßwört"]
        {
            assert_eq!(read(text, 0o600), form, "{text:?}");
        }
    }

    #[test]
    fn a_token_is_made_once_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let first = Token::read_or_make("operator", Role::Operator, &path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim().len(), 2 * RANDOM_BYTES);
        let second = Token::read_or_make("operator", Role::Operator, &path).unwrap();
        assert!(second.is(&digest(text.trim())) && first.is(&second.digest));
        assert_eq!(format!("{first:?}"), "Token(operator: operator)");
    }

    #[test]
    fn one_header_with_a_scheme_in_any_spelling() {
        let parse = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, header::HeaderValue::from_static(value));
            }
            authorization(&headers).map(|(scheme, rest)| format!("{scheme} {rest}"))
        };
        let alice = Some("basic YTpi".to_owned());
        assert_eq!(
            [parse(&["Basic YTpi"]), parse(&["BASIC   YTpi "]), parse(&["basic YTpi"])],
            [(); 3].map(|()| alice.clone())
        );
        assert_eq!([parse(&[]), parse(&["Basic"]), parse(&["Basic YTpi", "Basic YTpj"])], [None, None, None]);
    }
}
