//! Any bytes as an encoder's reports: no ratio beyond its range.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use vvtv_exporter::clock::Now;
use vvtv_exporter::config::Timing;
use vvtv_exporter::probe::progress::{Encoder, ProgressTiming};
use vvtv_streaming::ffmpeg_progress::Blocks;

fuzz_target!(|bytes: &[u8]| {
    let mut encoder = Encoder::new(ProgressTiming::from(Timing::default()));
    let whole = Blocks::default().feed(bytes);
    for (second, block) in (0..).zip(whole.iter().flatten()) {
        let now = Now { mono: Duration::from_secs(second), unix_seconds: 1e9 };
        encoder.observe(now, block);
        let loss = encoder.loss(now, 0.0);
        assert!((0.0..=1.0).contains(&loss.ratio), "{loss:?}");
        assert!(loss.speed_ratio.is_none_or(|speed| speed.is_finite() && speed >= 0.0), "{loss:?}");
        let bitrate = encoder.bitrate(now);
        assert!(bitrate.variance_ratio.is_finite() && bitrate.variance_ratio >= 0.0, "{bitrate:?}");
    }
});
