//! Servers that nobody would call friendly: every answer is bounded in time and memory, counted with its reason, and the age of the
//! stream keeps growing.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vvtv_exporter::clock::Clock;
use vvtv_exporter::config::{Location, RtmpEndpoint};
use vvtv_exporter::fetch::Fetcher;
use vvtv_exporter::health::Failure;
use vvtv_exporter::probe::hls::{HlsSpec, HlsView, VARIANTS_MAX};
use vvtv_exporter::probe::{Tools, hls, rtmp};
use vvtv_exporter::recorder::Recorder;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// For each request of a probe under test.
const TIMEOUT: Duration = Duration::from_millis(500);

fn tools() -> Tools {
    Tools { clock: Clock::start(), fetcher: Fetcher::new().unwrap(), recorder: Recorder::start() }
}

/// A server that handles each connection with `answer`, after it has read a request's first bytes.
async fn server<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            if matches!(stream.read(&mut request).await, Ok(1..)) {
                // A client that hangs up is what these servers deserve.
                tokio::spawn(answer(stream));
            }
        }
    });
    address
}

/// Polls a playlist until a poll has failed twice, and returns what is known then.
async fn polled(playlist: String, failures: u64) -> (HlsView, Duration) {
    let tools = tools();
    let clock = tools.clock;
    let spec = HlsSpec {
        stream: "main".to_owned(),
        playlist: Location::Http(playlist.parse().unwrap()),
        interval: Duration::from_millis(20),
        timeout: TIMEOUT,
    };
    let (sender, mut view) = watch::channel(Arc::new(HlsView::starting("main", clock.now())));
    let stop = CancellationToken::new();
    let probe = tokio::spawn(hls::run(spec, tools, sender, stop.clone()));
    let enough = |view: &Arc<HlsView>| view.health.failures.iter().sum::<u64>() >= failures;
    let found = timeout(PATIENCE, view.wait_for(enough)).await;
    let found = found.map(|found| Arc::clone(&found.unwrap()));
    let found = found.unwrap_or_else(|_| panic!("no failure within {PATIENCE:?}, last seen {:?}", view.borrow()));
    stop.cancel();
    timeout(PATIENCE, probe).await.expect("the probe does not stop").unwrap();
    let age = found.variants.first().unwrap().freshness.age(clock.now());
    (found.as_ref().clone(), age)
}

#[derive(Clone, Copy)]
enum Web {
    Says(&'static str),
    FloodsWithoutEnd,
    DripsAByteAtATime,
    ClaimsTwoHundredMegabytes,
    RedirectsToItself,
    HangsUp,
    SaysNothing,
    ClosesInTheMiddle,
}

impl Web {
    async fn answer(self, mut stream: TcpStream) -> std::io::Result<()> {
        match self {
            Self::Says(text) => stream.write_all(text.as_bytes()).await,
            Self::FloodsWithoutEnd => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n#EXTM3U\n").await?;
                loop {
                    stream.write_all(&[b'\n'; 8192]).await?;
                }
            }
            Self::DripsAByteAtATime => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                let mut ticks = tokio::time::interval(Duration::from_millis(50));
                loop {
                    ticks.tick().await;
                    stream.write_all(b"#").await?;
                }
            }
            Self::ClaimsTwoHundredMegabytes => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n#EXTM3U\n").await?;
                std::future::pending().await
            }
            Self::RedirectsToItself => {
                let head = b"HTTP/1.1 302 Found\r\nLocation: /a.m3u8\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(head).await
            }
            Self::HangsUp => Ok(()),
            Self::SaysNothing => std::future::pending().await,
            Self::ClosesInTheMiddle => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n#EXTM3U\n").await
            }
        }
    }
}

#[rstest]
#[case::html(Web::Says("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<html>down</html>   \n"), Failure::Malformed)]
#[case::gzip(
    Web::Says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\u{1f}abc"),
    Failure::Malformed
)]
#[case::empty(Web::Says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Failure::Malformed)]
#[case::not_found(Web::Says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), Failure::Missing)]
#[case::bad_gateway(Web::Says("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), Failure::Status)]
#[case::flood(Web::FloodsWithoutEnd, Failure::TooLarge)]
#[case::drip(Web::DripsAByteAtATime, Failure::Timeout)]
#[case::huge(Web::ClaimsTwoHundredMegabytes, Failure::TooLarge)]
#[case::redirects(Web::RedirectsToItself, Failure::Redirects)]
#[case::hangs_up(Web::HangsUp, Failure::Closed)]
#[case::hung(Web::SaysNothing, Failure::Timeout)]
#[case::torn(Web::ClosesInTheMiddle, Failure::Closed)]
#[tokio::test]
async fn a_hostile_web_server(#[case] web: Web, #[case] expected: Failure) {
    let address = server(move |stream| web.answer(stream)).await;
    let (view, age) = polled(format!("http://{address}/a.m3u8"), 2).await;
    assert_eq!(view.health.failure(), Some(expected), "{:?}", view.health.last);
    assert!(view.variants.iter().all(|variant| variant.freshness.newest().is_none()));
    assert!(age > Duration::ZERO && view.variants.len() == 1);
}

#[tokio::test]
async fn a_port_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (view, _) = polled(format!("http://{address}/a.m3u8"), 2).await;
    assert_eq!(view.health.failure(), Some(Failure::Refused), "{:?}", view.health.last);
}

#[tokio::test]
async fn a_master_with_ninety_thousand_variants() {
    let address = server(|mut stream| async move {
        let mut body = String::from("#EXTM3U\n");
        for n in 0..90_000 {
            body.push_str(&format!("#EXT-X-STREAM-INF:BANDWIDTH=1\n//0:1/{n}\n"));
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await
    })
    .await;
    let (view, _) = polled(format!("http://{address}/master.m3u8"), 2).await;
    assert_eq!(view.variants.len(), VARIANTS_MAX);
    assert_eq!(view.health.failure(), Some(Failure::Refused), "{:?}", view.health.last);
}

#[rstest]
#[case::hung(Web::SaysNothing, Failure::Timeout)]
#[case::hangs_up(Web::HangsUp, Failure::Closed)]
#[case::http(Web::Says("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), Failure::Closed)]
#[case::flood(Web::FloodsWithoutEnd, Failure::Malformed)]
#[case::drip(Web::DripsAByteAtATime, Failure::Timeout)]
#[tokio::test]
async fn a_hostile_rtmp_server(#[case] web: Web, #[case] expected: Failure) {
    let address = server(move |stream| web.answer(stream)).await;
    let endpoint = RtmpEndpoint { host: "127.0.0.1".to_owned(), port: address.port(), app: "live".to_owned() };
    let outcome = timeout(PATIENCE, rtmp::handshake(&endpoint, TIMEOUT)).await.expect("the handshake has a limit");
    assert_eq!(outcome.map_err(|error| error.reason), Err(expected));
}
