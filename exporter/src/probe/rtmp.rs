//! RTMP: does the server answer the handshake and accept `connect` to the application? A TCP connect alone proves nothing: a hung
//! server's kernel still accepts.

mod amf;
mod reply;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use self::reply::Reply;
pub use self::wire::{ReplyReader, connect_command};
use crate::config::{Connect, RtmpEndpoint};
use crate::fetch::io_reason;
use crate::health::{Failure, Health, ProbeError};
use crate::probe::{Tools, next_tick, record};

/// Size of S0 and S1 together (RTMP 1.0 §5.2).
const S0_S1: usize = 1537;

/// Size of C1, C2, S1 and S2.
const HANDSHAKE: usize = 1536;

/// Bytes of an answer that are read in search of the result.
const ANSWER_MAX: usize = 64 << 10;

/// What is probed: one application of a server, shared by its streams.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RtmpSpec {
    /// The application.
    pub endpoint: RtmpEndpoint,
    /// Between two probes.
    pub interval: Duration,
    /// For handshake and `connect` together.
    pub timeout: Duration,
}

/// How a server that is up answers `connect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Come in; of a server that is asked for the handshake alone, that it was finished.
    Accepted,
    /// Not without a name and a password.
    AuthRequired,
    /// Go elsewhere.
    Redirected,
}

impl Answer {
    /// The label value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AuthRequired => "auth_required",
            Self::Redirected => "redirected",
        }
    }
}

/// What is known of an application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RtmpView {
    /// Of the probe; up while the server answers, whatever it answers.
    pub health: Health,
    /// The last answer.
    pub answer: Option<Answer>,
}

/// Probes until stopped.
pub async fn run(spec: RtmpSpec, tools: Tools, view: watch::Sender<Arc<RtmpView>>, stop: CancellationToken) {
    let mut health = Health::default();
    let mut ticks = tools.pace.every(spec.interval);
    let url = spec.endpoint.url();
    while next_tick(&mut ticks, &stop).await {
        let started = tools.clock.now();
        let Some(outcome) = stop.run_until_cancelled(handshake(&spec.endpoint, spec.timeout)).await else { return };
        let answer = outcome.as_ref().ok().copied();
        record(&mut health, &url, "rtmp", started, tools.clock.now(), outcome.map(|_| ()));
        if view.send(Arc::new(RtmpView { health: health.clone(), answer })).is_err() {
            return;
        }
    }
}

/// Handshake, and `connect` to the application where that is wanted, within `limit`.
///
/// # Errors
/// `Timeout` when the server is hung, `Refused` or `Unreachable` when nobody is there, `Rejected` when it does not know the
/// application, `Closed` or `Malformed` when it does not speak RTMP.
pub async fn handshake(endpoint: &RtmpEndpoint, limit: Duration) -> Result<Answer, ProbeError> {
    let look_up = async {
        let found = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await;
        let failed = |error| ProbeError::new(io_reason(&error), format!("connect to {}: {error}", endpoint.url()));
        converse(endpoint, found.map_err(failed)?.collect(), limit).await
    };
    in_time(endpoint, look_up, limit).await
}

/// As [`handshake`], at these addresses of the host and no others.
///
/// # Errors
/// As [`handshake`].
pub async fn handshake_at(
    endpoint: &RtmpEndpoint,
    addresses: Vec<SocketAddr>,
    limit: Duration,
) -> Result<Answer, ProbeError> {
    in_time(endpoint, converse(endpoint, addresses, limit), limit).await
}

async fn in_time(
    endpoint: &RtmpEndpoint,
    asked: impl Future<Output = Result<Answer, ProbeError>>,
    limit: Duration,
) -> Result<Answer, ProbeError> {
    timeout(limit, asked).await.unwrap_or_else(|_| {
        Err(ProbeError::new(Failure::Timeout, format!("{} did not answer within {limit:?}", endpoint.url())))
    })
}

/// nginx-rtmp answers in two small writes. Its kernel holds the second one back until the first is acknowledged, and ours would put
/// that off for 40 ms.
#[cfg(target_os = "linux")]
fn acknowledge_at_once(stream: &TcpStream) -> std::io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_quickack(stream, true)?)
}

#[cfg(not(target_os = "linux"))]
fn acknowledge_at_once(_: &TcpStream) -> std::io::Result<()> {
    Ok(())
}

/// Tries every address of the host, each for its share of the time: one where nobody is must not hide another.
async fn connect(addresses: Vec<SocketAddr>, limit: Duration) -> std::io::Result<TcpStream> {
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut failure = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = std::io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

async fn converse(endpoint: &RtmpEndpoint, addresses: Vec<SocketAddr>, limit: Duration) -> Result<Answer, ProbeError> {
    let failed = |doing: &str, error: &std::io::Error| {
        ProbeError::new(io_reason(error), format!("{doing} {}: {error}", endpoint.url()))
    };
    let mut stream = connect(addresses, limit).await.map_err(|error| failed("connect to", &error))?;
    stream.set_nodelay(true).map_err(|error| failed("set TCP_NODELAY for", &error))?;

    // Version 3; a C1 of zero time, zero version and any bytes asks for the plain handshake.
    let mut c0_c1 = [0_u8; S0_S1];
    if let Some((version, _)) = c0_c1.split_first_mut() {
        *version = 3;
    }
    stream.write_all(&c0_c1).await.map_err(|error| failed("greet", &error))?;
    let mut s0_s1 = [0_u8; S0_S1];
    stream.read_exact(&mut s0_s1).await.map_err(|error| failed("read the greeting of", &error))?;
    let [3, s1 @ ..] = &s0_s1 else {
        return Err(ProbeError::new(Failure::Malformed, format!("{} does not speak RTMP version 3", endpoint.url())));
    };
    let mut c2_connect = s1.to_vec();
    if endpoint.connect == Connect::Application {
        c2_connect.extend(connect_command(endpoint));
    }
    stream.write_all(&c2_connect).await.map_err(|error| failed("send connect to", &error))?;
    acknowledge_at_once(&stream).map_err(|error| failed("set TCP_QUICKACK for", &error))?;
    let mut s2 = [0_u8; HANDSHAKE];
    stream.read_exact(&mut s2).await.map_err(|error| failed("read the greeting of", &error))?;
    match endpoint.connect {
        Connect::Application => answer(endpoint, &mut stream).await,
        Connect::Handshake => Ok(Answer::Accepted),
    }
}

/// Reads until the answer to `connect` is found.
async fn answer(endpoint: &RtmpEndpoint, stream: &mut TcpStream) -> Result<Answer, ProbeError> {
    let refuse = |reason: Failure, what: &str| Err(ProbeError::new(reason, format!("{} {what}", endpoint.url())));
    let mut reader = ReplyReader::default();
    let mut buffer = [0_u8; 4096];
    let mut total = 0;
    while total < ANSWER_MAX {
        let read = match stream.read(&mut buffer).await {
            Ok(0) => return refuse(Failure::Rejected, "closed the connection: no such application?"),
            Ok(read) => read,
            Err(error) => {
                let message = format!("read the answer of {}: {error}", endpoint.url());
                return Err(ProbeError::new(io_reason(&error), message));
            }
        };
        total += read;
        match reader.feed(buffer.get(..read).unwrap_or_default()) {
            Ok(None) => {}
            Ok(Some(Reply::Accepted)) => return Ok(Answer::Accepted),
            Ok(Some(Reply::AuthRequired)) => return Ok(Answer::AuthRequired),
            Ok(Some(Reply::Redirected)) => return Ok(Answer::Redirected),
            Ok(Some(Reply::Refused(said))) if said.is_empty() => {
                return refuse(Failure::Rejected, "refuses the connection");
            }
            Ok(Some(Reply::Refused(said))) => {
                let said = endpoint.arguments.hidden_in(&said);
                return refuse(Failure::Rejected, &format!("refuses the connection: {said}"));
            }
            Err(error) => return refuse(Failure::Malformed, &format!("does not answer in RTMP: {error}")),
        }
    }
    refuse(Failure::TooLarge, "sends and sends, but no answer")
}
