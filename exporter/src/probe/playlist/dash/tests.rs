//! Recorded manifests, and what only a packager elsewhere writes.

use super::*;
use crate::health::Failure;
use proptest::prelude::*;
use rstest::rstest;

/// Name, newest segment's millisecond and address, segments, by the clock.
type Expected<'a> = (&'a str, Option<(u64, &'a str)>, usize, bool);

/// Compares a manifest's Representations `at` a time after the presentation began.
fn check(text: &str, at: f64, expected: &[Expected<'_>]) {
    let presentation = parse(text).unwrap();
    let due = presentation.due(presentation.available_from.unwrap_or(0.0) + at);
    let seen: Vec<Expected<'_>> = due
        .iter()
        .map(|due| {
            let newest = due.media.newest.as_ref().map(|newest| (newest.sequence, newest.uri.as_str()));
            (due.name.as_str(), newest, due.media.segments, due.by_clock)
        })
        .collect();
    assert_eq!(seen, expected);
}

#[rstest]
#[case::timeline(include_str!("../../../../tests/fixtures/manifest-ffmpeg-timeline.mpd"), 11.5, &[
    ("0/0", Some((10_000, "chunk-stream0-00011.m4s")), 5, false),
    ("0/1", Some((9000, "chunk-stream1-00010.m4s")), 5, false),
    ("1/2", Some((10_008, "chunk-stream2-00011.m4s")), 5, false),
])]
#[case::list(include_str!("../../../../tests/fixtures/manifest-ffmpeg-list.mpd"), 11.5, &[
    ("0/0", Some((10_000, "chunk-stream0-00011.m4s")), 5, false),
    ("0/1", Some((10_000, "chunk-stream1-00010.m4s")), 5, false),
    ("1/2", Some((10_000, "chunk-stream2-00011.m4s")), 5, false),
])]
#[case::number(include_str!("../../../../tests/fixtures/manifest-ffmpeg-number.mpd"), 11.5, &[
    ("0/0", Some((10_000, "chunk-stream0-00011.m4s")), 5, true),
    ("0/1", Some((10_000, "chunk-stream1-00011.m4s")), 5, true),
    ("1/2", Some((10_000, "chunk-stream2-00011.m4s")), 5, true),
])]
#[case::before_the_first(include_str!("../../../../tests/fixtures/manifest-ffmpeg-number.mpd"), 0.9, &[
    ("0/0", None, 0, true),
    ("0/1", None, 0, true),
    ("1/2", None, 0, true),
])]
#[case::a_clock_far_behind(include_str!("../../../../tests/fixtures/manifest-ffmpeg-number.mpd"), -1e9, &[
    ("0/0", None, 0, true),
    ("0/1", None, 0, true),
    ("1/2", None, 0, true),
])]
#[case::available_before_it_has_ended(include_str!("../../../../tests/fixtures/manifest-ffmpeg-low-latency.mpd"), 11.5, &[
    ("0/0", Some((11_000, "chunk-stream0-00012.m4s")), 5, true),
    ("0/1", Some((11_000, "chunk-stream1-00012.m4s")), 5, true),
    ("1/2", Some((11_000, "chunk-stream2-00012.m4s")), 5, true),
])]
fn recorded_manifests(#[case] text: &str, #[case] at: f64, #[case] expected: &[Expected<'_>]) {
    check(text, at, expected);
}

#[test]
fn the_whole_of_a_representation() {
    let text = include_str!("../../../../tests/fixtures/manifest-ffmpeg-timeline.mpd");
    let media = parse(text).unwrap().due(0.0).swap_remove(0).media;
    assert_eq!((media.listed_seconds, media.target_duration_seconds, media.media_sequence), (5.0, Some(1), 9996));
    assert_eq!((media.ended, media.recent.len(), media.recent[4].seconds), (false, 5, 1.0));
    // 2026-11-22T19:49:42.635Z and eleven seconds.
    assert_eq!(media.program_end_unix_seconds, Some(1_795_376_993.635));
}

fn manifest(attributes: &str, inside: &str) -> String {
    format!("<?xml version=\"1.0\"?><MPD {attributes}>{inside}</MPD>")
}

const LIVE: &str = "type='dynamic' availabilityStartTime='1970-01-01T00:00:00'";

#[test]
fn what_is_said_above_is_inherited_and_addresses_are_joined() {
    let template = "<SegmentTemplate timescale='1000' presentationTimeOffset='500' startNumber='0' \
        media='$RepresentationID$/$Bandwidth$/$Time%06d$-$Number$$$.m4s?a=1&amp;b=2'/>";
    let timeline = "<SegmentTemplate><SegmentTimeline><S t='500' d='2000' r='-1'/><S t='6500' d='4000' r='1'/>\
        </SegmentTimeline></SegmentTemplate>";
    let inside = format!(
        "<BaseURL>http://a/b/</BaseURL><BaseURL>http://mirror/</BaseURL><Period start='PT1H'>{template}<AdaptationSet>\
         <BaseURL>c/</BaseURL>{timeline}<Representation id='v' bandwidth='9'/></AdaptationSet></Period>"
    );
    let uri = "http://a/b/c/v/9/010500-4$.m4s?a=1&b=2";
    check(&manifest(LIVE, &inside), 0.0, &[("0/v", Some((3_610_000, uri)), 5, false)]);
}

#[test]
fn the_period_that_goes_on_is_the_one_that_counts() {
    let period = |start: &str, id: &str| {
        format!(
            "<Period id='{id}' {start}><AdaptationSet id='7'><SegmentTemplate duration='2' media='{id}-$Number$'/>\
             <Representation id='v'/></AdaptationSet></Period>"
        )
    };
    let text = manifest(LIVE, &(period("duration='PT10S'", "a") + &period("", "b")));
    check(&text, 9.0, &[("7/v", Some((6000, "a-4")), 4, true)]);
    check(&text, 11.0, &[("7/v", Some((8000, "a-5")), 5, true)]);
    check(&text, 12.0, &[("7/v", Some((10_000, "b-1")), 1, true)]);
}

#[test]
fn what_is_static_has_ended() {
    let template = "<SegmentTemplate duration='4' media='$Number$.m4s'/><Representation id='v'/>";
    let inside = format!("<Period><AdaptationSet>{template}</AdaptationSet></Period>");
    let text = manifest("mediaPresentationDuration='P1DT0H0M8.5S'", &inside);
    check(&text, 0.0, &[("0/v", Some((86_404_000, "21602.m4s")), 21_602, true)]);
    assert!(parse(&text).unwrap().due(0.0).iter().all(|due| due.media.ended));
}

#[rstest]
#[case::a_page("<html><MPD/></html>".to_owned(), Failure::Malformed)]
#[case::nothing(manifest(LIVE, ""), Failure::Malformed)]
#[case::torn("<MPD><Period>".to_owned(), Failure::Malformed)]
#[case::deep("<MPD>".repeat(40), Failure::Malformed)]
#[case::many_segments(manifest(LIVE, &format!("<Period><SegmentList>{}", "<SegmentURL/>".repeat(100_001))), Failure::TooLarge)]
#[case::many_representations(
    manifest(LIVE, &format!("<Period><AdaptationSet>{}", "<Representation id='v'/>".repeat(5000))),
    Failure::TooLarge
)]
fn what_is_no_manifest_or_too_much_is_refused(#[case] text: String, #[case] expected: Failure) {
    assert_eq!(parse(&text).map_err(|error| error.reason), Err(expected));
}

#[test]
fn numbers_beyond_reason_are_no_panic_and_no_work() {
    let max = u64::MAX;
    let timeline = format!(
        "<SegmentTimeline><S t='{max}' d='{max}' r='{}'/><S t='0' d='1' r='-1'/><S d='0'/><S d='{max}' r='-9'/></SegmentTimeline>",
        i64::MAX
    );
    let template = format!(
        "<SegmentTemplate timescale='0' startNumber='{max}' presentationTimeOffset='{max}' availabilityTimeOffset='INF' \
         media='$Number%09999d$$Time$$$$'>{timeline}</SegmentTemplate><Representation id='v'/>"
    );
    let inside = format!("<Period start='PT9999999H'><AdaptationSet>{template}</AdaptationSet></Period>");
    let due = parse(&manifest(LIVE, &inside)).unwrap().due(f64::MAX);
    assert!(due.len() == 1 && due[0].media.recent.len() == 8, "{due:?}");
    assert!(
        due[0].media.listed_seconds.is_finite() && due[0].media.recent.iter().all(|segment| segment.uri.len() < 100)
    );
}

proptest! {
    /// Any nesting of a manifest's elements, with any numbers, at any time: an answer whose numbers are numbers.
    #[test]
    fn any_manifest_is_an_answer_not_a_panic(
        inside in "(</?(Period|AdaptationSet|Representation|SegmentTemplate|SegmentTimeline|SegmentList|BaseURL)( (start|duration)='P?T?[0-9]{1,20}[HS]?')?\
            ( (timescale|presentationTimeOffset|startNumber)='[0-9]{1,20}')? ?/?>|<S( t='[0-9]{1,20}')? d='[0-9]{1,20}'( r='-?[0-9]{1,19}')?/>){0,40}",
        now in -1e12_f64..1e12,
    ) {
        let Ok(presentation) = parse(&manifest(LIVE, &inside)) else { return Ok(()) };
        for Due { media, .. } in presentation.due(now) {
            prop_assert!(media.listed_seconds.is_finite() && media.listed_seconds >= 0.0);
            prop_assert!(media.recent.len() <= 8 && media.recent.iter().all(|segment| segment.seconds >= 0.0));
        }
    }
}
