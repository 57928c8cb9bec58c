//! The whole scrape, byte for byte, over recorded inputs: a healthy stream, one whose encoder is frozen, one of which nothing was
//! ever seen. `UPDATE_GOLDEN=1` writes the files anew; their difference is the review.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use vvtv_exporter::clock::Now;
use vvtv_exporter::config::{Config, Stream};
use vvtv_exporter::health::{Failure, Health, ProbeError};
use vvtv_exporter::metrics::{Tables, render};
use vvtv_exporter::probe::Views;
use vvtv_exporter::probe::host::{Filesystem, HostView, Io, Machine, OwnProcess, ProcessView};
use vvtv_exporter::probe::nginx_stat::{Publishers, StatTiming, StatView};
use vvtv_exporter::probe::playlist::Remembered;
use vvtv_exporter::probe::playlist::{self, Check, Freshness, Playlist, PlaylistView, Role, Sight, VariantView};
use vvtv_exporter::probe::progress::{Encoder, ProgressTiming, ProgressView};
use vvtv_exporter::probe::queue::QueueView;
use vvtv_exporter::probe::rtmp::{Answer, RtmpView};
use vvtv_streaming::ffmpeg_progress::Blocks;
use vvtv_streaming::nginx_rtmp;
use vvtv_toolkit::render::Labels;
use vvtv_toolkit::render::{Exposition, Format};

const START: f64 = 1_795_360_000.0;

fn at(seconds: f64) -> Now {
    Now { mono: Duration::from_secs_f64(seconds), unix_seconds: START + seconds }
}

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../streaming/tests/fixtures").join(name)).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn health(now: Now, outcomes: impl IntoIterator<Item = Result<(), Failure>>) -> Health {
    let mut health = Health::default();
    for outcome in outcomes {
        let outcome = outcome.map_err(|reason| ProbeError::new(reason, "as recorded"));
        let _ = health.record(now, Duration::from_millis(3), outcome);
    }
    health
}

/// Looks at a recorded playlist at several times.
fn hls_view(stream: &str, playlist: &str, seen_at: &[f64], health: Health) -> PlaylistView {
    let Playlist::Media(media) = playlist::parse(&fixture(playlist), &playlist::Context::default()).unwrap() else {
        unreachable!("a media playlist")
    };
    let mut view = PlaylistView::starting(stream, at(0.0), &Remembered::default());
    for seconds in seen_at {
        for variant in &mut view.variants {
            let _ = variant.freshness.observe(
                at(*seconds),
                &Sight::of(&media, Some(Duration::from_secs(1)), Duration::from_secs(60)).unwrap(),
            );
            variant.buffer.observe(at(*seconds), &media);
            variant.listed = media.listed();
            variant.segment_available = Some(true);
            variant.http_status = Some(200);
            variant.request_duration = Duration::from_millis(2);
            variant.declared_bits_per_second = Some(1_000_000);
            variant.measured(230_000, media.recent.last().unwrap().seconds);
        }
    }
    if stream == "main" {
        view.master_violations.insert(Check::CodecsMissing, 2);
        let still = VariantView::new("main", "b/v.m3u8", Role::Standby, Freshness::never_seen(at(0.0)));
        view.variants.push(still);
        view.unwatched = 4;
    }
    PlaylistView { health, ..view }
}

fn stat_view(stream: &Stream, pages: &[(f64, &str)]) -> StatView {
    let mut publishers = Publishers::new(StatTiming::from(stream.timing));
    for (seconds, name) in pages {
        publishers.observe(at(*seconds), &nginx_rtmp::parse(&recorded(name)).unwrap());
    }
    let last = pages.last().unwrap().0;
    StatView { health: health(at(last), [Ok(())]), publishers }
}

/// One recorded block a second.
fn progress_view(stream: &Stream, name: &str) -> ProgressView {
    let mut encoder = Encoder::new(ProgressTiming::from(stream.timing));
    let mut seconds = 0.0;
    for block in Blocks::default().feed(&recorded(name)) {
        seconds += 1.0;
        encoder.observe(at(seconds), &block.unwrap());
    }
    ProgressView { health: health(at(seconds), [Ok(())]), encoder }
}

fn streams() -> Tables {
    let stream = |name: &str, queue: &str| {
        format!(
            "  - {{name: '{name}', playlist: 'http://a/{name}.m3u8', ingest: 'rtmp://a/live/main', \
             nginx_stat: 'http://a/stat', encoder_progress: '/run/{name}'{queue}}}\n"
        )
    };
    let text =
        ["streams:\n".to_owned(), stream("main", ", queue: /q"), stream("frozen", ""), stream("näver", "")].concat();
    let config = Config::parse("golden.yml", &text).unwrap();
    let [main, frozen, never] = config.streams.as_slice() else { unreachable!("three streams") };
    let up = || Some(Arc::new(RtmpView { health: health(at(30.0), [Ok(())]), answer: Some(Answer::Accepted) }));

    let healthy = Views {
        playlist: Some(Arc::new(hls_view("main", "playlist-media-live.m3u8", &[29.5], health(at(30.0), [Ok(())])))),
        rtmp: up(),
        stat: Some(Arc::new(stat_view(
            main,
            &[(28.0, "nginx-stat-publishing.xml"), (30.0, "nginx-stat-publishing-with-player.xml")],
        ))),
        progress: Some(Arc::new(progress_view(main, "ffmpeg-progress-file-healthy.txt"))),
        queue: Some(Arc::new(QueueView { health: health(at(30.0), [Ok(())]), buffer_seconds: 1800.0 })),
    };
    let missing = health(at(12.0), [Ok(()), Err(Failure::Missing), Err(Failure::Missing)]);
    let stopped = Views {
        playlist: Some(Arc::new(hls_view(
            "frozen",
            "playlist-media-publisher-sigstop-15s.m3u8",
            &[5.0, 7.0, 19.0],
            missing,
        ))),
        rtmp: up(),
        stat: Some(Arc::new(stat_view(
            frozen,
            &[(10.0, "nginx-stat-publisher-sigstop-15s.xml"), (30.0, "nginx-stat-publisher-sigstop-115s.xml")],
        ))),
        progress: Some(Arc::new(progress_view(frozen, "ffmpeg-progress-file-cpu-starved.txt"))),
        ..Views::default()
    };
    let refused = || health(at(30.0), [Err(Failure::Refused), Err(Failure::Timeout), Err(Failure::Refused)]);
    let silent = ProgressView { health: Health::default(), encoder: Encoder::new(ProgressTiming::from(never.timing)) };
    let nothing = Views {
        playlist: Some(Arc::new(PlaylistView {
            health: refused(),
            ..PlaylistView::starting(&never.name, at(0.0), &Remembered::default())
        })),
        rtmp: Some(Arc::new(RtmpView { health: refused(), answer: None })),
        stat: Some(Arc::new(StatView {
            health: refused(),
            publishers: Publishers::new(StatTiming::from(never.timing)),
        })),
        progress: Some(Arc::new(silent)),
        ..Views::default()
    };
    let mut tables = Tables::default();
    for (stream, views) in [(main, healthy), (frozen, stopped), (never, nothing)] {
        tables.push(at(30.5), stream, &Labels::new(&[("stream", &stream.name)]), &views);
    }
    tables
}

fn host() -> HostView {
    let process = |label: &str, running, stopped, zombies, open_fds| ProcessView {
        label: label.to_owned(),
        running,
        zombies,
        stopped,
        cpu_seconds: 12.5,
        resident_bytes: 60 << 20,
        open_fds,
        threads: 9,
        io: Some(Io { read_bytes: 4096.0, written_bytes: 1e6 }).filter(|_| running > 0),
    };
    HostView {
        health: Health::default(),
        machine: Some(Machine {
            cpu_usage_ratio: 0.25,
            cpus: 2,
            load: [0.5, 0.75, 1.0],
            memory_bytes: 8 << 30,
            memory_available_bytes: 4 << 30,
            swap_used_bytes: 0,
        }),
        filesystem: Some(Filesystem { size_bytes: 1 << 40, available_bytes: 1 << 39, free_files: 1_000_000 }),
        pressure_seconds: vec![("cpu", 1.5), ("io", 0.25), ("memory", 0.0)],
        own: Some(OwnProcess {
            cpu_seconds: 1.5,
            resident_bytes: 12 << 20,
            virtual_bytes: 300 << 20,
            open_fds: 14,
            max_fds: Some(1024),
            start_unix_seconds: START,
        }),
        processes: vec![process("ffmpeg", 1, 1, 1, None), process("nginx", 3, 0, 0, Some(39))],
    }
}

fn golden(format: Format, name: &str) -> String {
    let body = render(&streams(), Some(&host()), &Registry::new(), Exposition::new(format));
    let body = String::from_utf8(body.to_vec()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &body).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(body, expected, "{} differs", path.display());
    body
}

#[test]
fn every_metric_is_documented() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let body = render(&streams(), Some(&host()), &Registry::new(), Exposition::new(Format::Text004));
    let body = String::from_utf8(body.to_vec()).unwrap();
    let names = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let missing: Vec<_> = names
        .filter(|name| name.starts_with("vvtv_"))
        .filter(|name| !readme.contains(&format!("`{name}`")) && !readme.contains(&format!("`{name}{{")))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn the_scrape_in_openmetrics() {
    golden(Format::OpenMetrics, "scrape.om");
}

#[test]
fn the_scrape_in_text_which_promtool_accepts() {
    let body = golden(Format::Text004, "scrape.prom");
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match promtool {
        Ok(child) => child,
        Err(error) => {
            eprintln!("promtool is not installed ({error}): the lint was not run");
            return;
        }
    };
    promtool.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&said).as_ref()), (Some(0), ""));
}
