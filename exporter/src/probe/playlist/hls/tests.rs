//! Playlists recorded from the real packager, and ones that only trouble makers send.

mod forgiven;
mod model;

use super::*;
use crate::probe::playlist::media::{ByteRange, Identity, Part, RECENT_MAX, Segment};
use crate::probe::playlist::{Playlist, parse};
use rstest::rstest;

fn media(body: &str) -> Media {
    match parse(body.as_bytes(), &Context::default()) {
        Ok(Playlist::Media(media)) => media,
        other => panic!("expected a media playlist, got {other:?}"),
    }
}

fn master(body: &[u8]) -> MasterPlaylist {
    match parse(body, &Context::default()) {
        Ok(Playlist::Master(master)) => master,
        other => panic!("expected a master playlist, got {other:?}"),
    }
}

fn identity(sequence: u64, uri: &str, discontinuity: u64) -> Option<Identity> {
    Some(Identity { sequence, discontinuity, parts: 0, uri: uri.to_owned(), range: None })
}

#[rstest]
#[case::live(include_str!("../../../../tests/fixtures/playlist-media-live.m3u8"), identity(93, "main-93.ts", 0), 6)]
#[case::after_kill(include_str!("../../../../tests/fixtures/playlist-media-after-kill9-12s.m3u8"), identity(122, "main-122.ts", 0), 6)]
#[case::after_restart(include_str!("../../../../tests/fixtures/playlist-media-after-restart.m3u8"), identity(0, "main-0.ts", 1), 1)]
#[case::frozen(include_str!("../../../../tests/fixtures/playlist-media-publisher-sigstop-15s.m3u8"), identity(8, "main-8.ts", 0), 6)]
#[case::disk_full(include_str!("../../../../tests/fixtures/playlist-media-disk-full.m3u8"), identity(22, "main-22.ts", 2), 15)]
#[case::source_ended(include_str!("../../../../tests/fixtures/playlist-media-source-ended.m3u8"), identity(3, "main-1795360769517.ts", 1), 4)]
#[case::variant(include_str!("../../../../tests/fixtures/playlist-media-hls_variant-mid.m3u8"), identity(4, "4.ts", 1), 5)]
fn the_newest_listed_segment_of_recorded_playlists(
    #[case] body: &str,
    #[case] newest: Option<Identity>,
    #[case] segments: usize,
) {
    let media = media(body);
    assert_eq!((media.newest, media.segments), (newest, segments));
    assert_eq!((media.target_duration_seconds, media.ended, media.tally.bad_tags), (Some(2), false, 0));
}

#[test]
fn a_master_names_its_variants() {
    let body = include_bytes!("../../../../tests/fixtures/playlist-master-hls_variant.m3u8");
    let named = |body: &[u8]| -> Vec<_> {
        master(body).named.into_iter().map(|named| (named.uri, named.bits_per_second)).collect()
    };
    let entry = |uri: &str, bits_per_second| (uri.to_owned(), bits_per_second);
    assert_eq!(named(body), [entry("main_low/index.m3u8", Some(400_000)), entry("main_mid/index.m3u8", Some(900_000))]);
    let audio = b"#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",URI=\"en.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"in the video\"\n#EXT-X-STREAM-INF:BANDWIDTH=9,AUDIO=\"a\"\nv.m3u8\n";
    assert_eq!(named(audio), [entry("en.m3u8", None), entry("v.m3u8", Some(9))]);
}

#[test]
fn the_real_packager_names_variants_without_a_bandwidth() {
    let master =
        master(include_bytes!("../../../../tests/fixtures/playlist-master-hls_variant-without-bandwidth.m3u8"));
    let named: Vec<_> = master
        .named
        .iter()
        .map(|named| (named.uri.as_str(), named.bits_per_second, named.attributes.resolution))
        .collect();
    assert_eq!(named, [("ch_low.m3u8", None, None), ("ch_hi.m3u8", None, Some((160, 90)))]);
    assert_eq!((master.variants_without_bandwidth, master.tally.bad_tags, master.least_bits_per_second), (2, 0, None));
}

#[test]
fn a_part_is_an_advance_and_the_segment_that_closes_it_too() {
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1.0\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:4,\n7.mp4\n";
    let part = |n| format!("#EXT-X-PART:DURATION=1.0,URI=\"8.{n}.mp4\"\n");
    let newest = |body: &str| media(body).newest.map(|newest| (newest.sequence, newest.uri, newest.parts));
    let seven = |parts| Some((7, "7.mp4".to_owned(), parts));
    assert_eq!(newest(head), seven(0));
    assert_eq!(newest(&format!("{head}{}", part(0))), seven(1));
    assert_eq!(newest(&format!("{head}{}{}", part(0), part(1))), seven(2));
    assert_eq!(newest(&format!("{head}{}#EXTINF:4,\n8.mp4\n", part(0))), Some((8, "8.mp4".to_owned(), 0)));
}

#[test]
fn a_gap_is_listed_but_it_is_not_the_newest_segment() {
    let media = media("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n#EXT-X-GAP\n#EXTINF:2,\nb.ts\n");
    assert_eq!((media.newest, media.segments), (identity(0, "a.ts", 0), 2));
}

#[test]
fn an_empty_playlist_has_no_newest_segment() {
    assert_eq!(media("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n").newest, None);
}

#[test]
fn carriage_returns_and_a_byte_order_mark_do_not_matter() {
    let media = media("\u{feff}#EXTM3U\r\n#EXT-X-TARGETDURATION:2\r\n#EXTINF:2.0,\r\na.ts\r\n#EXT-X-ENDLIST\r\n");
    assert_eq!((media.newest, media.ended), (identity(0, "a.ts", 0), true));
}

#[rstest]
#[case(b"<!DOCTYPE html><html><body>Service unavailable</body></html>".as_slice(), Failure::Malformed)]
#[case(b"".as_slice(), Failure::Malformed)]
#[case(b"\n\n".as_slice(), Failure::Malformed)]
#[case(b"#EXTM3U8\n".as_slice(), Failure::Malformed)]
#[case(b"# comment\n#EXTM3U\n".as_slice(), Failure::Malformed)]
#[case(b"\xff\xfe#\x00E\x00X\x00T\x00".as_slice(), Failure::Malformed)]
#[case(b"#EXTM3U\nService unavailable\n".as_slice(), Failure::Malformed)]
#[case(b"\x1f\x8b\x08\x00".as_slice(), Failure::Malformed)]
fn what_is_no_playlist_is_refused(#[case] body: &[u8], #[case] expected: Failure) {
    assert_eq!(parse(body, &Context::default()).map_err(|error| error.reason), Err(expected));
}

#[test]
fn a_million_entries_are_too_many() {
    let mut body = String::from("#EXTM3U\n");
    for n in 0..=ENTRIES_MAX {
        body.push_str(&format!("#EXTINF:1,\n{n}\n"));
    }
    assert_eq!(parse(body.as_bytes(), &Context::default()).map_err(|error| error.reason), Err(Failure::TooLarge));
}

proptest::proptest! {
    #[test]
    fn any_text_is_an_answer_not_a_panic(text in "(#EXTM3U\n)?(#EXT[-A-Z:]{0,20}[0-9.,=\"a-z{$}@-]{0,20}\n|[a-z0-9./{$}:]{0,9}[\r\n]){0,30}") {
        let _ = parse(text.as_bytes(), &Context::default());
    }

    #[test]
    fn any_bytes_behind_any_tag_are_an_answer_not_a_panic(
        tags in proptest::collection::vec((proptest::sample::select(TAGS), proptest::collection::vec(0_u8..=255, 0..24)), 0..20),
    ) {
        let mut body = b"#EXTM3U\n".to_vec();
        for (tag, value) in tags {
            body.extend_from_slice(tag.as_bytes());
            body.extend_from_slice(&value);
            body.push(b'\n');
        }
        let _ = parse(&body, &Context::default());
    }
}

const TAGS: &[&str] = &[
    "",
    "#EXTINF:",
    "#EXT-X-BYTERANGE:",
    "#EXT-X-PART:URI=\"a\",DURATION=",
    "#EXT-X-PART:URI=\"a\",BYTERANGE=",
    "#EXT-X-SKIP:SKIPPED-SEGMENTS=",
    "#EXT-X-SKIP:SKIPPED-SEGMENTS=18446744073709551615,",
    "#EXT-X-MEDIA-SEQUENCE:18446744073709551615",
    "#EXT-X-DEFINE:NAME=\"a\",VALUE=",
    "{$a}",
    "#EXT-X-STREAM-INF:BANDWIDTH=",
    "#EXT-X-STREAM-INF:CODECS=",
    "#EXT-X-MEDIA:TYPE=AUDIO,URI=",
    "#EXT-X-I-FRAME-STREAM-INF:RESOLUTION=",
    "#EXT-X-PROGRAM-DATE-TIME:",
    "#EXT-X-TARGETDURATION:",
    "#EXT-X-DATERANGE:",
    "#EXT-X-KEY:",
];
