//! Old HLS segments that nothing lists: left behind by a killed NGINX, another packager, or an earlier layout.
//!
//! Invariant: a segment that any playlist lists is never removed; when a playlist cannot be read, nothing is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};

use super::{Finding, evidence};

/// Unlisted segments live so long: players may still be fetching them, and live windows are minutes at most.
const KEEP: Duration = Duration::from_secs(3600);

/// Directories below directories: one for each stream, one for each variant.
const DEPTH_MAX: usize = 3;

/// More than this is not looked at in one run.
const FILES_MAX: usize = 200_000;

/// A playlist of a whole day is some megabytes.
const PLAYLIST_MAX: u64 = 16 << 20;

/// Endings of segments. Recordings (.mp4, .flv) are not ours to remove.
const SEGMENTS: [&str; 4] = ["ts", "m4s", "m4a", "aac"];

/// What was found below a directory.
#[derive(Default)]
struct Found {
    playlists: Vec<PathBuf>,
    segments: Vec<PathBuf>,
    truncated: bool,
}

/// Removes what is old and unlisted below `directory`.
///
/// # Errors
/// The directory or a playlist cannot be read.
pub(super) fn clean(directory: &Path, now: SystemTime) -> anyhow::Result<Finding> {
    let mut found = Found::default();
    walk(directory, DEPTH_MAX, &mut found)?;
    let mut listed = BTreeSet::new();
    for playlist in &found.playlists {
        let size = std::fs::metadata(playlist).map_or(0, |metadata| metadata.len());
        ensure!(size <= PLAYLIST_MAX, "{} is too large to be read: nothing was removed", playlist.display());
        match std::fs::read_to_string(playlist) {
            Ok(text) => listed.extend(references(playlist.parent().unwrap_or(directory), &text)),
            // NGINX removes playlists of ended streams; what one listed is old enough only after an hour.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}: nothing was removed", playlist.display()));
            }
        }
    }
    let (mut removed, mut bytes, mut kept, mut failed) = (0_u64, 0_u64, 0_u64, Vec::new());
    for segment in found.segments {
        let Ok(metadata) = std::fs::metadata(&segment) else { continue };
        let age = metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok());
        if listed.contains(&segment) || age.is_none_or(|age| age < KEEP) {
            kept += 1;
            continue;
        }
        match std::fs::remove_file(&segment) {
            Ok(()) => {
                removed += 1;
                bytes += metadata.len();
            }
            Err(error) => failed.push(format!("{}: {error}", segment.display())),
        }
    }
    let mut seen = vec![
        evidence("segments kept (listed, or younger than an hour)", kept.to_string(), None),
        evidence("playlists read", found.playlists.len().to_string(), None),
    ];
    seen.extend(
        failed.first().map(|first| evidence("not removed", format!("{}, first {first}", failed.len()), Some("none"))),
    );
    if found.truncated {
        seen.push(evidence("not looked at", format!("what lies beyond {FILES_MAX} files"), Some("nothing")));
    }
    let summary = format!("{removed} old segments removed, {:.1} MiB", bytes as f64 / f64::from(1 << 20));
    Ok(Finding::new(failed.is_empty() && !found.truncated, summary, seen))
}

fn walk(directory: &Path, depth: usize, found: &mut Found) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", directory.display()))?;
        if found.segments.len() + found.playlists.len() >= FILES_MAX {
            found.truncated = true;
            return Ok(());
        }
        let (path, kind) = (entry.path(), entry.file_type()?);
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        // Links are not followed: they may lead anywhere.
        if kind.is_dir() && depth > 1 {
            walk(&path, depth - 1, found)?;
        } else if kind.is_file() && ending == "m3u8" {
            found.playlists.push(path);
        } else if kind.is_file() && SEGMENTS.contains(&ending) {
            found.segments.push(path);
        }
    }
    Ok(())
}

/// The files that a playlist names: its URI lines, and the URIs in its tags (maps, parts, renditions).
fn references(directory: &Path, text: &str) -> Vec<PathBuf> {
    let quoted = |line: &str| {
        let uris = line.split("URI=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        uris.map(|(uri, _)| uri.to_owned()).collect::<Vec<_>>()
    };
    let uris = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .flat_map(|line| if line.starts_with('#') { quoted(line) } else { vec![line.to_owned()] });
    uris.flat_map(|uri| {
        let path = uri.split(['?', '#']).next().unwrap_or_default().to_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        // Also by its bare name, should the URI have a prefix that only the web server knows.
        [directory.join(&path), directory.join(name)]
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn file(directory: &Path, name: &str, age: u64, now: SystemTime) {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "x").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(now - Duration::from_secs(age)).unwrap();
    }

    #[test]
    fn only_what_is_old_and_unlisted_goes() {
        let root = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        for (name, age) in [
            ("main-1.ts", 7200),
            ("main-2.ts", 7200),
            ("main-3.ts", 60),
            ("map.m4s", 7200),
            ("deep/main-4.ts", 7200),
            ("deep/main-5.ts", 7200),
            ("recording.mp4", 7200),
            ("lost.m4s", 7200),
        ] {
            file(root.path(), name, age, now);
        }
        let playlist = "#EXTM3U\n#EXT-X-MAP:URI=\"map.m4s\"\n#EXTINF:2.0,\nmain-2.ts?token=a/b\n";
        std::fs::write(root.path().join("main.m3u8"), playlist).unwrap();
        std::fs::write(root.path().join("deep/index.m3u8"), "#EXTM3U\n#EXTINF:2,\n/hls/deep/main-4.ts\n").unwrap();
        let finding = clean(root.path(), now).unwrap();
        assert_eq!(finding.summary, "3 old segments removed, 0.0 MiB");
        let left: BTreeSet<String> = [root.path().to_owned(), root.path().join("deep")]
            .iter()
            .flat_map(|directory| std::fs::read_dir(directory).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let expected =
            ["deep", "index.m3u8", "main-2.ts", "main-3.ts", "main-4.ts", "main.m3u8", "map.m4s", "recording.mp4"];
        assert_eq!(left.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_playlist_that_cannot_be_read_stops_everything() {
        let root = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        file(root.path(), "main-1.ts", 7200, now);
        std::fs::write(root.path().join("main.m3u8"), [0xff, 0xfe]).unwrap();
        let error = format!("{:#}", clean(root.path(), now).unwrap_err());
        assert!(error.contains("main.m3u8: nothing was removed"), "{error}");
        assert!(root.path().join("main-1.ts").exists());
    }
}
