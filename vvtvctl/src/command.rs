//! The commands: each asks, prints, and says how it went.

mod bundle;
mod context;
mod docs;
mod emergency;
mod flags;
mod health;
mod logs;
mod maintenance;
mod metrics;
mod queue;
mod restart;
mod status;
mod test_ingest;

use anyhow::Context as _;
use vvtv_playout_interface::failure::Failure;

use crate::cli::{Cli, Command, Maintenance, Ops, Streaming};
use crate::verdict::Verdict;
use context::Context;

/// Runs one command.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) fn run(cli: Cli) -> Result<Verdict, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Completions { shell } => return docs::completions(shell),
        Command::Man { output } => return docs::man_pages(&output),
        Command::Streaming(_) | Command::Flags(_) | Command::Queue(_) | Command::Ops(_) => {}
    }
    let context = Context::new(global)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let result = runtime.block_on(async {
        match command {
            Command::Streaming(command) => streaming(&context, command).await,
            Command::Flags(command) => flags::run(&context, command),
            Command::Queue(command) => queue::run(&context, command).await,
            Command::Ops(Ops::Bundle { scope, output }) => bundle::run(&context, scope, &output).await,
            Command::Ops(Ops::Maintenance(Maintenance::List)) => maintenance::list(&context),
            Command::Ops(Ops::Maintenance(Maintenance::Run { names, disruptive })) => {
                maintenance::run(&context, &names, disruptive).await
            }
            Command::Completions { .. } | Command::Man { .. } => Ok(Verdict::Good),
        }
    });
    // A source that hangs (a dead disk under a log) must not hold the command's end up.
    runtime.shutdown_background();
    result
}

async fn streaming(context: &Context, command: Streaming) -> Result<Verdict, Failure> {
    match command {
        Streaming::Status => status::status(context),
        Streaming::Stats { encoder, detailed } => status::stats(context, encoder, detailed).await,
        Streaming::Config { show_encoder } => status::config(context, show_encoder),
        Streaming::RestartEncoder(options) => restart::run(context, &options),
        Streaming::Emergency(options) => emergency::run(context, &options).await,
        Streaming::TestIngest { timeout } => test_ingest::run(context, timeout).await,
        Streaming::Health => health::run(context).await,
        Streaming::Metrics { live } => metrics::run(context, live).await,
        Streaming::Logs(options) => logs::run(context, &options),
    }
}
