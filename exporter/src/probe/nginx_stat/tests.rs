//! What follows from page to page.

use std::time::Duration;

use vvtv_streaming::nginx_rtmp::{StreamEntry, parse};

use super::*;
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

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(format!("../streaming/tests/fixtures/nginx-stat-{name}")).unwrap()
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
