//! `vvtvctl playout`: sets the process up for the daemon.

use anyhow::Context as _;
use vvtv_toolkit::flags::LogArgs;
use vvtv_toolkit::logging;

use super::context::Context;
use crate::failure::{Failure, Verdict};
use crate::playout::daemon;

pub(super) fn run(context: &Context, log: &LogArgs, takeover: bool) -> Result<Verdict, Failure> {
    let config = context.config()?;
    logging::init(log).map_err(anyhow::Error::from)?;
    // A few threads, so that a slow disk under the queue does not hold up the frame clock.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .context("cannot start the daemon")?;
    runtime.block_on(daemon::run(config, context.layout.clone(), takeover))?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(Verdict::Good)
}
