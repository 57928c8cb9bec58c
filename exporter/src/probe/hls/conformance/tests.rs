//! For each rule a playlist that keeps it and one that breaks it, and what the real packager breaks.

use super::*;
use crate::probe::hls::{Playlist, parse};
use rstest::rstest;

fn media(body: &str) -> Media {
    match parse(format!("#EXTM3U\n{body}").as_bytes()) {
        Ok(Playlist::Media(media)) => media,
        other => panic!("expected a media playlist, got {other:?}"),
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
const DATED: &str = "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:00.000+0000\n#EXTINF:2,\na.ts\n";

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
#[case::gap(format!("{HEAD}#EXTINF:2,\na.ts\n#EXT-X-GAP\n#EXTINF:2,\nb.ts\n"), &["gap_listed"])]
#[case::dates(format!("{HEAD}{DATED}#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:09Z\n#EXTINF:2,\nb.ts\n"), &["date_jump"])]
#[case::dates_explained(
    format!("{HEAD}{DATED}#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:09Z\n#EXTINF:2,\nb.ts\n"), &[])]
fn a_playlist_by_itself(#[case] body: String, #[case] expected: &[&str]) {
    assert_eq!(labels(&violations(None, &media(&body))), expected, "{body}");
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
#[case::duration(plain(5, 10), plain(6, 11).replace("2.000,\n8", "1.000,\n8"), &["segment_duration_changed"])]
#[case::discontinuity_left(with_discontinuity(5, 10, 5), plain(6, 11), &["discontinuity_sequence"])]
#[case::discontinuity_counted(
    with_discontinuity(5, 10, 5), format!("#EXT-X-DISCONTINUITY-SEQUENCE:1\n{}", plain(6, 11)), &[])]
#[case::discontinuity_stays(with_discontinuity(5, 10, 8), with_discontinuity(6, 11, 8), &[])]
#[case::too_early(plain(5, 7), plain(6, 7), &["removed_too_early"])]
#[case::after_end(plain(5, 10) + "#EXT-X-ENDLIST\n", plain(6, 11), &["changed_after_end"])]
fn a_playlist_after_another(#[case] before: String, #[case] after: String, #[case] expected: &[&str]) {
    let before = media(&before);
    assert_eq!(labels(&violations(Some(&before), &media(&after))), expected, "{after}");
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
