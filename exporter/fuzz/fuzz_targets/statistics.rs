//! Any statistics page: an answer or an error, and what is derived of it is a number.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use vvtv_exporter::clock::Now;
use vvtv_exporter::config::{Location, StatEntry, Timing};
use vvtv_exporter::probe::nginx_stat::{Publishers, StatTiming};
use vvtv_streaming::nginx_rtmp::parse;

fuzz_target!(|bytes: &[u8]| {
    let Ok(page) = parse(bytes) else { return };
    let mut publishers = Publishers::new(StatTiming::from(Timing::default()));
    for second in 0..4 {
        let now = Now { mono: Duration::from_secs(second * 2), unix_seconds: 1e9 };
        publishers.observe(now, &page);
        for entry in &page.streams {
            let wanted = StatEntry {
                location: Location::File("stat.xml".into()),
                app: entry.app.clone(),
                key: entry.name.clone(),
                port: entry.port,
                server: Some(entry.server),
            };
            if let Some(publisher) = publishers.find(&wanted) {
                let bitrate = publisher.bitrate(now);
                assert!(bitrate.bytes_per_second.is_finite() && bitrate.bytes_per_second >= 0.0);
                assert!(bitrate.variance_ratio.is_finite() && bitrate.variance_ratio >= 0.0);
            }
        }
    }
});
