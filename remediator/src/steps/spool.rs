//! The directory of facts files: a file for each step that runs, under a name that tells whose it is, and a note beside it that its process
//! waits.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use vvtv_incident::{IncidentId, StepId, TaskId};

use super::Mark;
use crate::conditions::facts::Facts;

/// How a note's name ends.
pub(super) const NOTE: &str = "waits";
/// For its owner only.
const MODE: u32 = 0o700;

pub(super) fn of_step(incident: IncidentId, step: &StepId, attempt: u32) -> String {
    format!("{incident}-{step}-{attempt}.json")
}

pub(super) fn of_task(task: TaskId) -> String {
    format!("task-{task}.json")
}

/// Whether a file's name is one of these: a stranger's is not touched.
fn is_ours(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((name, "json" | NOTE)) = name.rsplit_once('.') else { return false };
    match name.split_once('-') {
        Some(("task", task)) => number(task),
        Some((incident, rest)) => {
            number(incident) && rest.rsplit_once('-').is_some_and(|(step, attempt)| !step.is_empty() && number(attempt))
        }
        None => false,
    }
}

pub(super) fn make(spool: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(MODE).create(spool)?;
    // One that an older version made under a generous umask.
    std::fs::set_permissions(spool, std::fs::Permissions::from_mode(MODE))
}

/// Writes what a step may read and the note that its process waits, and makes the directory in which it may leave files. On one thread
/// at one go: each step waits for it.
///
/// # Errors
/// One of them cannot be made; the message names it.
pub(super) async fn write(mark: &Mark, facts: &Facts, attachments: Option<&Path>) -> Result<(), String> {
    let json = serde_json::to_vec(facts).map_err(|error| format!("cannot tell a step what is known: {error}"))?;
    let (mark, attachments) = (mark.clone(), attachments.map(Path::to_owned));
    let write = move || {
        if let Some(directory) = attachments {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(MODE)
                .create(&directory)
                .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        }
        put(mark.file(), &json)?;
        put(&mark.note(), b"waits\n")
    };
    tokio::task::spawn_blocking(write).await.map_err(|error| format!("cannot write a step's files: {error}"))?
}

fn put(path: &Path, content: &[u8]) -> Result<(), String> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    opened
        .and_then(|mut opened| opened.write_all(content))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Removes our files but those that are still read.
pub(super) fn sweep(spool: &Path, running: &[Mark]) {
    let me = rustix::process::geteuid().as_raw();
    let mut removed = 0_usize;
    for entry in std::fs::read_dir(spool).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_str().is_some_and(is_ours)
            && entry.metadata().is_ok_and(|meta| meta.is_file() && meta.uid() == me);
        if !ours || running.iter().any(|mark| mark.file() == path || mark.note() == path) {
            continue;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => removed += 1,
            Err(error) => tracing::warn!(file = %path.display(), %error, "cannot remove a facts file"),
        }
    }
    if removed > 0 {
        tracing::info!(removed, spool = %spool.display(), "facts files of killed runs removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_nobody_reads_any_more_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        std::fs::create_dir(&spool).unwrap();
        make(&spool).unwrap();
        assert_eq!(std::fs::metadata(&spool).unwrap().mode() & 0o777, 0o700);
        let ours = [
            "7-mend-2.json",
            "7-mend-2.waits",
            "7-restart-nginx-1.json",
            "task-3.json",
            "8-look-1.json",
            "8-look-1.waits",
        ];
        let others = ["notes.json", "7-mend-2.json.bak", "7-mend.json", "task-x.json", "-a-1.json", "x7-mend-1.json"];
        for name in ours.iter().chain(&others) {
            std::fs::write(spool.join(name), "{}").unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", spool.join("9-look-1.json")).unwrap();
        std::fs::create_dir(spool.join("9-look-2.json")).unwrap();
        sweep(&spool, &[Mark::new(spool.join(of_step(IncidentId::new(8), &StepId::new("look"), 1)))]);
        let mut left: Vec<_> = std::fs::read_dir(&spool).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        let mut expected: Vec<_> = others.iter().map(Into::into).collect::<Vec<std::ffi::OsString>>();
        expected.extend(["8-look-1.json", "8-look-1.waits", "9-look-1.json", "9-look-2.json"].map(Into::into));
        expected.sort();
        assert_eq!(left, expected);
    }
}
