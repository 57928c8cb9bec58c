//! Segments that are there or not, whatever their servers say to `HEAD`, and documents as they come packed.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use vvtv_exporter::config::Location;
use vvtv_exporter::fetch::{Ask, BYTES_MAX, Fetcher, Found, is_denied};
use vvtv_exporter::health::{Failure, ProbeError};
use vvtv_exporter::probe::playlist::ByteRange;

const LIMIT: Duration = Duration::from_secs(2);

/// How a server goes about a request: it says something, or nothing.
type Says = Option<&'static str>;

/// A server that answers `HEAD` and `GET` each in its way, one request a connection, and the login page that some lead to.
async fn server(head: Says, get: Says) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that has read enough hangs up.
            tokio::spawn(answer(stream, head, get));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, head: Says, get: Says) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).await?;
    let request = String::from_utf8_lossy(&request[..read]).to_lowercase();
    let says = match request.split(' ').next() {
        _ if request.contains(" /login ") => Some("200 OK\r\nContent-Length: 6\r\n\r\n<html>"),
        Some("head") => head,
        _ if request.contains("range: bytes=0-0") || request.contains("range: bytes=100-100") => get,
        _ => Some("400 Bad Request\r\n\r\n"),
    };
    match says {
        Some(says) => stream.write_all(format!("HTTP/1.1 {says}").as_bytes()).await,
        None => std::future::pending().await,
    }
}

async fn find(head: Says, get: Says, range: Option<ByteRange>) -> Result<Found, ProbeError> {
    let location = Location::Http(format!("http://{}/1.ts?token=abc", server(head, get).await).parse().unwrap());
    Fetcher::new().unwrap().find_segment(&location, range, Ask::Head, LIMIT).await
}

#[tokio::test]
async fn get_has_all_of_its_time_after_a_head_that_hangs() {
    // Each answer takes four fifths of the limit, which is more than a hanging `HEAD` leaves of it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = Location::Http(format!("http://{}/1.ts", listener.local_addr().unwrap()).parse().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                tokio::time::interval_at(tokio::time::Instant::now() + LIMIT * 4 / 5, LIMIT).tick().await;
                answer(stream, Some("200 OK\r\nContent-Length: 1000\r\n\r\n"), SERVED).await
            });
        }
    });
    let found = Fetcher::new().unwrap().find_segment(&location, None, Ask::Head, LIMIT).await;
    assert_eq!(found, Ok(Found { bytes: Some(1000), ask: Ask::Get }));
}

const SERVED: Says = Some("206 Partial Content\r\nContent-Range: bytes 0-0/1000\r\nContent-Length: 1\r\n\r\nG");
const LOGIN: Says = Some("302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n");

#[rstest]
#[case::there(Some("200 OK\r\nContent-Length: 1000\r\n\r\n"), None, Some(1000), Ask::Head)]
#[case::forbidden(Some("403 Forbidden\r\n\r\n"), SERVED, Some(1000), Ask::Get)]
#[case::not_found(Some("404 Not Found\r\n\r\n"), SERVED, Some(1000), Ask::Get)]
#[case::no_content(Some("204 No Content\r\n\r\n"), SERVED, Some(1000), Ask::Get)]
#[case::empty(Some("200 OK\r\nContent-Length: 0\r\n\r\n"), SERVED, Some(1000), Ask::Get)]
#[case::silent_about_the_length(Some("200 OK\r\n\r\n"), SERVED, Some(1000), Ask::Get)]
#[case::hangs(None, SERVED, Some(1000), Ask::Get)]
#[case::hangs_up(Some(""), SERVED, Some(1000), Ask::Get)]
#[case::leads_to_a_login(LOGIN, SERVED, Some(1000), Ask::Get)]
#[case::serves_the_whole(
    Some("405 No\r\n\r\n"),
    Some("200 OK\r\nContent-Length: 188000000\r\n\r\nG"),
    Some(188_000_000),
    Ask::Get
)]
#[case::of_no_length(Some("405 No\r\n\r\n"), Some("200 OK\r\n\r\nG"), None, Ask::Get)]
#[case::of_a_length_not_known(
    Some("405 No\r\n\r\n"),
    Some("206 P\r\nContent-Range: bytes 0-0/*\r\n\r\nG"),
    None,
    Ask::Get
)]
#[case::media_typed_as_a_page(
    Some("405 No\r\n\r\n"),
    Some("200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nG"),
    Some(9),
    Ask::Get
)]
#[tokio::test]
async fn a_segment_that_get_serves_is_there(
    #[case] head: Says,
    #[case] get: Says,
    #[case] bytes: Option<u64>,
    #[case] ask: Ask,
) {
    assert_eq!(find(head, get, None).await, Ok(Found { bytes, ask }));
}

#[rstest]
#[case::not_found(Some("404 Not Found\r\n\r\n"), Failure::Missing, false)]
#[case::gone(Some("410 Gone\r\n\r\n"), Failure::Missing, false)]
#[case::no_content(Some("204 No Content\r\n\r\n"), Failure::Missing, false)]
#[case::empty(Some("200 OK\r\nContent-Length: 0\r\n\r\n"), Failure::Missing, false)]
#[case::an_empty_file_has_no_first_byte(Some("416 R\r\nContent-Range: bytes */0\r\n\r\n"), Failure::Missing, false)]
#[case::a_page(
    Some("200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<!doctype html>"),
    Failure::Missing,
    false
)]
#[case::an_error_text(Some("200 OK\r\nContent-Type: application/problem+json\r\n\r\n{}"), Failure::Missing, false)]
#[case::a_login(LOGIN, Failure::Missing, false)]
#[case::forbidden(Some("403 Forbidden\r\n\r\n"), Failure::Status, true)]
#[case::unauthorized(Some("401 Unauthorized\r\n\r\n"), Failure::Status, true)]
#[case::bad_gateway(Some("502 Bad Gateway\r\n\r\n"), Failure::Status, false)]
#[case::hangs_up(Some(""), Failure::Closed, false)]
#[case::hangs(None, Failure::Timeout, false)]
#[tokio::test]
async fn what_get_does_not_serve_is_not_there(#[case] get: Says, #[case] expected: Failure, #[case] denied: bool) {
    // `HEAD` is no witness for it either.
    for head in [Some("405 No\r\n\r\n"), Some("200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n")] {
        let error = find(head, get, None).await.unwrap_err();
        assert_eq!((error.reason, is_denied(&error)), (expected, denied), "{error}");
        assert!(!error.to_string().contains("abc"), "{error}");
    }
}

#[rstest]
#[case(Some("200 OK\r\nContent-Length: 300\r\n\r\n"), None, Ok(Ask::Head))]
#[case(Some("405 No\r\n\r\n"), Some("206 P\r\nContent-Range: bytes 100-100/300\r\n\r\nG"), Ok(Ask::Get))]
#[case(Some("405 No\r\n\r\n"), Some("206 P\r\nContent-Range: bytes 100-100/*\r\n\r\nG"), Ok(Ask::Get))]
#[case(
    Some("200 OK\r\nContent-Length: 299\r\n\r\n"),
    Some("206 P\r\nContent-Range: bytes 100-100/299\r\n\r\nG"),
    Err(Failure::Missing)
)]
#[case(
    Some("200 OK\r\nContent-Length: 50\r\n\r\n"),
    Some("416 R\r\nContent-Range: bytes */50\r\n\r\n"),
    Err(Failure::Missing)
)]
#[tokio::test]
async fn a_range_is_there_when_its_last_byte_is(
    #[case] head: Says,
    #[case] get: Says,
    #[case] expected: Result<Ask, Failure>,
) {
    let found = find(head, get, Some(ByteRange { offset: 100, length: 200 })).await;
    let expected = expected.map(|ask| Found { bytes: Some(200), ask });
    assert_eq!(found.map_err(|error| error.reason), expected);
}

#[rstest]
#[case(None, Ok(Some(300)))]
#[case(Some(ByteRange { offset: 100, length: 200 }), Ok(Some(200)))]
#[case(Some(ByteRange { offset: 100, length: 201 }), Err(Failure::Missing))]
#[case(Some(ByteRange { offset: u64::MAX, length: 1 }), Err(Failure::Missing))]
#[tokio::test]
async fn a_range_of_a_file_too(#[case] range: Option<ByteRange>, #[case] expected: Result<Option<u64>, Failure>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1.ts");
    std::fs::write(&path, [0; 300]).unwrap();
    let found = Fetcher::new().unwrap().find_segment(&Location::File(path), range, Ask::Head, LIMIT).await;
    assert_eq!(found.map(|found| found.bytes).map_err(|error| error.reason), expected);
}

/// A server that answers once, and then is no more.
async fn get(head: &str, body: Vec<u8>) -> Result<bytes::Bytes, (Failure, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{head}\r\n", body.len());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut request = [0; 4096];
        let _: usize = stream.read(&mut request).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await
    });
    let location = Location::Http(format!("http://{address}/main.m3u8").parse().unwrap());
    let read = Fetcher::new().unwrap().get_once(&location, Duration::from_secs(20)).await;
    read.map(|document| document.body).map_err(|error| {
        let (_, said) = error.message.split_once("main.m3u8: ").unwrap_or_default();
        (error.reason, said.to_owned())
    })
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A list of a day, of lines that are all different.
fn list(bytes: usize) -> Vec<u8> {
    let mut text = b"#EXTM3U\n".to_vec();
    for n in 0_u64.. {
        if text.len() >= bytes {
            break;
        }
        text.extend(format!("{}.ts\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).as_bytes());
    }
    text
}

#[tokio::test]
async fn what_comes_packed_is_unpacked_whatever_its_size() {
    for size in [100, 100_000, 3 << 20, 7 << 20] {
        let text = list(size);
        assert_eq!(get("", text.clone()).await, Ok(text.clone().into()), "{size} bytes as they are");
        let packed = get("Content-Encoding: gzip\r\n", gzip(&text)).await;
        assert!(packed.is_ok_and(|body| body == text), "{size} bytes");
    }
    let text = list(100_000);
    assert_eq!(get("Content-Encoding: deflate, gzip\r\n", gzip(&zlib(&text))).await, Ok(text.into()));
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_told_and_bounded() {
    let blank = vec![b'\n'; BYTES_MAX + 1];
    let too_large = (Failure::TooLarge, format!("more than {BYTES_MAX} bytes when unpacked"));
    assert_eq!(get("Content-Encoding: gzip\r\n", gzip(&blank)).await, Err(too_large));
    assert_eq!(get("", blank).await, Err((Failure::TooLarge, format!("more than {BYTES_MAX} bytes"))));
    let unknown = "content coding `zstd` is not understood".to_owned();
    assert_eq!(get("Content-Encoding: zstd\r\n", list(10)).await, Err((Failure::Malformed, unknown)));
}
