//! What encoders say, and what is made of it.

use super::*;

fn at(millis: u64) -> Now {
    Now { mono: Duration::from_millis(millis), unix_seconds: 0.0 }
}

fn block(frames: u64) -> Block {
    Block { frames: Some(frames), out_time: Some(Duration::from_millis(frames * 40).into()), ..Block::default() }
}

fn encoder() -> Encoder {
    Encoder::new(ProgressTiming::from(Timing::default()))
}

#[test]
fn silence_is_down_and_so_is_the_end() {
    let mut encoder = encoder();
    assert!(!encoder.is_up(at(0)));
    encoder.observe(at(1000), &block(25));
    assert!(encoder.is_up(at(3999)) && !encoder.is_up(at(4000)));
    encoder.observe(at(5000), &Block { ended: true, ..block(125) });
    assert!(!encoder.is_up(at(5000)));
}

#[test]
fn a_look_ahead_that_fills_is_no_loss() {
    let mut encoder = encoder();
    // Two seconds of nothing, then frames in real time.
    for second in 0..2 {
        encoder.observe(at(second * 1000), &Block { frames: Some(0), ..Block::default() });
    }
    for second in 2..30 {
        encoder.observe(at(second * 1000), &block((second - 2) * 25 + 1));
    }
    assert!(encoder.loss(at(29_000), 0.0).ratio < 1e-9);
}

#[test]
fn audio_alone_has_no_frames_and_no_loss() {
    let mut encoder = encoder();
    for second in 0..30 {
        let out_time = Some(Duration::from_secs(second).into());
        encoder.observe(at(second * 1000), &Block { out_time, ..Block::default() });
    }
    assert!(encoder.is_up(at(29_500)) && encoder.loss(at(29_500), 0.0).ratio < 1e-9);
}

#[test]
fn a_killed_encoder_does_not_look_fast_for_ever() {
    let mut encoder = encoder();
    for second in 0..30 {
        encoder.observe(at(second * 1000), &block(second * 25 + 1));
    }
    assert!((encoder.loss(at(29_000), 0.0).speed_ratio - 1.0).abs() < 0.01);
    assert!(encoder.loss(at(40_000), 0.0).speed_ratio.abs() < 1e-9);
}

fn from(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Two reports a second for 40 s, each with its sender, and what is known at the end.
fn told(reports: impl Fn(f64) -> Vec<(u16, Block)>) -> (Encoder, Now) {
    let mut encoder = encoder();
    for n in 0..80 {
        for (port, block) in reports(n as f64 / 2.0) {
            let _ = encoder.observe_from(at(n * 500), from(port), &block);
        }
    }
    (encoder, at(79 * 500))
}

fn report(frames: f64, dropped: f64, out_time: Option<f64>) -> Block {
    let text = format!(
        "frame={}\ndrop_frames={}\nout_time_us={}\nprogress=continue\n",
        frames as u64,
        dropped as u64,
        out_time.map_or_else(|| "N/A".to_owned(), |seconds| ((seconds * 1e6) as i64).to_string())
    );
    super::super::Blocks::default().feed(text.as_bytes()).remove(0).unwrap()
}

#[rstest::rstest]
#[case::healthy(&|t: f64| report(25.0 * t + 100.0, 0.0, Some(t + 4.0)), 0.0, 1087)]
#[case::without_a_time(&|t: f64| report(22.5 * t + 100.0, 2.5 * t, None), 0.1, 988)]
#[case::long_before_zero(&|t: f64| report(22.5 * t + 100.0, 2.5 * t, Some(t - 5000.0)), 0.1, 988)]
#[case::slow_before_zero(&|t: f64| report(22.5 * t + 100.0, 0.0, Some(0.9 * t - 5000.0)), 0.1, 988)]
#[case::slow(&|t: f64| report(22.5 * t + 100.0, 0.0, Some(0.9 * t + 4.0)), 0.1, 988)]
#[case::a_time_that_steps_back(&|t: f64| report(9e6 + 25.0 * t, 9e4, Some(t + if t > 15.0 { 4.0 } else { 3604.0 })), 0.0, 987)]
#[case::a_time_that_jumps_ahead(&|t: f64| report(25.0 * t, 0.0, Some(t + if t > 15.0 { 36_000.0 } else { 0.0 })), 0.0, 987)]
#[case::slow_and_jumping(&|t: f64| report(22.5 * t, 0.0, Some(0.9 * t + (t / 15.0).floor() * 1e4)), 0.1, 888)]
#[case::a_look_ahead_of_four_seconds(
    &|t: f64| report((25.0 * (t - 4.0)).max(0.0), 0.0, Some((t - 4.0).max(0.0))), 0.0, 887
)]
#[case::a_frame_counter_that_is_not_there(
    &|t: f64| Block { frames: None, ..report(0.0, 0.0, Some(0.9 * t)) }, 0.0, 0
)]
fn what_encoders_say(#[case] said: &dyn Fn(f64) -> Block, #[case] ratio: f64, #[case] frames: u64) {
    let (encoder, now) = told(|t| vec![(1, said(t))]);
    let loss = encoder.loss(now, 0.0);
    assert!((loss.ratio - ratio).abs() < 0.01, "{loss:?}");
    let totals = encoder.totals();
    assert_eq!((totals.frames, totals.restarts), (frames, 0));
}

#[test]
fn sound_that_falls_behind_is_told_by_its_time() {
    let (encoder, now) = told(|t| vec![(1, Block { frames: None, ..report(0.0, 0.0, Some(0.9 * t)) })]);
    let loss = encoder.loss(now, 0.0);
    assert!((loss.short_ratio.unwrap() - 0.1).abs() < 0.03, "{loss:?}");
    assert!((loss.lag_seconds.unwrap() - 3.9).abs() < 0.3, "{loss:?}");
}

#[test]
fn of_two_encoders_on_one_port_the_first_counts() {
    for second_port in [1, 2] {
        let first = |t: f64| report(9e6 + 25.0 * t, 9e4, Some(36e4 + t));
        let second = |t: f64| report(25.0 * t + 1.0, 0.0, Some(t + 0.1));
        let (encoder, now) = told(|t| vec![(1, first(t)), (second_port, second(t))]);
        let Totals { frames, dropped, restarts, .. } = encoder.totals();
        assert_eq!((frames, dropped, restarts), (987, 0, 0));
        assert_eq!((encoder.present_senders(now), encoder.senders().foreign()), (2, 80));
        assert!(encoder.loss(now, 0.0).ratio < 1e-9);
    }
}

#[test]
fn a_new_encoder_adds_only_what_it_did_since() {
    let (mut encoder, _) = told(|t| vec![(1, report(25.0 * t, 0.0, Some(t)))]);
    let later = |seconds: f64| report(5e6 + 25.0 * seconds, 7e4, Some(2e5 + seconds));
    for n in 0..20 {
        let _ = encoder.observe_from(at(45_000 + n * 500), from(2), &later(n as f64 / 2.0));
    }
    let Totals { frames, dropped, restarts, .. } = encoder.totals();
    assert_eq!((frames, dropped, restarts), (987 + 237, 0, 1));
    assert!(encoder.loss(at(54_500), 0.0).ratio < 1e-9);
}

#[test]
fn of_an_encoder_that_is_silent_the_present_is_not_known() {
    let (encoder, now) = told(|t| vec![(1, report(25.0 * t, 0.0, Some(t)))]);
    let known = |loss: Loss| {
        [loss.run_ratio, loss.short_ratio, loss.lag_seconds, loss.lag_growth_seconds].map(|it| it.is_some())
    };
    assert_eq!(known(encoder.loss(now, 0.0)), [true; 4]);
    assert_eq!(known(encoder.loss(at(45_000), 0.0)), [false; 4]);
}
#[test]
fn an_encoder_at_a_twentieth_of_the_pace_is_known_within_ten_seconds() {
    let mut encoder = encoder();
    for n in 0..20 {
        let t = n as f64 / 2.0;
        let _ = encoder.observe_from(at(n * 500), from(1), &report(t, 0.0, Some(0.05 * t)));
    }
    let loss = encoder.loss(at(9_500), 0.0);
    assert!(loss.short_ratio.unwrap() > 0.7 && loss.lag_growth_seconds.unwrap() > 7.0, "{loss:?}");
}

#[test]
fn a_restart_clears_what_is_said_of_the_present_run_and_not_the_window() {
    let mut encoder = encoder();
    for n in 0..80 {
        let t = n as f64 / 2.0;
        let _ = encoder.observe_from(at(n * 500), from(1), &report(17.5 * t, 0.0, Some(0.7 * t)));
    }
    let slow = encoder.loss(at(39_500), 0.0);
    assert!(slow.ratio > 0.2 && slow.run_ratio.unwrap() > 0.2 && slow.short_ratio.unwrap() > 0.2, "{slow:?}");
    let mut known = None;
    for n in 0..40 {
        let (t, now) = (n as f64 / 2.0, at(42_000 + n * 500));
        let _ = encoder.observe_from(now, from(2), &report(25.0 * t, 0.0, Some(t)));
        let loss = encoder.loss(now, 0.0);
        if n > 0 && known.is_none() && loss.run_ratio.is_some() {
            known = Some((n, loss));
        }
    }
    let (reports, loss) = known.unwrap();
    assert!(reports <= 21, "known after {reports} reports");
    assert!(loss.run_ratio.unwrap() < 0.001 && loss.short_ratio.unwrap() < 0.001, "{loss:?}");
    assert!(loss.ratio > 0.1, "the minute holds the run before: {loss:?}");
}
