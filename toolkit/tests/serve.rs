//! The server against real sockets: stalled clients, shutdown, limits, taken ports, TLS, authentication.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::fmt::Debug;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use prometheus::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vvtv_toolkit::access::{Access, App, Gate, Role, Rules};
use vvtv_toolkit::render::{Exposition, Format};
use vvtv_toolkit::serve::{self, Limits, ListenAddress, ServeError, ServeMetrics};
use vvtv_toolkit::web_config::WebConfig;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    registry: Registry,
    ended: JoinHandle<Result<(), ServeError>>,
}

impl Served {
    async fn start(app: Router, web: WebConfig, limits: Limits) -> Self {
        let registry = Registry::new();
        let limits = Limits { metrics: ServeMetrics::register(&registry, "test").unwrap(), ..limits };
        let listeners = serve::bind(&[ListenAddress::loopback(0)]).await.unwrap();
        let address = listeners[0].local_addr().unwrap();
        let stop = CancellationToken::new();
        let everybody = Rules { anonymous: Some(Role::Admin), unassigned: Some(Role::Admin), ..Rules::default() };
        let app = App::uniform(&Gate::new(web.clone(), everybody), Access::Viewer, app);
        let ended = tokio::spawn(serve::run(listeners, app, web, limits, stop.clone()));
        Self { address, stop, registry, ended }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stopped(self) -> (SocketAddr, Registry) {
        self.stop.cancel();
        within(self.ended).await.unwrap().unwrap();
        (self.address, self.registry)
    }
}

async fn within<F: Future<Output: Debug>>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("took longer than the patience of a test")
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

fn quick() -> Limits {
    Limits { header_timeout: Duration::from_millis(200), ..Limits::default() }
}

fn metrics(registry: &Registry) -> String {
    let mut out = Exposition::new(Format::Text004);
    out.registry(registry);
    let text = String::from_utf8(out.finish().to_vec()).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

#[rstest::rstest]
#[case::half_a_header(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ".as_slice())]
#[case::nothing_at_all(b"".as_slice())]
#[case::half_an_http2_preface(b"PRI * HT".as_slice())]
#[tokio::test]
async fn a_client_that_stalls_is_closed(#[case] sent: &[u8]) {
    let served = Served::start(hello(), WebConfig::default(), quick()).await;
    let mut client = served.connect().await;
    client.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    match within(client.read_to_end(&mut answer)).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    served.stopped().await;
}

#[tokio::test]
async fn a_request_in_flight_finishes_and_the_port_is_closed_after() {
    let (arrived, mut arrival) = mpsc::channel(1);
    let release = CancellationToken::new();
    let held = release.clone();
    let app = Router::new().route(
        "/",
        get(move || async move {
            arrived.send(()).await.unwrap();
            held.cancelled().await;
            "finished"
        }),
    );
    let served = Served::start(app, WebConfig::default(), Limits::default()).await;
    let mut client = served.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    within(arrival.recv()).await.unwrap();

    served.stop.cancel();
    within(async {
        while TcpStream::connect(served.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    release.cancel();
    let mut answer = String::new();
    within(client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("finished"), "{answer}");
    let (_, registry) = served.stopped().await;
    assert_eq!(metrics(&registry), "test_http_connection_limit_reached_total 0\ntest_http_open_connections 0");
}

#[tokio::test]
async fn a_request_that_never_ends_is_abandoned_at_the_drain_limit() {
    let (arrived, mut arrival) = mpsc::channel(1);
    let app = Router::new().route(
        "/",
        get(move || async move {
            arrived.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }),
    );
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let served = Served::start(app, WebConfig::default(), limits).await;
    let mut client = served.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    within(arrival.recv()).await.unwrap();
    let (_, registry) = served.stopped().await;
    assert!(metrics(&registry).contains("test_http_closed_connections_total{reason=\"drain\"} 1"));
}

#[tokio::test]
async fn one_connection_too_many_waits_and_is_counted() {
    let served = Served::start(hello(), WebConfig::default(), Limits { connections: 1, ..Limits::default() }).await;
    let mut first = served.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    within(first.read_exact(&mut byte)).await.unwrap();

    let mut second = served.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    within(async {
        while !metrics(&served.registry).contains("limit_reached_total 1") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(first);
    let mut answer = String::new();
    within(second.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    served.stopped().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let listeners = serve::bind(&[ListenAddress::loopback(0)]).await.unwrap();
    let port = listeners[0].local_addr().unwrap().port();
    let error = serve::bind(&[ListenAddress::loopback(port)]).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on 127.0.0.1:{port}: port {port} is taken"));
    let error = serve::bind(&[ListenAddress::every_address(port)]).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on :{port}: port {port} is taken"));
}

const TLS: &str = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

fn web(text: &str) -> WebConfig {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
    let file = tempfile::NamedTempFile::new_in(&directory).unwrap();
    std::fs::write(file.path(), text).unwrap();
    WebConfig::load(file.path()).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)).unwrap()
}

fn trusting_client() -> reqwest::ClientBuilder {
    let authority = reqwest::Certificate::from_pem(&fixture("ca.pem")).unwrap();
    reqwest::Client::builder().tls_certs_only([authority]).no_proxy()
}

#[tokio::test]
async fn tls_with_client_certificates() {
    let text = format!("{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n");
    let served = Served::start(hello(), web(&text), Limits::default()).await;
    let url = format!("https://{}/", served.address);
    let known = trusting_client().identity(reqwest::Identity::from_pem(&fixture("client.pem")).unwrap());
    let answer = within(known.build().unwrap().get(&url).send()).await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "hello");
    let stranger = trusting_client().build().unwrap();
    within(stranger.get(&url).send()).await.unwrap_err();
    served.stopped().await;
}

#[tokio::test]
async fn only_clients_of_a_configured_name() {
    let text = format!("{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n");
    let known = || reqwest::Identity::from_pem(&fixture("client.pem")).unwrap();
    let mut seen = Vec::new();
    for names in ["[other.example, localhost]", "[127.0.0.1]", "[other.example, local]", "[test client]"] {
        let served =
            Served::start(hello(), web(&format!("{text}  client_allowed_sans: {names}\n")), Limits::default()).await;
        let client = trusting_client().identity(known()).build().unwrap();
        let answer = within(client.get(format!("https://{}/", served.address)).send()).await;
        seen.push((names, answer.is_ok()));
        let (_, registry) = served.stopped().await;
        let refused = metrics(&registry).contains("test_http_closed_connections_total{reason=\"handshake_failed\"} 1");
        assert_eq!(refused, answer.is_err(), "{}", metrics(&registry));
    }
    // The names that are asked for are the alternative ones; the subject's own says nothing.
    let expected = [true, true, false, false];
    assert_eq!(seen.iter().map(|(_, admitted)| *admitted).collect::<Vec<_>>(), expected, "{seen:?}");
}

#[tokio::test]
async fn a_tls_client_that_says_nothing_is_closed() {
    let served = Served::start(hello(), web(TLS), quick()).await;
    let mut client = served.connect().await;
    assert_eq!(within(client.read(&mut [0; 1])).await.unwrap(), 0);
    let (_, registry) = served.stopped().await;
    assert!(metrics(&registry).contains("test_http_closed_connections_total{reason=\"handshake_timeout\"} 1"));
}

#[tokio::test]
async fn basic_authentication_and_headers() {
    let text = format!(
        "basic_auth_users: {{alice: {}}}\nhttp_server_config: {{headers: {{X-Frame-Options: deny}}}}\n",
        bcrypt::hash("wonder", 4).unwrap()
    );
    let served = Served::start(hello(), web(&text), Limits::default()).await;
    let client = trusting_client().build().unwrap();
    let url = format!("http://{}/", served.address);
    let mut seen = Vec::new();
    for credentials in [None, Some(("alice", "wonder")), Some(("alice", "wander")), Some(("bob", "wonder"))] {
        let request = client.get(&url);
        let request = match credentials {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        let answer = within(request.send()).await.unwrap();
        seen.push((answer.status().as_u16(), answer.headers()["x-frame-options"].to_str().unwrap().to_owned()));
    }
    let expected = [401, 200, 401, 401].map(|status| (status, "deny".to_owned()));
    assert_eq!(seen, expected);
    served.stopped().await;
}

#[tokio::test]
async fn a_changed_file_and_a_renewed_certificate_take_effect_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, body: &[u8]| {
        let beside = directory.path().join("new");
        std::fs::write(&beside, body).unwrap();
        std::fs::rename(beside, directory.path().join(name)).unwrap();
    };
    write("server.pem", &fixture("server.pem"));
    write("server.key", &fixture("server.key"));
    let users = |password: &str| format!("{TLS}basic_auth_users: {{alice: {}}}\n", bcrypt::hash(password, 4).unwrap());
    write("web.yml", users("wonder").as_bytes());
    let web = WebConfig::load(&directory.path().join("web.yml")).unwrap();
    let served = Served::start(hello(), web, Limits::default()).await;
    let url = format!("https://{}/", served.address);
    let ask = async |password: &str| {
        let client = trusting_client().build().unwrap();
        within(client.get(&url).basic_auth("alice", Some(password)).send()).await.map(|answer| answer.status().as_u16())
    };
    assert_eq!(ask("wonder").await.unwrap(), 200);
    write("web.yml", users("wander").as_bytes());
    assert_eq!((ask("wonder").await.unwrap(), ask("wander").await.unwrap()), (401, 200));
    write("web.yml", b"basic_auth_users: {alice: broken}\n");
    assert_eq!(ask("wander").await.unwrap(), 200, "a broken file changes nothing");
    write("web.yml", b"basic_auth_users: {}\n");
    assert_eq!(ask("wander").await.unwrap(), 200, "TLS is not switched off by a file");
    // Another certificate than before: one that its clients do not trust for this name.
    write("web.yml", users("wander").as_bytes());
    write("server.pem", &fixture("client.pem"));
    write("server.key", &fixture("client.pem"));
    ask("wander").await.unwrap_err();
    served.stopped().await;
}

#[tokio::test]
async fn more_requests_than_the_limit_are_turned_away() {
    let served = Served::start(hello(), web("rate_limit: {interval: 1h, burst: 2}\n"), Limits::default()).await;
    let client = trusting_client().build().unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(within(client.get(format!("http://{}/", served.address)).send()).await.unwrap().status().as_u16());
    }
    assert_eq!(seen, [200, 200, 429]);
    served.stopped().await;
}

#[tokio::test]
async fn only_the_configured_suites_are_spoken() {
    let text = format!(
        "{TLS}  cipher_suites: [TLS_AES_256_GCM_SHA384]\n  curve_preferences: [CurveP256]\n  min_version: TLS13\n"
    );
    let served = Served::start(hello(), web(&text), Limits::default()).await;
    let url = format!("https://{}/", served.address);
    let newest = trusting_client().build().unwrap();
    assert_eq!(within(newest.get(&url).send()).await.unwrap().status().as_u16(), 200);
    let old = trusting_client().max_tls_version(reqwest::tls::Version::TLS_1_2).build().unwrap();
    within(old.get(&url).send()).await.unwrap_err();
    served.stopped().await;
}
