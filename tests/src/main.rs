//! `vvtv-lab`: the whole stack for a newcomer to watch, and to break.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vvtv_tests::{cli, faults::Fault, up};

#[derive(Parser)]
#[command(name = "vvtv-lab", about = "The whole stack on this machine's loopback, to watch and to break")]
struct Arguments {
    /// The run directory
    #[arg(long, global = true, default_value = ".run")]
    root: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start everything, show the live board, stop everything on Ctrl-C
    Up,
    /// Harm the running stack; without a fault, list them
    Break {
        fault: Option<Fault>,
        #[arg(long, help = "Take the harm back instead")]
        undo: bool,
    },
    /// Clean up after a lab that was killed; labs start it themselves
    #[command(hide = true)]
    Guard { root: PathBuf },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.verb {
        Verb::Up => up::run(&arguments.root).await,
        Verb::Break { fault, undo } => cli::break_or_list(&arguments.root, fault, undo),
        Verb::Guard { root } => cli::guard(&root),
    };
    cli::exit_code(result)
}
