//! Pages as they are recorded, and as forks and odd publishers write them.

use rstest::rstest;

use super::*;

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
#[case::in_another_order(b"<rtmp><uptime>900</uptime><pid>77</pid><server><application id='a'><live><stream><publishing/><bytes_in>5</bytes_in>\
    <name><![CDATA[main]]></name></stream></live><name><![CDATA[live]]></name></application></server></rtmp>".to_vec())]
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
#[case::a_hung_worker(&recorded("worker-hung.txt"), false)]
#[case::html(b"<html><body><h1>404</h1></body></html>", false)]
#[case::cut(b"<rtmp><server>", false)]
#[case::cut_json(b"{\"http-flv\":{\"servers\":[", false)]
#[case::another_json(b"{\"status\":\"ok\"}", false)]
#[case::crossed(b"<rtmp></server></rtmp>", false)]
#[case::empty(b"", false)]
#[case::no_text(b"\xff", false)]
#[case::deep(&[b"<rtmp>".as_slice(), &b"<a>".repeat(40)].concat(), false)]
#[case::one_long_text(&[b"<rtmp>".as_slice(), &b"a".repeat(70_000)].concat(), true)]
#[case::too_many_streams(&[b"<rtmp>".as_slice(), &b"<stream></stream>".repeat(20_001)].concat(), true)]
fn what_is_no_page_is_refused(#[case] body: &[u8], #[case] is_too_large: bool) {
    assert_eq!(matches!(parse(body).unwrap_err(), PageError::TooLarge(_)), is_too_large);
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
