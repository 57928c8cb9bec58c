//! Shell text that `/bin/sh` itself does not take: it reads the text and runs nothing of it (`-n`).

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Report;
use crate::runbook::{Book, Command as Step};

/// An error for each step whose text is not taken.
pub(super) fn check(book: &Book, report: &mut Report) {
    for (id, mark) in &book.marks.commands {
        let Some(Step::Shell(text)) = book.steps.get(id).map(|spec| &spec.command) else { continue };
        match complaint(text) {
            Ok(None) => {}
            Ok(Some(said)) => report.error_at(&book.marks.source, mark, format!("`sh -n` does not take it: {said}")),
            Err(error) => {
                report.warning_at(&book.marks.source, mark, format!("`sh -n` cannot be asked about it: {error}"));
            }
        }
    }
}

/// What it says of a text that it does not take.
fn complaint(text: &str) -> std::io::Result<Option<String>> {
    let mut sh = Command::new("/bin/sh")
        .arg("-n")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = sh.stdin.take() {
        // It stops reading at its first complaint.
        let _closed = stdin.write_all(text.as_bytes());
    }
    let output = sh.wait_with_output()?;
    if output.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Ok(Some(said.trim().lines().next().unwrap_or("it gives no reason").to_owned()))
}
