//! Scrapes of so many streams that they are sent while they are written.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::running::{Running, samples};

const STREAMS: usize = 2000;

pub(crate) fn many() -> String {
    let mut config = "interval: 2s\nstreams:\n".to_owned();
    for n in 0..STREAMS {
        writeln!(config, "  - {{name: s{n}, playlist: /does/not/exist/{n}.m3u8}}").unwrap();
    }
    config
}

#[tokio::test]
async fn a_large_scrape_is_whole() {
    let running = Running::start(&many(), &[]);
    let body = running
        .wait_until("all to be asked", |body| samples(body, "vvtv_probe_failures_total").count() == STREAMS)
        .await;
    for metric in ["vvtv_segment_age_seconds", "vvtv_source_up", "vvtv_probe_duration_seconds"] {
        assert_eq!(samples(&body, metric).count(), STREAMS, "{metric}");
    }
    let families: Vec<&str> = body.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut once = families.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(families.len(), once.len(), "no family is cut in two");
    assert!(body.ends_with('\n'));
}

#[tokio::test]
async fn a_scraper_that_hangs_up_in_the_middle_harms_nobody() {
    let running = Running::start(&many(), &[]);
    for _ in 0..40 {
        let mut scraper = TcpStream::connect(&running.program.address).unwrap();
        scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut beginning = [0; 1024];
        let _: usize = scraper.read(&mut beginning).unwrap();
        assert!(beginning.starts_with(b"HTTP/1.1 200 OK\r\n") || beginning.starts_with(b"HTTP/1.1 503"));
    }
    let _ = running
        .wait_until("a whole scrape", |body| samples(body, "vvtv_probe_duration_seconds").count() == STREAMS)
        .await;
}
