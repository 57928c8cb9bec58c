//! Clients that keep a server waiting, ask for too much, or ask under another's name; and what every answer says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vvtv_toolkit::flags::WebArgs;
use vvtv_toolkit::serve::body::{self, Budget};
use vvtv_toolkit::serve::{self, Limits, ListenAddress, ServeMetrics};
use vvtv_toolkit::web_config::WebConfig;

use crate::{Served, TLS, counted, hello, quick, trusting_client, web, within};

/// Reads bodies of at most 1 MB.
fn reader() -> Router {
    let budget = Budget::new(1 << 20, ServeMetrics::default());
    let read = move |request: Request| async move {
        body::read(request.into_body(), 1 << 20, &budget).await.map(|body| body.len().to_string())
    };
    Router::new().route("/", post(read))
}

async fn answer_to(served: &Served, sent: &[u8]) -> String {
    let mut client = served.connect().await;
    client.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    // Bytes that are not read reset the connection behind the answer.
    let _: Result<usize, _> = within(client.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_and_counted() {
    let served = Served::start(reader(), WebConfig::default(), quick()).await;
    let answer = answer_to(&served, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n123").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("the body came too slowly\n"), "{answer}");
    let (_, registry) = served.stopped().await;
    assert_eq!(counted(&registry), ["test_http_closed_connections_total{reason=\"body_timeout\"} 1"]);
}

#[tokio::test]
async fn a_body_that_drips_has_an_end() {
    let limits = Limits { body_timeout: Duration::from_millis(300), ..Limits::default() };
    let served = Served::start(reader(), WebConfig::default(), limits).await;
    let mut client = served.connect().await;
    client.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n").await.unwrap();
    drop(client);
    let mut client = served.connect().await;
    client.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut answer = [0; 12];
    let dripping = async {
        loop {
            tokio::select! {
                read = client.read_exact(&mut answer) => return read.unwrap(),
                _ = ticks.tick() => {}
            }
            client.write_all(b"1\r\nx\r\n").await.unwrap();
        }
    };
    within(dripping).await;
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn what_announces_too_much_is_not_waited_for() {
    let limits = Limits { large_body_paths: vec!["/".to_owned()], ..Limits::default() };
    let app = reader().route("/small", post(|| async { "never read" }));
    let served = Served::start(app, WebConfig::default(), limits).await;
    for (path, most) in [("/", 1 << 20), ("/small", 64 << 10), ("/absent", 64 << 10)] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000000\r\n\r\n");
        let answer = answer_to(&served, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.ends_with(&format!("the body is larger than {most} bytes\n")), "{answer}");
    }
    served.stopped().await;
}

/// Both ways in which nothing goes out: one answer that is not read, and many.
#[rstest::rstest]
#[case::one(1)]
#[case::many(10_000)]
#[tokio::test]
async fn a_client_that_does_not_read_is_ended(#[case] requests: usize) {
    let large = Bytes::from(vec![b'x'; 32 << 20]);
    let app = Router::new().route("/", get(move || async move { Body::from(large) }));
    let limits = Limits { write_timeout: Duration::from_millis(300), ..Limits::default() };
    let served = Served::start(app, WebConfig::default(), limits).await;
    let mut client = served.connect().await;
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(requests);
    // The server may stop to read before all of them are written, and ends the connection then.
    let _: Result<(), _> = within(client.write_all(&request)).await;
    within(async {
        while counted(&served.registry) != ["test_http_closed_connections_total{reason=\"write_timeout\"} 1"] {
            tokio::task::yield_now().await;
        }
    })
    .await;
    served.stopped().await;
}

#[tokio::test]
async fn a_connection_of_no_use_is_ended() {
    let limits = Limits { idle_timeout: Duration::from_millis(300), ..Limits::default() };
    let served = Served::start(hello(), WebConfig::default(), limits).await;
    let mut client = served.connect().await;
    // HTTP/2's preface, empty settings, and a GET of / (RFC 7541 static indices, the host written out).
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    sent.extend_from_slice(b"\0\0\x0e\x01\x05\0\0\0\x01\x82\x84\x86\x41\x09localhost");
    client.write_all(&sent).await.unwrap();
    let begun = Instant::now();
    let mut answer = Vec::new();
    within(client.read_to_end(&mut answer)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(9), "before HTTP/1's limit for a header");
    assert!(answer.windows(5).any(|bytes| bytes == b"hello"), "{answer:?}");
    let (_, registry) = served.stopped().await;
    assert_eq!(counted(&registry), ["test_http_closed_connections_total{reason=\"idle_timeout\"} 1"]);
}

#[tokio::test]
async fn thousands_of_requests_over_one_connection_are_all_answered() {
    let served = Served::start(hello(), WebConfig::default(), Limits { connections: 1, ..Limits::default() }).await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/", served.address);
    assert_eq!(within(client.get(&url).send()).await.unwrap().status(), 200);
    let ask = async || client.get(&url).send().await.map(|answer| answer.status().as_u16());
    let statuses = within(futures_util::future::join_all((0..4_000).map(|_| ask()))).await;
    assert!(statuses.iter().all(|status| matches!(status, Ok(200))), "{statuses:?}");
    let (_, registry) = served.stopped().await;
    assert_eq!(counted(&registry), Vec::<String>::new());
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_not_answered_to() {
    let limits = Limits { hosts: ["ops.example".parse().unwrap()].into_iter().collect(), ..Limits::default() };
    let served = Served::start(hello(), WebConfig::default(), limits).await;
    let port = served.address.port();
    let ask = async |host: &str, http2: bool| {
        let client = reqwest::Client::builder().no_proxy().resolve(host, served.address);
        let client = if http2 { client.http2_prior_knowledge() } else { client };
        let answer = within(client.build().unwrap().get(format!("http://{host}:{port}/")).send()).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let refusal = "this server is not known as \"evil.example\": --web.allowed-host=evil.example would have it answer under that name\n";
    for http2 in [false, true] {
        assert_eq!(ask("evil.example", http2).await, (421, refusal.to_owned()));
        assert_eq!(ask("ops.example", http2).await, (200, "hello".to_owned()));
        assert_eq!(ask("localhost", http2).await, (200, "hello".to_owned()));
        assert_eq!(ask("127.0.0.1", http2).await, (200, "hello".to_owned()));
    }
    assert!(answer_to(&served, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    assert!(answer_to(&served, b"GET / HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200 "));
    let (_, registry) = served.stopped().await;
    assert_eq!(counted(&registry), ["test_http_refused_requests_total{reason=\"host\"} 3"]);
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do_with_it() {
    let text = format!(
        "{TLS}basic_auth_users: {{alice: {}}}\nhttp_server_config: {{headers: {{X-Frame-Options: SAMEORIGIN}}}}\n",
        bcrypt::hash("wonder", 4).unwrap()
    );
    let served = Served::start(hello(), web(&text), Limits::default()).await;
    let client = trusting_client().resolve("evil.example", served.address).tls_danger_accept_invalid_certs(true);
    let client = client.build().unwrap();
    let ask = async |host: &str, path: &str, password: &str| {
        let url = format!("https://{host}:{}{path}", served.address.port());
        let answer = within(client.get(url).basic_auth("alice", Some(password)).send()).await.unwrap();
        let names = answer.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let mut headers: BTreeMap<String, String> = names.collect();
        for other in ["date", "content-length", "content-type", "www-authenticate"] {
            headers.remove(other);
        }
        (answer.status().as_u16(), headers)
    };
    let (status, always) = ask("127.0.0.1", "/", "wonder").await;
    assert_eq!(status, 200);
    insta::assert_snapshot!(always.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n"), @r"
    cache-control: no-store
    content-security-policy: default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
    cross-origin-opener-policy: same-origin
    cross-origin-resource-policy: same-origin
    permissions-policy: camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()
    referrer-policy: same-origin
    strict-transport-security: max-age=63072000
    x-content-type-options: nosniff
    x-frame-options: SAMEORIGIN
    ");
    assert_eq!(ask("127.0.0.1", "/absent", "wonder").await, (404, always.clone()));
    assert_eq!(ask("127.0.0.1", "/", "wander").await, (401, always.clone()));
    let (status, mut headers) = ask("evil.example", "/", "wonder").await;
    // What the web configuration sets is set by it alone.
    assert_eq!(headers.insert("x-frame-options".to_owned(), "SAMEORIGIN".to_owned()).as_deref(), Some("DENY"));
    assert_eq!((status, headers), (421, always));
    served.stopped().await;
}

#[tokio::test]
async fn without_a_flag_only_loopback_is_listened_on() {
    let listeners = serve::listen(&WebArgs::default(), &ListenAddress::loopbacks(0)).await.unwrap();
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().ip()).collect();
    assert_eq!(addresses[0].to_string(), "127.0.0.1");
    assert!(addresses.len() <= 2 && addresses.iter().all(std::net::IpAddr::is_loopback), "{addresses:?}");
}
