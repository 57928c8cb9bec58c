//! The command line's way to the daemon.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Context as _;

use crate::failure::Failure;
use crate::layout::Layout;
use crate::protocol::{REPLY_BYTES_MAX, Reply, Request};

/// How long the daemon may take for what it knows at once.
const QUICK: Duration = Duration::from_secs(3);

/// How long it may take for two restarts in a row.
const SLOW: Duration = Duration::from_secs(45);

/// Asks the daemon.
///
/// # Errors
/// `Unreachable` when no daemon answers, `Refused` when it refuses.
pub fn ask(layout: &Layout, request: &Request) -> Result<Reply, Failure> {
    let path = layout.socket();
    let timeout = match request {
        Request::Restart { .. } => SLOW,
        Request::Status
        | Request::Stats
        | Request::Config
        | Request::Skip
        | Request::HandOver
        | Request::LogTail { .. } => QUICK,
    };
    let converse = || -> anyhow::Result<Reply> {
        let mut stream = UnixStream::connect(&path)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(QUICK))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = Vec::new();
        BufReader::new(stream.take(REPLY_BYTES_MAX as u64)).read_until(b'\n', &mut answer)?;
        anyhow::ensure!(!answer.is_empty(), "the daemon closed the connection");
        serde_json::from_slice(&answer).context("the answer cannot be read")
    };
    match converse() {
        Ok(Reply::Refused { reason }) => Err(Failure::Refused(anyhow::anyhow!("{reason}"))),
        Ok(reply) => Ok(reply),
        Err(error) => {
            let late = error.downcast_ref::<std::io::Error>().is_some_and(|error| {
                matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
            });
            let error = if late { anyhow::anyhow!("no answer within {timeout:?}") } else { error };
            let context = format!("the playout daemon does not answer at {}", path.display());
            Err(Failure::Unreachable(error.context(context)))
        }
    }
}
