//! What parsing costs: a playlist, a statistics page of sixty streams, an encoder's report.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run fails by panicking")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vvtv_exporter::probe::playlist;
use vvtv_streaming::{ffmpeg_progress, nginx_rtmp};

fn playlists(criterion: &mut Criterion) {
    let body = include_bytes!("../tests/fixtures/playlist-media-live.m3u8");
    criterion.bench_function("a playlist", |bencher| {
        bencher.iter(|| playlist::parse(black_box(body), &playlist::Context::default()).unwrap());
    });
}

/// Twelve hours in segments of two seconds with signed addresses, and dates: 7 MB.
fn recordings(criterion: &mut Criterion) {
    let signature = format!("?Policy={}&Signature={}&Key-Pair-Id=K1", "a".repeat(120), "b".repeat(90));
    let mut body = String::from("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:EVENT\n");
    for n in 0..21_600 {
        let (minute, second) = (n / 30, 2 * (n % 30));
        let time = format!("{:02}:{:02}:{second:02}", minute / 60, minute % 60);
        body += &format!("#EXT-X-PROGRAM-DATE-TIME:2026-11-22T{time}.000Z\n#EXTINF:2.000,\nmain_{n}.ts{signature}\n");
    }
    criterion.bench_function("a playlist of 12 hours", |bencher| {
        bencher.iter(|| playlist::parse(black_box(body.as_bytes()), &playlist::Context::default()).unwrap());
    });
}

fn statistics(criterion: &mut Criterion) {
    let one = include_str!("../../streaming/tests/fixtures/nginx-stat-publishing.xml");
    let (head, rest) = one.split_once("<stream>").unwrap();
    let (stream, tail) = rest.rsplit_once("</stream>").unwrap();
    let body = format!("{head}{}{tail}", format!("<stream>{stream}</stream>").repeat(60));
    criterion.bench_function("a statistics page of 60 streams", |bencher| {
        bencher.iter(|| nginx_rtmp::parse(black_box(body.as_bytes())).unwrap());
    });
}

fn reports(criterion: &mut Criterion) {
    let body = include_bytes!("../../streaming/tests/fixtures/ffmpeg-progress-file-healthy.txt");
    criterion.bench_function("30 encoder reports", |bencher| {
        bencher.iter(|| ffmpeg_progress::Blocks::default().feed(black_box(body)));
    });
}

criterion_group!(benches, playlists, recordings, statistics, reports);
criterion_main!(benches);
