//! `vvtvctl`: the operator's command line and the playout daemon. Parses arguments and hands over.

mod cli;
mod client;
mod command;
mod config;
mod failure;
mod flags;
mod layout;
mod nginx;
mod playout;
mod probe;
mod prometheus;
mod protocol;
mod queue;
mod render;
mod rtmp;
mod settings;

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
