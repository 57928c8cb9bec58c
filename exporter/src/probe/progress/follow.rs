//! Following a file that a program appends to: by offset and inode, without ever reading it again from the start.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

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
}
