//! Just enough RTMP to know whether a server answers: the handshake and `connect` to an application.
//!
//! Source: Adobe's RTMP specification 1.0, §5.2 (handshake), §5.3 (chunks) and §7.2.1.1 (connect).

use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::config::PublishUrl;

/// C1, S1, C2 and S2 are so long.
const HANDSHAKE_BYTES: usize = 1536;

/// Without another agreement a message travels in chunks of so many bytes.
const CHUNK_BYTES: usize = 128;

/// The answer to `connect` comes within the first few hundred bytes.
const ANSWER_MAX: usize = 8 << 10;

/// Where the conversation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Tcp,
    Handshake,
    Connect,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Handshake => "handshake",
            Self::Connect => "connect",
        })
    }
}

/// A server that does not answer as an RTMP server does.
#[derive(Debug, thiserror::Error)]
#[error("{stage}")]
pub(crate) struct RtmpError {
    pub(crate) stage: Stage,
    pub(crate) source: anyhow::Error,
}

/// TCP, handshake and `connect`, each within `timeout`.
///
/// # Errors
/// The stage that failed, and how.
pub(crate) async fn check(url: &PublishUrl, timeout: Duration) -> Result<(), RtmpError> {
    let mut stream = handshake(url, timeout).await?;
    within(Stage::Connect, timeout, connect(&mut stream, url)).await
}

/// TCP and handshake: the server is there and alive.
///
/// # Errors
/// The stage that failed, and how.
pub(crate) async fn handshake(url: &PublishUrl, timeout: Duration) -> Result<TcpStream, RtmpError> {
    let open = async { Ok(TcpStream::connect((url.host.as_str(), url.port)).await?) };
    let mut stream = within(Stage::Tcp, timeout, open).await?;
    within(Stage::Handshake, timeout, greet(&mut stream)).await?;
    Ok(stream)
}

async fn within<T>(
    stage: Stage,
    timeout: Duration,
    work: impl Future<Output = anyhow::Result<T>>,
) -> Result<T, RtmpError> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result.map_err(|source| RtmpError { stage, source }),
        Err(_) => Err(RtmpError { stage, source: anyhow::anyhow!("no answer within {timeout:?}") }),
    }
}

async fn greet(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut hello = vec![0; 1 + HANDSHAKE_BYTES];
    if let Some(version) = hello.first_mut() {
        *version = 3;
    }
    stream.write_all(&hello).await?;
    let mut answer = vec![0; 1 + 2 * HANDSHAKE_BYTES];
    stream.read_exact(&mut answer).await.context("the server closed the connection")?;
    if answer.first() != Some(&3) {
        bail!("the answer is not RTMP version 3");
    }
    // C2 is the server's S1.
    stream.write_all(answer.get(1..=HANDSHAKE_BYTES).unwrap_or_default()).await?;
    Ok(())
}

async fn connect(stream: &mut TcpStream, url: &PublishUrl) -> anyhow::Result<()> {
    stream.write_all(&connect_message(url)).await?;
    let mut answer = Vec::new();
    while answer.len() < ANSWER_MAX {
        let mut chunk = [0; 1024];
        let length = stream.read(&mut chunk).await?;
        if length == 0 {
            bail!("the server closed the connection on connect to `{}`", url.app);
        }
        answer.extend_from_slice(chunk.get(..length).unwrap_or_default());
        // A command's name stands at the head of its message and so is never torn by a chunk's border.
        if contains(&answer, &amf_string("_result")) {
            return Ok(());
        }
        if contains(&answer, &amf_string("_error")) {
            bail!("the server refused connect to `{}`", url.app);
        }
    }
    bail!("no answer to connect within {ANSWER_MAX} bytes")
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn connect_message(url: &PublishUrl) -> Vec<u8> {
    let mut payload = amf_string("connect");
    payload.push(0);
    payload.extend(1.0_f64.to_be_bytes());
    payload.push(3);
    let tc_url = format!("rtmp://{}:{}/{}", url.host, url.port, url.app);
    for (key, value) in [("app", url.app.as_str()), ("flashVer", "vvtvctl"), ("tcUrl", &tc_url)] {
        payload.extend(length_prefixed(key));
        payload.extend(amf_string(value));
    }
    payload.extend([0, 0, 9]);
    // Chunk stream 3, full header: timestamp 0, length, type 20 (AMF0 command), message stream 0.
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut message = vec![3, 0, 0, 0];
    message.extend(length.get(1..).unwrap_or_default());
    message.extend([20, 0, 0, 0, 0]);
    for (index, chunk) in payload.chunks(CHUNK_BYTES).enumerate() {
        if index > 0 {
            message.push(0xC3);
        }
        message.extend(chunk);
    }
    message
}

fn length_prefixed(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes().to_vec();
    out.extend(bytes);
    out
}

fn amf_string(text: &str) -> Vec<u8> {
    let mut out = vec![2];
    out.extend(length_prefixed(text));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn url(port: u16) -> PublishUrl {
        PublishUrl::parse(&format!("rtmp://127.0.0.1:{port}/live/main")).unwrap()
    }

    #[tokio::test]
    async fn each_stage_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Accepted by the kernel, answered by nobody.
        let error = check(&url(port), Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.stage, Stage::Handshake);
        drop(listener);
        let error = check(&url(port), Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.stage, Stage::Tcp);
    }

    #[tokio::test]
    async fn a_server_that_answers_and_one_that_refuses() {
        for (word, good) in [("_result", true), ("_error", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut hello = vec![0; 1 + HANDSHAKE_BYTES];
                stream.read_exact(&mut hello).await.unwrap();
                stream.write_all(&[hello.clone(), hello[1..].to_vec()].concat()).await.unwrap();
                let mut rest = vec![0; HANDSHAKE_BYTES + 12];
                stream.read_exact(&mut rest).await.unwrap();
                stream.write_all(&amf_string(word)).await.unwrap();
                stream
            });
            assert_eq!(check(&url(port), Duration::from_secs(5)).await.is_ok(), good);
            server.await.unwrap();
        }
    }
}
