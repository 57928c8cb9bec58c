//! Following a file of reports: appended to, as ffmpeg does, or written whole each time.
//!
//! What was read is not read again: a look goes on where the one before ended, if the bytes before that place are still the same ones.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::health::{Failure, ProbeError};

/// Bytes read at once; what is left comes with the next look.
const READ_MAX: u64 = 1 << 20;

/// Only the end of a file that was there before is of interest: a day of blocks is 16 MB.
const TAIL: u64 = 16 << 10;

/// Bytes remembered of what was read, by which another content is known: a block has about 250.
const REMEMBERED: usize = 512;

/// A file, and how far it was read.
#[derive(Clone, Debug)]
pub struct Follower {
    path: PathBuf,
    at: Option<Position>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    inode: u64,
    offset: u64,
    modified: SystemTime,
    /// The bytes before the offset.
    last: Vec<u8>,
}

/// What a look found that the one before did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The new bytes.
    pub bytes: Vec<u8>,
    /// What they are to those of the look before.
    pub change: Change,
}

/// What bytes are to those that were read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// They follow.
    Continued,
    /// They stand in their place: the file was written anew, or is another one.
    Replaced,
    /// Nobody saw them being written: the file was there at the first look, or is an old one in the place of a newer.
    Found {
        /// How long ago the file was changed, by the wall clock.
        age: Duration,
    },
}

impl Follower {
    /// Nothing read yet.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, at: None }
    }

    /// Reads what is new. Blocks.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&mut self) -> io::Result<Appended> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let (inode, length, modified) = (metadata.ino(), metadata.len(), metadata.modified()?);
        let continued = match &self.at {
            Some(at) => at.inode == inode && at.is_continued_by(&mut file, length, modified)?,
            None => false,
        };
        let before = self.at.take();
        let (offset, mut last, change) = match before {
            Some(at) if continued => (at.offset, at.last, Change::Continued),
            Some(at) if modified > at.modified => (length.saturating_sub(TAIL), Vec::new(), Change::Replaced),
            Some(_) | None => {
                let age = SystemTime::now().duration_since(modified).unwrap_or_default();
                (length.saturating_sub(TAIL), Vec::new(), Change::Found { age })
            }
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        let read = file.take(READ_MAX).read_to_end(&mut bytes)?;
        last.extend(&bytes);
        last.drain(..last.len().saturating_sub(REMEMBERED));
        self.at = Some(Position { inode, offset: offset + read as u64, modified, last });
        Ok(Appended { bytes, change })
    }

    /// An error of reading as that of the source.
    pub(super) fn failed(&self, error: &io::Error) -> ProbeError {
        let reason = if error.kind() == io::ErrorKind::NotFound { Failure::Missing } else { Failure::Io };
        ProbeError::new(reason, format!("follow {}: {error}", self.path.display()))
    }
}

impl Position {
    /// What was read is still there, and if nothing was added, nothing was written either.
    fn is_continued_by(&self, file: &mut File, length: u64, modified: SystemTime) -> io::Result<bool> {
        let written_in_place = length == self.offset && modified != self.modified;
        if length < self.offset || written_in_place {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.offset.saturating_sub(self.last.len() as u64)))?;
        let mut there = Vec::new();
        file.take(self.last.len() as u64).read_to_end(&mut there)?;
        Ok(there == self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::path::Path;

    /// A file with a time of change: seconds from now, because the clock of a file system is coarse.
    fn write(path: &Path, text: &str, seconds: i64) {
        let mut file = File::options().write(true).create(true).truncate(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let now = SystemTime::now();
        file.set_modified(if seconds < 0 { now - distance } else { now + distance }).unwrap();
    }

    fn read(follower: &mut Follower) -> (String, Change) {
        let Appended { bytes, change } = follower.read().unwrap();
        (String::from_utf8(bytes).unwrap(), change)
    }

    fn is_found(change: Change, seconds: u64) -> bool {
        matches!(change, Change::Found { age } if age.as_secs().abs_diff(seconds) < 30)
    }

    #[test]
    fn growth_truncation_and_another_file_in_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("progress");
        let mut follower = Follower::new(path.clone());
        assert_eq!(follower.read().unwrap_err().kind(), io::ErrorKind::NotFound);
        write(&path, "one", 0);
        let (text, change) = read(&mut follower);
        assert!(text == "one" && is_found(change, 0), "{change:?}");
        assert_eq!(read(&mut follower), (String::new(), Change::Continued));
        File::options().append(true).open(&path).unwrap().write_all(b"two").unwrap();
        assert_eq!(read(&mut follower), ("two".to_owned(), Change::Continued));
        write(&path, "new", 60);
        assert_eq!(read(&mut follower), ("new".to_owned(), Change::Replaced));
        let other = directory.path().join("other");
        write(&other, "other file", 61);
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(read(&mut follower), ("other file".to_owned(), Change::Replaced));
    }

    #[test]
    fn a_file_that_is_written_whole_each_time_is_read_whole_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("progress"), directory.path().join("other"));
        let mut follower = Follower::new(path.clone());
        write(&path, "frame=98\nprogress=continue\n", -60);
        let (_, change) = read(&mut follower);
        assert!(is_found(change, 60), "{change:?}");
        let texts = ["frame=99", "frame=100", "frame=101", "frame=101", "frame=1", "frame=1001"];
        for (second, frame) in (-50..).zip(texts) {
            let text = format!("{frame}\nprogress=continue\n");
            write(&path, &text, second);
            assert_eq!(read(&mut follower), (text, Change::Replaced), "written in place");
            assert_eq!(read(&mut follower), (String::new(), Change::Continued));
        }
        for (second, frame) in (-40..).zip(texts) {
            let text = format!("{frame}\nprogress=continue\n");
            write(&other, &text, second);
            std::fs::rename(&other, &path).unwrap();
            assert_eq!(read(&mut follower), (text, Change::Replaced), "put in its place");
        }
    }

    #[test]
    fn an_old_file_is_no_news_wherever_it_comes_from() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("progress"), directory.path().join("other"));
        let mut follower = Follower::new(path.clone());
        write(&path, "a day old", -86_400);
        let (text, change) = read(&mut follower);
        assert!(text == "a day old" && is_found(change, 86_400), "{change:?}");
        write(&other, "two days old", -172_800);
        std::fs::rename(&other, &path).unwrap();
        let (text, change) = read(&mut follower);
        assert!(text == "two days old" && is_found(change, 172_800), "{change:?}");
        write(&path, "of a clock that is ahead", 3600);
        assert_eq!(read(&mut follower).1, Change::Replaced);
    }

    #[test]
    fn only_the_end_of_an_old_file_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; 1 << 20]).unwrap();
        let appended = Follower::new(file.path().to_owned()).read().unwrap();
        assert_eq!(appended.bytes.len() as u64, TAIL);
    }
}
