//! Following a file that a program appends to: by offset and inode, without ever reading it again from the start.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::health::{Failure, ProbeError};

/// Bytes read at once; what is left comes with the next look.
const READ_MAX: u64 = 1 << 20;

/// Only the end of a file that was there before is of interest: a day of blocks is 16 MB.
const TAIL: u64 = 16 << 10;

/// A file, and how far it was read.
#[derive(Clone, Debug)]
pub struct Follower {
    path: PathBuf,
    at: Option<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    inode: u64,
    offset: u64,
}

/// What was added since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The new bytes.
    pub bytes: Vec<u8>,
    /// They are not the continuation of what came before: another file, or a truncated one.
    pub restarted: bool,
}

impl Follower {
    /// Nothing read yet.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, at: None }
    }

    /// Reads what was added. Blocks.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&mut self) -> io::Result<Appended> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let (inode, length) = (metadata.ino(), metadata.len());
        let (offset, restarted) = match self.at {
            None => (length.saturating_sub(TAIL), true),
            Some(at) if at.inode == inode && at.offset <= length => (at.offset, false),
            Some(_) => (0, true),
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        let read = file.take(READ_MAX).read_to_end(&mut bytes)?;
        self.at = Some(Position { inode, offset: offset + read as u64 });
        Ok(Appended { bytes, restarted })
    }

    /// An error of reading as that of the source.
    pub(super) fn failed(&self, error: &io::Error) -> ProbeError {
        let reason = if error.kind() == io::ErrorKind::NotFound { Failure::Missing } else { Failure::Io };
        ProbeError::new(reason, format!("follow {}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn growth_truncation_and_another_file_in_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("progress");
        let mut follower = Follower::new(path.clone());
        assert_eq!(follower.read().unwrap_err().kind(), io::ErrorKind::NotFound);
        let mut read = || {
            let appended = follower.read().unwrap();
            (String::from_utf8(appended.bytes).unwrap(), appended.restarted)
        };
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one").unwrap();
        assert_eq!(read(), ("one".to_owned(), true));
        assert_eq!(read(), (String::new(), false));
        file.write_all(b"two").unwrap();
        assert_eq!(read(), ("two".to_owned(), false));
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(read(), ("new".to_owned(), true));
        let other = directory.path().join("other");
        std::fs::write(&other, "other file").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(read(), ("other file".to_owned(), true));
    }

    #[test]
    fn only_the_end_of_an_old_file_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; 1 << 20]).unwrap();
        let appended = Follower::new(file.path().to_owned()).read().unwrap();
        assert_eq!(appended.bytes.len() as u64, TAIL);
    }
}
