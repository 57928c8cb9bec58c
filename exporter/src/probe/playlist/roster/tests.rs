//! Who counts, and who is who.

use super::*;
use crate::probe::playlist::document::{Playlist, parse};
use crate::probe::playlist::hls::Context;

fn master(lines: &str) -> MasterPlaylist {
    match parse(format!("#EXTM3U\n{lines}").as_bytes(), &Context::default()) {
        Ok(Playlist::Master(master)) => master,
        other => panic!("{other:?}"),
    }
}

fn named(uri: &str, kind: Kind, bits_per_second: Option<u64>, attributes: Attributes) -> Named {
    Named { uri: uri.to_owned(), kind, bits_per_second, attributes }
}

fn on(pathway: &str) -> Attributes {
    Attributes { pathway: Some(pathway.to_owned()), ..Attributes::default() }
}

fn sound(group: &str, name: &str) -> Attributes {
    Attributes { group: Some(group.to_owned()), name: Some(name.to_owned()), ..Attributes::default() }
}

fn roles(master: &MasterPlaylist) -> Vec<(String, Role)> {
    entries(master).into_iter().map(|entry| (entry.uri, entry.role)).collect()
}

fn of(expected: &[(&str, Role)]) -> Vec<(String, Role)> {
    expected.iter().map(|(uri, role)| ((*uri).to_owned(), *role)).collect()
}

#[test]
fn what_viewers_depend_on_counts_and_comes_first() {
    let with_sound = |group: &str| Attributes { audio: Some(group.to_owned()), ..on("a") };
    let mut master = MasterPlaylist {
        named: vec![
            named("s.m3u8", Kind::Subtitles, None, sound("s", "en")),
            named("a/en.m3u8", Kind::Audio, None, sound("aud-a", "en")),
            named("b/en.m3u8", Kind::Audio, None, sound("aud-b", "en")),
            named("a/1.m3u8", Kind::Video, Some(1), with_sound("aud-a")),
            named("a/1-copy.m3u8", Kind::Video, Some(1), with_sound("aud-a")),
            named("b/1.m3u8", Kind::Video, Some(1), Attributes { audio: Some("aud-b".to_owned()), ..on("b") }),
            named("a/i.m3u8", Kind::IFrames, Some(1), on("a")),
            named("a/1.m3u8", Kind::Video, Some(2), with_sound("aud-a")),
        ],
        ..MasterPlaylist::default()
    };
    let begins_with_a = of(&[
        ("a/en.m3u8", Role::Audio),
        ("a/1.m3u8", Role::Video),
        ("s.m3u8", Role::Subtitles),
        ("b/en.m3u8", Role::Standby),
        ("a/1-copy.m3u8", Role::Redundant),
        ("b/1.m3u8", Role::Standby),
        ("a/i.m3u8", Role::IFrames),
    ]);
    assert_eq!(roles(&master), begins_with_a);
    master.pathway = Some("b".to_owned());
    let steered: Vec<_> = roles(&master).into_iter().filter(|(_, role)| role.is_vital()).collect();
    assert_eq!(steered, of(&[("b/en.m3u8", Role::Audio), ("b/1.m3u8", Role::Video)]));
    master.pathway = Some("nowhere".to_owned());
    assert_eq!(roles(&master), begins_with_a, "a pathway that has nothing is nobody's");
}

#[test]
fn variants_that_say_nothing_of_themselves_all_count() {
    let silent = |uri: &str| named(uri, Kind::Video, None, Attributes::default());
    let master = MasterPlaylist { named: vec![silent("low.m3u8"), silent("hi.m3u8")], ..MasterPlaylist::default() };
    assert_eq!(roles(&master), of(&[("low.m3u8", Role::Video), ("hi.m3u8", Role::Video)]));
}

/// For each entry of the second master, the address that it had in the first.
fn recognised(before: &str, after: &str) -> Vec<Option<String>> {
    let (before, after) = (entries(&master(before)), entries(&master(after)));
    let known: Vec<_> = before
        .iter()
        .map(|entry| Known {
            digest: Some(entry.signature.digest()),
            kind: entry.signature.kind(),
            uri: &entry.uri,
            is_present: true,
        })
        .collect();
    let found = recognise(&known, &after);
    found.into_iter().map(|index| index.map(|index| before[index].uri.clone())).collect()
}

fn variants(lines: &[(u64, &str)]) -> String {
    lines.iter().map(|(bits, uri)| format!("#EXT-X-STREAM-INF:BANDWIDTH={bits}\n{uri}\n")).collect()
}

#[test]
fn sessions_measured_bitrates_and_another_order_do_not_make_other_variants() {
    let is = |uris: [&str; 2]| uris.map(|uri| Some(uri.to_owned())).to_vec();
    let before = variants(&[(2, "hi.m3u8"), (1, "lo.m3u8")]);
    assert_eq!(recognised(&before, &variants(&[(1, "lo.m3u8"), (2, "hi.m3u8")])), is(["lo.m3u8", "hi.m3u8"]));
    assert_eq!(recognised(&before, &variants(&[(7, "hi.m3u8?a"), (3, "lo.m3u8?b")])), is(["hi.m3u8", "lo.m3u8"]));
    let session = variants(&[(2, "s1/hi.m3u8"), (1, "s1/lo.m3u8")]);
    assert_eq!(
        recognised(&session, &variants(&[(2, "s2/hi.m3u8"), (1, "s2/lo.m3u8")])),
        is(["s1/hi.m3u8", "s1/lo.m3u8"])
    );
    assert_eq!(
        recognised(&session, &variants(&[(5, "s3/x.m3u8"), (4, "s3/y.m3u8")])),
        is(["s1/hi.m3u8", "s1/lo.m3u8"])
    );
    let by_query = variants(&[(2, "r.m3u8?id=1"), (1, "r.m3u8?id=2")]);
    assert_eq!(
        recognised(&by_query, &variants(&[(1, "r.m3u8?id=9"), (2, "r.m3u8?id=8")])),
        is(["r.m3u8?id=2", "r.m3u8?id=1"])
    );
    assert_eq!(
        recognised(&before, &variants(&[(2, "hi.m3u8"), (9, "new.m3u8"), (1, "lo.m3u8")])),
        [Some("hi.m3u8".to_owned()), None, Some("lo.m3u8".to_owned())]
    );
}

#[test]
fn what_a_terminal_would_obey_is_shown_in_a_name() {
    let name = |uri: &str| Entry { uri: uri.to_owned(), ..Entry::alone("media") }.name();
    assert_eq!(name("a\u{1b}[31m\0/\u{202e}b\u{9b}.m3u8?x"), r"a\u{1b}[31m\u{0}/\u{202e}b\u{9b}.m3u8");
    assert_eq!(name("käse/日本 1.m3u8"), "käse/日本 1.m3u8");
}
