//! The verbs of `vvtv-lab` that need no running lab of their own.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::family;
use crate::faults::{self, Fault};
use crate::site::Site;

/// Causes a fault, takes it back, or lists the faults.
///
/// # Errors
/// No stack runs at `root`, or what is to be harmed does not.
pub fn break_or_list(root: &Path, fault: Option<Fault>, undo: bool) -> anyhow::Result<()> {
    let Some(fault) = fault else {
        println!("Faults:\n{}", faults::list());
        return Ok(());
    };
    let site = Site::load(root)?;
    let done = if undo { fault.undo(&site) } else { fault.cause(&site) };
    println!("{}", done.with_context(|| fault.to_string())?);
    Ok(())
}

/// Waits for the end of the lab, which is the end of standard input, and ends what it left.
///
/// # Errors
/// Something does not end.
pub fn guard(root: &Path) -> anyhow::Result<()> {
    let mut nothing = [0_u8; 64];
    while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
    let left = family::sweep(root);
    if !left.is_empty() {
        bail!("processes that do not end: {left:?}");
    }
    Ok(())
}

/// Prints an error with its causes, once.
#[must_use]
pub fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vvtv-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}
