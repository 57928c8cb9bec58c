//! The program: reads its flags and hands over.

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;
use vvtv_exporter::app::{self, Args, Command};
use vvtv_exporter::selftest;

/// Ten thousand polls a second make half a million small allocations, on which the system's allocator spends a quarter of the time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = vvtv_toolkit::logging::init(&args.log) {
        eprintln!("vvtv-exporter: {error}");
        return ExitCode::FAILURE;
    }
    let outcome = match &args.command {
        Some(Command::Selftest) => selftest::run().await,
        None => app::run(args).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vvtv-exporter: {error:#}");
            ExitCode::FAILURE
        }
    }
}
