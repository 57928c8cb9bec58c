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
    assert!((encoder.loss(at(29_000), 0.0).speed_ratio.unwrap() - 1.0).abs() < 0.01);
    assert!(encoder.loss(at(40_000), 0.0).speed_ratio == Some(0.0));
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
    &|t: f64| Block { frames: None, ..report(0.0, 0.0, Some(0.9 * t)) }, 0.1, 0
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

#[test]
fn an_encoder_that_reports_every_five_seconds_is_up_between_its_reports() {
    let mut encoder = encoder();
    for n in 0..8 {
        let t = n as f64 * 5.0;
        assert_eq!(encoder.observe_from(at(n * 5000), from(1), &report(25.0 * t, 0.0, Some(t))), Report::Counts);
        for millis in (0..5000).step_by(500).map(|millis| n * 5000 + millis).filter(|millis| *millis > 5000) {
            let loss = encoder.loss(at(millis), 0.0);
            assert!(encoder.is_up(at(millis)) && encoder.present_senders(at(millis)) == 1, "at {millis} ms");
            assert!(loss.speed_ratio.is_none_or(|speed| (speed - 1.0).abs() < 0.001), "{loss:?} at {millis} ms");
        }
    }
    assert!(encoder.is_up(at(47_400)) && !encoder.is_up(at(47_600)), "it was killed");
}

#[test]
fn two_encoders_that_report_seldom_do_not_take_turns() {
    let mut encoder = encoder();
    for n in 0..10 {
        let t = n as f64 * 5.0;
        assert_eq!(encoder.observe_from(at(n * 5000), from(1), &report(25.0 * t, 0.0, Some(t))), Report::Counts);
        if n > 0 {
            let other = report(9e6 + 25.0 * t, 0.0, Some(9e3 + t));
            assert_eq!(encoder.observe_from(at(n * 5000 + 4000), from(2), &other), Report::Foreign { new: n == 1 });
        }
    }
}

#[test]
fn a_file_written_anew_is_another_process_only_if_it_goes_back() {
    let sound = |seconds: f64| Block { frames: None, ..report(0.0, 0.0, Some(seconds)) };
    let restarts = |second: u64, block: Block, first_ended: bool, picture: bool| {
        let mut encoder = encoder();
        let first = if picture { report(2500.0, 0.0, Some(100.0)) } else { sound(100.0) };
        encoder.rewritten();
        encoder.observe(at(1000), &Block { ended: first_ended, ..first });
        encoder.rewritten();
        encoder.observe(at(second * 1000), &block);
        encoder.totals().restarts
    };
    assert_eq!(restarts(2, report(2525.0, 0.0, Some(101.0)), false, true), 0);
    assert_eq!(restarts(2, report(2500.0, 0.0, Some(100.0)), false, true), 0, "it stands still");
    assert_eq!(restarts(2, report(25.0, 0.0, Some(1.0)), false, true), 1);
    assert_eq!(restarts(2, report(2525.0, 0.0, Some(101.0)), true, true), 1, "the one before said that it ends");
    assert_eq!(restarts(2, sound(101.0), false, false), 0);
    assert_eq!(restarts(2, sound(0.5), false, false), 1);
}

#[test]
fn reports_of_one_look_came_one_after_the_other() {
    let came =
        |nth, of| came(Duration::from_secs(4), Now { mono: Duration::from_secs(5), unix_seconds: 100.0 }, nth, of);
    let told: Vec<_> = (0..4).map(|nth| came(nth, 4)).map(|now| (now.mono.as_millis(), now.unix_seconds)).collect();
    assert_eq!(told, [(4250, 99.25), (4500, 99.5), (4750, 99.75), (5000, 100.0)]);
    assert_eq!(came(0, 1).mono, Duration::from_secs(5));
}

#[test]
fn behind_a_file_a_restarted_encoder_is_as_fast_as_it_is() {
    for phase in [0, 250, 500] {
        let mut encoder = encoder();
        let text = |n: u64| report(25.0 * (n % 20) as f64 / 2.0, 0.0, Some((n % 20) as f64 / 2.0));
        for second in 1..40 {
            let now = second * 1000;
            let written: Vec<u64> = (0..80).filter(|n| (now - 1000..now).contains(&(n * 500 + phase))).collect();
            for (nth, n) in written.iter().enumerate() {
                encoder.observe(came(at(now - 1000).mono, at(now), nth, written.len()), &text(*n));
            }
            let speed = encoder.loss(at(now), 0.0).speed_ratio;
            assert!(speed.is_none_or(|speed| (speed - 1.0).abs() < 0.01), "{speed:?} at {second} s, phase {phase}");
        }
        assert_eq!(encoder.totals().restarts, 3);
    }
}
