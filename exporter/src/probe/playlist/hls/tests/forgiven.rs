//! What players forgive, what they do not, and what is counted of it.

use super::*;

const HEAD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n";

fn empty(body: &str) -> Option<Failure> {
    match parse(body.as_bytes(), &Context::default()) {
        Ok(Playlist::Media(media)) => media.nothing_listed().map(|error| error.reason),
        other => panic!("expected a media playlist, got {other:?}"),
    }
}

#[rstest]
#[case::header("#EXTM3U\n")]
#[case::media_header(HEAD)]
#[case::ended("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n")]
#[case::master_header("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n")]
#[case::steering_alone("#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\"\n")]
#[case::captions_alone("#EXTM3U\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\",NAME=\"c\",INSTREAM-ID=\"CC1\"\n")]
#[case::nothing_usable("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ndata:,x\n")]
#[case::variant_without_address("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n")]
fn lists_of_nothing(#[case] body: &str) {
    assert_eq!(empty(body), Some(Failure::Empty));
}

#[test]
fn what_lists_something_is_not_empty() {
    for body in ["#EXTINF:2,\na.ts\n", "#EXT-X-GAP\n#EXTINF:2,\na.ts\n", "#EXT-X-PART:DURATION=1,URI=\"a\"\n", "a.ts\n"]
    {
        assert_eq!(empty(&format!("{HEAD}{body}")), None, "{body}");
    }
    assert_eq!(empty(&format!("{HEAD}#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n")), None);
}

#[rstest]
#[case::no_durations("#EXTM3U\n\n# c\na.ts\nb.ts\n", 4)]
#[case::no_address("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n", 3)]
#[case::blanks_before("\r\n\r\n#EXTM3U\r\n#EXTINF:2,\r\n", 4)]
#[case::undefined("#EXTM3U\n#EXTINF:2,\n{$a}/a.ts\n#EXTINF:2,\n{$a}/b.ts\n", 3)]
fn a_list_of_which_nothing_can_be_read_names_its_line(#[case] body: &str, #[case] line: usize) {
    let error = parse(body.as_bytes(), &Context::default()).unwrap_err();
    assert_eq!(error.reason, Failure::Malformed);
    assert!(error.message.contains(&format!("line {line} is ")), "{error}");
}

#[test]
fn variables_of_a_master_reach_its_media_playlists() {
    let context = Context { query: "tok=abc".to_owned(), ..Context::default() };
    let body = b"#EXTM3U\n#EXT-X-DEFINE:NAME=\"dir\",VALUE=\"hd\"\n#EXT-X-DEFINE:QUERYPARAM=\"tok\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",URI=\"{$dir}/a.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1\n{$dir}/live.m3u8?tok={$tok}\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{$nobody}.m3u8\n";
    let Ok(Playlist::Master(master)) = parse(body, &context) else { panic!("expected a master playlist") };
    let named: Vec<_> = master.named.iter().map(|named| named.uri.as_str()).collect();
    assert_eq!(named, ["hd/a.m3u8", "hd/live.m3u8?tok=abc"]);
    assert_eq!((master.unusable, master.tally.undefined_variables), (1, 1));

    let context = Context { query: String::new(), variables: master.variables };
    let body = format!(
        "{HEAD}#EXT-X-DEFINE:IMPORT=\"dir\"\n#EXT-X-DEFINE:IMPORT=\"tok\"\n#EXTINF:2,\n{{$dir}}-1.ts?t={{$tok}}\n"
    );
    let Ok(Playlist::Media(media)) = parse(body.as_bytes(), &context) else { panic!("expected a media playlist") };
    assert_eq!(media.newest, identity(7, "hd-1.ts?t=abc", 0));
    // Without its master nothing of it can be asked for, and nothing is asked for literally.
    let error = parse(body.as_bytes(), &Context::default()).unwrap_err();
    assert_eq!(error.reason, Failure::Malformed);
}

#[test]
fn an_address_with_an_unknown_variable_is_a_gap() {
    let media = media(&format!("{HEAD}#EXTINF:2,\na.ts\n#EXTINF:2,\n{{$a}}.ts\n"));
    assert_eq!((media.newest, media.segments, media.tally.undefined_variables), (identity(7, "a.ts", 0), 2, 1));
}

#[test]
fn entries_are_told_apart_by_all_they_say() {
    let body = b"#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\",PATHWAY-ID=\"a\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"en\",LANGUAGE=\"en\",URI=\"en.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=subtitles,GROUP-ID=\"s\",NAME=\"en\",URI=\"sub.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\",NAME=\"cc\",INSTREAM-ID=\"CC1\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=5,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"g\",PATHWAY-ID=\"a\",NAME=\"low\"\nv.m3u8?q=1\n\
        #EXT-X-STREAM-INF:BANDWIDTH=5\nv.m3u8?q=2\n#EXT-X-STREAM-INF:BANDWIDTH=5\nv.m3u8?q=2\n#EXT-X-STREAM-INF:BANDWIDTH=6\nv.m3u8?q=2\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i.m3u8\"\n";
    let master = master(body);
    let named =
        |uri: &str, kind, bits_per_second, attributes| Named { uri: uri.to_owned(), kind, bits_per_second, attributes };
    let some = |text: &str| Some(text.to_owned());
    let english = Attributes { group: some("g"), name: some("en"), language: some("en"), ..Attributes::default() };
    let low = Attributes {
        resolution: Some((640, 360)),
        codecs: some("avc1.4d401e,mp4a.40.2"),
        audio: some("g"),
        pathway: some("a"),
        name: some("low"),
        ..Attributes::default()
    };
    let expected = [
        named("en.m3u8", Kind::Audio, None, english),
        named(
            "sub.m3u8",
            Kind::Subtitles,
            None,
            Attributes { group: some("s"), name: some("en"), ..Attributes::default() },
        ),
        named("v.m3u8?q=1", Kind::Video, Some(5), low),
        named("v.m3u8?q=2", Kind::Video, Some(5), Attributes::default()),
        named("v.m3u8?q=2", Kind::Video, Some(6), Attributes::default()),
        named("i.m3u8", Kind::IFrames, Some(1), Attributes::default()),
    ];
    assert_eq!((master.named.as_slice(), master.pathway, master.unusable), (expected.as_slice(), some("a"), 0));
}

#[rstest]
#[case("CODECS=\"mp4a.40.2\"", Kind::Audio)]
#[case("CODECS=\"ac-3,ec-3\"", Kind::Audio)]
#[case("CODECS=\"Opus\"", Kind::Audio)]
#[case("CODECS=\"fLaC,wvtt\"", Kind::Audio)]
#[case("CODECS=\"mp4a.40.2\",RESOLUTION=640x360", Kind::Video)]
#[case("CODECS=\"mp4a.40.2\",VIDEO=\"v\"", Kind::Video)]
#[case("CODECS=\"avc1.4d401e,mp4a.40.2\"", Kind::Video)]
#[case("CODECS=\"something.new\"", Kind::Video)]
#[case("CODECS=\"wvtt\"", Kind::Video)]
#[case("CODECS=\"\"", Kind::Video)]
#[case("FRAME-RATE=25", Kind::Video)]
fn a_variant_of_audio_alone(#[case] attributes: &str, #[case] kind: Kind) {
    let master = master(format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,{attributes}\nv.m3u8\n").as_bytes());
    assert_eq!(master.named.first().map(|named| named.kind), Some(kind));
}

#[test]
fn a_delta_update_counts_what_it_leaves_out() {
    let media = media(&format!(
        "{HEAD}#EXT-X-SKIP:SKIPPED-SEGMENTS=20,RECENTLY-REMOVED-DATERANGES=\"a\tb\"\n#EXTINF:2,\na.ts\n"
    ));
    assert_eq!((media.newest, media.segments, media.listed_seconds), (identity(27, "a.ts", 0), 21, 42.0));
}

#[test]
fn only_parts_that_are_there_count_and_a_hint_is_none() {
    let part = |n: u32, more: &str| {
        format!("#EXT-X-PART:DURATION=0.5,URI=\"8.mp4\",BYTERANGE=\"100{}\"{more}\n", if n == 0 { "@40" } else { "" })
    };
    let body = format!(
        "{HEAD}#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:00Z\n#EXTINF:2,\n7.mp4\n{}{}{}#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"8.mp4\"\n",
        part(0, ""),
        part(1, ""),
        part(2, ",GAP=YES")
    );
    let media = media(&body);
    assert_eq!(media.newest.map(|newest| (newest.sequence, newest.parts)), Some((7, 2)));
    let range = Some(ByteRange { offset: 140, length: 100 });
    assert_eq!(media.newest_part, Some(Part { uri: "8.mp4".to_owned(), seconds: 0.5, range }));
    assert_eq!(media.program_end_unix_seconds, Some(1_795_359_603.0));
}

#[test]
fn a_segment_before_a_hundred_gaps_is_the_newest() {
    let gaps = "#EXT-X-GAP\n#EXTINF:2,\ngap.ts\n".repeat(100);
    let media = media(&format!("{HEAD}#EXT-X-DISCONTINUITY\n#EXTINF:2,\na.ts\n{gaps}"));
    assert_eq!((media.newest, media.segments), (identity(7, "a.ts", 1), 101));
}

#[test]
fn a_date_at_the_first_of_nine_hundred_segments() {
    let segments = "#EXTINF:2.000,\na.ts\n".repeat(900);
    let media = media(&format!("{HEAD}#EXT-X-PROGRAM-DATE-TIME:2026-11-22T15:00:00Z\n{segments}"));
    assert_eq!(media.program_end_unix_seconds, Some(1_795_359_600.0 + 1800.0));
}
