//! The arguments of `vvtv-lab`, and its verbs that need no running lab of their own.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};

use crate::family;
use crate::faults::{self, Fault};
use crate::site::Site;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "vvtv-lab", about = "The whole stack on this machine's loopback, to watch and to break")]
pub struct Arguments {
    /// The run directory
    #[arg(long, global = true, default_value = ".run")]
    pub root: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start everything, show the live board, stop everything on Ctrl-C
    Up,
    /// Harm the running stack; without a fault, list them
    Break {
        /// Which fault
        fault: Option<Fault>,
        /// Take the harm back instead
        #[arg(long)]
        undo: bool,
    },
    /// Provoke each fault on a stack of its own, and print how long each lasts: takes a quarter of an hour
    Bench,
    /// Clean up after a lab that was killed; labs start it themselves
    #[command(hide = true)]
    Guard {
        /// The lab's run directory
        run: PathBuf,
    },
}

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
    faults::disk::release(root)?;
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
