//! Variation of recorded encodings, and what must not count as variation.

use super::*;
use proptest::prelude::*;
use rstest::rstest;
use vvtv_streaming::ffmpeg_progress::{Block, Blocks};

const SECOND: Duration = Duration::from_secs(1);

fn window() -> BitrateWindow {
    BitrateWindow::new(SECOND * 60, SECOND * 2, SECOND * 2)
}

fn feed(window: &mut BitrateWindow, from: u64, sender: u64, counter: impl IntoIterator<Item = u64>) -> Duration {
    let mut at = SECOND * u32::try_from(from).unwrap();
    for bytes in counter {
        window.observe(ByteSample { at, bytes, sender });
        at += SECOND;
    }
    at - SECOND
}

#[rstest]
#[case::hrd_cbr("file-bitrate-cbr", 0.0, 0.15)]
#[case::crf("file-bitrate-swing-crf", 0.7, 1.1)]
fn recorded_encodings(#[case] name: &str, #[case] least: f64, #[case] most: f64) {
    let text = std::fs::read(format!("../streaming/tests/fixtures/ffmpeg-progress-{name}.txt")).unwrap();
    let blocks = Blocks::default().feed(&text).into_iter().map(Result::unwrap);
    let mut window = window();
    let now = feed(&mut window, 0, 0, blocks.filter_map(|Block { total_size, .. }| total_size));
    let ratio = window.bitrate(now).variance_ratio;
    assert!((least..=most).contains(&ratio), "{name}: {ratio}");
}

#[test]
fn a_steady_counter_has_its_rate_and_no_variation() {
    let mut window = window();
    let now = feed(&mut window, 0, 1, (0..40).map(|second| second * 100_000));
    let bitrate = window.bitrate(now);
    assert!((bitrate.bytes_per_second - 100_000.0).abs() < 1e-6 && bitrate.variance_ratio < 1e-9, "{bitrate:?}");
}

#[test]
fn too_few_samples_say_nothing() {
    let mut window = window();
    let now = feed(&mut window, 0, 1, [0, 1, 1_000_000, 1_000_001, 2_000_000, 2_000_001]);
    assert!(window.bitrate(now).variance_ratio.abs() < 1e-9);
}

#[test]
fn another_publishers_counter_is_another_counter() {
    let mut window = window();
    let _ = feed(&mut window, 0, 1, (0..30).map(|second| second * 100_000));
    let now = feed(&mut window, 30, 2, (0..30).map(|second| second * 100_000));
    assert!(window.bitrate(now).variance_ratio < 1e-9, "{:?}", window.bitrate(now));
}

#[test]
fn a_stall_and_the_burst_after_it_are_not_the_encoders_rate() {
    let mut window = window();
    let _ = feed(&mut window, 0, 1, (0..30).map(|second| second * 100_000));
    let _ = feed(&mut window, 30, 1, std::iter::repeat_n(2_900_000, 10));
    let now = feed(&mut window, 40, 1, [3_700_000, 4_000_000, 4_100_000, 4_200_000, 4_300_000, 4_400_000, 4_500_000]);
    assert!(window.bitrate(now).variance_ratio < 0.01, "{:?}", window.bitrate(now));
}

#[test]
fn polls_that_did_not_happen_are_not_a_rate() {
    let mut window = window();
    let _ = feed(&mut window, 0, 1, (0..30).map(|second| second * 100_000));
    let now = feed(&mut window, 45, 1, (0..15).map(|second| 9_000_000 + second * 100_000));
    assert!(window.bitrate(now).variance_ratio < 1e-9, "{:?}", window.bitrate(now));
}

#[test]
fn a_publisher_is_judged_by_itself_and_by_its_last_twenty_seconds() {
    let mut window = window();
    let swing = (0..60).scan(0, |sum, second| {
        *sum += if second % 20 < 10 { 20_000 } else { 200_000 };
        Some(*sum)
    });
    let now = feed(&mut window, 0, 1, swing);
    let of_swing = window.bitrate(now);
    let known = [Some(of_swing.variance_ratio), of_swing.run_ratio, of_swing.short_ratio];
    assert!(known.iter().all(|ratio| ratio.is_some_and(|ratio| ratio > 0.6)), "{of_swing:?}");
    let mut first_known = None;
    for second in 0..40 {
        let at = feed(&mut window, 61 + second, 2, [second * 100_000]);
        let bitrate = window.bitrate(at);
        if bitrate.run_ratio.is_some() && first_known.is_none() {
            first_known = Some((second, bitrate));
        }
    }
    let (second, bitrate) = first_known.unwrap();
    assert!(second <= 20, "known after {second} s");
    assert!(bitrate.run_ratio.unwrap() < 1e-9 && bitrate.short_ratio.unwrap() < 1e-9, "{bitrate:?}");
    assert!(bitrate.variance_ratio > 0.25, "the minute holds the publisher before: {bitrate:?}");
}

#[test]
fn one_step_leaves_the_short_window_after_twenty_seconds() {
    let mut window = window();
    let mut doubtful = 0;
    for second in 0..120 {
        let bytes = if second < 60 { second * 20_000 } else { 60 * 20_000 + (second - 60) * 200_000 };
        let at = feed(&mut window, second, 1, [bytes]);
        doubtful += u32::from(window.bitrate(at).short_ratio.is_some_and(|ratio| ratio > 0.5));
    }
    assert!((1..=20).contains(&doubtful), "{doubtful} s");
}

#[test]
fn the_window_empties_itself() {
    let mut window = window();
    let now = feed(&mut window, 0, 1, (0..40).map(|second| second * 100_000));
    assert_eq!(window.bitrate(now + SECOND * 120), Bitrate::default());
}

proptest! {
    /// However often a sender restarts, a steady rate has no variation.
    #[test]
    fn restarts_alone_are_no_variation(runs in proptest::collection::vec((2_u64..40, 1_u64..20), 1..10)) {
        let mut window = window();
        let mut from = 0;
        for (seconds, pause) in runs {
            let now = feed(&mut window, from, 0, (0..seconds).map(|second| second * 100_000));
            let bitrate = window.bitrate(now);
            prop_assert!(bitrate.variance_ratio < 1e-9, "{bitrate:?}");
            prop_assert!((bitrate.bytes_per_second % 100_000.0).abs() < 1e-6, "{bitrate:?}");
            from += seconds + pause;
        }
    }

    #[test]
    fn every_answer_is_a_number_that_is_not_negative(
        steps in proptest::collection::vec((0_u64..9_000, 0_u64..1_000_000, 0_u64..3), 1..300),
    ) {
        let mut window = window();
        let mut at = Duration::ZERO;
        for (millis, bytes, sender) in steps {
            at += Duration::from_millis(millis);
            window.observe(ByteSample { at, bytes, sender });
            let Bitrate { bytes_per_second, variance_ratio, samples, run_ratio, short_ratio } = window.bitrate(at);
            prop_assert!(bytes_per_second.is_finite() && bytes_per_second >= 0.0);
            prop_assert!(variance_ratio.is_finite() && variance_ratio >= 0.0);
            prop_assert!(samples <= RATES_MAX);
            for ratio in [run_ratio, short_ratio].into_iter().flatten() {
                prop_assert!(ratio.is_finite() && ratio >= 0.0);
            }
        }
    }
}
