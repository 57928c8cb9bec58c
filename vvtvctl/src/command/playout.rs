//! `vvtvctl playout`: sets the process up for the daemon.

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use super::context::Context;
use crate::failure::{Failure, Verdict};
use crate::playout::daemon;

pub(super) fn run(context: &Context) -> Result<Verdict, Failure> {
    let config = context.config()?;
    let filter = EnvFilter::try_from_env("VVTV_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    // A few threads, so that a slow disk under the queue does not hold up the frame clock.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .context("cannot start the daemon")?;
    runtime.block_on(daemon::run(config, context.layout.clone()))?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(Verdict::Good)
}
