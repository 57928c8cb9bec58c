//! Loss over recorded runs of the real encoder, and over runs that only a generator thinks of.

use super::*;
use proptest::prelude::*;
use rstest::rstest;
use vvtv_streaming::ffmpeg_progress::{Block, Blocks};

const MINUTE: Duration = Duration::from_secs(60);

/// A recorded run. The wall clock is not recorded; ffmpeg's `fps` is frames ÷ seconds since the start, which tells it.
fn recorded(name: &str) -> Vec<Sample> {
    let text = std::fs::read_to_string(format!("../streaming/tests/fixtures/ffmpeg-progress-{name}.txt")).unwrap();
    let fps = text.lines().filter_map(|line| line.strip_prefix("fps=")).map(|fps| fps.parse::<f64>().unwrap());
    let blocks = Blocks::default().feed(text.as_bytes());
    blocks
        .into_iter()
        .map(Result::unwrap)
        .zip(fps)
        .filter(|(_, fps)| *fps > 0.0)
        .map(|(Block { frames, dropped, duplicated, out_time, outputs, .. }, fps)| {
            let at = Duration::from_secs_f64(frames.unwrap() as f64 / fps);
            Sample { at, frames, dropped, duplicated, out_time, outputs }
        })
        .collect()
}

fn window(samples: &[Sample]) -> (LossWindow, Duration) {
    let mut window = LossWindow::new(MINUTE);
    for sample in samples {
        let _ = window.observe(*sample, false);
    }
    (window, samples.last().unwrap().at)
}

#[rstest]
#[case::healthy("file-healthy", 0.0, 0.001)]
#[case::healthy_until_killed("file-killed9", 0.0, 0.002)]
#[case::source_two_percent_too_fast("file-drops-2pct", 0.014, 0.02)]
#[case::starved_of_processor_time("file-cpu-starved", 0.12, 0.25)]
fn recorded_runs(#[case] name: &str, #[case] least: f64, #[case] most: f64) {
    let (window, now) = window(&recorded(name));
    let ratio = window.loss(now, 0.0, None).ratio;
    assert!((least..=most).contains(&ratio), "{name}: {ratio}");
}

#[test]
fn a_starved_encoder_drops_nothing_and_loses_all_the_same() {
    let samples = recorded("file-cpu-starved");
    assert!(samples.iter().all(|sample| sample.dropped == 0));
    let (window, now) = window(&samples);
    assert!(window.loss(now, 0.0, None).speed_ratio.unwrap() < 0.8, "{:?}", window.loss(now, 0.0, None));
}

/// One sample a second of an encoder at 25 frames per second, `speed` times real time, dropping `dropped` of 30.
fn run(from: u64, seconds: u64, speed: f64, dropped: u64) -> Vec<Sample> {
    (0..seconds)
        .map(|second| {
            let produced = second as f64 * speed;
            let frames = 1 + (produced * 25.0) as u64;
            let out_time = Duration::from_secs_f64(produced + 0.04);
            Sample {
                at: Duration::from_secs(from + second),
                frames: Some(frames),
                dropped: second * dropped,
                duplicated: 0,
                out_time: Some(out_time.into()),
                outputs: 1,
            }
        })
        .collect()
}

#[test]
fn a_declared_conversion_from_30_to_25_is_no_loss() {
    let (window, now) = window(&run(0, 30, 1.0, 5));
    assert!((window.loss(now, 0.0, None).ratio - 1.0 / 6.0).abs() < 0.001);
    assert!(window.loss(now, 1.0 - 25.0 / 30.0, None).ratio < 0.001);
}

#[test]
fn half_speed_is_half_lost_while_it_lasts_and_for_a_window_after() {
    let (window, now) = window(&run(0, 40, 0.5, 0));
    let loss = window.loss(now, 0.0, None);
    assert!((loss.ratio - 0.5).abs() < 0.05, "{loss:?}");
    assert!((loss.speed_ratio.unwrap() - 0.5).abs() < 0.01, "{loss:?}");
    assert!(window.loss(now + MINUTE * 2, 0.0, None).ratio.abs() < 1e-9);
}

#[test]
fn one_late_datagram_is_no_loss() {
    let mut samples = run(0, 30, 1.0, 0);
    samples[29].at += Duration::from_millis(900);
    let (window, now) = window(&samples);
    assert!(window.loss(now, 0.0, None).ratio.abs() < 1e-9);
}

#[test]
fn a_restart_is_counted_and_what_lies_between_is_not() {
    let mut samples = run(0, 20, 1.0, 0);
    samples.extend(run(30, 20, 1.0, 0));
    let (window, now) = window(&samples);
    let loss = window.loss(now, 0.0, None);
    assert!(loss.ratio.abs() < 1e-9, "{loss:?}");
    assert_eq!(window.totals(), Totals { frames: 476 * 2, dropped: 0, duplicated: 0, restarts: 1 });
}

#[test]
fn too_few_frames_say_nothing() {
    let (window, now) = window(&run(0, 6, 1.0, 15));
    assert!(window.loss(now, 0.0, None).ratio.abs() < 1e-9);
}

/// The speed after each of some media times that are told once in `distance` seconds.
fn speeds(distance: u64, told: &[Option<u64>]) -> Vec<Option<f64>> {
    let mut window = LossWindow::new(MINUTE);
    let sample = |at, out_time: Option<u64>| {
        let out_time = out_time.map(|seconds| Duration::from_secs(seconds).into());
        Sample { at, frames: None, dropped: 0, duplicated: 0, out_time, outputs: 0 }
    };
    let speed = |(nth, told): (u64, &Option<u64>)| {
        let at = Duration::from_secs(nth * distance);
        let _ = window.observe(sample(at, *told), false);
        window.loss(at, 0.0, None).speed_ratio
    };
    (0..).zip(told).map(speed).collect()
}

#[test]
fn a_speed_that_is_not_known_is_none_and_a_standstill_is_zero() {
    assert_eq!(speeds(1, &[None; 20]), [None; 20]);
    assert_eq!(speeds(1, &[Some(4); 3]), [None, Some(0.0), Some(0.0)], "nothing comes out of it");
    assert_eq!(speeds(1, &[4, 4, 5, 6].map(Some)), [None, Some(0.0), None, Some(1.0)], "a look-ahead that filled");
    assert_eq!(speeds(1, &[0, 1, 2, 2, 2].map(Some)), [None, None, Some(1.0), Some(0.5), Some(1.0 / 3.0)]);
    assert_eq!(speeds(20, &[0, 20, 40, 60].map(Some)), [None, None, Some(1.0), Some(1.0)], "seldom told");
    let mut lately_unknown = vec![Some(0), Some(1), Some(2)];
    lately_unknown.extend([None; 12]);
    assert_eq!(speeds(1, &lately_unknown).last(), Some(&None));
}

#[rstest]
#[case::in_real_time(1.0, 0.0)]
#[case::slow(0.7, 0.3)]
#[case::very_slow(0.1, 0.9)]
fn of_sound_alone_the_time_that_is_missing_is_lost(#[case] speed: f64, #[case] lost: f64) {
    let mut samples = run(0, 40, speed, 0);
    samples.iter_mut().for_each(|sample| sample.frames = None);
    let (all, now) = window(&samples);
    assert!((all.loss(now, 0.0, None).ratio - lost).abs() < 0.08, "{:?}", all.loss(now, 0.0, None));
    let (begun, now) = window(&samples[..8]);
    assert!(begun.loss(now, 0.0, None).ratio.abs() < 1e-9, "too early to tell");
}

fn any_sample() -> impl Strategy<Value = (u64, u64, u64, u64)> {
    (0_u64..3_000, 0_u64..2_000, 0_u64..500, 0_u64..100_000)
}

proptest! {
    /// Counters that jump forth and back, time that stands still: every answer is a number in its range, and totals never shrink.
    #[test]
    fn every_ratio_is_between_0_and_1(steps in proptest::collection::vec(any_sample(), 1..200), baseline in 0.0_f64..1.0) {
        let mut window = LossWindow::new(MINUTE);
        let mut at = Duration::ZERO;
        let mut before = Totals::default();
        for (millis, frames, dropped, out_millis) in steps {
            at += Duration::from_millis(millis);
            let out_time = Some(Duration::from_millis(out_millis).into());
            let frames = Some(frames).filter(|frames| frames % 7 > 0);
            let outputs = (millis % 4) as u32;
            let _ = window.observe(Sample { at, frames, dropped, duplicated: dropped / 2, out_time, outputs }, millis % 50 == 0);
            let loss = window.loss(at, baseline, None);
            prop_assert!((0.0..=1.0).contains(&loss.ratio), "{loss:?}");
            prop_assert!(loss.expected_frames.is_finite() && loss.expected_frames >= 0.0, "{loss:?}");
            prop_assert!(loss.speed_ratio.is_none_or(|speed| speed.is_finite() && speed >= 0.0), "{loss:?}");
            for ratio in [loss.run_ratio, loss.short_ratio].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&ratio), "{loss:?}");
            }
            prop_assert!(loss.lag_seconds.is_none_or(|lag| lag.is_finite() && lag >= 0.0), "{loss:?}");
            prop_assert!(loss.lag_growth_seconds.is_none_or(f64::is_finite), "{loss:?}");
            let totals = window.totals();
            prop_assert!(totals.frames >= before.frames && totals.dropped >= before.dropped && totals.restarts >= before.restarts);
            before = totals;
        }
    }

    /// However often an encoder restarts, running in real time loses nothing.
    #[test]
    fn restarts_alone_lose_nothing(runs in proptest::collection::vec((2_u64..30, 0_u64..20), 1..10)) {
        let mut from = 0;
        let mut window = LossWindow::new(MINUTE);
        for (seconds, pause) in runs {
            for sample in run(from, seconds, 1.0, 0) {
                let _ = window.observe(sample, false);
                prop_assert!(window.loss(sample.at, 0.0, None).ratio < 1e-9);
            }
            from += seconds + pause;
        }
    }

    #[test]
    fn memory_is_bounded(count in 1_usize..3_000) {
        let mut window = LossWindow::new(Duration::from_secs(3600));
        for n in 0..count {
            let at = Duration::from_millis(n as u64);
            let frames = if n % 7 == 0 { 0 } else { n as u64 };
            let (frames, out_time) = (Some(frames), Some(at.into()));
            let _ = window.observe(Sample { at, frames, dropped: 0, duplicated: 0, out_time, outputs: 1 }, false);
        }
        prop_assert!(window.runs.iter().map(|run| run.counts.len()).sum::<usize>() <= SAMPLES_MAX + 1);
    }
}
