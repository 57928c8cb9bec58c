//! Pages as they are recorded, and as forks and odd publishers write them; and what follows from page to page.

use std::time::Duration;

use super::*;
use crate::health::Failure;
use rstest::rstest;

const STALLED_AFTER: Duration = Duration::from_secs(2);

fn entry(app: &str, name: &str, bytes_in: u64, client_id: Option<u64>) -> StreamEntry {
    let (app, name) = (app.to_owned(), name.to_owned());
    StreamEntry {
        server: 1,
        app,
        name,
        bytes_in: Some(bytes_in),
        publishing: true,
        client_id,
        ..StreamEntry::default()
    }
}

fn main(bytes_in: u64, client_id: u64, audio: u64, video: u64) -> Vec<StreamEntry> {
    let (audio_bits_per_second, video_bits_per_second) = (Some(audio), Some(video));
    let entry = entry("live", "main", bytes_in, Some(client_id));
    vec![StreamEntry { audio_bits_per_second, video_bits_per_second, ..entry }]
}

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/fixtures/nginx-stat-{name}")).unwrap()
}

#[rstest]
#[case::never("never-published.xml", 9628, 2, vec![])]
#[case::publishing("publishing.xml", 9628, 192, main(21_330_681, 2, 106_800, 881_320))]
#[case::player("publishing-with-player.xml", 9628, 194, main(21_616_695, 2, 106_800, 881_320))]
#[case::killed("after-kill9-300ms.xml", 9628, 247, vec![])]
#[case::killed_longer("after-kill9-12s.xml", 9628, 259, vec![])]
#[case::frozen("publisher-sigstop-15s.xml", 9628, 306, main(2_211_274, 128, 0, 0))]
#[case::disk_full("disk-full.xml", 12312, 124, main(14_755_096, 1, 0, 0))]
fn recorded_pages(#[case] name: &str, #[case] pid: u64, #[case] uptime: u64, #[case] streams: Vec<StreamEntry>) {
    let mut page = parse(&recorded(name)).unwrap();
    for (found, expected) in page.streams.iter_mut().zip(&streams) {
        // Rates of old recordings are looked at in one of them.
        if expected.audio_bits_per_second == Some(0) {
            (found.audio_bits_per_second, found.video_bits_per_second) = (Some(0), Some(0));
        }
    }
    assert_eq!(page, Page { pid: Some(pid), uptime_seconds: Some(uptime), streams });
}

#[test]
fn another_application_may_have_a_stream_of_the_same_name() {
    let page = parse(&recorded("frozen-plus-second-publisher.xml")).unwrap();
    let found: Vec<_> = page.streams.into_iter().map(|entry| (entry.server, entry.app, entry.name)).collect();
    assert_eq!(found, [(1, "cont".to_owned(), "main".to_owned())]);
}

fn xml(root: &str, server: &str, stream: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?>\r\n<{root}><pid>77</pid><uptime>900</uptime><server>{server}<application><name>live</name><live>\
         <stream><name>main</name><bytes_in>5</bytes_in>{stream}<publishing/></stream></live></application></server></{root}>\r\n"
    )
    .into_bytes()
}

fn json(servers: &str) -> Vec<u8> {
    format!(
        "{{\"http-flv\":{{\"nginx_version\":\"1.22\",\"pid\":77,\"uptime\":900,\"bw_in\":1,\"servers\":[{servers}]}}}}"
    )
    .into_bytes()
}

fn plain_page() -> Page {
    Page { pid: Some(77), uptime_seconds: Some(900), streams: vec![entry("live", "main", 5, None)] }
}

const CLIENT: &str =
    r#"{"id":3,"address":"192.0.2.7","flashver":"a \"b\" { [","dropped":0,"publishing":true,"active":true}"#;

#[rstest]
#[case::plain(xml("rtmp", "", ""))]
#[case::http_flv(xml("http-flv", "", ""))]
#[case::latin_1(xml("rtmp", "", "<client><id>9</id><flashver>Enc%der</flashver></client>").iter().map(|byte| if *byte == b'%' { 0xf6 } else { *byte }).collect())]
#[case::control_characters(xml("rtmp", "", "<client><address>192.0.2.7\u{1}&#1;</address></client>"))]
#[case::lone_ampersand(xml("rtmp", "", "<client><pageurl>a?b&c=d</pageurl></client>"))]
#[case::unknown_entity(xml("rtmp", "", "<client><pageurl>&nbsp;</pageurl></client>"))]
#[case::doctype([b"<!DOCTYPE rtmp [<!ELEMENT rtmp ANY>]>".as_slice(), &xml("rtmp", "", "")].concat())]
#[case::byte_order_mark([b"\xef\xbb\xbf".as_slice(), &xml("rtmp", "", "")].concat())]
#[case::comment(xml("rtmp", "<!-- <server> > -->", "<meta><name>other</name></meta>"))]
#[case::json_of_applications(json(r#"{"applications":[{"name":"live","live":{"streams":[{"name":"main","time":1,"bytes_in":5,"clients":[],"nclients":1,"publishing":true,"active":true}],"nclients":1}}]}"#))]
#[case::json_of_servers(json(
    r#"{"name":"live","live":{"streams":[{"name":"main","bytes_in":5,"publishing":true}]}}"#
))]
#[case::json_without_its_commas(json(r#"{"applications":[{"name":"live","recorders":{"count":2,"lists":[{"id":"a"}{"id":"b"}]}"live":{"streams":[{"name":"main" "bytes_in":5,"publishing":true}]}}]}"#))]
fn the_same_page_in_many_forms(#[case] body: Vec<u8>) {
    assert_eq!(parse(&body), Ok(plain_page()));
    for size in [1, 7, 64] {
        let mut reader = PageReader::default();
        for piece in body.chunks(size) {
            reader.feed(piece).unwrap();
        }
        assert_eq!(reader.finish(), Ok(plain_page()), "in pieces of {size}");
    }
}

#[test]
fn server_blocks_are_told_apart_and_ports_are_read() {
    let port = |port, server| StreamEntry { port: Some(port), server, ..entry("live", "main", 5, None) };
    let one = xml("http-flv", "<port>1935</port><server_index>0</server_index>", "");
    assert_eq!(parse(&one).unwrap().streams, [port(1935, 1)]);
    let stream = r#"{"name":"main","bytes_in":5,"bw_audio":8000,"bw_video":16000,"clients":[CLIENT,{"id":4,"publishing":false}],"meta":{"video":{"width":1,"codec":"H264"},"audio":{"codec":"AAC","profile":"LC"}},"publishing":true}"#;
    let server = |port: u16, index: u32| {
        format!(r#"{{"port":{port},"server_index":{index},"applications":[{{"name":"live","live":{{"streams":[{stream}]}}}}]}}"#)
            .replace("CLIENT", CLIENT)
    };
    let page = parse(&json(&format!("{},{}", server(1935, 0), server(1936, 1)))).unwrap();
    let told = |entry| StreamEntry {
        client_id: Some(3),
        audio_bits_per_second: Some(8000),
        video_bits_per_second: Some(16000),
        ..entry
    };
    assert_eq!(page.streams, [told(port(1935, 1)), told(port(1936, 2))]);
}

#[test]
fn a_lone_player_is_no_publisher() {
    let body = "<rtmp><server><application><name>live</name><live><stream><name>main</name><bytes_in>0</bytes_in>\
        <client><id>7</id><active/></client><nclients>1</nclients><active/></stream></live></application></server></rtmp>";
    let expected = StreamEntry { publishing: false, ..entry("live", "main", 0, None) };
    assert_eq!(parse(body.as_bytes()).unwrap().streams, [expected]);
}

#[test]
fn thirteen_thousand_viewers_are_read_and_not_held() {
    let viewer = "<client><id>5</id><address>192.0.2.9</address><pageurl>https://player.example/watch?session=0123456789</pageurl>\
        <dropped>0</dropped><avsync>-12</avsync><timestamp>123456789</timestamp><active/></client>";
    let body = xml("rtmp", "", &viewer.repeat(40_000));
    assert!(body.len() > 4 << 20);
    assert_eq!(parse(&body), Ok(plain_page()));
}

#[rstest]
#[case::a_hung_worker(&recorded("worker-hung.txt"), Failure::Malformed)]
#[case::html(b"<html><body><h1>404</h1></body></html>", Failure::Malformed)]
#[case::cut(b"<rtmp><server>", Failure::Malformed)]
#[case::cut_json(b"{\"http-flv\":{\"servers\":[", Failure::Malformed)]
#[case::another_json(b"{\"status\":\"ok\"}", Failure::Malformed)]
#[case::crossed(b"<rtmp></server></rtmp>", Failure::Malformed)]
#[case::empty(b"", Failure::Malformed)]
#[case::no_text(b"\xff", Failure::Malformed)]
#[case::deep(&[b"<rtmp>".as_slice(), &b"<a>".repeat(40)].concat(), Failure::Malformed)]
#[case::one_long_text(&[b"<rtmp>".as_slice(), &b"a".repeat(70_000)].concat(), Failure::TooLarge)]
#[case::too_many_streams(&[b"<rtmp>".as_slice(), &b"<stream></stream>".repeat(20_001)].concat(), Failure::TooLarge)]
fn what_is_no_page_is_refused(#[case] body: &[u8], #[case] reason: Failure) {
    assert_eq!(parse(body).map_err(|error| error.reason), Err(reason));
}

proptest::proptest! {
    #[test]
    fn any_text_is_an_answer_not_a_panic_and_pieces_change_nothing(
        text in "(<rtmp>|\\{\"http-flv\":\\{)?(</?(stream|client|name|id|bytes_in|publishing)/?>|[0-9a-zä&;\"\\\\\\[\\]{}:,]{0,5}){0,40}(</rtmp>|\\}\\})?",
        size in 1_usize..9,
    ) {
        let whole = parse(text.as_bytes());
        let mut reader = PageReader::default();
        let pieces = text.as_bytes().chunks(size).try_for_each(|piece| reader.feed(piece)).and_then(|()| reader.finish());
        proptest::prop_assert_eq!(whole.ok(), pieces.ok());
    }
}

fn at(seconds: u64) -> Now {
    Now { mono: Duration::from_secs(seconds), unix_seconds: seconds as f64 }
}

fn publishers() -> Publishers {
    Publishers::new(StatTiming::from(Timing::default()))
}

fn wanted(app: &str, key: &str) -> StatEntry {
    let location = Location::Http("http://a.test/stat".parse().unwrap());
    StatEntry { location, app: app.to_owned(), key: key.to_owned(), port: Some(1935), server: None }
}

fn page(pid: u64, uptime: u64, publisher: Option<(u64, u64)>) -> Page {
    let streams = publisher.map(|(client, bytes_in)| entry("live", "main", bytes_in, Some(client)));
    Page { pid: Some(pid), uptime_seconds: Some(uptime), streams: streams.into_iter().collect() }
}

fn advancing(publishers: &Publishers, now: u64) -> bool {
    let found = publishers.find(&wanted("live", "main"));
    found.is_some_and(|publisher| publisher.is_advancing(at(now), STALLED_AFTER))
}

#[test]
fn a_frozen_publisher_stays_listed_and_is_stalled() {
    let recorded = |name: &str| parse(&recorded(name)).unwrap();
    let mut publishers = publishers();
    publishers.observe(at(0), &recorded("publisher-sigstop-15s.xml"));
    assert!(advancing(&publishers, 0), "the benefit of the doubt at first sight");
    publishers.observe(at(1), &recorded("publisher-sigstop-15s.xml"));
    publishers.observe(at(100), &recorded("publisher-sigstop-115s.xml"));
    assert!(!advancing(&publishers, 100));
    assert!(publishers.find(&wanted("live", "main")).unwrap().is_listed());
    publishers.observe(at(101), &recorded("after-kill9-300ms.xml"));
    let listing = publishers.find(&wanted("live", "main")).unwrap().listing();
    assert_eq!(listing, Listing::Gone(Duration::from_secs(101)));
}

#[rstest]
#[case::the_next_second_of_bytes((2, 2_000), true)]
#[case::the_same_bytes((2, 1_000), false)]
#[case::another_publisher_with_fewer_bytes((3, 10), true)]
fn after_two_seconds(#[case] later: (u64, u64), #[case] expected: bool) {
    let mut publishers = publishers();
    publishers.observe(at(0), &page(1, 100, Some((2, 1_000))));
    publishers.observe(at(2), &page(1, 102, Some(later)));
    assert_eq!(advancing(&publishers, 2), expected);
}

#[test]
fn a_page_of_another_worker_says_nothing_for_a_while_and_is_counted() {
    let mut publishers = publishers();
    publishers.observe(at(0), &page(1, 100, Some((2, 1_000))));
    publishers.observe(at(1), &page(7, 101, None));
    assert!(advancing(&publishers, 1));
    publishers.observe(at(2), &page(1, 102, Some((2, 3_000))));
    assert!(advancing(&publishers, 2));
    publishers.observe(at(13), &page(7, 113, None));
    assert!(!advancing(&publishers, 13), "but not for ever");
    let listing = publishers.find(&wanted("live", "main")).unwrap().listing();
    assert_eq!(listing, Listing::Doubted { young: false }, "nor is it gone");
    assert_eq!(publishers.worker_mismatches(&wanted("live", "main")), 1);
    publishers.untold(&wanted("live", "main"));
    assert_eq!(publishers.worker_mismatches(&wanted("live", "main")), 2);
    assert_eq!(publishers.worker_mismatches(&wanted("live", "other")), 0);
}

#[rstest]
#[case::one_worker(&[1, 1, 1], 0)]
#[case::two_workers(&[1, 2, 1], 2)]
fn what_a_page_cannot_tell_is_counted_of_several_workers_alone(#[case] pids: &[u64], #[case] expected: u64) {
    let mut publishers = publishers();
    for (second, pid) in (0..).zip(pids) {
        publishers.observe(at(second), &page(*pid, 100 + second, None));
        publishers.untold(&wanted("live", "main"));
    }
    assert_eq!(publishers.worker_mismatches(&wanted("live", "main")), expected);
}

#[test]
fn a_worker_that_was_just_started_has_no_grace() {
    let mut publishers = publishers();
    publishers.observe(at(0), &page(1, 100, Some((2, 1_000))));
    publishers.observe(at(1), &page(7, 1, None));
    assert!(!advancing(&publishers, 1));
    let listing = publishers.find(&wanted("live", "main")).unwrap().listing();
    assert_eq!(listing, Listing::Doubted { young: true });
}

/// Two `server` blocks with the same application and stream: in each second, the bytes of the first and the second, if listed.
fn two_servers(pages: &[(Option<u64>, Option<u64>)], ports: bool) -> Publishers {
    let mut publishers = publishers();
    for (second, (first, other)) in pages.iter().enumerate() {
        let stream = |server: u32, bytes: Option<u64>| {
            let port = ports.then(|| 1934 + u16::try_from(server).unwrap());
            let client_id = Some(u64::from(server));
            bytes.map(|bytes| StreamEntry { server, port, ..entry("live", "main", bytes, client_id) })
        };
        let streams = [stream(1, *first), stream(2, *other)].into_iter().flatten().collect();
        publishers.observe(at(second as u64), &Page { pid: Some(1), uptime_seconds: Some(100), streams });
    }
    publishers
}

const FROZEN_AND_LIVE: [(Option<u64>, Option<u64>); 4] =
    [(Some(5), Some(1)), (Some(5), Some(2)), (Some(5), Some(3)), (Some(5), Some(4))];
const GONE_AND_LIVE: [(Option<u64>, Option<u64>); 4] =
    [(Some(5), Some(1)), (Some(6), Some(2)), (None, Some(3)), (None, Some(4))];
const MOVED: [(Option<u64>, Option<u64>); 4] = [(Some(5), None), (None, None), (None, Some(3)), (None, Some(4))];

#[rstest]
#[case::the_frozen_one_counts(&FROZEN_AND_LIVE, false, None, 1935, (2, false))]
#[case::the_one_that_left_counts(&GONE_AND_LIVE, false, None, 1935, (2, false))]
#[case::one_that_moved_is_one(&MOVED, false, None, 1935, (1, true))]
#[case::configured_first(&FROZEN_AND_LIVE, false, Some(1), 1935, (1, false))]
#[case::configured_second(&FROZEN_AND_LIVE, false, Some(2), 1935, (1, true))]
#[case::by_port_first(&FROZEN_AND_LIVE, true, None, 1935, (1, false))]
#[case::by_port_second(&FROZEN_AND_LIVE, true, None, 1936, (1, true))]
#[case::by_port_the_one_that_left(&GONE_AND_LIVE, true, None, 1935, (1, false))]
#[case::a_port_that_a_proxy_changed(&FROZEN_AND_LIVE, true, None, 443, (2, false))]
fn of_two_servers(
    #[case] pages: &[(Option<u64>, Option<u64>)],
    #[case] ports: bool,
    #[case] server: Option<u32>,
    #[case] port: u16,
    #[case] expected: (usize, bool),
) {
    let publishers = two_servers(pages, ports);
    let wanted = StatEntry { server, port: Some(port), ..wanted("live", "main") };
    let found = publishers.find(&wanted).is_some_and(|publisher| publisher.is_advancing(at(3), STALLED_AFTER));
    assert_eq!((publishers.candidates(&wanted).len(), found), expected);
    let names: Vec<_> = publishers.seen_within(at(3), Duration::from_secs(60)).collect();
    assert_eq!(names, [&("live".to_owned(), "main".to_owned())], "discovery makes one stream of both");
}

#[test]
fn of_publishers_with_ever_new_names_the_newest_are_remembered() {
    let mut publishers = publishers();
    for second in 0..5 {
        let new = |n: u64| entry("live", &format!("{second}-{n}"), 1, None);
        let mut streams: Vec<StreamEntry> = (0..5_999).map(new).collect();
        streams.push(entry("live", "main", second, Some(2)));
        publishers.observe(at(second), &Page { pid: Some(1), uptime_seconds: Some(100 + second), streams });
    }
    assert_eq!(publishers.seen_within(at(5), Duration::from_secs(60)).count(), 20_000);
    assert_eq!(publishers.dropped(), 5 * 5_999 + 1 - 20_000);
    let known = ["main", "4-5998", "0-0"].map(|key| publishers.find(&wanted("live", key)).is_some());
    assert_eq!(known, [true, true, false]);
}

/// Two publishers of one name, whose places on the page change each second: their clients' ids and bytes.
#[rstest]
#[case::frozen([1, 2], |_| [5_000_000, 9_000_000], false)]
#[case::frozen_of_unknown_clients([7, 7], |_| [5_000_000, 9_000_000], false)]
#[case::one_frozen([1, 2], |second| [5_000_000, 5_000_000 + 40_000 * second], false)]
#[case::both_live([7, 7], |second| [5_000_000 + 1_000 * second, 1_000_000 + 125_000 * second], true)]
fn a_page_in_another_order_is_no_advance(
    #[case] clients: [u64; 2],
    #[case] bytes: fn(u64) -> [u64; 2],
    #[case] expected: bool,
) {
    for servers in [true, false] {
        let mut publishers = publishers();
        for second in 0..=20 {
            let [one, other] = bytes(second).map(|bytes| entry("live", "main", bytes, None));
            let [one, other] = [
                StreamEntry { client_id: Some(clients[0]), ..one },
                StreamEntry { client_id: Some(clients[1]), ..other },
            ];
            let mut streams = if second % 2 == 0 { vec![one, other] } else { vec![other, one] };
            streams[1].server += u32::from(servers);
            publishers.observe(at(second), &Page { pid: Some(1), uptime_seconds: Some(100 + second), streams });
        }
        assert_eq!((publishers.candidates(&wanted("live", "main")).len(), advancing(&publishers, 20)), (2, expected));
    }
}

#[rstest]
#[case::umlaut("live", "k%C3%A4nal", "live", "k  nal")]
#[case::braces("live", "a%7Bb%7D", "live", "a{b}")]
#[case::percent("live", "a%20b", "live", "a%20b")]
#[case::decoded("live", "a b", "live", "a%20b")]
#[case::slash("ev/en", "main", "ev/en", "main")]
fn a_name_is_found_however_it_is_written(
    #[case] app: &str,
    #[case] key: &str,
    #[case] listed_app: &str,
    #[case] listed: &str,
) {
    let mut publishers = publishers();
    let streams = vec![entry(listed_app, listed, 1, None)];
    publishers.observe(at(0), &Page { pid: Some(1), uptime_seconds: Some(100), streams });
    assert!(publishers.find(&wanted(app, key)).is_some_and(Publisher::is_listed));
    assert_eq!(publishers.find(&wanted(app, "other")), None);
}

#[test]
fn of_names_that_look_alike_the_one_that_is_written_alike_counts() {
    let mut publishers = publishers();
    for second in 0..4 {
        let streams = vec![entry("live", "a%20b", 5, None), entry("live", "a b", second, None)];
        publishers.observe(at(second), &Page { pid: Some(1), uptime_seconds: Some(100), streams });
    }
    let advances = |key| publishers.find(&wanted("live", key)).unwrap().is_advancing(at(3), STALLED_AFTER);
    assert_eq!((advances("a%20b"), advances("a b")), (false, true));
}

/// What the pages of each second said of the bytes of a publisher with such a counter; none where a page does not tell it.
fn motions(bytes: impl Fn(u64) -> Option<u64>, seconds: u64) -> Vec<Motion> {
    let mut publishers = publishers();
    let look = |second: u64| {
        let streams = vec![StreamEntry { bytes_in: bytes(second), ..entry("live", "main", 0, Some(1)) }];
        publishers.observe(at(second), &Page { pid: Some(1), uptime_seconds: Some(100 + second), streams });
        publishers.find(&wanted("live", "main")).unwrap().motion(STALLED_AFTER)
    };
    (0..seconds).map(look).collect()
}

#[test]
fn bytes_that_are_not_told_say_nothing() {
    assert_eq!(motions(|_| None, 15), [Motion::Untold; 15]);
    let now_and_then = motions(|second| (second % 2 == 0).then_some(second), 15);
    assert_eq!(
        now_and_then,
        (0..15).map(|second| if second % 2 == 0 { Motion::Advancing } else { Motion::Untold }).collect::<Vec<_>>()
    );
}

#[test]
fn a_publisher_that_sends_in_bursts_rests_and_one_that_was_steady_stands() {
    let five = [Motion::Advancing, Motion::Advancing, Motion::Resting, Motion::Resting, Motion::Resting];
    assert_eq!(motions(|second| Some(1 + second / 5), 40), five.repeat(8), "a burst each five seconds");
    let ends = motions(|second| Some(second.min(40) / 5), 60);
    assert_eq!(ends.iter().position(|motion| *motion == Motion::Standing), Some(49), "twice the pause is none");
    let steady = motions(|second| Some(second.min(20)), 40);
    assert_eq!(steady.iter().position(|motion| *motion != Motion::Advancing), Some(22));
    assert_eq!(steady[22..], [Motion::Standing; 18]);
    let never = motions(|_| Some(7), 20);
    assert_eq!(never[2..10], [Motion::Resting; 8], "it may be one of bursts");
    assert_eq!(never[10..], [Motion::Standing; 10]);
}

#[test]
fn a_publisher_that_once_stood_and_is_steady_again_stands_at_once() {
    let seen = motions(|second| Some(if (10..14).contains(&second) { 9 } else { second.min(40) }), 50);
    assert_eq!(seen[11..14], [Motion::Standing; 3]);
    assert_eq!(seen[14..42], [Motion::Advancing; 28]);
    assert_eq!(seen[42..], [Motion::Standing; 8]);
}

#[test]
fn a_page_out_of_a_cache_says_nothing_of_the_time_since() {
    let mut publishers = publishers();
    for second in 0..60 {
        let made = if second < 30 { second / 5 * 5 } else { 30 };
        publishers.observe(at(second), &page(1, 100 + made, Some((2, made * 1_000))));
        let found = publishers.find(&wanted("live", "main")).unwrap();
        assert_eq!(found.motion(STALLED_AFTER), Motion::Advancing, "in second {second}");
        assert_eq!(publishers.last_moved(), Some(Duration::from_secs(made)));
    }
    publishers.observe(at(60), &page(1, 160, Some((2, 30_000))));
    let found = publishers.find(&wanted("live", "main")).unwrap();
    assert_eq!(found.motion(STALLED_AFTER), Motion::Standing, "its own uptime moves");
}
