//! Servers that nobody would call friendly: every answer is bounded in time and memory, counted with its reason, and the age of the
//! stream keeps growing.

use std::net::SocketAddr;
use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use vvtv_exporter::config::{Location, RtmpEndpoint};
use vvtv_exporter::health::Failure;
use vvtv_exporter::probe::playlist::{PlaylistView, VARIANTS_MAX};
use vvtv_exporter::probe::rtmp;

use super::{PATIENCE, TIMEOUT, Watching};

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
async fn polled(playlist: String, failures: u64) -> (PlaylistView, Duration) {
    let mut watching = Watching::start(Location::Http(playlist.parse().unwrap()));
    let found = watching.wait_for(|view| view.health.failures.iter().sum::<u64>() >= failures).await;
    let age = found.variants.first().unwrap().freshness.age(watching.clock.now());
    watching.end().await;
    (found, age)
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
    assert_eq!(view.health.failure(), Some(Failure::Forbidden), "{:?}", view.health.last);
}

#[rstest]
#[case::hung(Web::SaysNothing, Failure::Timeout)]
#[case::hangs_up(Web::HangsUp, Failure::Closed)]
#[case::http(Web::Says("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), Failure::Malformed)]
#[case::flood(Web::FloodsWithoutEnd, Failure::Malformed)]
#[case::drip(Web::DripsAByteAtATime, Failure::Malformed)]
#[tokio::test]
async fn a_hostile_rtmp_server(#[case] web: Web, #[case] expected: Failure) {
    let address = server(move |stream| web.answer(stream)).await;
    let (endpoint, _) = RtmpEndpoint::parse(&format!("rtmp://{address}/live")).unwrap();
    let outcome = timeout(PATIENCE, rtmp::handshake(&endpoint, TIMEOUT)).await.expect("the handshake has a limit");
    assert_eq!(outcome.map_err(|error| error.reason), Err(expected));
}

/// A packager's directory and the probe that watches it, once it has seen segment 0.
struct Packager {
    directory: tempfile::TempDir,
    watching: Watching,
}

impl Packager {
    async fn watched() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let watching = Watching::start(Location::File(directory.path().join("main.m3u8")));
        let mut packager = Self { directory, watching };
        packager.write("0.ts", b"media");
        packager.list(0);
        packager.wait_for(|_, sequence| sequence == Some(0)).await;
        packager
    }

    fn write(&self, name: &str, body: &[u8]) {
        std::fs::write(self.directory.path().join(name), body).unwrap();
    }

    /// Lists the segments up to `last`. As a packager does it: whole, or not at all.
    fn list(&self, last: u64) {
        let listed: String = (0..=last).map(|n| format!("#EXTINF:2,\n{n}.ts\n")).collect();
        self.write("main.m3u8.bak", format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{listed}").as_bytes());
        std::fs::rename(self.directory.path().join("main.m3u8.bak"), self.directory.path().join("main.m3u8")).unwrap();
    }

    /// Waits for a condition on the last failure and the newest segment's number, and returns both.
    async fn wait_for(
        &mut self,
        condition: impl Fn(Option<Failure>, Option<u64>) -> bool,
    ) -> (Option<Failure>, Option<u64>) {
        let facts = |view: &PlaylistView| {
            let newest = view.variants.first().and_then(|variant| variant.freshness.newest());
            (view.health.failure(), newest.map(|newest| newest.sequence))
        };
        let found = self.watching.wait_for(|view| {
            let (failure, sequence) = facts(view);
            condition(failure, sequence)
        });
        facts(&found.await)
    }
}

#[tokio::test]
async fn the_age_survives_the_deletion_of_everything() {
    let mut packager = Packager::watched().await;
    let before = packager.watching.view.borrow().variants[0].freshness.clone();
    for name in ["0.ts", "main.m3u8"] {
        std::fs::remove_file(packager.directory.path().join(name)).unwrap();
    }
    let found = packager.wait_for(|failure, _| failure == Some(Failure::Missing)).await;
    assert_eq!(found, (Some(Failure::Missing), Some(0)));
    assert_eq!(packager.watching.view.borrow().variants[0].freshness, before);
    packager.watching.end().await;
}

#[rstest]
#[case::written(Some(b"media".as_slice()), None, 1)]
#[case::empty_because_the_disk_is_full(Some(b"".as_slice()), Some(Failure::Missing), 0)]
#[case::listed_but_not_there(None, Some(Failure::Missing), 0)]
#[tokio::test]
async fn a_segment_counts_once_it_is_there(
    #[case] newest: Option<&[u8]>,
    #[case] failure: Option<Failure>,
    #[case] sequence: u64,
) {
    let mut packager = Packager::watched().await;
    if let Some(body) = newest {
        packager.write("1.ts", body);
    }
    packager.list(1);
    let found = packager.wait_for(|failure, newest| failure.is_some() || newest == Some(1)).await;
    assert_eq!(found, (failure, Some(sequence)));
    packager.watching.end().await;
}
