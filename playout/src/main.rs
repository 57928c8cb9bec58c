//! `vvtv-playout`: reads its arguments and hands over.

use std::process::ExitCode;

use clap::Parser as _;
use vvtv_playout::program::{self, Arguments};

fn main() -> ExitCode {
    program::exit_code(program::run(&Arguments::parse()))
}
