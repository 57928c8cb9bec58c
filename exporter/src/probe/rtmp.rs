//! RTMP: does the server answer the handshake and accept `connect` to the application? A TCP connect alone proves nothing: a hung
//! server's kernel still accepts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vvtv_streaming::rtmp::{self, Dialogue, DialogueError, OPENING, Reply, Stage, Verdict};

use crate::config::{Connect, RtmpEndpoint, Stream};
use crate::fetch::io_reason;
use crate::health::{Failure, Health, ProbeError};
use crate::probe::source::{Env, Source};
use crate::probe::tools::{Tools, next_tick, record};
use crate::reach::Named;

/// What the probe calls itself when it connects.
const CLIENT: &str = "vvtv-exporter";

/// An RTMP application, as a kind of source. What it says of the ingest is told together with what the statistics page says.
#[derive(Debug)]
pub enum Rtmp {}

impl Source for Rtmp {
    const LABEL: &'static str = "rtmp";

    type Spec = RtmpSpec;
    type View = RtmpView;
    type Series = ();

    fn configure(stream: &Stream, _reach: &Arc<Named>) -> Option<RtmpSpec> {
        let (interval, timeout) = (stream.timing.interval, stream.timing.ingest_timeout);
        stream.ingest.as_ref().map(|ingest| RtmpSpec { endpoint: ingest.endpoint.clone(), interval, timeout })
    }

    fn before(_spec: &RtmpSpec, _tools: &Tools) -> RtmpView {
        RtmpView::default()
    }

    fn run(
        spec: RtmpSpec,
        env: Env,
        view: watch::Sender<Arc<RtmpView>>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        run(spec, env.tools, view, stop)
    }

    fn health(view: &RtmpView) -> &Health {
        &view.health
    }
}

/// What is probed: one application of a server, shared by its streams.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RtmpSpec {
    /// Server and application.
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

    let (app, tc_url) = (endpoint.app_argument(), endpoint.tc_url());
    let connect = rtmp::Connect { app: &app, tc_url: &tc_url, client: CLIENT };
    let mut dialogue = Dialogue::new(Some(connect).filter(|_| endpoint.connect == Connect::Application));
    stream.write_all(&OPENING).await.map_err(|error| failed("greet", &error))?;
    let mut buffer = [0_u8; 4096];
    loop {
        let read = match (stream.read(&mut buffer).await, dialogue.stage()) {
            (Ok(0), Stage::Handshake) => {
                return Err(failed("read the greeting of", &std::io::ErrorKind::UnexpectedEof.into()));
            }
            (Ok(0), Stage::Connect) => {
                return Err(refused(endpoint, Failure::Rejected, "closed the connection: no such application?"));
            }
            (Ok(read), _) => read,
            (Err(error), Stage::Handshake) => return Err(failed("read the greeting of", &error)),
            (Err(error), Stage::Connect) => return Err(failed("read the answer of", &error)),
        };
        let turn =
            dialogue.feed(buffer.get(..read).unwrap_or_default()).map_err(|error| unreadable(endpoint, error))?;
        if !turn.send.is_empty() {
            stream.write_all(&turn.send).await.map_err(|error| failed("send connect to", &error))?;
            acknowledge_at_once(&stream).map_err(|error| failed("set TCP_QUICKACK for", &error))?;
        }
        if let Some(verdict) = turn.verdict {
            return answer(endpoint, verdict);
        }
    }
}

fn refused(endpoint: &RtmpEndpoint, reason: Failure, what: &str) -> ProbeError {
    ProbeError::new(reason, format!("{} {what}", endpoint.url()))
}

fn unreadable(endpoint: &RtmpEndpoint, error: DialogueError) -> ProbeError {
    let reason = match error {
        DialogueError::Version | DialogueError::Wire(_) => Failure::Malformed,
        DialogueError::Endless => Failure::TooLarge,
    };
    refused(endpoint, reason, &error.to_string())
}

fn answer(endpoint: &RtmpEndpoint, verdict: Verdict) -> Result<Answer, ProbeError> {
    match verdict {
        Verdict::Greeted | Verdict::Answered(Reply::Accepted) => Ok(Answer::Accepted),
        Verdict::Answered(Reply::AuthRequired) => Ok(Answer::AuthRequired),
        Verdict::Answered(Reply::Redirected) => Ok(Answer::Redirected),
        Verdict::Answered(Reply::Refused(said)) if said.is_empty() => {
            Err(refused(endpoint, Failure::Rejected, "refuses the connection"))
        }
        Verdict::Answered(Reply::Refused(said)) => {
            let said = endpoint.arguments.hidden_in(&said);
            Err(refused(endpoint, Failure::Rejected, &format!("refuses the connection: {said}")))
        }
    }
}
