//! Any manifest at any time: an answer or an error, of bounded size, and what is derived of it is a number.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_exporter::probe::playlist::dash::parse;

/// Before the recorded manifests began, shortly after, and at the ends of what a clock can say.
const TIMES: [f64; 4] = [0.0, 1_795_376_993.6, -1e300, 1e300];

fuzz_target!(|text: &str| {
    let Ok(presentation) = parse(text) else { return };
    for due in TIMES.iter().flat_map(|now| presentation.due(*now)) {
        assert!(due.media.listed_seconds.is_finite() && due.media.listed_seconds >= 0.0, "{due:?}");
        assert!(due.media.recent.len() <= 8, "{due:?}");
        for segment in &due.media.recent {
            assert!(segment.seconds.is_finite() && segment.seconds >= 0.0, "{segment:?}");
        }
    }
});
