//! `vvtv-lab`: the whole stack for a newcomer to watch, and to break.

use std::process::ExitCode;

use clap::Parser as _;
use vvtv_tests::cli::{self, Arguments, Verb};
use vvtv_tests::{bench, up};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.verb {
        Verb::Up => up::run(&arguments.root).await,
        Verb::Break { fault, undo } => cli::break_or_list(&arguments.root, fault, undo),
        Verb::Bench => bench::run().await,
        Verb::Guard { run } => cli::guard(&run),
    };
    cli::exit_code(result)
}
