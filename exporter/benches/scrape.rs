//! What a large scrape costs by itself: the values of ten thousand streams, collected and then written.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run fails by panicking")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use prometheus::Registry;
use tikv_jemallocator::Jemalloc;
use vvtv_exporter::clock::Now;
use vvtv_exporter::config::{Config, Stream};
use vvtv_exporter::metrics::{Tables, render};
use vvtv_exporter::probe::Views;
use vvtv_exporter::probe::playlist::Remembered;
use vvtv_exporter::probe::playlist::{self, Playlist, PlaylistView, Sight};
use vvtv_toolkit::render::{Exposition, Format, Labels};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const STREAMS: usize = 10_000;

fn at(seconds: f64) -> Now {
    Now { mono: Duration::from_secs_f64(seconds), unix_seconds: 1.7e9 + seconds }
}

fn view(stream: &str) -> PlaylistView {
    let body = include_bytes!("../tests/fixtures/playlist-media-live.m3u8");
    let Playlist::Media(media) = playlist::parse(body, &playlist::Context::default()).unwrap() else {
        unreachable!("a media playlist")
    };
    let mut view = PlaylistView::starting(stream, at(0.0), &Remembered::default());
    for variant in &mut view.variants {
        let _ = variant.freshness.observe(at(1.0), &Sight::of(&media, None, Duration::from_secs(60)).unwrap());
        variant.buffer.observe(at(1.0), &media);
        variant.listed = media.listed();
        variant.http_status = Some(200);
    }
    let _ = view.health.record(at(1.0), Duration::from_micros(412), Ok(()));
    view
}

fn streams() -> Vec<(Arc<Stream>, Labels, Views)> {
    let mut text = "streams:\n".to_owned();
    for n in 0..STREAMS {
        writeln!(text, "  - {{name: s{n}, playlist: 'http://a/{n}.m3u8'}}").unwrap();
    }
    let config = Config::parse("scrape.yml", &text).unwrap();
    let known = |stream: &Arc<Stream>| {
        let playlist = Some(Arc::new(view(&stream.name)));
        let views = Views { playlist, ..Views::default() };
        (Arc::clone(stream), Labels::new(&[("stream", &stream.name)]), views)
    };
    config.streams.iter().map(known).collect()
}

fn collect(streams: &[(Arc<Stream>, Labels, Views)]) -> Tables {
    let mut tables = Tables::default();
    for (stream, labels, views) in streams {
        tables.push(at(1.5), stream, labels, views);
    }
    tables
}

fn scrapes(criterion: &mut Criterion) {
    let streams = streams();
    criterion.bench_function("values of 10,000 streams collected", |bencher| bencher.iter(|| collect(&streams)));
    let tables = collect(&streams);
    let registry = Registry::new();
    criterion.bench_function("values of 10,000 streams written", |bencher| {
        bencher.iter(|| render(&tables, None, &registry, Exposition::in_pieces(Format::Text004, Box::new(drop))));
    });
}

criterion_group!(benches, scrapes);
criterion_main!(benches);
