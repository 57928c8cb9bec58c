//! The situations that are measured.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::exporter::{Exporter, lateness_p99_ms, series};
use crate::origin::{self, Origin, settle};
use crate::report::{Report, quantile};

const HOST: &str = "interval: 1s\nhost: {broadcast: /, processes: []}\n";

/// Seconds that large scrapes are watched for: of fewer, the 99th percentile is the worst.
const SCRAPED: u64 = 75;

/// Seconds that each situation is watched for.
const WATCHED: u64 = 20;

fn config(count: u32, playlist: impl Fn(u32) -> String) -> String {
    let mut text = "streams:\n".to_owned();
    for n in 0..count {
        writeln!(text, "  - {{name: s{n}, playlist: '{}'}}", playlist(n)).unwrap();
    }
    text + HOST
}

/// The machine, its encoder and its server, as the shipped configuration looks at them; nothing else is asked.
pub(crate) async fn host(report: &mut Report) {
    let exporter = Exporter::start(
        "streams: [{name: main, playlist: /does/not/exist.m3u8}]\ninterval: 1m\nhost: {broadcast: /, processes: [{name: ffmpeg}, {name: nginx}]}\n",
    );
    settle(3).await;
    let cpu = exporter.cpu_seconds();
    settle(2 * WATCHED).await;
    let cpu = (exporter.cpu_seconds() - cpu) * 1000.0 / (2 * WATCHED) as f64;
    report.at_most("host part: processor time", cpu, 1.0, "ms a second");
}

/// A hundred channels, as a broadcaster has them.
pub(crate) async fn hundred(report: &mut Report) {
    let origin = Origin::start().await;
    let exporter = Exporter::start(&config(100, |n| format!("http://{}/live/{n}.m3u8", origin.address)));
    settle(3).await;
    let (mut durations, body) = exporter.scrapes(WATCHED, Duration::from_millis(20)).await;
    report.figure("100 streams: series", series(&body), "series");
    report.at_most("100 streams: scrape p99", quantile(&mut durations, 0.99), 1.0, "ms");
    report.figure("100 streams: scrape p50", quantile(&mut durations, 0.5), "ms");
    report.at_most("100 streams: resident memory", exporter.resident_bytes() / f64::from(1 << 20), 20.0, "MiB");
}

/// Ten thousand playlists that stand still: what a poll costs when nothing changed.
pub(crate) async fn ten_thousand(report: &mut Report) {
    polls(report, "10,000 unchanged playlists", "still", 40.0).await;
}

/// Ten thousand playlists that advance every two seconds: half of the polls parse, and look whether the segment is there.
pub(crate) async fn live(report: &mut Report) {
    polls(report, "10,000 live playlists", "live", f64::INFINITY).await;
}

async fn polls(report: &mut Report, what: &str, kind: &str, cpu_us_max: f64) {
    const STREAMS: u32 = 10_000;
    let origin = Origin::start().await;
    let alone = Exporter::start(&config(1, |n| format!("http://{}/{kind}/{n}.m3u8", origin.address)));
    settle(3).await;
    let empty = alone.resident_bytes();
    drop(alone);
    let exporter = Exporter::start(&config(STREAMS, |n| format!("http://{}/{kind}/{n}.m3u8", origin.address)));
    settle(10).await;

    let (_, _) = origin.take();
    let (started, cpu) = (Instant::now(), exporter.cpu_seconds());
    settle(WATCHED).await;
    let (cpu, elapsed) = (exporter.cpu_seconds() - cpu, started.elapsed().as_secs_f64());
    let (requests, gaps) = origin.take();
    let polls = gaps.len() as f64;
    report.figure(&format!("{what}: polls"), polls / elapsed, "a second");
    report.figure(&format!("{what}: requests"), requests / elapsed, "a second");
    report.at_most(&format!("{what}: processor time"), cpu / polls * 1e6, cpu_us_max, "µs a poll");
    let per_stream = (exporter.resident_bytes() - empty) / f64::from(STREAMS) / 1000.0;
    report.at_most(&format!("{what}: memory before a scrape"), per_stream, 20.0, "kB a stream");

    let (before, _) = exporter.get("/metrics").await;
    let (_, _) = origin.take();
    let (mut durations, body) = exporter.scrapes(SCRAPED, Duration::from_millis(500)).await;
    report.figure(&format!("{what}: series"), series(&body), "series");
    report.at_most(&format!("{what}: scrape p99 while polling"), quantile(&mut durations, 0.99), 60.0, "ms");
    report.figure(&format!("{what}: scrape p50 while polling"), quantile(&mut durations, 0.5), "ms");
    let late = lateness_p99_ms(&before, &body);
    report.at_most(&format!("{what}: lateness of a poll p99, by its own account"), late, 250.0, "ms or less");
    let mut late: Vec<f64> = origin.take().1.iter().map(|gap| (gap - 1.0).max(0.0) * 1000.0).collect();
    report.at_most(
        &format!("{what}: lateness of a poll p99, as seen by the server"),
        quantile(&mut late, 0.99),
        250.0,
        "ms",
    );
    let per_stream = (exporter.resident_bytes() - empty) / f64::from(STREAMS) / 1000.0;
    report.at_most(&format!("{what}: memory with scrapes"), per_stream, 20.0, "kB a stream");
}

/// One hung and one dead stream among a thousand.
pub(crate) async fn sick(report: &mut Report) {
    let origin = Origin::start().await;
    let nobody = origin::nobody().await;
    let healthy = |n| format!("http://{}/live/{n}.m3u8", origin.address);
    let mut p99 = Vec::new();
    for sick in [false, true] {
        let exporter = Exporter::start(&config(1000, |n| match n {
            500 if sick => format!("http://{}/hung/{n}.m3u8", origin.address),
            501 if sick => format!("http://{nobody}/{n}.m3u8"),
            n => healthy(n),
        }));
        settle(5).await;
        let _ = origin.take();
        settle(WATCHED).await;
        let mut late: Vec<f64> = origin.take().1.iter().map(|gap| (gap - 1.0).abs() * 1000.0).collect();
        p99.push(quantile(&mut late, 0.99));
        drop(exporter);
        settle(2).await;
        let _ = origin.take();
    }
    report.figure("1,000 streams: lateness p99", p99[0], "ms");
    report.figure("1,000 streams, one hung, one dead: lateness p99 of the others", p99[1], "ms");
    report.at_most("1,000 streams: delay of the others by a hung and a dead one, p99", p99[1] - p99[0], 10.0, "ms");
}

/// Handshakes by `/probe`, one after another.
pub(crate) async fn rtmp_probes(report: &mut Report) {
    const PROBES: u32 = 2000;
    let address = origin::rtmp().await;
    let allowed = config(1, |_| "/does/not/exist.m3u8".to_owned()) + "probe: {allow: [127.0.0.1]}\n";
    let exporter = Exporter::start(&allowed);
    let path = format!("/probe?module=rtmp&target=rtmp://{address}/live/main");
    let (body, _) = exporter.get(&path).await;
    assert!(body.contains("vvtv_probe_success 1\n"), "{body}");
    let (started, cpu) = (Instant::now(), exporter.cpu_seconds());
    for _ in 0..PROBES {
        let _ = exporter.get(&path).await;
    }
    let cpu = (exporter.cpu_seconds() - cpu) * 1000.0 / f64::from(PROBES);
    report.at_most("RTMP handshake by /probe: processor time", cpu, 0.2, "ms");
    report.figure("RTMP handshake by /probe", f64::from(PROBES) / started.elapsed().as_secs_f64(), "a second");
}
