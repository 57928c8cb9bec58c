//! Where the journal is: a file that is ours alone, readable to nobody else, and still the one under its name; or, where there is none
//! that can be used, this process's memory.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, OpenFlags};

use super::{BUSY_TIMEOUT, JournalError};

/// For its owner only: alerts' labels and steps' output are nobody else's business.
const MODE: u32 = 0o600;

/// What a connection is opened to.
#[derive(Clone, Debug)]
pub(super) enum Location {
    /// A file.
    File(PathBuf),
    /// Memory of this process, under a name that no other journal of it has.
    Memory(Arc<str>),
}

impl Location {
    /// New and empty memory.
    pub(super) fn memory() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Connections of one process to one name share it (SQLite's memdb); the name begins with a slash for that.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self::Memory(format!("file:/vvtv-remediator-{number}?vfs=memdb").into())
    }

    /// A connection that waits for others.
    pub(super) fn open(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let connection = match self {
            Self::File(path) => Connection::open_with_flags(path, flags)?,
            Self::Memory(name) => Connection::open_with_flags(&**name, flags | OpenFlags::SQLITE_OPEN_URI)?,
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }

    /// Its name for people.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory(_) => Path::new("in memory"),
        }
    }
}

/// Which file, whatever its name.
type FileId = (u64, u64);

/// A file that is held: as long as this lives, no other process takes the same file, under whichever name.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Where the name leads to, symbolic links followed; SQLite's own files are beside that.
    real: PathBuf,
    id: FileId,
    log_id: Option<FileId>,
    // Closing another descriptor of this file would let go of SQLite's own locks (fcntl(2)), so it is closed last.
    _held: File,
}

impl Place {
    /// Makes the file if need be, and takes it.
    ///
    /// Two writers would act on the same incidents, each with locks and budgets of its own. The lock is on the file itself (flock(2)):
    /// a symbolic link, a hard link or another mount of it lead to the same.
    pub(super) fn take(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::File { path: path.to_owned(), source };
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).mode(MODE).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(JournalError::InUse { path: path.to_owned() }),
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let id = id_of(&file.metadata().map_err(failed)?);
        let real = path.canonicalize().map_err(failed)?;
        let place = Self { path: path.to_owned(), real, id, log_id: None, _held: file };
        for file in [place.real.clone(), place.beside("-wal"), place.beside("-shm")] {
            close_to_others(&file, MODE);
        }
        Ok(place)
    }

    fn beside(&self, ending: &str) -> PathBuf {
        beside(&self.real, ending)
    }

    /// Whether what is written is still found under the name: neither the file nor its write-ahead log was removed or replaced.
    pub(super) fn look(&mut self) -> Result<(), JournalError> {
        let gone = |path: &Path| JournalError::Replaced { path: path.to_owned() };
        if id_at(&self.path) != Some(self.id) {
            return Err(gone(&self.path));
        }
        let log = self.beside("-wal");
        match (self.log_id, id_at(&log)) {
            // SQLite makes it with the first transaction and keeps it as long as a connection is open.
            (None, found) => self.log_id = found,
            (Some(known), Some(found)) if known == found => {}
            (Some(_), _) => return Err(gone(&log)),
        }
        Ok(())
    }
}

/// A file beside the journal.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn id_of(meta: &std::fs::Metadata) -> FileId {
    (meta.dev(), meta.ino())
}

fn id_at(path: &Path) -> Option<FileId> {
    std::fs::metadata(path).ok().as_ref().map(id_of)
}

/// Takes everybody else's rights away from what an older version, or another umask, let them have.
pub(crate) fn close_to_others(path: &Path, mode: u32) {
    let closed = match std::fs::metadata(path) {
        Ok(meta) if meta.permissions().mode() & 0o777 & !mode == 0 => Ok(()),
        Ok(_) => std::fs::set_permissions(path, Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = closed {
        tracing::warn!(path = %path.display(), %error, "others may be able to read this");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(path: &Path) -> String {
        match Place::take(path) {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.to_string().replace(&path.parent().unwrap().display().to_string(), "DIR"),
        }
    }

    #[test]
    fn one_file_is_taken_once_under_whichever_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("remediator.db");
        let place = Place::take(&path).unwrap();
        let (soft, hard) = (dir.path().join("soft.db"), dir.path().join("hard.db"));
        std::os::unix::fs::symlink(&path, &soft).unwrap();
        std::fs::hard_link(&path, &hard).unwrap();
        for (other, name) in [(&path, "remediator.db"), (&soft, "soft.db"), (&hard, "hard.db")] {
            assert_eq!(taken(other), format!("the journal DIR/{name} is in use by another process"));
        }
        drop(place);
        assert_eq!(taken(&soft), "taken");
    }

    #[test]
    fn others_have_no_right_to_what_is_made_here_or_was_here() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("remediator.db");
        std::fs::write(&path, "").unwrap();
        std::fs::write(beside(&path, "-wal"), "").unwrap();
        for file in [&path, &beside(&path, "-wal")] {
            std::fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
        }
        let _place = Place::take(&path).unwrap();
        for file in [&path, &beside(&path, "-wal")] {
            assert_eq!(std::fs::metadata(file).unwrap().mode() & 0o777, 0o600, "{}", file.display());
        }
    }

    #[test]
    fn a_file_that_is_moved_or_replaced_is_missed_and_one_that_comes_back_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (path, away) = (dir.path().join("remediator.db"), dir.path().join("away.db"));
        let log = beside(&path, "-wal");
        let mut place = Place::take(&path).unwrap();
        std::fs::write(&log, "").unwrap();
        place.look().unwrap();
        std::fs::rename(&path, &away).unwrap();
        assert!(matches!(place.look(), Err(JournalError::Replaced { path: missed }) if missed == path));
        std::fs::write(&path, "").unwrap();
        assert!(place.look().is_err(), "another file under the name");
        std::fs::rename(&away, &path).unwrap();
        place.look().unwrap();
        std::fs::remove_file(&log).unwrap();
        assert!(matches!(place.look(), Err(JournalError::Replaced { path: missed }) if missed == log));
    }
}
