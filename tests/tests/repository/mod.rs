//! The files that git knows, for tests about the repository itself.

use std::path::PathBuf;
use std::process::Command;

use vvtv_tests::programs;

/// Where the checkout is.
pub(crate) fn root() -> PathBuf {
    programs::repository().to_owned()
}

/// Tracked files, and new ones that are not ignored, whose path ends so; sorted. Deleted ones are left out.
pub(crate) fn tracked(ending: &str) -> Vec<String> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let files = String::from_utf8(output.stdout).unwrap();
    let mut files: Vec<String> = files.lines().filter(|file| file.ends_with(ending)).map(str::to_owned).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    files
}

/// A file's text.
pub(crate) fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("read {file}: {error}"))
}
