//! What must survive a restart of the exporter: when each variant last advanced. Without it, a restart during an outage would make
//! the outage look new.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Now;
use crate::fleet::Watched;
use crate::probe::hls::{Freshness, HlsView, Identity, Role, Run, VariantView};

/// The format that is written.
const VERSION: u32 = 2;

/// The formats that are read; another one is not guessed at.
const VERSIONS_READ: RangeInclusive<u32> = 1..=VERSION;

/// How long what is watched no more is remembered.
const DAY_SECONDS: f64 = 86_400.0;

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
    /// What the variant is to viewers.
    pub role: Role,
    /// What tells it from others, wherever it lies.
    pub signature: Option<u64>,
    /// The numbers that were seen lately.
    pub runs: Vec<Run>,
}

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
    #[error("state file {} has version {version}, this program reads version {VERSION} and older", path.display())]
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
        if !VERSIONS_READ.contains(&file.version) {
            return Err(StateError::Version { path: path.to_owned(), version: file.version });
        }
        Ok(Self { variants: file.variants.into_iter().map(Into::into).collect() })
    }

    /// What is known `now`. A variant that was never seen is not remembered.
    #[must_use]
    pub fn of(now: Now, watched: &Watched) -> Self {
        let views = watched.streams.iter().filter_map(|stream| {
            let view = Arc::clone(&stream.hls.as_ref()?.borrow());
            Some((stream.config.name.as_str(), view))
        });
        Self::of_views(now, views)
    }

    /// The same of streams by their names.
    pub fn of_views<'a>(now: Now, views: impl IntoIterator<Item = (&'a str, Arc<HlsView>)>) -> Self {
        let mut variants = BTreeMap::new();
        for (stream, view) in views {
            for variant in &view.variants {
                let Some(newest) = variant.freshness.newest() else { continue };
                let unix_seconds = variant.freshness.remembered_advance_unix_seconds(now);
                let (newest, role, signature) = (newest.clone(), variant.role, variant.signature);
                let runs = variant.freshness.runs();
                let advance = Advance { newest, unix_seconds, role, signature, runs };
                variants.insert((stream.to_owned(), variant.name.to_string()), advance);
            }
        }
        Self { variants }
    }

    /// With what is not known here as `older` has it, unless that is over a day old `now`: whoever publishes chooses names, and they
    /// shall not be kept for ever.
    #[must_use]
    pub fn over(mut self, older: &Self, now: Now) -> Self {
        let is_recent = |advance: &Advance| now.unix_seconds - advance.unix_seconds < DAY_SECONDS;
        for (key, advance) in older.variants.iter().filter(|(_, advance)| is_recent(advance)) {
            self.variants.entry(key.clone()).or_insert_with(|| advance.clone());
        }
        self
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

    /// How fresh a variant is, going by memory; never seen without any.
    #[must_use]
    pub fn freshness(&self, stream: &str, variant: &str, now: Now) -> Freshness {
        match self.variants.get(&(stream.to_owned(), variant.to_owned())) {
            Some(advance) => advance.freshness(now),
            None => Freshness::never_seen(now),
        }
    }

    /// A stream's variants that viewers depend on, as they were last.
    pub fn variants(&self, stream: &str, now: Now) -> impl Iterator<Item = VariantView> {
        self.of_stream(stream).filter(|(_, advance)| advance.role.is_vital()).map(move |known| view(known, now))
    }

    /// The variant of this signature, as it was last.
    #[must_use]
    pub fn variant(&self, stream: &str, signature: u64, now: Now) -> Option<VariantView> {
        let known = self.of_stream(stream).find(|(_, advance)| advance.signature == Some(signature))?;
        Some(view(known, now))
    }

    fn of_stream(&self, stream: &str) -> impl Iterator<Item = Known<'_>> {
        let first = (stream.to_owned(), String::new());
        self.variants.range(first..).take_while(move |((of, _), _)| of == stream)
    }
}

const fn entry_of(run: &Run) -> RunEntry {
    let Run { first, sequence, parts, discontinuity } = *run;
    RunEntry { first, sequence, parts, discontinuity }
}

/// A stream's and a variant's name, and its last advance.
type Known<'a> = (&'a (String, String), &'a Advance);

fn view(((stream, name), advance): Known<'_>, now: Now) -> VariantView {
    let mut view = VariantView::new(stream, name, advance.role, advance.freshness(now));
    view.signature = advance.signature;
    view
}

impl Advance {
    fn freshness(&self, now: Now) -> Freshness {
        Freshness::remembered(now, self.newest.clone(), self.unix_seconds, &self.runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::hls::Sight;
    use std::time::Duration;

    fn remembered() -> Remembered {
        let newest = Identity { sequence: 8, discontinuity: 1, parts: 0, uri: "main-8.ts".to_owned(), range: None };
        let advance = Advance { newest, unix_seconds: 1000.5, role: Role::Video, signature: Some(7), runs: Vec::new() };
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
            error("{\"version\": 3, \"variants\": []}"),
            "state file F has version 3, this program reads version 2 and older"
        );
    }

    #[test]
    fn what_is_watched_no_more_is_forgotten_after_a_day() {
        let at = |unix_seconds| Now { mono: Duration::ZERO, unix_seconds };
        assert_eq!(Remembered::default().over(&remembered(), at(80_000.0)), remembered());
        assert_eq!(Remembered::default().over(&remembered(), at(90_000.0)), Remembered::default());
    }

    #[test]
    fn an_outage_goes_on_across_a_restart() {
        let now = Now { mono: Duration::from_secs(3), unix_seconds: 1120.5 };
        let mut known = remembered().freshness("main", "media", now);
        assert_eq!(known.age(now), Duration::ZERO, "nobody looked yet");
        known.looked();
        assert_eq!(known.age(now), Duration::from_secs(120));
        // The same segment is still the newest, whatever the server says of its age.
        let newest = known.newest().unwrap().clone();
        let (age, target_duration, window) = (Some(Duration::ZERO), None, Duration::from_secs(60));
        let sight = Sight { newest: &newest, first: 3, segments: 6, age, target_duration, window };
        let _ = known.observe(now, &sight);
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
