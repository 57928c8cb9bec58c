//! The program: its arguments, its runtime, and how its end is told.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::runtime::Builder;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::root::RootArgs;
use vvtv_toolkit::flags::LogArgs;
use vvtv_toolkit::{logging, redaction, text};

use crate::daemon;

/// A few, so that a slow disk under the queue does not hold up the frame clock.
const THREADS: usize = 4;

/// What hangs on a filesystem cannot be ended, and is not waited for.
const END_WITHIN: Duration = Duration::from_secs(1);

const AFTER_HELP: &str = "Exit codes:
  0  ended by SIGTERM, SIGINT, or a daemon that took over
  1  the root cannot be used
  2  arguments or playout.yml are wrong; nothing was done
  3  the daemon that is to hand over does not answer
  4  refused: another daemon runs on the root, or does not hand over in time

Example:
  vvtv-playout --root /vvtv --takeover";

/// Plays a channel's queue through one encoder that never loses its place. Commanded by vvtvctl.
#[derive(Debug, Parser)]
#[command(name = "vvtv-playout", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// Which channel.
    #[command(flatten)]
    pub root: RootArgs,
    /// Ask the daemon that runs on this root to end, and go on with its item where it was
    #[arg(long)]
    pub takeover: bool,
    /// How the daemon itself logs, to standard error.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Runs the daemon until it is asked to end.
///
/// # Errors
/// It could not begin; why, with the exit code that says so.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let layout = arguments.root.layout()?;
    let config = arguments.root.config()?;
    logging::init(&arguments.log).map_err(anyhow::Error::from)?;
    let runtime =
        Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().context("cannot start the daemon")?;
    runtime.block_on(daemon::run(config, layout, arguments.takeover))?;
    runtime.shutdown_timeout(END_WITHIN);
    Ok(())
}

/// Tells a failure on standard error, without secrets, and gives its exit code.
#[must_use]
pub fn exit_code(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("vvtv-playout: {}", text::visible_lines(&redaction::text(&failure.message())));
            failure.code()
        }
    }
}
