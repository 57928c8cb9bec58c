//! What a web server answers, and what is made of it: statuses, segments that are there or not, their bitrates.

use std::time::Duration;

use rstest::rstest;
use vvtv_exporter::config::Location;
use vvtv_exporter::health::Failure;
use vvtv_exporter::probe::playlist::{Check, PlaylistView, VariantView};
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use tokio::time::timeout;

use super::{PATIENCE, Watching};

const ONE_SEGMENT: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n0.ts\n";

/// The manifest never changes; by its clock a segment of two seconds has always just ended.
const BY_CLOCK: &str = "<MPD type='dynamic' availabilityStartTime='1970-01-01T00:00:00Z'><Period><AdaptationSet>\
    <SegmentTemplate duration='2' media='$Number$.m4s'/><Representation id='v' bandwidth='8000'/></AdaptationSet></Period></MPD>";

async fn origin(playlist: ResponseTemplate, segments: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).and(path("/live")).respond_with(playlist).mount(&server).await;
    Mock::given(any()).respond_with(segments).mount(&server).await;
    server
}

async fn polled_once(address: &str) -> PlaylistView {
    let mut watching = Watching::start(Location::Http(address.parse().unwrap()));
    let view = watching.wait_for(|view| view.health.last.is_some()).await;
    watching.end().await;
    view
}

/// Failure, status, whether a segment was ever seen, whether it was there, and the peak bitrate.
type Facts = (Option<Failure>, Option<u16>, bool, Option<bool>, Option<f64>);

fn facts(view: &PlaylistView) -> Facts {
    let only: &VariantView = view.variants.first().unwrap();
    let seen = only.freshness.newest().is_some();
    (view.health.failure(), only.http_status, seen, only.segment_available, only.peak_bytes_per_second())
}

fn answers(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string(body)
}

fn bytes(count: usize) -> ResponseTemplate {
    // Of an empty body the server would say nothing.
    ResponseTemplate::new(200).set_body_bytes(vec![0; count]).insert_header("Content-Length", count.to_string())
}

#[rstest]
#[case::there(answers(200, ONE_SEGMENT), bytes(1000), (None, Some(200), true, Some(true), Some(500.0)))]
#[case::empty(answers(200, ONE_SEGMENT), bytes(0), (Some(Failure::Missing), Some(200), false, Some(false), None))]
#[case::missing(answers(200, ONE_SEGMENT), answers(404, ""), (Some(Failure::Missing), Some(200), false, Some(false), None))]
#[case::denied_to_us_though_listed(answers(200, ONE_SEGMENT), answers(405, ""), (None, Some(200), true, None, None))]
#[case::failing(answers(200, ONE_SEGMENT), answers(503, ""), (Some(Failure::Status), Some(200), false, None, None))]
#[case::unavailable(answers(503, ""), bytes(1000), (Some(Failure::Status), Some(503), false, None, None))]
#[case::gone(answers(410, ""), bytes(1000), (Some(Failure::Missing), Some(410), false, None, None))]
#[case::due_and_there(answers(200, BY_CLOCK), bytes(1000), (None, Some(200), true, Some(true), Some(500.0)))]
#[case::due_and_missing(answers(200, BY_CLOCK), answers(404, ""), (Some(Failure::Missing), Some(200), false, Some(false), None))]
#[case::denied_to_us_though_due(answers(200, BY_CLOCK), answers(403, ""), (Some(Failure::Status), Some(200), false, None, None))]
#[tokio::test]
async fn what_is_answered_is_told(
    #[case] playlist: ResponseTemplate,
    #[case] segments: ResponseTemplate,
    #[case] expected: Facts,
) {
    let server = origin(playlist, segments).await;
    let view = polled_once(&format!("{}/live", server.uri())).await;
    assert_eq!(facts(&view), expected, "{view:?}");
    assert!(view.variants.iter().all(|variant| variant.request_duration > Duration::ZERO));
}

#[tokio::test]
async fn what_a_master_breaks_is_counted_once_for_each_new_one() {
    let server = MockServer::start().await;
    let master = |bandwidth: u32| {
        let body = format!(
            "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=9,BANDWIDTH={bandwidth}\nv.m3u8\n"
        );
        Mock::given(method("GET")).and(path("/live")).respond_with(answers(200, &body))
    };
    Mock::given(path("/v.m3u8")).respond_with(answers(200, ONE_SEGMENT)).mount(&server).await;
    let first = master(900_000).mount_as_scoped(&server).await;
    let mut watching = Watching::start(Location::Http(format!("{}/live", server.uri()).parse().unwrap()));
    let counts =
        |view: &PlaylistView| view.master_violations.iter().map(|(check, count)| (*check, *count)).collect::<Vec<_>>();
    let asked_again = async {
        while first.received_requests().await.len() < 3 {
            watching.view.changed().await.unwrap();
        }
    };
    timeout(PATIENCE, asked_again).await.expect("the master is read again");
    let expected = [(Check::NotIdentifiable, 1), (Check::CodecsMissing, 1), (Check::CellularVariantMissing, 1)];
    assert_eq!(counts(&watching.wait_for(|_| true).await), expected);
    drop(first);
    master(100_000).mount(&server).await;
    let changed = watching.wait_for(|view| view.master_violations[&Check::CodecsMissing] > 1).await;
    let expected = [(Check::NotIdentifiable, 2), (Check::CodecsMissing, 2), (Check::CellularVariantMissing, 1)];
    assert_eq!(counts(&changed), expected);
    assert!(changed.variants.iter().all(|variant| !variant.violations.contains_key(&Check::NotIdentifiable)));
    watching.end().await;
}

#[tokio::test]
async fn without_an_answer_there_is_no_status() {
    let view = polled_once("http://127.0.0.1:1/live").await;
    assert_eq!(facts(&view), (Some(Failure::Refused), None, false, None, None));
}

#[tokio::test]
async fn the_manifest_of_a_segment_that_is_due_may_be_as_old_as_the_hills() {
    let old = answers(200, BY_CLOCK)
        .insert_header("Date", "Sun, 22 Nov 2026 15:00:43 GMT")
        .insert_header("Last-Modified", "Sat, 21 Nov 2026 15:00:43 GMT");
    let server = origin(old, bytes(1000)).await;
    let mut watching = Watching::start(Location::Http(format!("{}/live", server.uri()).parse().unwrap()));
    let view = watching.wait_for(|view| view.health.up()).await;
    let only = view.variants.first().unwrap();
    assert_eq!((&*only.name, only.declared_bits_per_second), ("0/v", Some(8000)));
    assert!(only.freshness.age(watching.clock.now()) < Duration::from_secs(60), "{only:?}");
    watching.end().await;
}

#[tokio::test]
async fn the_peak_is_the_highest_of_the_last_segments() {
    let directory = tempfile::tempdir().unwrap();
    let playlist = directory.path().join("live");
    let mut watching = Watching::start(Location::File(playlist.clone()));
    let mut peaks = Vec::new();
    for (number, size) in [1000, 4000, 2000].into_iter().enumerate() {
        std::fs::write(directory.path().join(format!("{number}.ts")), vec![0; size]).unwrap();
        let numbered = format!("#EXT-X-MEDIA-SEQUENCE:{number}\n#EXTINF:2,\n{number}.ts");
        let listed = ONE_SEGMENT.replace("#EXTINF:2,\n0.ts", &numbered);
        std::fs::write(directory.path().join("new"), listed).unwrap();
        std::fs::rename(directory.path().join("new"), &playlist).unwrap();
        let uri = format!("{number}.ts");
        let is_newest = |view: &PlaylistView| {
            view.variants.iter().all(|variant| variant.freshness.newest().is_some_and(|newest| newest.uri == uri))
        };
        peaks.push(facts(&watching.wait_for(is_newest).await).4);
    }
    assert_eq!(peaks, [500.0, 2000.0, 2000.0].map(Some));
    watching.end().await;
}
