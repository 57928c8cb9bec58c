//! `/probe` of playlists: success is what a viewer can play.

use rstest::rstest;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::running::Running;
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
    let running = Running::start(&dead_stream(free_udp_port()), &[]);
    let (status, body) = running.get(&format!("/probe?module=hls&target={}/{name}", server.uri())).await;
    let success = format!("vvtv_probe_success {}\n", u8::from(failure.is_none()));
    assert!(status == 200 && body.contains(&success), "{body}");
    let told = failure.map(|reason| format!("vvtv_probe_failure{{reason=\"{reason}\"}} 1\n"));
    assert!(told.as_ref().is_none_or(|line| body.contains(line)), "{body}");
    assert_eq!(body.contains("vvtv_probe_failure{"), failure.is_some(), "{body}");
}
