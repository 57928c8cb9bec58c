//! Alerts about targets that nobody else knows: people are called, and nothing is run.

use insta::assert_snapshot;

use crate::world::{World, change, diagnose, heals, runbook, seconds};
use vvtv_incident::{Event, IncidentId, Mode, Operation, Runbook, Verdict};

fn segment_age() -> Runbook {
    runbook("segment-age", "SegmentAgeHigh", vec![diagnose("status"), change("restart")])
}

#[test]
fn a_made_up_target_calls_the_first_level_at_once_and_nothing_runs() {
    let mut world = World::new(vec![segment_age()]);
    world.know("main");
    world.claim("SegmentAgeHigh", "../control");
    world.run(seconds(2));
    assert_eq!(world.asked_for_targets, 1, "what is not known yet is asked for at once");
    world.list_targets();
    world.run(seconds(1000));
    world.resolve("SegmentAgeHigh", "../control");
    world.run(seconds(22));
    assert_snapshot!(world.timeline(), @"
       0.0s #1 opened alert_firing segment-age: ../control
       0.0s #1 alert alert_firing SegmentAgeHigh
       0.0s #1 blocked target_unverified status
       0.0s #1 health sick
       2.0s #1 blocked unknown_target status
       2.0s #1 paged unknown_target L1
       2.0s #1 page_delivered delivered 1
     600.0s #1 paged escalation_timer L2
     600.0s #1 page_delivered delivered 2
    1002.0s #1 alert alert_resolved SegmentAgeHigh
    1022.0s #1 page_resolved alert_resolved 1
    1022.0s #1 page_resolved alert_resolved 2
    1022.0s #1 closed alert_resolved
    ");
    assert_eq!(world.runs.len(), 0);
}

#[test]
fn a_target_that_is_listed_later_is_acted_on_from_then() {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(1));
    world.list_targets();
    world.run(seconds(1));
    world.claim("SegmentAgeHigh", "new");
    world.run(seconds(10));
    assert_eq!((world.runs.len(), world.pages_in_short()), (0, String::new()), "the list is older than the alert");
    world.know("new");
    world.run(seconds(60));
    assert_eq!(world.runs_of("restart"), 1, "{}", world.timeline());
}

#[test]
fn while_nobody_can_be_asked_nothing_runs_and_people_are_called_because_health_is_unknown() {
    let mut world = World::new(vec![segment_age()]);
    world.claim("SegmentAgeHigh", "main");
    world.health("main", Verdict::Unknown);
    world.run(seconds(40));
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened alert_firing segment-age: main
     0.0s #1 alert alert_firing SegmentAgeHigh
     0.0s #1 blocked target_unverified status
     0.0s #1 health sick
     5.0s #1 health health_unknown
    35.0s #1 paged health_unknown L1
    35.1s #1 page_delivered delivered 1
    ");
}

#[test]
fn made_up_targets_neither_pass_for_a_systemic_fault_nor_call_once_each() {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(1));
    world.count_targets(4);
    for number in 0..50 {
        world.claim("SegmentAgeHigh", &format!("made-up-{number}"));
    }
    world.run(seconds(1));
    world.list_targets();
    world.run(seconds(1));
    assert_eq!(world.pages_in_short(), "1s #1 L1");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_eq!(world.runs_of("restart"), 1, "{}", world.timeline());
    world.operate(1, Operation::Abort);
    world.run(seconds(10));
    assert_eq!(world.pages_in_short(), "1s #1 L1", "as long as it fires it is people's, who were called");
    world.resolve("SegmentAgeHigh", "made-up-0");
    world.run(seconds(10));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 73s #2 L1", "another one takes over");
}

#[test]
fn a_target_that_leaves_the_list_is_not_touched_any_more_and_its_incident_stays() {
    let mut world = World::new(vec![segment_age()]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(0));
    world.known.known.clear();
    world.run(seconds(1));
    world.list_targets();
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_eq!(world.runs.len(), 1, "the diagnosis that ran already:\n{}", world.timeline());
    assert_eq!(world.phase(1), "blocked");
}

#[test]
fn in_shadow_nobody_is_called_about_it() {
    let mut world = World::new(vec![Runbook { mode: Mode::Shadow, ..segment_age() }]);
    world.claim("SegmentAgeHigh", "made-up");
    world.run(seconds(1));
    world.list_targets();
    world.run(seconds(3600));
    assert_eq!((world.runs.len(), world.pages_in_short()), (0, String::new()), "{}", world.timeline());
}

#[test]
fn what_is_known_stays_known_over_a_restart_and_what_is_not_is_not() {
    let mut world = World::new(vec![segment_age()]);
    world.event(Event::Maintenance(true));
    world.know("main");
    world.claim("SegmentAgeHigh", "main");
    world.claim("SegmentAgeHigh", "made-up");
    world.run(seconds(5));
    world.restart(seconds(60));
    world.run(seconds(20));
    assert!(world.runs.iter().all(|(incident, ..)| *incident == IncidentId::new(1)), "{}", world.timeline());
    assert!(world.runs_of("restart") > 0, "{}", world.timeline());
}
