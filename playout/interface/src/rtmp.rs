//! Whether an RTMP server answers and lets us in, stage by stage.

use std::time::Duration;

use anyhow::bail;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use vvtv_streaming::rtmp::{self, Connect, Dialogue, OPENING, Reply, Verdict};

use crate::config::PublishUrl;

/// Where the conversation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection.
    Tcp,
    /// RTMP's greeting: what answers is an RTMP server.
    Handshake,
    /// `connect` to the application: the server would let us in.
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
pub struct RtmpError {
    /// Which part of the conversation it was.
    pub stage: Stage,
    /// What was answered instead, or that nothing was.
    pub source: anyhow::Error,
}

/// TCP, handshake and `connect`, each within `timeout`.
///
/// # Errors
/// The stage that failed, and how.
pub async fn check(url: &PublishUrl, timeout: Duration) -> Result<(), RtmpError> {
    let tc_url = format!("rtmp://{}:{}/{}", url.host, url.port, url.app);
    let connect = Connect { app: &url.app, tc_url: &tc_url, client: "vvtvctl" };
    let mut conversation = Conversation::begin(url, Some(connect), timeout).await?;
    within(Stage::Handshake, timeout, conversation.until(|dialogue| dialogue.stage() != rtmp::Stage::Handshake))
        .await?;
    match within(Stage::Connect, timeout, conversation.until(|_| false)).await? {
        Some(Verdict::Answered(Reply::Accepted) | Verdict::Greeted) | None => Ok(()),
        Some(Verdict::Answered(reply)) => Err(RtmpError { stage: Stage::Connect, source: refusal(url, &reply) }),
    }
}

fn refusal(url: &PublishUrl, reply: &Reply) -> anyhow::Error {
    let app = &url.app;
    match reply {
        Reply::AuthRequired => anyhow::anyhow!("the server wants a name and a password for connect to `{app}`"),
        Reply::Redirected => anyhow::anyhow!("the server sends us elsewhere on connect to `{app}`"),
        Reply::Refused(said) if !said.is_empty() => anyhow::anyhow!("the server refused connect to `{app}`: {said}"),
        Reply::Refused(_) | Reply::Accepted => anyhow::anyhow!("the server refused connect to `{app}`"),
    }
}

/// TCP and handshake: the server is there and alive.
///
/// # Errors
/// The stage that failed, and how.
pub async fn handshake(url: &PublishUrl, timeout: Duration) -> Result<(), RtmpError> {
    let mut conversation = Conversation::begin(url, None, timeout).await?;
    within(Stage::Handshake, timeout, conversation.until(|_| false)).await.map(drop)
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

struct Conversation {
    stream: TcpStream,
    dialogue: Dialogue,
    verdict: Option<Verdict>,
}

impl Conversation {
    async fn begin(url: &PublishUrl, connect: Option<Connect<'_>>, timeout: Duration) -> Result<Self, RtmpError> {
        let open = async { Ok(TcpStream::connect((url.host.as_str(), url.port)).await?) };
        let mut stream = within(Stage::Tcp, timeout, open).await?;
        within(Stage::Handshake, timeout, async { Ok(stream.write_all(&OPENING).await?) }).await?;
        Ok(Self { stream, dialogue: Dialogue::new(connect), verdict: None })
    }

    /// Goes on until the server gave its verdict, or `reached` says that it is far enough.
    async fn until(&mut self, reached: impl Fn(&Dialogue) -> bool) -> anyhow::Result<Option<Verdict>> {
        let mut buffer = [0; 4096];
        while self.verdict.is_none() && !reached(&self.dialogue) {
            let read = self.stream.read(&mut buffer).await?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            let turn = self.dialogue.feed(buffer.get(..read).unwrap_or_default());
            let turn = turn.map_err(|error| anyhow::anyhow!("the server {error}"))?;
            self.stream.write_all(&turn.send).await?;
            self.verdict = turn.verdict;
        }
        Ok(self.verdict.clone())
    }
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

    /// AMF 0: a string, a number, null.
    fn answer(word: &str) -> Vec<u8> {
        let length = u8::try_from(word.len()).unwrap();
        let body = [&[2, 0, length], word.as_bytes(), &[0; 9], &[5]].concat();
        let body = body.as_slice();
        [&[3, 0, 0, 0, 0, 0, u8::try_from(body.len()).unwrap(), 20, 0, 0, 0, 0], body].concat()
    }

    #[tokio::test]
    async fn a_server_that_answers_and_one_that_refuses() {
        for (word, expected) in [("_result", None), ("_error", Some("the server refused connect to `live`"))] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut hello = OPENING;
                stream.read_exact(&mut hello).await.unwrap();
                stream.write_all(&[hello.as_slice(), &hello[1..]].concat()).await.unwrap();
                let mut rest = vec![0; OPENING.len() + 11];
                stream.read_exact(&mut rest).await.unwrap();
                stream.write_all(&answer(word)).await.unwrap();
                stream
            });
            let outcome = check(&url(port), Duration::from_secs(5)).await;
            assert_eq!(outcome.err().map(|error| error.source.to_string()).as_deref(), expected);
            server.await.unwrap();
        }
    }
}
