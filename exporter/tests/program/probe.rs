//! `/probe` of playlists: success is what a viewer can play.

use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::running::{Running, samples};
use super::{dead_stream, free_udp_port};

const MASTER: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n";
const LIST: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n";

fn answers(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(body)
}

fn aged(body: &str, last_modified: &str) -> ResponseTemplate {
    let date = ("Date", "Sun, 22 Nov 2026 15:00:43 GMT");
    answers(body).insert_header(date.0, date.1).insert_header("Last-Modified", last_modified)
}

/// The same documents for every case, and a server for them.
async fn origin() -> MockServer {
    let server = MockServer::start().await;
    let (hours_ago, never) = ("Sun, 22 Nov 2026 05:00:43 GMT", "Thu, 01 Jan 1970 00:00:00 GMT");
    let documents = [
        ("/live", answers(&format!("{LIST}1.ts\n"))),
        ("/fresh", aged(&format!("{LIST}1.ts\n"), "Sun, 22 Nov 2026 15:00:40 GMT")),
        ("/nonsense", aged(&format!("{LIST}1.ts\n"), never)),
        ("/old", aged(&format!("{LIST}1.ts\n"), hours_ago)),
        ("/ended", aged(&format!("{LIST}1.ts\n#EXT-X-ENDLIST\n"), hours_ago)),
        ("/empty", answers("#EXTM3U\n#EXT-X-TARGETDURATION:2\n")),
        ("/header", answers("#EXTM3U\n")),
        ("/absent", answers(&format!("{LIST}2.ts\n"))),
        ("/master", answers(&format!("{MASTER}live\n"))),
        ("/master-of-old", answers(&format!("{MASTER}old\n"))),
        ("/master-of-nothing", answers(&format!("{MASTER}nowhere\n"))),
        ("/master-of-itself", answers(&format!("{MASTER}master-of-itself\n"))),
        ("/master-of-data", answers(&format!("{MASTER}data:,\n"))),
        ("/1.ts", answers("media").insert_header("Content-Length", "5")),
    ];
    for (at, answer) in documents {
        Mock::given(path(at)).respond_with(answer).mount(&server).await;
    }
    server
}

fn allowing(entries: &str) -> String {
    format!("{}probe: {{allow: [{entries}]}}\n", dead_stream(free_udp_port()))
}

fn refusals(scrape: &str, reason: &str) -> f64 {
    let reason = format!("reason=\"{reason}\"");
    let refused = samples(scrape, "vvtv_exporter_probes_refused_total");
    refused.filter(|(labels, _)| *labels == reason).map(|(_, count)| count).sum()
}

#[rstest]
#[case("live", None)]
#[case("fresh", None)]
#[case("nonsense", None)]
#[case("ended", None)]
#[case("master", None)]
#[case("old", Some("silent"))]
#[case("empty", Some("empty"))]
#[case("header", Some("empty"))]
#[case("absent", Some("missing"))]
#[case("master-of-old", Some("silent"))]
#[case("master-of-nothing", Some("missing"))]
#[case("master-of-itself", Some("malformed"))]
#[case("master-of-data", Some("empty"))]
#[tokio::test]
async fn a_probe_succeeds_where_something_can_be_played(#[case] name: &str, #[case] failure: Option<&str>) {
    let server = origin().await;
    let running = Running::start(&allowing("127.0.0.1"), &[]);
    let (status, body) = running.get(&format!("/probe?module=hls&target={}/{name}", server.uri())).await;
    let success = format!("vvtv_probe_success {}\n", u8::from(failure.is_none()));
    assert!(status == 200 && body.contains(&success), "{body}");
    let told = failure.map(|reason| format!("vvtv_probe_failure{{reason=\"{reason}\"}} 1\n"));
    assert!(told.as_ref().is_none_or(|line| body.contains(line)), "{body}");
    assert_eq!(body.contains("vvtv_probe_failure{"), failure.is_some(), "{body}");
}

const OFF: &str =
    "/probe is off: name what may be asked for in `probe: {allow: [...]}` of the exporter's configuration\n";
const NOT_NAMED: &str = "this target is not named in `probe: {allow: [...]}` of the exporter's configuration\n";

/// What a scanner would like to know: a port where somebody listens, and one where nobody does; a name that nobody has.
fn targets(open: u16) -> [String; 5] {
    [
        format!("module=hls&target=http://127.0.0.1:{open}/control/drop/publisher?app=live"),
        "module=hls&target=http://127.0.0.1:1/".to_owned(),
        "module=hls&target=http://nobody.invalid/".to_owned(),
        format!("module=rtmp&target=rtmp://localhost:{open}/live/main"),
        "module=rtmp&target=rtmp://127.1:1/live/main".to_owned(),
    ]
}

#[tokio::test]
async fn nothing_is_asked_that_is_not_named_and_all_answers_are_alike() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let targets = targets(listener.local_addr().unwrap().port());
    let running = Running::start(&dead_stream(free_udp_port()), &[]);
    for target in &targets {
        assert_eq!(running.get(&format!("/probe?{target}")).await, (403, OFF.to_owned()));
    }
    assert_eq!(refusals(&running.get("/metrics").await.1, "off"), 5.0);
    // Networks however large do not hold loopback, and a name does not stand for what it leads to.
    std::fs::write(&running.config, allowing("0.0.0.0/0, '::/0', '*.test', '127.0.0.1:2', '*.invalid'")).unwrap();
    assert_eq!(running.request(reqwest::Method::POST, "/-/reload").await.0, 200);
    for target in &targets {
        assert_eq!(running.get(&format!("/probe?{target}")).await, (403, NOT_NAMED.to_owned()));
    }
    assert_eq!(refusals(&running.get("/metrics").await.1, "not_named"), 5.0);
    assert!(listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
}

#[tokio::test]
async fn what_may_be_asked_for_does_not_lead_elsewhere() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let elsewhere = listener.local_addr().unwrap();
    let server = MockServer::start().await;
    let leads = answers(&format!("{MASTER}http://{elsewhere}/control/drop/publisher\n"));
    Mock::given(path("/leads")).respond_with(leads).mount(&server).await;
    let running = Running::start(&allowing(&format!("'{}'", server.address())), &[]);
    let (status, body) = running.get(&format!("/probe?target={}/leads", server.uri())).await;
    assert!(status == 200 && body.contains("vvtv_probe_failure{reason=\"forbidden\"} 1\n"), "{body}");
    assert!(listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
}

/// A kernel accepts for a server that does not: connections open, and no answer comes.
#[tokio::test]
async fn probes_that_hang_leave_places_for_others() {
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let hung = hung.local_addr().map(|address| (hung, address)).unwrap();
    let server = origin().await;
    let running = Running::start(&allowing("127.0.0.1"), &[]);
    let client = |address: &str| {
        let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(40));
        builder.local_address(address.parse::<IpAddr>().unwrap()).build().unwrap()
    };
    let ask = |client: &reqwest::Client, target: String| {
        let url = format!("http://{}/probe?target={target}", running.program.address);
        let request = client.get(url).header("x-prometheus-scrape-timeout-seconds", "60");
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let one = client("127.0.0.1");
    let hanging = join_all((0..64).map(|n| ask(&one, format!("http://{}/{n}", hung.1))));
    let other = async {
        let share = |scrape: &str| refusals(scrape, "share") >= 16.0;
        let _ = running.wait_until("as many as one may have", share).await;
        ask(&client("127.0.0.2"), format!("{}/live", server.uri())).await
    };
    let (hanging, other) = tokio::join!(hanging, other);
    let of = |status: u16| hanging.iter().filter(|found| **found == status).count();
    assert_eq!((of(200), of(429), other), (48, 16, 200), "{hanging:?}");
    assert_eq!(ask(&one, format!("{}/live", server.uri())).await, 200);
}
