//! Situations of other people's streams, one a test: what was seen of them is told for every variant.

use std::collections::BTreeMap;

use super::*;
use rstest::rstest;

/// A list of six segments of two seconds, a new one every two seconds.
fn live(second: u64) -> String {
    list(100 + second / 2)
}

fn list(newest: u64) -> String {
    let segments: String = (newest - 5..=newest).map(|n| format!("#EXTINF:2,\n{n}.ts\n")).collect();
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n{segments}", newest - 5)
}

const FROZEN: u64 = 100;

/// Of each variant its name, role and age.
type Told = Vec<(String, &'static str, u64)>;

/// Polls for so many seconds; of each variant its role and age, and how often each address was asked for.
fn watched(seconds: u64, mut site: impl FnMut(&str, u64) -> Option<String>) -> (Driven, Told, BTreeMap<String, u64>) {
    let mut driven = Driven::start(Playlists::new(spec(), at(0), Arc::default()));
    let mut asked = BTreeMap::new();
    for second in 1..=seconds {
        driven.poll(second, |location| {
            let Location::Http(url) = location else { unreachable!("a file") };
            let address = &url[url::Position::BeforePath..];
            *asked.entry(address.to_owned()).or_default() += 1;
            match site(address, second) {
                Some(hangs) if hangs == "hangs" => None,
                Some(body) => Some(Ok(body)),
                None => Some(Err(ProbeError::new(Failure::Missing, "HTTP status 404"))),
            }
        });
    }
    let view = driven.playlists.view();
    let tell = |variant: &VariantView| {
        (variant.name.to_string(), variant.role.label(), variant.freshness.age(at(seconds)).as_secs())
    };
    let told = view.variants.iter().map(tell).collect();
    (driven, told, asked)
}

fn expected(of: &[(&str, &'static str, u64)]) -> Told {
    of.iter().map(|(name, role, age)| ((*name).to_owned(), *role, *age)).collect()
}

const MASTER: &str = "/live/master.m3u8";

#[rstest]
#[case::an_entry_that_nobody_can_ask_for(
    "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"en\",URI=\"data:x,y\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n\
     #EXT-X-STREAM-INF:BANDWIDTH=2\nftp://a/b.m3u8\n",
    &[("v.m3u8", "video", 0)])]
#[case::subtitles_that_stand_still(
    "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"en\",URI=\"still.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES=\"s\"\nv.m3u8\n",
    &[("v.m3u8", "video", 0), ("still.m3u8", "subtitles", 19)])]
#[case::sound_of_its_own_that_stands_still(
    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",URI=\"still.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nv.m3u8\n",
    &[("still.m3u8", "audio", 19), ("v.m3u8", "video", 0)])]
#[case::a_pathway_that_nobody_is_on(
    "#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\",PATHWAY-ID=\"b\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"a\"\nstill.m3u8\n\
     #EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"b\"\nv.m3u8\n",
    &[("v.m3u8", "video", 0), ("still.m3u8", "standby", 19)])]
#[case::a_copy_that_stands_still(
    "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2\nv.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2\nhttp://b.test/still.m3u8\n",
    &[("v.m3u8", "video", 0), ("http://b.test/still.m3u8", "redundant", 19)])]
#[case::key_frames(
    "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"still.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n",
    &[("v.m3u8", "video", 0), ("still.m3u8", "iframes", 19)])]
#[case::they_differ_in_the_query("#EXT-X-STREAM-INF:BANDWIDTH=2\nv.m3u8?id=1\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8?still\n",
    &[("v.m3u8", "video", 0), ("v.m3u8#2", "video", 19)])]
#[case::a_master_in_the_place_of_a_variant("#EXT-X-STREAM-INF:BANDWIDTH=1\nnested.m3u8\n", &[("nested.m3u8", "video", 0)])]
#[case::one_hangs("#EXT-X-STREAM-INF:BANDWIDTH=2\nv.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhangs.m3u8\n",
    &[("v.m3u8", "video", 0), ("hangs.m3u8", "video", 20)])]
fn each_variant_is_told_by_itself(#[case] entries: &str, #[case] told: &[(&str, &'static str, u64)]) {
    let (_, variants, _) = watched(20, |address, second| {
        Some(match address {
            MASTER => format!("#EXTM3U\n{entries}"),
            "/live/nested.m3u8" => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8?session\n".to_owned(),
            "/live/hangs.m3u8" => "hangs".to_owned(),
            still if still.contains("still") => list(FROZEN),
            _ => live(second),
        })
    });
    assert_eq!(variants, expected(told));
}

#[test]
fn a_session_in_each_address_is_opened_rarely_and_makes_no_other_variant() {
    let mut sessions = 0;
    let (_, variants, asked) = watched(600, |address, second| {
        if address == MASTER {
            sessions += 1;
            return Some(format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ns{sessions}/v.m3u8\n"));
        }
        Some(live(second))
    });
    assert_eq!(variants, expected(&[("s1/v.m3u8", "video", 0)]));
    assert_eq!((asked.get(MASTER), sessions), (Some(&4), 4));
}

#[test]
fn an_address_that_is_gone_is_looked_up_in_the_master() {
    let (_, variants, asked) = watched(60, |address, second| match address {
        MASTER if second < 20 => Some("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na/v.m3u8\n".to_owned()),
        MASTER => Some("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb/v.m3u8\n".to_owned()),
        "/live/a/v.m3u8" if second >= 20 => None,
        _ => Some(live(second)),
    });
    assert_eq!(variants, expected(&[("a/v.m3u8", "video", 0)]));
    assert_eq!((asked.get(MASTER), asked.get("/live/a/v.m3u8")), (Some(&2), Some(&21)));
}

#[test]
fn more_lists_than_are_watched_are_told_and_are_no_fault() {
    let (driven, variants, _) = watched(6, |address, second| match address {
        MASTER => {
            let sound = |n| format!("#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"{n}\",URI=\"{n}.m3u8\"\n");
            let sounds: String = (0..40).map(sound).collect();
            Some(format!("#EXTM3U\n{sounds}#EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES=\"s\"\nv.m3u8\n"))
        }
        _ => Some(live(second)),
    });
    let view = driven.playlists.view();
    assert_eq!((variants.len(), view.unwatched, view.health.up()), (VARIANTS_MAX, 9, true));
    assert_eq!(variants.first(), expected(&[("v.m3u8", "video", 0)]).first());
}

#[test]
fn another_master_in_the_middle_of_an_outage_is_no_new_segment() {
    // What was on air stands still from second 10 on; at 30 its master names others, which stand still too until 60.
    let (driven, variants, _) = watched(59, |address, second| match address {
        MASTER if second < 30 => Some("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n".to_owned()),
        MASTER => {
            Some("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=7\nx.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=8\ny.m3u8\n".to_owned())
        }
        "/live/v.m3u8" => Some(live(second.min(10))),
        _ => Some(list(500 + second.saturating_sub(60))),
    });
    assert_eq!(variants, expected(&[("x.m3u8", "video", 49), ("y.m3u8", "video", 49)]));
    assert!(!driven.playlists.view().variants.is_empty());
}

#[rstest]
#[case::a_header_alone("#EXTM3U\n#EXT-X-VERSION:3\n")]
#[case::a_page("<html>offline</html>")]
#[case::no_segments("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:106\n")]
#[case::entries_that_cannot_be_used("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ndata:x\n")]
fn a_master_that_names_nothing_is_a_fault_and_ages_go_on(#[case] nothing: &str) {
    let (driven, variants, _) = watched(40, |address, second| match address {
        MASTER if second > 10 => Some(nothing.to_owned()),
        MASTER => Some("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n".to_owned()),
        _ if second > 10 => None,
        _ => Some(live(second)),
    });
    assert_eq!(variants, expected(&[("v.m3u8", "video", 30)]));
    assert!(!driven.playlists.view().health.up());
}

#[test]
fn a_variant_that_leaves_and_comes_back_is_as_old_as_it_is() {
    let (_, variants, _) = watched(150, |address, second| match address {
        MASTER if (20..80).contains(&second) => Some(format!("#EXTM3U\n{HI}")),
        MASTER => Some(format!("#EXTM3U\n{HI}{LO}")),
        "/live/lo.m3u8" => Some(live(second.min(10))),
        _ => Some(live(second)),
    });
    assert_eq!(variants, expected(&[("hi.m3u8", "video", 0), ("lo.m3u8", "video", 140)]));
}

const HI: &str = "#EXT-X-STREAM-INF:BANDWIDTH=2\nhi.m3u8\n";
const LO: &str = "#EXT-X-STREAM-INF:BANDWIDTH=1\nlo.m3u8\n";

#[test]
fn a_master_that_names_others_at_each_look_makes_no_new_series_for_ever() {
    let mut names = BTreeMap::new();
    let mut driven = Driven::start(Playlists::new(spec(), at(0), Arc::default()));
    for second in 1..=3000 {
        let session = second * 7919;
        driven.poll(second, |location| {
            let entry = |n: u64| format!("#EXT-X-STREAM-INF:BANDWIDTH={}\n{session}-{n}.m3u8\n", session + n);
            match location {
                // In an outage it is looked at often, and names now more, now fewer.
                Location::Http(url) if url.path() == MASTER => {
                    Some(Ok(std::iter::once("#EXTM3U\n".to_owned()).chain((0..2 + second % 5).map(entry)).collect()))
                }
                Location::Http(_) | Location::File(_) => Some(Err(refused())),
            }
        });
        for variant in &driven.playlists.view().variants {
            *names.entry(variant.name.to_string()).or_insert(0) += 1;
            assert_eq!(variant.freshness.age(at(second)).as_secs(), second);
        }
    }
    assert!(names.len() <= 2 * VARIANTS_MAX, "{} names", names.len());
}

/// A list whose numbers follow the clock.
fn renumbered(second: u64, names: [&str; 6]) -> String {
    let segments: String = names.iter().map(|name| format!("#EXTINF:2,\n{name}.ts\n")).collect();
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n{segments}", 100 + second / 2)
}

#[rstest]
#[case::under_new_numbers(["a", "b", "c", "d", "e", "f"], 19)]
#[case::the_last_one_again_and_again(["a", "b", "c", "d", "f", "f"], 19)]
fn a_list_that_is_numbered_anew_has_nothing_new(#[case] names: [&str; 6], #[case] age: u64) {
    let (_, variants, _) = watched(20, |_, second| Some(renumbered(second, names)));
    assert_eq!(variants, expected(&[("media", "video", age)]));
}

#[test]
fn names_that_wrap_around_are_new() {
    let all = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let (_, variants, _) = watched(60, |_, second| {
        let at = |n: u64| all.get(((second / 2 + n) % 8) as usize).copied().unwrap_or_default();
        Some(renumbered(second, [at(0), at(1), at(2), at(3), at(4), at(5)]))
    });
    assert_eq!(variants, expected(&[("media", "video", 0)]));
}
