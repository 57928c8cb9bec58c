//! What must survive a restart of the exporter: when each variant last advanced. Without it, a restart during an outage would make
//! the outage look new.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fleet::Watched;
use crate::probe::hls::{Freshness, Identity};

/// The format; another one is not guessed at.
const VERSION: u32 = 1;

/// The largest file that is read.
const BYTES_MAX: u64 = 64 << 20;

/// What earlier runs saw, by stream and variant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    variants: BTreeMap<(String, String), Advance>,
}

/// The last advance of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Advance {
    /// To which segment.
    pub newest: Identity,
    /// When, by the wall clock.
    pub unix_seconds: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    variants: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    stream: String,
    variant: String,
    sequence: u64,
    uri: String,
    discontinuity: u64,
    parts: u32,
    last_advance_unix_seconds: f64,
}

/// Why nothing is remembered, or nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("state file {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what this program writes.
    #[error("state file {} is not readable", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The file is of another version.
    #[error("state file {} has version {version}, this program reads version {VERSION}", path.display())]
    Version {
        /// Which.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The file is larger than anything this program writes.
    #[error("state file {} has more than {BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// Which.
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
        if file.version != VERSION {
            return Err(StateError::Version { path: path.to_owned(), version: file.version });
        }
        let variants = file.variants.into_iter().map(|entry| {
            let Entry { stream, variant, sequence, uri, discontinuity, parts, last_advance_unix_seconds } = entry;
            let newest = Identity { sequence, discontinuity, parts, uri, range: None };
            ((stream, variant), Advance { newest, unix_seconds: last_advance_unix_seconds })
        });
        Ok(Self { variants: variants.collect() })
    }

    /// What is known at this moment. A variant that was never seen is not remembered.
    #[must_use]
    pub fn of(watched: &Watched) -> Self {
        let mut variants = BTreeMap::new();
        for stream in &watched.streams {
            let Some(hls) = stream.hls.as_ref().map(|view| view.borrow().clone()) else { continue };
            for variant in &hls.variants {
                if let Some(newest) = variant.freshness.newest() {
                    let unix_seconds = variant.freshness.last_advance_unix_seconds();
                    let advance = Advance { newest: newest.clone(), unix_seconds };
                    variants.insert((stream.config.name.clone(), variant.name.to_string()), advance);
                }
            }
        }
        Self { variants }
    }

    /// Replaces a file by what is remembered: whole, or not at all. Blocks.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        let io = |source| StateError::Io { path: path.to_owned(), source };
        let variants = self.variants.iter().map(|((stream, variant), advance)| Entry {
            stream: stream.clone(),
            variant: variant.clone(),
            sequence: advance.newest.sequence,
            uri: advance.newest.uri.clone(),
            discontinuity: advance.newest.discontinuity,
            parts: advance.newest.parts,
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

    /// How fresh a variant is, going by memory; never seen without any.
    #[must_use]
    pub fn freshness(&self, stream: &str, variant: &str, now: crate::clock::Now) -> Freshness {
        match self.variants.get(&(stream.to_owned(), variant.to_owned())) {
            Some(advance) => Freshness::remembered(now, advance.newest.clone(), advance.unix_seconds),
            None => Freshness::never_seen(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;
    use std::time::Duration;

    fn remembered() -> Remembered {
        let newest = Identity { sequence: 8, discontinuity: 1, parts: 0, uri: "main-8.ts".to_owned(), range: None };
        let advance = Advance { newest, unix_seconds: 1000.5 };
        Remembered { variants: BTreeMap::from([(("main".to_owned(), "media".to_owned()), advance)]) }
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
            error("{\"version\": 2, \"variants\": []}"),
            "state file F has version 2, this program reads version 1"
        );
    }

    #[test]
    fn an_outage_goes_on_across_a_restart() {
        let now = Now { mono: Duration::from_secs(3), unix_seconds: 1120.5 };
        let mut known = remembered().freshness("main", "media", now);
        assert_eq!(known.age(now), Duration::from_secs(120));
        // The same segment is still the newest, whatever the server says of its age.
        let newest = known.newest().unwrap().clone();
        let _ = known.observe(now, &newest, Some(Duration::ZERO));
        assert_eq!(known.age(now), Duration::from_secs(120));
        assert_eq!(remembered().freshness("other", "media", now).age(now), Duration::ZERO);
        let before = Now { unix_seconds: 900.0, ..now };
        assert_eq!(
            remembered().freshness("main", "media", before).age(before),
            Duration::ZERO,
            "a clock that went back"
        );
    }
}
