//! Clients that hold more connections than there are: metrics and health are answered all the while, and under known names only.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rstest::rstest;

use crate::holding::{Flood, Kind};
use crate::large::many;
use crate::running::Running;
use crate::{dead_stream, free_udp_port};

/// How long an answer may take meanwhile. Machines that run tests do other things too; without a limit it takes for ever.
const WITHIN: Duration = Duration::from_secs(5);

/// The exporter reads no bodies: what can be slow is a header.
const SLOW_HEADER: Kind = Kind::Waits("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
const SCRAPES: Kind = Kind::NeverReads("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 3);

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_holds_all_connections_keeps_nobody_out(
    #[values(SLOW_HEADER, SCRAPES)] kind: Kind,
    #[values(1, 200)] addresses: u8,
) {
    let running = Running::start(&dead_stream(free_udp_port()), &[]);
    let address = running.program.address.clone();
    let flood = tokio::task::spawn_blocking(move || Flood::start(&address, kind, addresses)).await.unwrap();
    for number in 0..10 {
        let begun = Instant::now();
        assert_eq!(running.get("/metrics").await.0, 200);
        assert_eq!(running.get("/-/healthy").await.0, 200);
        assert!(begun.elapsed() < WITHIN, "the {number}th took {:?}", begun.elapsed());
    }
    tokio::task::spawn_blocking(move || drop(flood)).await.unwrap();
    let why = if addresses == 1 { "peer_limit" } else { "replaced" };
    let counted = format!("vvtv_exporter_http_closed_connections_total{{reason=\"{why}\"}} ");
    let some = |body: &str| body.lines().any(|line| line.strip_prefix(&counted).is_some_and(|value| value != "0"));
    let _ = running.wait_until(&counted, some).await;
}

/// More large scrapes than may go on at once, and none is read.
#[tokio::test]
async fn who_does_not_read_large_scrapes_keeps_nobody_out() {
    let running = Running::start(&many(), &[]);
    let mut unread = Vec::new();
    for _ in 0..20 {
        let mut scraper = TcpStream::connect(&running.program.address).unwrap();
        scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        unread.push(scraper);
    }
    let begun = Instant::now();
    // The unread ones are begun first; while they are, it may be one too many.
    while running.get("/metrics").await.0 != 200 {
        assert!(begun.elapsed() < WITHIN, "no metrics within {WITHIN:?}");
    }
    drop(unread);
}

#[tokio::test]
async fn names_that_are_not_ours_are_not_answered_to() {
    let running = Running::start(&dead_stream(free_udp_port()), &["--web.allowed-host=*.svc.cluster.local"]);
    let ask = async |host: &str, path: &str| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("http://{}{path}", running.program.address)).header("host", host);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("content-security-policy"))
    };
    for path in ["/", "/metrics", "/probe?target=http://127.0.0.1:1/", "/debug/stream/main", "/-/healthy", "/absent"] {
        assert_eq!(ask("evil.example", path).await, (421, true), "{path}");
    }
    assert_eq!(ask("vvtv-exporter.media.svc.cluster.local:10047", "/metrics").await, (200, true));
    assert_eq!(ask("localhost", "/absent").await, (404, true));
    let counted = "vvtv_exporter_http_refused_requests_total{reason=\"host\"} 6";
    let _ = running.wait_for(counted).await;
}
