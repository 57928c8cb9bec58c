//! Diagnoses that are not known to read, and steps whose processes were never let go.

use insta::assert_snapshot;
use vvtv_incident::{Event, Kind, Mode, Operation, Outcome, Policy, Runbook, StepId, Verdict};

use crate::world::{Script, World, alert, change, diagnose, heals, policy, runbook, seconds};

/// A runbook whose diagnosis may change something: nobody knows.
fn unknown(mode: Mode) -> World {
    let mut step = diagnose("look");
    step.kind = Kind::Diagnose { background: false, settle: seconds(0), known_to_read: false };
    World::new(vec![Runbook { mode, ..runbook("segment-age", "SegmentAgeHigh", vec![step]) }])
}

#[test]
fn a_diagnosis_that_is_not_known_to_read_stays_on_paper_in_shadow() {
    let mut world = unknown(Mode::Shadow);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(100));
    assert_eq!(world.runs.len(), 0);
    assert_snapshot!(world.timeline(), @"
    0.0s #1 opened alert_firing segment-age: main
    0.0s #1 alert alert_firing SegmentAgeHigh
    0.0s #1 health sick
    0.0s #1 step_skipped shadow look
    0.0s #1 phase exhausted exhausted
    ");
}

#[test]
fn a_diagnosis_that_is_not_known_to_read_waits_for_approval() {
    let mut world = unknown(Mode::Approve);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(20));
    assert_eq!(world.runs.len(), 0);
    world.operate(1, Operation::Approve(StepId::new("look")));
    world.run(seconds(20));
    assert_eq!(world.runs.len(), 1);
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened alert_firing segment-age: main
     0.0s #1 alert alert_firing SegmentAgeHigh
     0.0s #1 health sick
     0.0s #1 blocked approval_needed look
     0.0s #1 paged approval_needed L1
     0.1s #1 page_delivered delivered 1
    20.0s #1 operator approved look: ana
    20.0s #1 step_started next_step look (attempt 1)
    21.0s #1 step_finished step_ok look
    21.0s #1 phase exhausted exhausted
    ");
}

#[test]
fn a_diagnosis_that_is_not_known_to_read_is_not_run_on_a_healthy_target() {
    let mut world = unknown(Mode::Act);
    world.know("main");
    world.health("main", Verdict::Healthy);
    world.event(Event::AlertFiring(alert("SegmentAgeHigh", "main")));
    world.run(seconds(20));
    assert_eq!(world.runs.len(), 0);
}

/// A change that its runbook lets run once in an hour and once in an incident, and whose first process is not let go.
#[test]
fn a_step_that_was_not_let_go_is_due_again_and_counts_for_no_limit() {
    let mut step = change("restart");
    step.attempts = Some(1);
    let book = Runbook { changes_per_hour: Some(1), ..runbook("segment-age", "SegmentAgeHigh", vec![step]) };
    let mut world = World::with_policy(vec![book], Policy { changes_per_hour: 1, ..policy() });
    let never = Script { takes: seconds(1), outcome: Outcome::NotRun, heals: false };
    world.scripts.insert(StepId::new("restart"), never);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1));
    world.scripts.insert(StepId::new("restart"), heals(1));
    world.run(seconds(100));
    assert_eq!(world.runs.len(), 2);
    assert_eq!(world.pages_in_short(), "");
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened alert_firing segment-age: main
     0.0s #1 alert alert_firing SegmentAgeHigh
     0.0s #1 health sick
     0.0s #1 step_started next_step restart (attempt 1)
     1.0s #1 step_finished not_run restart
     1.0s #1 step_started next_step restart (attempt 2)
     2.0s #1 step_finished step_ok restart
     2.0s #1 health healthy
     2.0s #1 phase healthy stabilising
    32.0s #1 phase stabilised monitoring
    ");
}

#[test]
fn a_background_diagnosis_that_was_not_let_go_is_left_out() {
    let mut look = diagnose("look");
    look.kind = Kind::Diagnose { background: true, settle: seconds(0), known_to_read: true };
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![look, change("restart")])]);
    let never = Script { takes: seconds(1), outcome: Outcome::NotRun, heals: false };
    world.scripts.insert(StepId::new("look"), never);
    world.scripts.insert(StepId::new("restart"), heals(5));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(100));
    assert_eq!(world.runs.len(), 2);
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened alert_firing segment-age: main
     0.0s #1 alert alert_firing SegmentAgeHigh
     0.0s #1 step_started next_step look (attempt 1)
     0.0s #1 health sick
     0.0s #1 step_started next_step restart (attempt 1)
     1.0s #1 step_finished not_run look
     5.0s #1 step_finished step_ok restart
     5.0s #1 health healthy
     5.0s #1 phase healthy stabilising
    35.0s #1 phase stabilised monitoring
    ");
}
