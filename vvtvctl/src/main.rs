//! `vvtvctl`: the operator's command line. Parses arguments and hands over.

mod cli;
mod command;
mod prometheus;
mod render;
mod verdict;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match command::run(cli::Cli::parse()) {
        Ok(verdict) => verdict.into(),
        Err(failure) => {
            render::complain(&failure.message());
            failure.code()
        }
    }
}
