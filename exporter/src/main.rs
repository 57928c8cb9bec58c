//! The program: reads its flags and hands over.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio::runtime::Builder;
use vvtv_exporter::app::{self, Args, Command};
use vvtv_exporter::{files, selftest};

/// Ten thousand polls a second make half a million small allocations, on which the system's allocator spends a quarter of the time.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What hangs on a filesystem cannot be ended, and is not waited for.
const END_WITHIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = vvtv_toolkit::logging::init(&args.log).map_err(anyhow::Error::from).and_then(|()| {
        let runtime = Builder::new_multi_thread().enable_all().max_blocking_threads(files::THREADS_MAX).build()?;
        let outcome = runtime.block_on(async {
            match &args.command {
                Some(Command::Selftest) => selftest::run().await,
                None => app::run(args).await,
            }
        });
        runtime.shutdown_timeout(END_WITHIN);
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vvtv-exporter: {error:#}");
            ExitCode::FAILURE
        }
    }
}
