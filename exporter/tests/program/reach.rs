//! Playlists that lead elsewhere: what is never asked, however it is written, and what is where it is named.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use rstest::rstest;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::running::{EXPORTER, Running, samples};

const MASTER: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n";
const LIST: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n";
const CONTROL: &str = "control/drop/publisher?app=live&name=main";

/// Whom nobody may ask: it knows whether somebody tried.
struct Control(TcpListener);

impl Control {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    fn assert_unasked(&self) {
        let asked = self.0.accept();
        assert!(asked.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{asked:?}");
    }
}

fn text(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(body)
}

/// A document of the configured origin that leads to `elsewhere`.
fn document(kind: &str, elsewhere: &str) -> ResponseTemplate {
    match kind {
        "variant" => text(&format!("{MASTER}{elsewhere}\n")),
        "nested master" => text(&format!("{MASTER}inner.m3u8\n")),
        "segment" => text(&format!("{LIST}{elsewhere}\n")),
        "redirect" => ResponseTemplate::new(302).insert_header("Location", elsewhere),
        "redirected segment" => text(&format!("{LIST}away\n")),
        "manifest" => text(&format!(
            "<MPD type='dynamic' availabilityStartTime='1970-01-01T00:00:00Z'><Period><AdaptationSet><BaseURL>{}</BaseURL>\
             <SegmentList duration='2'><SegmentURL media='a'/><SegmentURL media='b'/></SegmentList>\
             <Representation id='v' bandwidth='1'/></AdaptationSet></Period></MPD>",
            elsewhere.replace('&', "&amp;")
        )),
        other => unreachable!("{other}"),
    }
}

async fn origin(kind: &str, elsewhere: &str) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/main.m3u8")).respond_with(document(kind, elsewhere)).mount(&server).await;
    Mock::given(path("/inner.m3u8")).respond_with(document("variant", elsewhere)).mount(&server).await;
    Mock::given(path("/away")).respond_with(document("redirect", elsewhere)).mount(&server).await;
    server
}

fn config(playlist: &str, more: &str) -> String {
    format!(
        "streams:\n  - {{name: main, playlist: '{playlist}'}}\n{more}interval: 100ms\nhost: {{broadcast: /, processes: []}}\n"
    )
}

fn failures(scrape: &str, reason: &str) -> f64 {
    let reason = format!("reason=\"{reason}\"");
    samples(scrape, "vvtv_probe_failures_total").filter(|(labels, _)| labels.contains(&reason)).map(|(_, n)| n).sum()
}

#[rstest]
#[case::variant("variant", "127.0.0.1")]
#[case::nested("nested master", "127.0.0.1")]
#[case::segment("segment", "127.0.0.1")]
#[case::redirect("redirect", "127.0.0.1")]
#[case::redirected_segment("redirected segment", "127.0.0.1")]
#[case::manifest("manifest", "127.0.0.1")]
#[case::a_name("segment", "localhost")]
#[case::hexadecimal("variant", "0x7f.1")]
#[case::one_number("segment", "2130706433")]
#[case::mapped("variant", "[::ffff:127.0.0.1]")]
#[case::unspecified("segment", "0.0.0.0")]
#[tokio::test]
async fn another_port_of_loopback_is_never_asked(#[case] kind: &str, #[case] host: &str) {
    let control = Control::listen();
    let elsewhere = format!("http://{host}:{}/{CONTROL}", control.address().port());
    let origin = origin(kind, &elsewhere).await;
    let running = Running::start(&config(&format!("{}/main.m3u8", origin.uri()), ""), &[]);
    let scrape = running.wait_until("two refusals", |scrape| failures(scrape, "forbidden") >= 2.0).await;
    control.assert_unasked();
    assert!(samples(&scrape, "vvtv_segment_age_seconds").all(|(_, age)| age > 0.0), "{scrape}");
    let (_, seen) = running.get("/debug/stream/main").await;
    let said = format!("leads to another origin, http://{}", elsewhere.split('/').nth(2).unwrap());
    assert!(host.starts_with(|c: char| !c.is_alphabetic()) || seen.contains(&said), "{seen}");
    assert!(seen.contains("in `reach`") && !seen.contains("name=main"), "{seen}");
}

#[rstest]
#[case::variant("variant")]
#[case::segment("segment")]
#[case::redirect("redirect")]
#[tokio::test]
async fn what_is_named_is_asked(#[case] kind: &str) {
    let other = MockServer::start().await;
    Mock::given(path("/media.m3u8")).respond_with(text(&format!("{LIST}1.ts\n"))).mount(&other).await;
    let media = ResponseTemplate::new(200).set_body_string("media").insert_header("Content-Length", "5");
    Mock::given(path("/1.ts")).respond_with(media).mount(&other).await;
    let leads_to = if kind == "segment" { "1.ts" } else { "media.m3u8" };
    let origin = origin(kind, &format!("{}/{leads_to}", other.uri())).await;
    let reach = format!("reach: ['{}']\n", other.address());
    let running = Running::start(&config(&format!("{}/main.m3u8", origin.uri()), &reach), &[]);
    let there = |scrape: &str| samples(scrape, "vvtv_segment_available").any(|(_, there)| there > 0.0);
    let _ = running.wait_until("a segment", there).await;
    // What is named no more is not asked any more, also over connections that were made before.
    std::fs::write(&running.config, config(&format!("{}/main.m3u8", origin.uri()), "")).unwrap();
    assert_eq!(running.request(reqwest::Method::POST, "/-/reload").await.0, 200);
    let again = |scrape: &str| failures(scrape, "forbidden") >= 2.0;
    if kind != "segment" {
        let _ = running.wait_until("two refusals", again).await;
    }
}

#[tokio::test]
async fn a_streams_own_list_stands_in_place_of_the_one_for_all() {
    let control = Control::listen();
    let origin = origin("segment", &format!("http://{}/1.ts", control.address())).await;
    let text = config(&format!("{}/main.m3u8", origin.uri()), "reach: [127.0.0.1]\n");
    let text = text.replace("name: main, ", "name: main, reach: [10.0.0.0/8, '*.example.com'], ");
    let running = Running::start(&text, &[]);
    let _ = running.wait_until("two refusals", |scrape| failures(scrape, "forbidden") >= 2.0).await;
    control.assert_unasked();
}

/// The real resolver with a hosts file of its own: a name that anybody may choose leads to loopback, as after a rebinding.
#[tokio::test]
async fn a_name_that_leads_to_loopback_is_not_asked_and_one_that_was_configured_is() {
    let control = Control::listen();
    let origin = origin("variant", &format!("http://cdn.test:{}/{CONTROL}", control.address().port())).await;
    let directory = tempfile::tempdir().unwrap();
    let hosts = directory.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 origin.test cdn.test\n").unwrap();
    let mut command = Command::new("unshare");
    let mount = format!("mount --bind '{}' /etc/hosts && exec \"$0\" \"$@\"", hosts.display());
    command.args(["-rm", "sh", "-c", &mount, EXPORTER]);
    let playlist = format!("http://origin.test:{}/main.m3u8", origin.address().port());
    // Not even where the name is named: whoever answers for it would choose where it leads.
    let running = Running::start_by(command, &config(&playlist, "reach: ['*.test']\n"), &[]);
    let scrape = running.wait_until("two refusals", |scrape| failures(scrape, "forbidden") >= 2.0).await;
    control.assert_unasked();
    assert_eq!(
        failures(&scrape, "forbidden"),
        samples(&scrape, "vvtv_probe_failures_total").map(|(_, n)| n).sum::<f64>()
    );
}

#[tokio::test]
async fn a_statistics_page_does_not_lead_elsewhere() {
    let control = Control::listen();
    let origin = origin("redirect", &format!("http://{}/{CONTROL}", control.address())).await;
    let text = format!(
        "streams:\n  - {{name: main, ingest: 'rtmp://127.0.0.1:1/live/main', nginx_stat: '{}/main.m3u8'}}\ninterval: 100ms\n",
        origin.uri()
    );
    let running = Running::start(&text, &[]);
    let _ = running.wait_until("two refusals", |scrape| failures(scrape, "forbidden") >= 2.0).await;
    control.assert_unasked();
}
