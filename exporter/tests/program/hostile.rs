//! One exporter that watches every server that nobody would call friendly, all at once: each failure has its reason in the scrape, each
//! age keeps growing, and neither time nor memory go beyond their limits.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::running::{Running, label, samples};

/// What the server does under each path, and the only reason that the scrape may have for it.
///
/// The exporter asks for no compression, and undoes what comes all the same.
const CASES: [(&str, &str); 10] = [
    ("html", "malformed"),
    ("200-megabytes", "too_large"),
    ("200-megabytes-of-no-stated-length", "too_large"),
    ("redirect-loop", "redirects"),
    ("gzip-bomb", "too_large"),
    ("a-byte-a-second", "timeout"),
    ("100000-variants", "empty"),
    ("100000-segments-that-are-not-there", "missing"),
    ("1000001-segments", "too_large"),
    ("100001-segments-of-a-manifest", "too_large"),
];

/// For each request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long until each server must have failed twice.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most memory that the exporter may ever have used: less than one of those bodies has.
const MEMORY_KIB_MAX: u64 = 128 << 10;

const PLAYLIST: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";

static SEGMENTS: LazyLock<String> = LazyLock::new(|| segments(1_000_001));

static VARIANTS: LazyLock<String> = LazyLock::new(|| {
    let named = (0..100_000).map(|n| format!("#EXT-X-STREAM-INF:BANDWIDTH=1\n{n}\n"));
    std::iter::once("#EXTM3U\n".to_owned()).chain(named).collect()
});

fn segments(count: u32) -> String {
    let listed = (0..count).map(|n| format!("#EXTINF:2,\nmissing/{n}.ts\n"));
    std::iter::once(PLAYLIST.to_owned()).chain(listed).collect()
}

/// A playlist of one gibibyte, in gzip members of one mebibyte each.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let member = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let blank = member(&vec![b'\n'; 1 << 20]);
    std::iter::once(member(PLAYLIST.as_bytes())).chain(std::iter::repeat_n(blank, 1024)).flatten().collect()
});

async fn ok(stream: &mut TcpStream, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await
}

async fn two_hundred_megabytes(stream: &mut TcpStream, head: &str) -> std::io::Result<()> {
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n{PLAYLIST}").as_bytes()).await?;
    for _ in 0..200 {
        stream.write_all(&vec![b'\n'; 1_000_000]).await?;
    }
    Ok(())
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).await?;
    let request = String::from_utf8_lossy(&request[..read]).to_lowercase();
    let (_, path) = request.split_once(" /").unwrap_or_default();
    let stream = &mut stream;
    match path.split(' ').next().unwrap_or_default() {
        _ if request.contains("accept-encoding") => stream.write_all(b"HTTP/1.1 406 No\r\n\r\n").await,
        "html" => ok(stream, "Content-Type: text/html\r\n", b"<!doctype html><title>Down</title>\n").await,
        "200-megabytes" => two_hundred_megabytes(stream, "Content-Length: 200000032\r\n").await,
        "200-megabytes-of-no-stated-length" => two_hundred_megabytes(stream, "").await,
        "redirect-loop" => {
            let head =
                b"HTTP/1.1 302 Found\r\nLocation: /redirect-loop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(head).await
        }
        "gzip-bomb" => ok(stream, "Content-Encoding: gzip\r\n", &BOMB).await,
        "a-byte-a-second" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            let mut seconds = tokio::time::interval(Duration::from_secs(1));
            for byte in PLAYLIST.bytes() {
                seconds.tick().await;
                stream.write_all(&[byte]).await?;
            }
            Ok(())
        }
        "100000-variants" => ok(stream, "", VARIANTS.as_bytes()).await,
        "100000-segments-that-are-not-there" => ok(stream, "", segments(100_000).as_bytes()).await,
        "1000001-segments" => ok(stream, "", SEGMENTS.as_bytes()).await,
        "100001-segments-of-a-manifest" => {
            let body =
                format!("<MPD><Period><AdaptationSet><SegmentList>{}", "<SegmentURL media='a'/>".repeat(100_001));
            ok(stream, "", body.as_bytes()).await
        }
        variant if variant.parse::<u32>().is_ok() => ok(stream, "", PLAYLIST.as_bytes()).await,
        _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await,
    }
}

async fn hostile_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that hangs up is what this server deserves.
            tokio::spawn(answer(stream));
        }
    });
    address
}

/// Reasons of a stream's failed polls, and how many there were.
type Failures = BTreeMap<String, (BTreeSet<String>, u64)>;

fn failures(scrape: &str) -> Failures {
    let mut found = Failures::new();
    for (labels, count) in samples(scrape, "vvtv_probe_failures_total") {
        let (reasons, sum) = found.entry(label(labels, "stream")).or_default();
        let count = count as u64;
        if count > 0 {
            reasons.insert(label(labels, "reason"));
        }
        *sum += count;
    }
    found
}

fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_server_is_counted_with_its_reason_and_nothing_is_forgotten_or_exhausted() {
    let address = hostile_server().await;
    let streams = CASES.map(|(path, _)| format!("  - {{name: {path}, playlist: 'http://{address}/{path}'}}\n"));
    let config = format!("streams:\n{}interval: 500ms\ntimeout: {}s\n", streams.concat(), TIMEOUT.as_secs());
    let running = Running::start(&config, &[]);
    let _ = running.get("/-/ready").await;
    let watched_since = Instant::now();

    let deadline = watched_since + PATIENCE;
    let (scrape, waited) = loop {
        let waited = watched_since.elapsed();
        let (_, scrape) = running.get("/metrics").await;
        let found = failures(&scrape);
        if found.len() == CASES.len() && found.values().all(|(_, count)| *count >= 2) {
            break (scrape, waited);
        }
        assert!(Instant::now() < deadline, "not every server has failed twice: {found:?}");
    };
    let expected = CASES.map(|(path, reason)| (path.to_owned(), BTreeSet::from([reason.to_owned()])));
    let found: BTreeMap<_, _> = failures(&scrape).into_iter().map(|(stream, (reasons, _))| (stream, reasons)).collect();
    assert_eq!(found, BTreeMap::from(expected));

    // A master's entries that do not differ are copies of one another.
    let copies = samples(&scrape, "vvtv_uncounted_segment_age_seconds");
    let ages: Vec<_> = samples(&scrape, "vvtv_segment_age_seconds").chain(copies).collect();
    assert_eq!(ages.len(), CASES.len() - 1 + 32, "one each, and a master's first variants");
    let younger: Vec<_> = ages.iter().filter(|(_, age)| *age < waited.as_secs_f64()).collect();
    assert!(younger.is_empty(), "younger than {waited:?}: {younger:?}");

    let durations: Vec<_> = samples(&scrape, "vvtv_probe_duration_seconds").collect();
    let limit = (TIMEOUT + Duration::from_secs(2)).as_secs_f64();
    assert!(durations.len() == CASES.len() && durations.iter().all(|(_, seconds)| *seconds < limit), "{durations:?}");
    let memory = memory_kib(running.program.child.id());
    assert!(memory < MEMORY_KIB_MAX, "the exporter has used {memory} KiB");
}
