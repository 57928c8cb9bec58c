//! What is new, and what only looks new.

use super::*;
use proptest::prelude::*;
use rstest::rstest;

const START: Now = Now { mono: Duration::from_secs(100), unix_seconds: 1_000_000.0 };
const WINDOW: Duration = Duration::from_secs(60);

fn at(seconds: u64) -> Now {
    Now { mono: START.mono + Duration::from_secs(seconds), unix_seconds: START.unix_seconds + seconds as f64 }
}

fn segment(sequence: u64, discontinuity: u64) -> Identity {
    Identity { sequence, discontinuity, parts: 0, uri: format!("{sequence}.ts?token={discontinuity}"), range: None }
}

/// A list of so many segments of two seconds.
fn sight(newest: &Identity, segments: u64) -> Sight<'_> {
    let first = (newest.sequence + 1).saturating_sub(segments);
    let segments = (newest.sequence - first + 1) as usize;
    let target_duration = Some(Duration::from_secs(2));
    Sight { newest, first, segments, age: None, target_duration, window: WINDOW }
}

fn seconds(freshness: &Freshness, now: Now) -> u64 {
    freshness.age(now).as_secs()
}

/// Looks at lists of six, one a second, given as (discontinuity, newest number); the ages after each.
fn ages(lists: impl IntoIterator<Item = (u64, u64)>) -> Vec<u64> {
    let mut freshness = Freshness::never_seen(START);
    let look = |(second, (discontinuity, sequence)): (u64, (u64, u64))| {
        let _ = freshness.observe(at(second), &sight(&segment(sequence, discontinuity), 6));
        seconds(&freshness, at(second))
    };
    (0..).zip(lists).map(look).collect()
}

#[test]
fn a_stream_never_seen_ages_from_the_start() {
    let freshness = Freshness::never_seen(START);
    assert_eq!(seconds(&freshness, at(0)), 0);
    assert_eq!(seconds(&freshness, at(3600)), 3600);
    assert!((freshness.last_advance_unix_seconds(at(9)) - START.unix_seconds).abs() < 1e-9);
}

#[test]
fn what_a_server_says_of_its_contents_age_counts_once_the_list_stands_still() {
    let mut freshness = Freshness::never_seen(START);
    let (eight, nine) = (segment(8, 0), segment(9, 0));
    let told = |newest| Sight { age: Some(Duration::from_secs(115)), ..sight(newest, 6) };
    assert_eq!(freshness.observe(at(1), &told(&eight)), Change::First);
    assert_eq!([1, 4, 5, 11].map(|second| seconds(&freshness, at(second))), [0, 3, 119, 125]);
    assert!((freshness.last_advance_unix_seconds(at(11)) - (START.unix_seconds + 1.0 - 115.0)).abs() < 1e-9);
    // Later the change itself is seen: what the server says of its age does not count any more.
    assert_eq!(freshness.observe(at(12), &told(&nine)), Change::Advanced);
    assert_eq!([12, 30].map(|second| seconds(&freshness, at(second))), [0, 18]);
}

#[test]
fn what_is_remembered_counts_from_the_first_look_on_and_not_for_ever() {
    let remembered = |unix| Freshness::remembered(START, segment(8, 0), unix, &[]);
    let mut freshness = remembered(START.unix_seconds - 100.0);
    assert_eq!(seconds(&freshness, at(1)), 1);
    freshness.looked();
    assert_eq!(seconds(&freshness, at(1)), 101);
    assert_eq!(freshness.observe(at(2), &sight(&segment(8, 0), 6)), Change::Same);
    assert_eq!(seconds(&freshness, at(2)), 102);
    let mut live = remembered(START.unix_seconds - 100.0);
    assert_eq!(live.observe(at(1), &sight(&segment(58, 0), 6)), Change::Advanced);
    assert_eq!(seconds(&live, at(1)), 0);
    let mut nonsense = remembered(0.0);
    nonsense.looked();
    assert_eq!(seconds(&nonsense, at(0)), 86_400);
    let mut clock_went_back = remembered(START.unix_seconds + 100.0);
    clock_went_back.looked();
    assert_eq!(seconds(&clock_went_back, at(0)), 0);
}

#[rstest]
#[case::stands_still([(0, 100); 8], [0, 1, 2, 3, 4, 5, 6, 7])]
#[case::goes_on([(0, 100), (0, 100), (0, 101), (0, 101), (0, 102), (0, 102), (0, 103), (0, 104)], [0, 1, 0, 1, 0, 1, 0, 0])]
#[case::two_origins_that_stand_still_in_turn([(0, 100), (0, 55), (0, 100), (0, 55), (0, 100), (0, 55), (0, 55), (0, 100)], [0, 0, 1, 2, 3, 4, 5, 6])]
#[case::one_lags_behind([(0, 100), (0, 98), (0, 100), (0, 98), (0, 99), (0, 97), (0, 100), (0, 95)], [0, 1, 2, 3, 4, 5, 6, 7])]
#[case::one_of_them_lives([(0, 100), (0, 55), (0, 101), (0, 55), (0, 102), (0, 55), (0, 103), (0, 55)], [0, 0, 0, 1, 0, 1, 0, 1])]
#[case::both_live([(0, 100), (0, 55), (0, 101), (0, 56), (0, 102), (0, 57), (0, 103), (0, 58)], [0; 8])]
#[case::begins_anew_below([(0, 100), (0, 100), (0, 0), (0, 0), (0, 1), (0, 1), (0, 2), (0, 2)], [0, 1, 0, 1, 0, 1, 0, 1])]
#[case::begins_anew_with_a_discontinuity([(0, 3), (0, 3), (1, 0), (1, 0), (1, 1), (1, 1), (1, 2), (1, 3)], [0, 1, 0, 1, 0, 1, 0, 0])]
#[case::a_discontinuity_left_the_list([(1, 100), (0, 100), (0, 100), (0, 101), (0, 101), (0, 102), (0, 102), (0, 103)], [0, 1, 2, 0, 1, 0, 1, 0])]
#[case::origins_count_discontinuities_otherwise([(0, 100), (1, 100), (0, 100), (1, 100), (0, 100), (1, 100), (0, 100), (1, 100)], [0, 1, 2, 3, 4, 5, 6, 7])]
#[case::discontinuities_grow_by_themselves([(0, 100), (1, 100), (2, 100), (3, 100), (4, 100), (5, 100), (6, 100), (7, 100)], [0, 1, 2, 3, 4, 5, 6, 7])]
#[case::grows_into_numbers_of_an_earlier_run([(0, 7), (0, 0), (0, 1), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5)], [0, 0, 0, 1, 2, 3, 4, 0])]
fn lists_one_a_second(#[case] lists: [(u64, u64); 8], #[case] expected: [u64; 8]) {
    assert_eq!(ages(lists), expected);
}

#[test]
fn numbers_of_before_the_window_are_new_again() {
    // Ten seconds of 0 to 4, again from 0 on after a standstill of two minutes: at once; after a short one: once it has grown.
    let run = |from: u64| (0..5).flat_map(move |n| [(from + 2 * n, n), (from + 2 * n + 1, n)]);
    let ages = |again: u64| {
        let mut freshness = Freshness::never_seen(START);
        let mut after = Vec::new();
        let still = (10..again).map(|second| (second, 4));
        for (second, sequence) in run(0).chain(still).chain(run(again)) {
            let _ = freshness.observe(at(second), &sight(&segment(sequence, 0), 6));
            after.push(seconds(&freshness, at(second)));
        }
        (after.split_off(again as usize), freshness.sequence_resets())
    };
    assert_eq!(ages(20), (vec![12, 13, 0, 1, 0, 1, 0, 1, 0, 1], 1));
    assert_eq!(ages(130), (vec![122, 123, 0, 1, 0, 1, 0, 1, 0, 1], 1));
}

#[test]
fn parts_advance_and_so_does_the_segment_that_closes_them() {
    let mut freshness = Freshness::never_seen(START);
    let changes = [(7, 0), (7, 1), (7, 2), (7, 2), (8, 0), (7, 2), (8, 0), (8, 1)].map(|(sequence, parts)| {
        let newest = Identity { parts, ..segment(sequence, 0) };
        freshness.observe(at(1), &sight(&newest, 3))
    });
    use Change::{Advanced, First, Repeated, Same};
    assert_eq!(changes, [First, Advanced, Advanced, Same, Advanced, Repeated, Repeated, Advanced]);
}

#[test]
fn a_variant_in_the_place_of_another_is_no_new_segment() {
    let mut old = Freshness::never_seen(START);
    let _ = old.observe(at(0), &sight(&segment(100, 0), 6));
    let mut new = Freshness::in_place_of(&old);
    assert_eq!(new.observe(at(20), &sight(&segment(3, 0), 6)), Change::Repeated);
    assert_eq!(seconds(&new, at(21)), 21);
    assert_eq!(new.observe(at(22), &sight(&segment(4, 0), 6)), Change::Advanced);
    assert_eq!(seconds(&new, at(22)), 0);
}

proptest! {
    /// An age grows by exactly the time that passes, begins at 0 with an advance, and goes on across a restart of the program.
    #[test]
    fn an_age_is_the_time_since_the_last_advance(
        steps in proptest::collection::vec((0_u64..100, 0_u64..20, 0_u64..3, 1_u64..8, any::<bool>()), 1..100),
    ) {
        let mut freshness = Freshness::never_seen(START);
        let (mut second, mut advanced) = (0, 0);
        for (pause, sequence, discontinuity, segments, restarts) in steps {
            second += pause;
            if freshness.observe(at(second), &sight(&segment(sequence, discontinuity), segments)).is_advance() {
                advanced = second;
            }
            if let Some(newest) = freshness.newest().cloned().filter(|_| restarts && second - advanced < 86_400) {
                let advanced = freshness.last_advance_unix_seconds(at(second));
                freshness = Freshness::remembered(at(second), newest, advanced, &freshness.runs());
                freshness.looked();
            }
            prop_assert!((freshness.age(at(second)).as_secs_f64() - (second - advanced) as f64).abs() < 1e-3);
        }
    }

    /// Whatever order frozen origins answer in: soon nothing is new any more.
    #[test]
    fn origins_that_stand_still_are_new_once_or_twice(
        origins in proptest::collection::vec(10_u64..60, 1..4),
        order in proptest::collection::vec(0_usize..3, 1..200),
        segments in 1_u64..10,
    ) {
        let mut freshness = Freshness::never_seen(START);
        let mut advances = 0;
        for (second, index) in (0..).zip(order) {
            let index = index % origins.len();
            let change = freshness.observe(at(second), &sight(&segment(origins[index], 0), segments));
            advances += usize::from(change.is_advance());
        }
        prop_assert!(advances <= 2 * origins.len(), "{advances}");
    }
}

#[test]
fn more_origins_in_turn_than_are_told_apart_are_nothing_new() {
    let mut freshness = Freshness::never_seen(START);
    let mut changes = Vec::new();
    for second in 0..60 {
        let newest = segment(1000 * (second % 12) + 100, 0);
        changes.push(freshness.observe(at(second), &sight(&newest, 6)).is_advance());
    }
    assert_eq!(changes.iter().filter(|advance| **advance).count(), NUMBERINGS_MAX);
    assert_eq!(seconds(&freshness, at(60)), 60 - (NUMBERINGS_MAX as u64 - 1));
}

#[test]
fn many_restarts_make_no_numberings_of_one() {
    let mut freshness = Freshness::never_seen(START);
    let _ = freshness.observe(START, &sight(&segment(100, 0), 6));
    for second in 1..20 {
        let newest = freshness.newest().cloned().unwrap();
        let advanced = freshness.remembered_advance_unix_seconds(at(second));
        freshness = Freshness::remembered(at(second), newest, advanced, &freshness.runs());
        assert_eq!(freshness.runs().len(), 1);
    }
    assert_eq!(freshness.observe(at(20), &sight(&segment(101, 0), 6)), Change::Advanced);
}

#[test]
fn origins_that_disagree_are_known_across_a_restart() {
    let mut freshness = Freshness::never_seen(START);
    for second in 0..10 {
        let _ = freshness.observe(at(second), &sight(&segment(100 + 400 * (second % 2), 0), 6));
    }
    let newest = freshness.newest().cloned().unwrap();
    let advanced = freshness.remembered_advance_unix_seconds(at(9));
    let mut freshness = Freshness::remembered(at(9), newest, advanced, &freshness.runs());
    for second in 10..20 {
        let _ = freshness.observe(at(second), &sight(&segment(100 + 400 * (second % 2), 0), 6));
    }
    assert_eq!(seconds(&freshness, at(20)), 19);
}
