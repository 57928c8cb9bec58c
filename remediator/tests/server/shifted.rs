//! The clocks of a program under test, moved while it runs: the real program, with a library before the C library's `clock_gettime`.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// Where a program's clocks are.
pub(crate) struct Shift {
    file: std::fs::File,
    path: PathBuf,
}

impl Shift {
    /// Not moved yet; what is moved is in a file of this directory.
    pub(crate) fn new(dir: &Path) -> Self {
        let path = dir.join("shift");
        let file = std::fs::File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        file.set_len(16).unwrap();
        Self { file, path }
    }

    /// Sets the wall clock so many seconds ahead.
    pub(crate) fn wall(&self, seconds: i64) {
        self.file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    /// Lets so many seconds pass at once, since the beginning.
    pub(crate) fn passed(&self, seconds: i64) {
        self.file.write_all_at(&seconds.to_ne_bytes(), 8).unwrap();
    }

    /// What a program's environment needs for it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        [("LD_PRELOAD", library().display().to_string()), ("SHIFT_FILE", self.path.display().to_string())]
    }
}

fn library() -> &'static Path {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (source, library) = (dir.path().join("shifted_clock.c"), dir.path().join("libshifted_clock.so"));
        std::fs::write(&source, include_str!("shifted_clock.c")).unwrap();
        // What links Rust programs is there.
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source);
        let status = compile.status().unwrap();
        assert!(status.success(), "{status}");
        (dir, library)
    });
    path
}
