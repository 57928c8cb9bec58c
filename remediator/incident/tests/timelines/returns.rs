//! Trouble that comes back soon: one page for all of it, and one call about the budget.

use vvtv_incident::{Operation, Policy, Reason, Runbook, Verdict};

use crate::world::{World, change, ok, policy, runbook, seconds};

/// Healthy for two seconds is enough for it, and one change is all that it has.
fn quick() -> Runbook {
    Runbook { healthy_for: seconds(2), ..runbook("segment-age", "SegmentAgeHigh", vec![quick_change()]) }
}

fn quick_change() -> vvtv_incident::Step {
    let mut step = change("restart");
    if let vvtv_incident::Kind::Change { settle, .. } = &mut step.kind {
        *settle = seconds(1);
    }
    step
}

/// Sick and firing for a while, then healthy and resolved for a while.
fn flap(world: &mut World, sick: u64, healthy: u64) {
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(sick));
    world.health("main", Verdict::Healthy);
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(healthy));
}

#[test]
fn fourteen_flaps_in_two_minutes_are_one_page_which_tells_how_often_and_ends_once() {
    let mut world = World::new(vec![quick()]).script("restart", ok(0));
    for _ in 0..14 {
        flap(&mut world, 3, 5);
    }
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
    assert!(world.resolved_pages.is_empty(), "{}", world.timeline());
    assert!(world.updates.iter().all(|(_, _, page, reason)| (*page, *reason) == (1, Reason::Relapse)));
    assert!((2..=4).contains(&world.updates.len()), "{}", world.updates_in_short());
    world.run(seconds(700));
    assert_eq!(world.resolved_pages.len(), 1, "{}", world.timeline());
    assert!(world.has_closed(1), "{}", world.timeline());
}

#[test]
fn what_flaps_more_slowly_rings_twice_and_then_joins() {
    let mut world = World::new(vec![quick()]).script("restart", ok(0));
    for _ in 0..10 {
        flap(&mut world, 10, 110);
    }
    let pages: Vec<_> = world.pages.iter().map(|(_, incident, level)| (incident.get(), *level)).collect();
    assert_eq!(pages, [(1, 1), (2, 1)], "{}", world.timeline());
    assert_eq!(world.resolved_pages.len(), 1, "{}", world.timeline());
    world.run(seconds(1200));
    assert_eq!((world.resolved_pages.len(), world.closed.len()), (2, 2), "{}", world.timeline());
}

#[test]
fn an_alert_that_flaps_about_what_nobody_knows_is_one_page() {
    let mut world = World::new(vec![quick()]);
    world.know("main");
    world.claim("SegmentAgeHigh", "../control");
    world.run(seconds(1));
    world.list_targets();
    for _ in 0..10 {
        world.run(seconds(3));
        world.resolve("SegmentAgeHigh", "../control");
        world.run(seconds(5));
        world.claim("SegmentAgeHigh", "../control");
    }
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
    assert!(world.resolved_pages.is_empty(), "{}", world.timeline());
    world.resolve("SegmentAgeHigh", "../control");
    world.run(seconds(700));
    assert_eq!((world.resolved_pages.len(), world.closed.len(), world.runs.len()), (1, 1, 0), "{}", world.timeline());
}

#[test]
fn a_restart_in_the_middle_forgets_nothing() {
    let mut world = World::new(vec![quick()]).script("restart", ok(0));
    for round in 0..10 {
        flap(&mut world, 10, 110);
        if round % 2 == 0 {
            world.restart(seconds(3));
        }
    }
    assert_eq!(world.pages.len(), 2, "{}", world.timeline());
    assert!(world.timeline().contains("#2 opened returned segment-age: main"), "{}", world.timeline());
}

#[test]
fn a_page_that_nobody_answers_while_it_flaps_is_the_next_level_s_in_the_end() {
    let mut world = World::new(vec![quick()]).script("restart", ok(0));
    for _ in 0..200 {
        flap(&mut world, 6, 4);
    }
    let levels: Vec<_> = world.pages.iter().map(|(_, _, level)| *level).collect();
    assert_eq!(levels.get(..2), Some(&[1, 2][..]), "{}", world.pages_in_short());
    assert!(world.pages.iter().all(|(_, incident, _)| incident.get() == 1));
}

#[test]
fn an_acknowledgement_of_what_flaps_is_kept() {
    let mut world = World::new(vec![quick()]).script("restart", ok(0));
    flap(&mut world, 3, 5);
    world.operate(1, Operation::Ack);
    for _ in 0..60 {
        flap(&mut world, 6, 4);
    }
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
}

#[test]
fn a_repair_that_holds_pages_nobody_however_often_it_is_needed() {
    let mut world = World::new(vec![quick()]).script("restart", crate::world::heals(0));
    for _ in 0..5 {
        flap(&mut world, 3, 30);
    }
    assert_eq!((world.pages.len(), world.closed.len()), (0, 5), "{}", world.timeline());
}

#[test]
fn the_budget_is_called_about_once_an_hour_for_the_same_target() {
    let limits = Policy { changes_per_hour: 1, max_unhealthy_ratio: 1.0, ..policy() };
    let mut world = World::with_policy(vec![quick()], limits).script("restart", crate::world::heals(0));
    flap(&mut world, 3, 30);
    assert_eq!(world.pages_in_short(), "");
    // The change is used up: each time somebody would be called about it.
    for _ in 0..4 {
        flap(&mut world, 20, 780);
    }
    let about_budget = |world: &World| world.lines.iter().filter(|line| line.contains(" paged budget_spent")).count();
    assert_eq!(about_budget(&world), 1, "{}", world.timeline());
    world.restart(seconds(1));
    flap(&mut world, 20, 10);
    assert_eq!(about_budget(&world), 1, "{}", world.timeline());
    assert!(world.timeline().contains("ignored already_paged budget_spent"), "{}", world.timeline());
    world.fire("SegmentAgeHigh", "second");
    world.run(seconds(20));
    assert_eq!(about_budget(&world), 2, "another target is another matter:\n{}", world.timeline());
}
