//! The file in which what is remembered of playlists survives a restart of the exporter.

use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::probe::playlist::{Advance, Identity, Remembered, Role, Run};

/// The format that is written.
const VERSION: u32 = 2;

/// The formats that are read; another one is not guessed at.
const VERSIONS_READ: RangeInclusive<u32> = 1..=VERSION;

/// The largest file that is read.
const BYTES_MAX: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunEntry {
    first: u64,
    sequence: u64,
    parts: u32,
    discontinuity: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    variants: Vec<Entry>,
}

/// `part` stands in files of version 1 only; the keys from `parts` on do not.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    stream: String,
    variant: String,
    sequence: u64,
    uri: String,
    discontinuity: u64,
    #[serde(default, skip_serializing, rename = "part")]
    _part: Option<String>,
    #[serde(default)]
    parts: u32,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    signature: Option<u64>,
    #[serde(default)]
    runs: Vec<RunEntry>,
    last_advance_unix_seconds: f64,
}

impl From<Entry> for ((String, String), Advance) {
    fn from(entry: Entry) -> Self {
        let Entry { stream, variant, sequence, uri, discontinuity, _part: _, parts, role, signature, runs, .. } = entry;
        let newest = Identity { sequence, discontinuity, parts, uri, range: None };
        let role = role.and_then(|role| Role::of_label(&role)).unwrap_or(Role::Video);
        let run = |run: RunEntry| {
            let RunEntry { first, sequence, parts, discontinuity } = run;
            Run { first, sequence, parts, discontinuity }
        };
        let runs = runs.into_iter().map(run).collect();
        let advance = Advance { newest, unix_seconds: entry.last_advance_unix_seconds, role, signature, runs };
        ((stream, variant), advance)
    }
}

/// Why nothing is remembered, or nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("state file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what this program writes.
    #[error("state file {} is not readable", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What does not fit, with its place.
        #[source]
        source: serde_json::Error,
    },
    /// The file is of another version.
    #[error("state file {} has version {version}, this program reads version {VERSION} and older", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The file is larger than anything this program writes.
    #[error("state file {} has more than {BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

impl Remembered {
    /// Reads a file; one that does not exist yet remembers nothing.
    ///
    /// # Errors
    /// The file is there and cannot be understood.
    pub fn load(path: &Path) -> Result<Self, StateError> {
        let io = |source| StateError::Io { path: path.to_owned(), source };
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.len() > BYTES_MAX => return Err(StateError::TooLarge { path: path.to_owned() }),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(io(error)),
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let file: File =
            serde_json::from_slice(&bytes).map_err(|source| StateError::Format { path: path.to_owned(), source })?;
        if !VERSIONS_READ.contains(&file.version) {
            return Err(StateError::Version { path: path.to_owned(), version: file.version });
        }
        Ok(file.variants.into_iter().map(Into::into).collect())
    }

    /// Replaces a file by what is remembered: whole, or not at all. Blocks.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        let io = |source| StateError::Io { path: path.to_owned(), source };
        let variants = self.advances().map(|((stream, variant), advance)| Entry {
            stream: stream.clone(),
            variant: variant.clone(),
            sequence: advance.newest.sequence,
            uri: advance.newest.uri.clone(),
            discontinuity: advance.newest.discontinuity,
            _part: None,
            parts: advance.newest.parts,
            role: Some(advance.role.label().to_owned()),
            signature: advance.signature,
            runs: advance.runs.iter().map(entry_of).collect(),
            last_advance_unix_seconds: advance.unix_seconds,
        });
        let bytes = serde_json::to_vec(&File { version: VERSION, variants: variants.collect() })
            .map_err(|source| StateError::Format { path: path.to_owned(), source })?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let mut file = std::fs::File::create(&beside).map_err(io)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)?;
        std::fs::rename(&beside, path).map_err(io)
    }
}

const fn entry_of(run: &Run) -> RunEntry {
    let Run { first, sequence, parts, discontinuity } = *run;
    RunEntry { first, sequence, parts, discontinuity }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered() -> Remembered {
        let newest = Identity { sequence: 8, discontinuity: 1, parts: 0, uri: "main-8.ts".to_owned(), range: None };
        let advance = Advance { newest, unix_seconds: 1000.5, role: Role::Video, signature: Some(7), runs: Vec::new() };
        Remembered::from_iter([(("main".to_owned(), "media".to_owned()), advance)])
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        assert_eq!(Remembered::load(&path).unwrap(), Remembered::default());
        remembered().save(&path).unwrap();
        assert_eq!(Remembered::load(&path).unwrap(), remembered());
        let names: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["state.json"], "nothing is left beside it");
    }

    #[test]
    fn a_file_that_is_not_ours_is_an_error_not_a_fresh_start() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            vvtv_toolkit::logging::chain(&Remembered::load(file.path()).unwrap_err())
                .replace(&file.path().display().to_string(), "F")
        };
        assert_eq!(
            error("{\"version\": 1, \"variants\": [}"),
            "state file F is not readable: expected value at line 1 column 29"
        );
        assert_eq!(
            error("{\"version\": 3, \"variants\": []}"),
            "state file F has version 3, this program reads version 2 and older"
        );
    }
}
