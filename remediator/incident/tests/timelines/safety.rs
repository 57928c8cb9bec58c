//! Situations in which an incident could fall between two stools: nobody acts, or nobody knows, or something acts again.

use crate::world::{World, alert, change, conditional, diagnose, heals, ok, policy, repeatable, runbook, seconds};
use vvtv_incident::{Event, IncidentId, Mode, Operation, Recovery, Restore, Runbook, RunbookId, Verdict};

fn segment_age() -> Runbook {
    runbook("segment-age", "SegmentAgeHigh", vec![diagnose("status"), repeatable("restart")])
}

fn count(world: &World, step: &str) -> usize {
    world.runs.iter().filter(|(_, id, _)| id.as_str() == step).count()
}

#[test]
fn an_aborted_incident_stays_aborted_while_its_alert_goes_on() {
    let mut world = World::new(vec![segment_age()]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1));
    world.operate(1, Operation::Abort);
    world.run(seconds(1));
    let before = world.runs.len();
    let active = vec![alert("SegmentAgeHigh", "main").fingerprint];
    for _ in 0..5 {
        world.event(Event::AlertFiring(alert("SegmentAgeHigh", "main")));
        world.event(Event::Reconciled { active: active.clone(), asked_at: world.now });
        world.run(seconds(30));
    }
    assert_eq!(world.runs.len(), before, "{}", world.timeline());
    world.resolve("SegmentAgeHigh", "main");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    assert!(world.runs.len() > before, "a new fault is a new incident:\n{}", world.timeline());
}

#[test]
fn a_runbook_on_trial_keeps_no_other_from_acting() {
    let cause = Runbook { mode: Mode::Shadow, ..runbook("ingest-down", "IngestDown", vec![change("restart_nginx")]) };
    let symptom = Runbook { causes: vec![RunbookId::new("ingest-down")], ..segment_age() };
    let mut world = World::new(vec![cause, symptom]);
    world.fire("IngestDown", "main");
    world.run(seconds(5));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    assert_eq!(count(&world, "restart_nginx"), 0);
    assert_eq!(count(&world, "restart"), 1, "{}", world.timeline());
}

#[test]
fn health_that_becomes_unknown_after_the_repair_calls_a_person() {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(1));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.health("main", Verdict::Unknown);
    world.run(seconds(700));
    assert_eq!(world.pages_in_short(), "35s #1 L1, 635s #1 L2", "{}", world.timeline());
}

#[test]
fn an_approval_is_for_what_the_person_saw() {
    let book = Runbook { mode: Mode::Approve, ..segment_age() };
    let mut world = World::new(vec![book]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.health("main", Verdict::Healthy);
    world.operate(1, Operation::Approve);
    world.run(seconds(10));
    assert_eq!(count(&world, "restart"), 0, "healthy by then");
    world.health("main", Verdict::Sick);
    world.run(seconds(30));
    assert_eq!(count(&world, "restart"), 0, "the approval is spent:\n{}", world.timeline());
    assert_eq!(world.fleet.incident(IncidentId::new(1)).unwrap().phase_name(), "awaiting_approval");
}

#[test]
fn an_outage_while_a_measure_waits_to_be_taken_back_is_repaired() {
    let restore = Restore { apply: change("restore"), undo: change("undo") };
    let book = Runbook {
        recovery: Recovery { monitor: seconds(60), restore: vec![restore] },
        ..runbook("encoder-drops", "EncoderDropsHigh", vec![repeatable("lower")])
    };
    let limits = vvtv_incident::Policy { changes_per_hour: 1, ..policy() };
    let mut world = World::with_policy(vec![book], limits).script("lower", heals(1));
    world.fire("EncoderDropsHigh", "main");
    world.run(seconds(5));
    world.resolve("EncoderDropsHigh", "main");
    world.run(seconds(120));
    assert_eq!(world.fleet.incident(IncidentId::new(1)).unwrap().phase_name(), "blocked", "the budget is spent");
    assert_eq!(world.pages_in_short(), "", "a measure that waits is no trouble");
    world.fire("EncoderDropsHigh", "main");
    world.run(seconds(60));
    assert_eq!(world.pages.len(), 1, "{}", world.timeline());
    assert!(world.timeline().contains("relapse"), "{}", world.timeline());
}

#[test]
fn an_acknowledgement_outlives_a_wait_for_a_cause() {
    let symptom = Runbook { causes: vec![RunbookId::new("ingest-down")], ..segment_age() };
    let mut slow = conditional(change("restart_nginx"));
    slow.timeout = seconds(500);
    let cause = runbook("ingest-down", "IngestDown", vec![slow]);
    let mut world = World::new(vec![symptom, cause]).script("restart_nginx", ok(20));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(60));
    world.operate(1, Operation::Ack);
    let called = world.pages.len();
    world.fire("IngestDown", "main");
    world.run(seconds(30));
    world.operate(2, Operation::Abort);
    world.run(seconds(600));
    assert_eq!(world.pages.iter().filter(|(_, id, _)| id.get() == 1).count(), called, "{}", world.timeline());
}

#[test]
fn a_level_that_nobody_holds_means_the_highest_that_somebody_does() {
    let mut limits = policy();
    limits.contacts.truncate(1);
    let mut world = World::with_policy(vec![segment_age()], limits);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1000));
    assert!(
        world.pages.len() >= 3 && world.pages.iter().all(|(_, _, level)| *level == 1),
        "{}",
        world.pages_in_short()
    );
}
