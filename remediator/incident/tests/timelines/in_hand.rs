//! Somebody has an incident in hand, and more trouble comes: they are told, and nobody else is called before it runs out.

use insta::assert_snapshot;
use vvtv_incident::{Mode, Operation, Outcome, Runbook, StepId, Verdict};

use crate::world::{Script, World, change, diagnose, heals, ok, repeatable, runbook, seconds};

const fn fails_after(time: u64) -> Script {
    Script { takes: seconds(time), outcome: Outcome::Failed(String::new()), heals: false }
}

#[test]
fn a_change_that_fails_after_the_acknowledgement_calls_nobody() {
    let book = runbook("segment-age", "SegmentAgeHigh", vec![change("restart"), diagnose("bundle")]);
    let mut world = World::new(vec![book]).script("restart", fails_after(4));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(2));
    world.operate(1, Operation::Ack);
    world.run(seconds(1790));
    assert_snapshot!(world.timeline(), @"
    0.0s #1 opened alert_firing segment-age: main
    0.0s #1 alert alert_firing SegmentAgeHigh
    0.0s #1 health sick
    0.0s #1 step_started next_step restart (attempt 1)
    2.0s #1 operator acknowledged ana
    4.0s #1 step_finished step_failed restart
    4.0s #1 told step_failed ana
    4.0s #1 step_started next_step bundle (attempt 1)
    5.0s #1 step_finished step_ok bundle
    5.0s #1 phase exhausted exhausted
    5.0s #1 told exhausted ana
    ");
    assert_eq!((world.pages_in_short(), world.updates_in_short()), (String::new(), String::new()));
    world.run(seconds(1000));
    assert_eq!(
        world.pages_in_short(),
        "1802s #1 L1, 2402s #1 L2",
        "the acknowledgement ran out:\n{}",
        world.timeline()
    );
}

#[test]
fn whoever_was_called_and_acknowledged_hears_of_the_next_failures_by_the_same_page() {
    let steps = vec![change("restart"), change("inject")];
    let mut book = runbook("segment-age", "SegmentAgeHigh", steps);
    for step in &mut book.steps {
        if let vvtv_incident::Kind::Change { on_failure, .. } = &mut step.kind {
            *on_failure = vvtv_incident::OnFailure::Continue;
        }
    }
    let mut world = World::new(vec![book]).script("restart", fails_after(1)).script("inject", fails_after(5));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(3));
    world.operate(1, Operation::Ack);
    world.run(seconds(600));
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
    assert_eq!(world.updates_in_short(), "6s #1 page 1 step_failed, 6s #1 page 1 exhausted");
}

#[test]
fn a_change_that_waits_for_approval_is_told_to_whoever_has_it_in_hand() {
    let book = Runbook {
        mode: Mode::Approve,
        ..runbook("segment-age", "SegmentAgeHigh", vec![diagnose("status"), change("restart")])
    };
    let mut world = World::new(vec![book]).script("status", ok(4)).script("restart", heals(1));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(2));
    world.operate(1, Operation::Ack);
    world.run(seconds(300));
    assert_eq!(world.pages_in_short(), "", "{}", world.timeline());
    assert!(world.timeline().contains("4.0s #1 told approval_needed ana"), "{}", world.timeline());
    world.operate(1, Operation::Approve(StepId::new("restart")));
    world.run(seconds(5));
    assert_eq!(world.runs_of("restart"), 1);
}

#[test]
fn health_that_is_unknown_for_long_is_told_once() {
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![diagnose("status")])]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    assert_eq!(world.pages_in_short(), "1s #1 L1");
    world.operate(1, Operation::Ack);
    world.health("main", Verdict::Unknown);
    world.run(seconds(900));
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
    assert_eq!(world.updates.len(), 1, "{}", world.updates_in_short());
}

#[test]
fn an_acknowledgement_at_any_moment_keeps_everybody_else_asleep_until_it_runs_out() {
    for moment in 0..60 {
        let steps = vec![diagnose("status"), repeatable("restart"), change("inject")];
        let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", steps)])
            .script("restart", fails_after(3))
            .script("inject", fails_after(3));
        world.fire("SegmentAgeHigh", "main");
        world.run(seconds(moment));
        world.operate(1, Operation::Ack);
        let before = world.pages.len();
        world.health("main", if moment % 2 == 0 { Verdict::Unhealthy } else { Verdict::Unknown });
        world.run(seconds(1799));
        assert_eq!(world.pages.len(), before, "acknowledged at {moment} s:\n{}", world.timeline());
        world.run(seconds(10));
        assert_eq!(world.pages.len(), before + 1, "acknowledged at {moment} s:\n{}", world.timeline());
    }
}

#[test]
fn a_relapse_while_somebody_has_it_in_hand_is_told() {
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![repeatable("restart")])]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(25));
    assert_eq!(world.pages_in_short(), "21s #1 L1");
    world.operate(1, Operation::Ack);
    world.health("main", Verdict::Healthy);
    world.run(seconds(20));
    world.health("main", Verdict::Unhealthy);
    world.run(seconds(200));
    assert_eq!(world.pages_in_short(), "21s #1 L1", "{}", world.timeline());
    let told: Vec<_> = world.updates.iter().map(|(_, _, page, reason)| (*page, reason.as_str())).collect();
    assert_eq!(told, [(1, "relapse"), (1, "exhausted")], "{}", world.timeline());
}

#[test]
fn what_was_acknowledged_and_is_over_is_not_in_hand_when_it_comes_back_as_another_incident() {
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![diagnose("status")])]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.operate(1, Operation::Ack);
    world.health("main", Verdict::Healthy);
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(90));
    assert!(world.has_closed(1), "{}", world.timeline());
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(20));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 96s #2 L1", "{}", world.timeline());
}

#[test]
fn an_acknowledgement_and_what_was_told_survive_a_restart() {
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![diagnose("status")])]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.operate(1, Operation::Ack);
    world.health("main", Verdict::Unknown);
    world.run(seconds(60));
    assert_eq!(world.updates.len(), 1, "{}", world.updates_in_short());
    world.restart(seconds(5));
    world.run(seconds(600));
    assert_eq!((world.pages.len(), world.updates.len()), (1, 1), "{}", world.timeline());
}
