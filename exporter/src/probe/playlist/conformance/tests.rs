//! For each rule a playlist that keeps it and one that breaks it, and what the real packager breaks.

use super::*;
use crate::probe::playlist::{Context, Playlist, parse};
use rstest::rstest;

fn media(body: &str) -> Media {
    match parse(format!("#EXTM3U\n{body}").as_bytes(), &Context::default()) {
        Ok(Playlist::Media(media)) => media,
        other => panic!("expected a media playlist, got {other:?}"),
    }
}

fn master(body: &str) -> MasterPlaylist {
    match parse(format!("#EXTM3U\n{body}").as_bytes(), &Context::default()) {
        Ok(Playlist::Master(master)) => master,
        other => panic!("expected a master playlist, got {other:?}"),
    }
}

/// Version 3, target duration 2, from `first` to `last`, each two seconds long.
fn plain(first: u64, last: u64) -> String {
    let segments: String = (first..=last).map(|n| format!("#EXTINF:2.000,\n{n}.ts\n")).collect();
    format!("#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}")
}

fn labels(found: &[Check]) -> Vec<&'static str> {
    found.iter().map(|check| check.label()).collect()
}

const HEAD: &str = "#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n";
const HEAD6: &str = "#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n";
const DATED: &str = "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:00.000+0000\n#EXTINF:2,\na.ts\n";

fn range(attributes: &str) -> String {
    format!("{HEAD}{DATED}#EXT-X-DATERANGE:ID=\"1\",START-DATE=\"2026-11-22T15:00:00Z\"{attributes}\n")
}

#[rstest]
#[case::good(plain(5, 10), &[])]
#[case::good_dates(format!("{HEAD}{DATED}#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:02.500Z\n#EXTINF:2,\nb.ts\n"), &[])]
#[case::good_key(format!("{HEAD}#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:2,\na.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:2,\nb.ts\n"), &[])]
#[case::good_rounding(format!("{HEAD}#EXTINF:2.49,\na.ts\n"), &[])]
#[case::bad_tag(format!("{HEAD}#EXT-X-MEDIA-SEQUENCE:many\n#EXTINF:2,\na.ts\n"), &["bad_tag"])]
#[case::bad_date(format!("{HEAD}#EXT-X-PROGRAM-DATE-TIME:yesterday\n#EXTINF:2,\na.ts\n"), &["bad_tag"])]
#[case::mixed(format!("{HEAD}#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n#EXTINF:2,\na.ts\n"), &["mixed_playlist"])]
#[case::no_target("#EXTINF:2,\na.ts\n".to_owned(), &["target_duration_missing"])]
#[case::too_long(format!("{HEAD}#EXTINF:2.5,\na.ts\n"), &["target_duration_exceeded"])]
#[case::no_duration(format!("{HEAD}#EXTINF:2,\na.ts\nb.ts\n"), &["duration_missing"])]
#[case::old_version("#EXT-X-TARGETDURATION:2\n#EXTINF:1.5,\na.ts\n".to_owned(), &["version_too_low"])]
#[case::no_key(format!("{HEAD}#EXT-X-KEY:METHOD=AES-128\n#EXTINF:2,\na.ts\n"), &["key_without_uri"])]
#[case::no_method_with_uri(
    format!("{HEAD}#EXT-X-KEY:METHOD=NONE,URI=\"k\"\n#EXTINF:2,\na.ts\n"), &["key_none_with_attributes"])]
#[case::good_map_key(
    format!("{HEAD6}#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x0\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:2,\na.mp4\n"), &[])]
#[case::good_map_before_its_key(
    format!("{HEAD6}#EXT-X-MAP:URI=\"i.mp4\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:2,\na.mp4\n"), &[])]
#[case::map_key_without_iv(
    format!("{HEAD6}#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:2,\na.mp4\n"), &["map_key_without_iv"])]
#[case::good_range(range(",END-DATE=\"2026-11-22T15:00:30Z\",DURATION=30"), &[])]
#[case::good_range_until_the_next(range(",CLASS=\"break\",END-ON-NEXT=YES"), &[])]
#[case::range_backwards(range(",END-DATE=\"2026-11-22T14:00:00Z\""), &["bad_date_range"])]
#[case::range_of_less_than_nothing(range(",DURATION=-1"), &["bad_date_range"])]
#[case::range_until_the_next_of_no_class(range(",END-ON-NEXT=YES"), &["bad_date_range"])]
#[case::range_with_two_ends(range(",CLASS=\"break\",END-ON-NEXT=YES,DURATION=30"), &["bad_date_range"])]
#[case::range_without_date(range("").replace(DATED, "#EXTINF:2,\na.ts\n"), &["date_range_without_date"])]
#[case::gap(format!("{HEAD}#EXTINF:2,\na.ts\n#EXT-X-GAP\n#EXTINF:2,\nb.ts\n"), &["gap_listed"])]
#[case::dates(format!("{HEAD}{DATED}#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:09Z\n#EXTINF:2,\nb.ts\n"), &["date_jump"])]
#[case::latin1(format!("{HEAD}#EXTINF:2,S\u{FFFD}ng\na.ts\n"), &[])]
#[case::undefined_variable(format!("{HEAD}#EXTINF:2,\na.ts\n#EXTINF:2,\n{{$a}}.ts\n"), &["undefined_variable"])]
#[case::variable_in_a_key(
    format!("{HEAD}#EXT-X-DEFINE:NAME=\"iv\",VALUE=\"0x01\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"{{$iv}}\",IV={{$iv}}\n#EXTINF:2,\na.ts\n"), &[])]
#[case::undefined_variable_in_a_key(
    format!("{HEAD}#EXT-X-KEY:METHOD=AES-128,URI=\"{{$iv}}\"\n#EXTINF:2,\na.ts\n"), &["undefined_variable"])]
#[case::unknown_duration(format!("{HEAD}#EXTINF:-1,Live\na.ts\n"), &["bad_duration"])]
#[case::blank_in_a_duration(format!("{HEAD}#EXTINF: 2.000,\na.ts\n"), &["bad_duration"])]
#[case::date_without_offset(format!("{HEAD}#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:00\n#EXTINF:2,\na.ts\n"), &["bad_tag"])]
#[case::date_with_a_blank(format!("{HEAD}#EXT-X-PROGRAM-DATE-TIME:2026-11-22 15:00:00Z\n#EXTINF:2,\na.ts\n"), &["bad_tag"])]
#[case::good_break(
    format!("{HEAD}#EXT-X-CUE-IN\n#EXTINF:2,\na.ts\n#EXT-X-CUE-OUT:30\n#EXTINF:2,\nb.ts\n#EXT-X-CUE-OUT-CONT:2/30\n#EXTINF:2,\nc.ts\n"), &[])]
#[case::break_in_a_break(
    format!("{HEAD}#EXT-X-CUE-OUT:30\n#EXTINF:2,\na.ts\n#EXT-X-CUE-OUT:30\n#EXTINF:2,\nb.ts\n"), &["cue_without_partner"])]
#[case::scte35_twice_in(
    format!("{HEAD}#EXT-X-DATERANGE:ID=\"1\",START-DATE=\"2026-11-22T15:00:00Z\",SCTE35-IN=0xFC\n{DATED}\
             #EXT-X-DATERANGE:ID=\"2\",START-DATE=\"2026-11-22T15:00:02Z\",SCTE35-IN=0xFC\n#EXTINF:2,\nb.ts\n"), &["cue_without_partner"])]
#[case::map_in_version_3(format!("{HEAD}#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:2,\na.mp4\n"), &["version_too_low"])]
#[case::byte_range_in_version_3(format!("{HEAD}#EXT-X-BYTERANGE:9@0\n#EXTINF:2,\na.ts\n"), &["version_too_low"])]
#[case::iv_in_version_1(
    "#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x0\n#EXTINF:2,\na.ts\n".to_owned(), &["version_too_low"])]
#[case::dates_explained(
    format!("{HEAD}{DATED}#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:09Z\n#EXTINF:2,\nb.ts\n"), &[])]
fn a_playlist_by_itself(#[case] body: String, #[case] expected: &[&str]) {
    assert_eq!(labels(&violations(None, &media(&body))), expected, "{body}");
}

/// Segments of one file, with offsets that begin at a number.
fn ranges(first: u64, offset: u64) -> String {
    let segment = |n: u64| format!("#EXT-X-BYTERANGE:100@{}\n#EXTINF:2.000,\nall.ts\n", offset + 100 * n);
    let segments: String = (first..first + 6).map(segment).collect();
    format!("#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}")
}

fn typed(kind: &str, first: u64, last: u64) -> String {
    format!("#EXT-X-PLAYLIST-TYPE:{kind}\n{}", plain(first, last))
}

fn with_discontinuity(first: u64, last: u64, before: u64) -> String {
    plain(first, last)
        .replace(&format!("#EXTINF:2.000,\n{before}.ts"), &format!("#EXT-X-DISCONTINUITY\n#EXTINF:2.000,\n{before}.ts"))
}

#[rstest]
#[case::slid(plain(5, 10), plain(6, 11), &[])]
#[case::ended(plain(5, 10), plain(5, 10) + "#EXT-X-ENDLIST\n", &[])]
#[case::target(plain(5, 10), plain(6, 11).replace("DURATION:2", "DURATION:3"), &["target_duration_changed"])]
#[case::regress(plain(5, 10), plain(0, 4), &["media_sequence_regress"])]
#[case::gap(plain(5, 10), plain(12, 17), &["media_sequence_gap"])]
#[case::shrinks(plain(5, 10), plain(6, 9), &["playlist_shrinks"])]
#[case::uri(plain(5, 10), plain(6, 11).replace("8.ts", "other.ts"), &["segment_changed"])]
#[case::signed_anew(plain(5, 10).replace(".ts", ".ts?t=1"), plain(6, 11).replace(".ts", ".ts?t=2"), &[])]
#[case::another_host(plain(5, 10).replace("\n8", "\nhttp://a/8"), plain(6, 11).replace("\n8", "\nhttp://b/8"), &[])]
#[case::range(ranges(5, 0), ranges(6, 7), &["segment_changed"])]
#[case::same_range(ranges(5, 0), ranges(6, 0), &[])]
#[case::duration(plain(5, 10), plain(6, 11).replace("2.000,\n8", "1.000,\n8"), &["segment_duration_changed"])]
#[case::discontinuity_left(with_discontinuity(5, 10, 5), plain(6, 11), &["discontinuity_sequence"])]
#[case::discontinuity_counted(
    with_discontinuity(5, 10, 5), format!("#EXT-X-DISCONTINUITY-SEQUENCE:1\n{}", plain(6, 11)), &[])]
#[case::discontinuity_stays(with_discontinuity(5, 10, 8), with_discontinuity(6, 11, 8), &[])]
#[case::too_early(plain(5, 7), plain(6, 7), &["removed_too_early"])]
#[case::version(plain(5, 10), plain(6, 11).replace("VERSION:3", "VERSION:4"), &["version_changed"])]
#[case::event_grows(typed("EVENT", 5, 10), typed("EVENT", 5, 11), &[])]
#[case::event_slides(typed("EVENT", 5, 10), typed("EVENT", 6, 11), &["playlist_type_broken"])]
#[case::recording_grows(typed("VOD", 5, 10), typed("VOD", 5, 11), &["playlist_type_broken"])]
#[case::type_changes(typed("EVENT", 5, 10), plain(5, 10), &["playlist_type_broken"])]
#[case::after_end(plain(5, 10) + "#EXT-X-ENDLIST\n", plain(6, 11), &["changed_after_end"])]
fn a_playlist_after_another(#[case] before: String, #[case] after: String, #[case] expected: &[&str]) {
    let before = media(&before);
    assert_eq!(labels(&violations(Some(&before), &media(&after))), expected, "{after}");
}

/// Segments 5 to 10 beside those of another variant.
#[rstest]
#[case::equal(plain(5, 10), &[])]
#[case::one_segment_ahead(plain(6, 11), &[])]
#[case::two_segments_ahead(plain(7, 12), &["variants_drift"])]
#[case::counts_from_another_beginning(plain(900, 905), &[])]
#[case::behind(plain(3, 8), &[])]
#[case::shorter_target(plain(5, 10).replace("DURATION:2", "DURATION:1"), &["variants_target_duration"])]
#[case::another_type(typed("EVENT", 5, 10), &["variants_playlist_type"])]
#[case::counts_a_discontinuity(
    format!("#EXT-X-DISCONTINUITY-SEQUENCE:1\n{}", plain(5, 10)), &["variants_discontinuity_sequence"])]
fn a_playlist_beside_another_variants(#[case] other: String, #[case] expected: &[&str]) {
    let (media, other) = (media(&plain(5, 10)), media(&other));
    assert_eq!(labels(&violations_across(&media, &[&other])), expected);
}

#[test]
fn dates_tell_drift_whatever_the_numbers_are() {
    let dated = |second: u32| {
        media(&format!("{HEAD}#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:{second:02}Z\n#EXTINF:2,\na.ts\n"))
    };
    assert_eq!(labels(&violations_across(&dated(0), &[&dated(9)])), ["variants_drift"]);
    assert_eq!(violations_across(&dated(9), &[&dated(0)]), []);
}

#[test]
fn an_end_that_the_others_do_not_share() {
    let (ended, live) = (media(&(plain(5, 10) + "#EXT-X-ENDLIST\n")), media(&plain(5, 10)));
    assert_eq!(labels(&violations_across(&ended, &[&live])), ["variants_end"]);
    assert_eq!(violations_across(&ended, &[&ended]), []);
}

const VARIANTS: &str = "#EXT-X-INDEPENDENT-SEGMENTS\n\
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",DEFAULT=YES,URI=\"en.m3u8\"\n\
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"de\",URI=\"de.m3u8\"\n\
    #EXT-X-STREAM-INF:BANDWIDTH=192000,AVERAGE-BANDWIDTH=150000,CODECS=\"mp4a.40.2\",AUDIO=\"a\"\nlow.m3u8\n\
    #EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\"\nmid.m3u8\n";

#[rstest]
#[case::good("", "", &[])]
#[case::no_such_group("CODECS=\"mp4a.40.2\",AUDIO=\"a\"", "CODECS=\"mp4a.40.2\",AUDIO=\"b\"", &["rendition_group_missing"])]
#[case::group_of_another_type("mp4a.40.2\",AUDIO=\"a\"\nmid", "mp4a.40.2\",VIDEO=\"a\"\nmid", &["rendition_group_missing"])]
#[case::one_name_twice("NAME=\"de\"", "NAME=\"en\"", &["renditions_alike"])]
#[case::two_defaults("NAME=\"de\"", "NAME=\"de\",DEFAULT=YES", &["renditions_alike"])]
#[case::no_codecs(",CODECS=\"mp4a.40.2\"", "", &["codecs_missing"])]
#[case::no_average(",AVERAGE-BANDWIDTH=150000", "", &["average_bandwidth_missing"])]
#[case::dependent_segments("#EXT-X-INDEPENDENT-SEGMENTS\n", "", &["independent_segments_missing"])]
#[case::entry_of_another_scheme("de.m3u8", "data:,x", &["unusable_entry"])]
#[case::no_bandwidth("BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,", "AVERAGE-BANDWIDTH=800000,", &["bandwidth_missing"])]
#[case::blanks("BANDWIDTH=900000,", "BANDWIDTH = 900000 , ", &["bad_tag"])]
#[case::undefined_variable("de.m3u8", "{$a}.m3u8", &["undefined_variable", "unusable_entry"])]
#[case::nothing_for_mobile_networks("BANDWIDTH=192000", "BANDWIDTH=192001", &["cellular_variant_missing"])]
fn a_master_playlist(#[case] what: &str, #[case] becomes: &str, #[case] expected: &[&str]) {
    let body = VARIANTS.replacen(what, becomes, 1);
    assert_eq!(labels(&violations_of_master(&master(&body))), expected, "{body}");
}

#[test]
fn bytes_before_and_in_a_playlist() {
    let found = |body: &[u8]| match parse(body, &Context::default()) {
        Ok(Playlist::Media(media)) => labels(&violations(None, &media)),
        other => panic!("expected a media playlist, got {other:?}"),
    };
    assert_eq!(found(b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,S\xF6ng\na.ts\n"), ["not_utf8"]);
    assert_eq!(found(b"\n#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n"), ["leading_blank"]);
}

#[test]
fn the_real_packager_forgets_the_discontinuity_sequence() {
    let recorded = |name: &str| {
        let body = std::fs::read_to_string(format!("tests/fixtures/playlist-media-{name}.m3u8")).unwrap();
        media(body.strip_prefix("#EXTM3U\n").unwrap())
    };
    for name in ["live", "after-kill9-12s", "after-restart", "publisher-sigstop-15s", "disk-full", "source-ended"] {
        assert_eq!(violations(None, &recorded(name)), [], "{name}");
    }
    let restarted = violations(Some(&recorded("after-kill9-12s")), &recorded("after-restart"));
    assert_eq!(labels(&restarted), ["media_sequence_regress"]);
}

#[test]
fn every_rule_has_its_own_label() {
    let mut found: Vec<_> = Check::ALL.iter().map(|check| check.label()).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), Check::ALL.len());
}
