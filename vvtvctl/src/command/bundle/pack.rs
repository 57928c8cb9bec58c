//! Packs what was collected: redacts, cuts to size, hashes, and writes the archive in one piece.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use vvtv_toolkit::redaction::Redactor;

/// The largest file of a bundle; longer ones are cut.
const FILE_BYTES_MAX: usize = 1 << 20;

/// All files together, before compression: the archive stays under 20 MB whatever is in it.
const TOTAL_BYTES_MAX: usize = 18 << 20;

/// The archive's top directory.
const DIRECTORY: &str = "streaming-bundle";

/// Which end of a long text is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    Head,
    /// Of logs the newest lines count.
    Tail,
}

/// What a source gave.
#[derive(Debug)]
pub(super) enum Outcome {
    Text(String),
    /// Why there is none.
    Missing(String),
}

/// One source's part of the bundle.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    pub(super) keep: Keep,
    pub(super) took: Duration,
}

/// The archive, and what is in it.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) archive: Vec<u8>,
    pub(super) files: usize,
    pub(super) missing: Vec<String>,
}

#[derive(Serialize)]
struct Manifest {
    created_at: String,
    vvtvctl: &'static str,
    files: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    state: State,
    bytes: usize,
    sha256: String,
    took_ms: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Whole,
    /// Too long: only a part is here.
    Cut,
    /// Only a note that says why.
    Missing,
}

/// Packs everything. Pure apart from memory.
///
/// # Errors
/// None that the caller could mend: compression or archiving failed.
pub(super) fn pack(collected: Vec<Collected>, redactor: &Redactor, now: Timestamp) -> anyhow::Result<Packed> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut manifest = Manifest { created_at: now.to_string(), vvtvctl: env!("CARGO_PKG_VERSION"), files: Vec::new() };
    let (mut total, mut missing) = (0, Vec::new());
    for Collected { name, outcome, keep, took } in collected {
        let (file_name, text, state) = match outcome {
            Outcome::Text(text) => {
                let cut = shorten(&text, keep, FILE_BYTES_MAX.min(TOTAL_BYTES_MAX.saturating_sub(total)));
                let state = if cut.len() < text.len() { State::Cut } else { State::Whole };
                (name.to_owned(), redactor.text(cut).into_owned(), state)
            }
            Outcome::Missing(why) => {
                missing.push(name.to_owned());
                (format!("{name}.missing.txt"), redactor.text(&why).into_owned() + "\n", State::Missing)
            }
        };
        total += text.len();
        append(&mut archive, &file_name, text.as_bytes(), now)?;
        manifest.files.push(Entry {
            name: file_name,
            state,
            bytes: text.len(),
            sha256: hex(&Sha256::digest(text.as_bytes())),
            took_ms: took.as_millis(),
        });
    }
    let files = manifest.files.len();
    append(&mut archive, "manifest.json", &serde_json::to_vec_pretty(&manifest)?, now)?;
    let archive = archive.into_inner().and_then(GzEncoder::finish).context("cannot finish the archive")?;
    Ok(Packed { archive, files, missing })
}

fn append(
    archive: &mut tar::Builder<GzEncoder<Vec<u8>>>,
    name: &str,
    bytes: &[u8],
    now: Timestamp,
) -> anyhow::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(now.as_second()).unwrap_or(0));
    let path = PathBuf::from(DIRECTORY).join(name);
    archive.append_data(&mut header, path, bytes).with_context(|| format!("cannot pack {name}"))
}

/// Whole lines only: half a line could hold half a secret, which no pattern finds.
fn shorten(text: &str, keep: Keep, room: usize) -> &str {
    if text.len() <= room {
        return text;
    }
    match keep {
        Keep::Head => {
            let head = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
            head.rsplit_once('\n').map_or("", |(lines, _)| lines)
        }
        Keep::Tail => {
            let tail = text.get(text.ceil_char_boundary(text.len() - room)..).unwrap_or_default();
            tail.split_once('\n').map_or("", |(_, lines)| lines)
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the archive beside its place and moves it there: nobody picks up half a bundle. Readable by the owner only.
///
/// # Errors
/// The place cannot be written.
pub(super) fn write(output: &Path, archive: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut staged = output.as_os_str().to_owned();
    staged.push(format!(".{}.new", std::process::id()));
    let staged = PathBuf::from(staged);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged)?;
    let written =
        file.write_all(archive).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&staged, output));
    if written.is_err() {
        let _ = std::fs::remove_file(&staged);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn collected(name: &'static str, outcome: Outcome, keep: Keep) -> Collected {
        Collected { name, outcome, keep, took: Duration::from_millis(7) }
    }

    fn unpack(archive: &[u8]) -> Vec<(String, String)> {
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
        let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
            let mut entry: tar::Entry<'_, flate2::read::GzDecoder<&[u8]>> = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.path().unwrap().display().to_string(), text)
        };
        archive.entries().unwrap().map(read).collect()
    }

    #[test]
    fn a_bundle_has_a_manifest_with_hashes_and_a_note_for_what_is_missing() {
        let all = vec![
            collected("status.json", Outcome::Text("{\"password\": \"x\"}".into()), Keep::Head),
            collected("queue.json", Outcome::Missing("no answer within 5s".into()), Keep::Head),
        ];
        let packed = pack(all, &Redactor::default(), Timestamp::from_second(1_790_000_000).unwrap()).unwrap();
        assert_eq!((packed.files, packed.missing), (2, vec!["queue.json".to_owned()]));
        let files = unpack(&packed.archive);
        assert_eq!(files[0], ("streaming-bundle/status.json".into(), "{\"password\": \"REDACTED\"}".into()));
        assert_eq!(files[1], ("streaming-bundle/queue.json.missing.txt".into(), "no answer within 5s\n".into()));
        insta::assert_snapshot!(files[2].1, @r#"
        {
          "created_at": "2026-09-21T14:13:20Z",
          "vvtvctl": "0.1.0",
          "files": [
            {
              "name": "status.json",
              "state": "whole",
              "bytes": 24,
              "sha256": "bccfde1384c032cfb5bc6382648de6b5e3533859ac2aa844313eee8baa6b9077",
              "took_ms": 7
            },
            {
              "name": "queue.json.missing.txt",
              "state": "missing",
              "bytes": 20,
              "sha256": "f4f1b2cbc60c65d8d1b0a2b587f07979330f2936d2dd4200d243635a8c700a59",
              "took_ms": 7
            }
          ]
        }
        "#);
    }

    #[test]
    fn long_texts_are_cut_at_the_end_that_counts_less() {
        let long = "a line of a log with an ä\n".repeat(FILE_BYTES_MAX / 20) + "end";
        let all = (0..20).map(|_| collected("log.txt", Outcome::Text(long.clone()), Keep::Tail)).collect();
        let packed = pack(all, &Redactor::default(), Timestamp::UNIX_EPOCH).unwrap();
        let files = unpack(&packed.archive);
        let sizes: usize = files.iter().take(20).map(|(_, text)| text.len()).sum();
        assert!(sizes <= TOTAL_BYTES_MAX, "{sizes}");
        assert!(
            files[0].1.starts_with("a line") && files[0].1.ends_with("ä\nend") && files[0].1.len() <= FILE_BYTES_MAX
        );
        assert_eq!(shorten("one\ntwo\nthree", Keep::Head, 10), "one\ntwo");
        assert_eq!(shorten("one\ntwo\nthree", Keep::Tail, 8), "three");
        assert!(packed.archive.len() < 20_000_000);
    }
}
