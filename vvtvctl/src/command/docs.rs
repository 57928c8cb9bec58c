//! Completions and man pages, made from the command line's own definition.

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use vvtv_playout_interface::failure::Failure;

use crate::cli::Cli;
use crate::render;
use crate::verdict::Verdict;

pub(super) fn completions(shell: clap_complete::Shell) -> Result<Verdict, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vvtvctl", &mut script);
    render::print(String::from_utf8(script).context("the script is not UTF-8")?.trim_end());
    Ok(Verdict::Good)
}

pub(super) fn man_pages(output: &Path) -> Result<Verdict, Failure> {
    let named = || format!("cannot write man pages into {}", output.display());
    std::fs::create_dir_all(output).with_context(named)?;
    clap_mangen::generate_to(Cli::command(), output).with_context(named)?;
    Ok(Verdict::Good)
}
