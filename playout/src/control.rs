//! The daemon's control socket, `run/playout.sock`: for the owner and the group only, one request line in, one reply line out.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use vvtv_playout_interface::protocol::{REQUEST_BYTES_MAX, Reply, Request};

/// Connections served at a time; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 16;

/// How long a client may take to say what it wants, and to take the answer.
const CLIENT_WITHIN: Duration = Duration::from_secs(2);

/// How long the end of a connection that is closed already may take to be seen.
const LEFT_WITHIN: Duration = Duration::from_millis(50);

/// How long an answer may take: longer than any restart.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A request on its way to the daemon's loop, with the way back.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) answer: oneshot::Sender<Reply>,
}

/// Opens the socket. The caller holds the root's lock, so that a socket that is there already is a leftover.
///
/// # Errors
/// The socket cannot be made, for instance because its path is too long for a socket.
pub(crate) fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    let named = || format!("cannot open the control socket {}", path.display());
    // Made under another name, so that nobody can reach it before it has its permissions.
    let staged = path.with_extension("sock.new");
    let _ = std::fs::remove_file(&staged);
    let listener = UnixListener::bind(&staged).with_context(named)?;
    std::fs::set_permissions(&staged, std::fs::Permissions::from_mode(0o660)).with_context(named)?;
    std::fs::rename(&staged, path).with_context(named)?;
    Ok(listener)
}

/// Accepts connections until it is dropped.
pub(crate) async fn serve(listener: UnixListener, requests: mpsc::Sender<Asked>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let requests = requests.clone();
                tokio::spawn(async move {
                    let _slot = slot;
                    if let Err(error) = converse(stream, requests).await {
                        tracing::debug!("control connection: {error:#}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a control connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, requests: mpsc::Sender<Asked>) -> anyhow::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = Vec::new();
    let mut reading = BufReader::new(reading.take(REQUEST_BYTES_MAX as u64 + 1));
    tokio::time::timeout(CLIENT_WITHIN, reading.read_until(b'\n', &mut line))
        .await
        .context("the client is silent")??;
    let reply = match parse(&line) {
        Err(reason) => Reply::Refused { reason },
        Ok(Request::HandOver) if left(&mut reading).await => {
            // Asked of a daemon that was frozen then: nobody is there to take over.
            anyhow::bail!("the client that asked for a handover is gone");
        }
        Ok(request) => {
            let (answer, answered) = oneshot::channel();
            requests.try_send(Asked { request, answer }).context("the daemon is busy or ending")?;
            tokio::time::timeout(ANSWER_WITHIN, answered).await.context("no answer in time")??
        }
    };
    let mut bytes = serde_json::to_vec(&reply)?;
    bytes.push(b'\n');
    tokio::time::timeout(CLIENT_WITHIN, writing.write_all(&bytes)).await.context("the client does not read")??;
    Ok(())
}

/// Whether the client has closed the connection.
async fn left(reading: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut byte = [0];
    matches!(tokio::time::timeout(LEFT_WITHIN, reading.read(&mut byte)).await, Ok(Ok(0) | Err(_)))
}

fn parse(line: &[u8]) -> Result<Request, String> {
    if line.len() > REQUEST_BYTES_MAX {
        return Err(format!("a request is at most {REQUEST_BYTES_MAX} bytes"));
    }
    if line.last() != Some(&b'\n') {
        return Err("a request is one line".to_owned());
    }
    serde_json::from_slice(line).map_err(|error| format!("the request cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        assert_eq!(parse(b"\"status\"\n"), Ok(Request::Status));
        assert_eq!(
            parse(b"{\"restart\":{\"only_if_changed\":true}}\n"),
            Ok(Request::Restart { only_if_changed: true })
        );
        assert_eq!(parse(b"\"status\""), Err("a request is one line".to_owned()));
        assert!(
            parse(b"\"explode\"\n").unwrap_err().starts_with("the request cannot be read: unknown variant `explode`")
        );
        assert!(parse(&vec![b'x'; REQUEST_BYTES_MAX + 1]).unwrap_err().starts_with("a request is at most"));
    }

    #[tokio::test]
    async fn the_socket_is_for_owner_and_group_and_a_leftover_does_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("playout.sock");
        drop(bind(&path).unwrap());
        assert!(path.exists());
        let _listener = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    }
}
