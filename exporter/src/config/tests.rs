//! The configuration: what it means, and every mistake with its place.

use super::*;

fn error(text: &str) -> String {
    Config::parse("exporter.yml", text).unwrap_err().to_string()
}

#[test]
fn the_builtin_configuration_is_the_runbooks_layout() {
    let config = Config::builtin().unwrap();
    // Of sources that have keys for themselves, the layout has this one.
    let sources = config.streams[0].sources.clone();
    assert_eq!(sources.queue, Some(PathBuf::from("/vvtv/data/queue.sqlite")));
    let stream = Stream {
        name: "main".to_owned(),
        playlist: Some(Location::Http("http://localhost:8080/hls/main.m3u8".parse().unwrap())),
        ingest: Some(Ingest {
            endpoint: RtmpEndpoint {
                host: "localhost".to_owned(),
                port: 1935,
                app: "live".to_owned(),
                arguments: Arguments::default(),
                connect: Connect::Application,
            },
            key: "main".to_owned(),
        }),
        nginx_stat: Some(StatEntry {
            location: Location::Http("http://localhost:8080/stat".parse().unwrap()),
            app: "live".to_owned(),
            key: "main".to_owned(),
            port: Some(1935),
            server: None,
        }),
        progress: Some(ProgressSource::Udp("127.0.0.1:10050".parse().unwrap())),
        progress_from: None,
        sources,
        thresholds: Thresholds { segment_age_seconds: 10.0, encoder_drops_ratio: 0.005, bitrate_variance_ratio: 0.25 },
        timing: Timing::default(),
        expect: Expect::Live,
        counting: Counting::default(),
        reach: Arc::default(),
        expected_drops_ratio: 0.0,
        encoder_outputs: None,
    };
    assert_eq!(config, Config { streams: vec![Arc::new(stream)], ..Config::default() });
}

#[test]
fn the_shipped_file_says_the_same_with_addresses() {
    let shipped = Config::parse("exporter.yml", include_str!("../../../deploy/exporter.yml")).unwrap();
    let builtin = Config::builtin().unwrap();
    let [shipped] = shipped.streams.as_slice() else { panic!("one stream: {shipped:?}") };
    let [builtin] = builtin.streams.as_slice() else { panic!("one stream: {builtin:?}") };
    assert_eq!((shipped.timing, shipped.thresholds), (builtin.timing, builtin.thresholds));
    assert_eq!((&shipped.progress, &shipped.sources), (&builtin.progress, &builtin.sources));
}

#[test]
fn files_and_conversions() {
    let text = "streams:\n  - name: a\n    playlist: /hls/a.m3u8\n    encoder_progress: /run/a.progress\n    \
                encoder_frame_rates: {source: 30, output: 25}\n  - name: b\n    playlist: file:///hls/b.m3u8\n    \
                encoder_progress: udp://localhost:7\n    encoder_frame_rates: {source: 24, output: 25}\n";
    let config = Config::parse("exporter.yml", text).unwrap();
    let found: Vec<_> = config
        .streams
        .iter()
        .map(|stream| (stream.playlist.clone().unwrap(), stream.progress.clone().unwrap(), stream.expected_drops_ratio))
        .collect();
    let file = |path: &str| Location::File(PathBuf::from(path));
    let expected = [
        (file("/hls/a.m3u8"), ProgressSource::File(PathBuf::from("/run/a.progress")), 1.0 - 25.0 / 30.0),
        (file("/hls/b.m3u8"), ProgressSource::Udp("127.0.0.1:7".parse().unwrap()), 0.0),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_mistake_is_shown_in_its_place() {
    insta::assert_snapshot!(error("streams:\n  - name: main\n    playlst: http://a/b.m3u8\n"), @"
    exporter.yml:3:5: unknown field `playlst`, expected one of name, playlist, ingest, ingest_connect, nginx_stat, nginx_stat_server, encoder_progress, encoder_progress_from, encoder_frame_rates, encoder_outputs, expect, count, ignore, reach, queue, thresholds
      |
    1 | streams:
    2 |   - name: main
    3 |     playlst: http://a/b.m3u8
      |     ^^^^^^^^
    ");
    insta::assert_snapshot!(error("streams: [{name: a, playlist: a.m3u8}, {name: a, playlist: b.m3u8}]\n"), @"
    exporter.yml:1:47: stream `a` is configured twice
      |
    1 | streams: [{name: a, playlist: a.m3u8}, {name: a, playlist: b.m3u8}]
      |                                               ^
    ");
}

#[test]
fn every_mistake_has_its_message() {
    let mistakes = [
        "streams: []\n",
        "streams:\n  - name: [\n",
        "streams:\n  - name: a\n    name: b\n",
        "streams:\n  - name: a\n",
        "streams:\n  - name: a/b\n    playlist: a.m3u8\n",
        "streams:\n  - name: a\n    playlist: \"http://:80\"\n",
        "streams:\n  - name: a\n    playlist: ftp://a/b.m3u8\n",
        "streams:\n  - name: a\n    playlist: \"\"\n",
        "streams:\n  - name: a\n    ingest: srt://a:1/live/main\n",
        "streams:\n  - name: a\n    ingest: rtmp://a/main\n",
        "streams:\n  - name: a\n    playlist: a.m3u8\n    nginx_stat: http://a/stat\n",
        "streams:\n  - name: a\n    encoder_progress: udp://somewhere:1\n",
        "streams:\n  - name: a\n    encoder_progress: udp://127.0.0.1:0\n",
        "streams:\n  - name: a\n    encoder_progress: tcp://127.0.0.1:1\n",
        "streams:\n  - {name: a, encoder_progress: udp://127.0.0.1:1}\n  - {name: b, encoder_progress: udp://127.0.0.1:1}\n",
        "streams:\n  - name: a\n    playlist: a.m3u8\n    thresholds: {segment_age_seconds: 0}\n",
        "streams:\n  - name: a\n    playlist: a.m3u8\n    thresholds: {encoder_drops_ratio: .nan}\n",
        "streams:\n  - name: a\n    playlist: a.m3u8\n    encoder_frame_rates: {source: 0, output: 25}\n",
        "streams:\n  - name: a\n    encoder_progress: a\n    encoder_outputs: 0\n",
        "streams:\n  - name: a\n    playlist: a.m3u8\n    expect: forever\n",
        "streams: [{name: a, playlist: a.m3u8}]\ninterval: 1\n",
        "streams: [{name: a, playlist: a.m3u8}]\ninterval: 1ms\n",
        "streams: [{name: a, playlist: a.m3u8}]\nhost: {processes: [{name: a}, {name: a}]}\n",
    ];
    let lines: Vec<_> = mistakes.iter().map(|text| error(text).lines().next().unwrap().to_owned()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    exporter.yml:1:10: at least one stream is needed
    exporter.yml:2:11: expected string scalar
    exporter.yml:3:5: duplicate mapping key `name` is not allowed here
    exporter.yml:2:11: stream `a` has no source: give a playlist, ingest or encoder_progress
    exporter.yml:2:11: a stream's name is 1 to 100 characters without / \ and quotes
    exporter.yml:3:15: not a URL: empty host
    exporter.yml:3:15: `ftp` cannot be read: expected http, https or a file path
    exporter.yml:3:15: empty: expected an http(s) URL or a file path
    exporter.yml:3:13: `srt` is not probed: expected rtmp://HOST[:PORT]/APPLICATION/STREAM
    exporter.yml:3:13: expected rtmp://HOST[:PORT]/APPLICATION[?ARGUMENTS]/STREAM
    exporter.yml:4:17: nginx_stat needs `ingest`, which tells the publisher's application and name
    exporter.yml:3:23: expected udp://ADDRESS:PORT, the address to receive datagrams on
    exporter.yml:3:23: expected udp://ADDRESS:PORT, the address to receive datagrams on
    exporter.yml:3:23: `tcp` cannot be read: expected http, https or a file path
    exporter.yml:3:33: stream `a` reads the same progress: give each encoder its own port or file
    exporter.yml:4:39: a threshold above 0 and up to 86400 is needed
    exporter.yml:4:39: a threshold above 0 and up to 1 is needed
    exporter.yml:4:26: frame rates are between 0 and 1000 frames per second
    exporter.yml:4:22: between 1 and 100 video outputs are needed
    exporter.yml:4:13: unknown variant `forever`, expected one of live, event
    exporter.yml:2:11: `1` is not a duration: expected something like 10s, 1m30s or 2h (units y w d h m s ms, largest first)
    exporter.yml:2:11: 1ms is not between 100ms and 1m
    exporter.yml:2:38: process `a` is configured twice
    ");
}

const FROM: &str = "streams: []\nstreams_from:\n  - nginx_stat: http://a/stat\n    application: live\n    \
    ingest: rtmp://a/{app}/{name}\n    playlist: http://a/hls/{name}.m3u8\n    limit: 2\n";

#[test]
fn a_publisher_makes_a_stream_of_the_template() {
    let config = Config::parse("exporter.yml", FROM).unwrap();
    let [from] = config.streams_from.as_slice() else { panic!("one server: {config:?}") };
    let stream = from.stream("live", "a b/../c").unwrap();
    assert_eq!(stream.name, "a b_.._c");
    assert_eq!(stream.playlist, Some(Location::Http("http://a/hls/a%20b%2F..%2Fc.m3u8".parse().unwrap())));
    let entry = stream.nginx_stat.unwrap();
    assert_eq!((entry.app.as_str(), entry.key.as_str()), ("live", "a b/../c"));
    assert_eq!(stream.ingest.unwrap().endpoint.app, "live");
    assert!(from.stream("other", "x").is_none(), "another application");
    assert!(from.stream("live", &"x".repeat(200)).is_none(), "no name that could be a label");
}

#[test]
fn every_mistake_about_a_server_has_its_place() {
    let first = |text: &str| error(text).lines().next().unwrap().to_owned();
    assert_eq!(
        first(&FROM.replace("limit: 2", "limit: 0")),
        "exporter.yml:7:12: a limit between 1 and 20000 is needed"
    );
    assert_eq!(
        first(&FROM.replace("http://a/hls/{name}", "ftp://{name}")),
        "exporter.yml:6:15: `ftp` cannot be read: expected http, https or a file path"
    );
    assert_eq!(
        first(&FROM.replace("hls/{name}", "hls/main")),
        "exporter.yml:6:15: without {name} every stream would have the same playlist"
    );
    assert_eq!(first("streams: []\n"), "exporter.yml:1:10: at least one stream is needed");
}
