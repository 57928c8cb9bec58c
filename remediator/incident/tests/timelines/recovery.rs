//! Watching after the repair, taking temporary measures back, and putting them in place again when that hurts.

use crate::world::{World, change, diagnose, heals, ok, runbook, seconds};
use insta::assert_snapshot;
use vvtv_incident::{IncidentId, Recovery, Restore, Runbook, Verdict};

fn drops() -> Runbook {
    let restore =
        |name: &str| Restore { apply: change(&format!("restore_{name}")), undo: change(&format!("undo_{name}")) };
    Runbook {
        recovery: Recovery { monitor: seconds(900), restore: vec![restore("preset"), restore("crf")] },
        ..runbook("encoder-drops", "EncoderDropsHigh", vec![diagnose("stats"), change("lower")])
    }
}

#[test]
fn quality_comes_back_stage_by_stage() {
    let mut world = World::new(vec![drops()]).script("lower", heals(1));
    world.fire("EncoderDropsHigh", "main");
    world.run(seconds(5));
    world.resolve("EncoderDropsHigh", "main");
    world.run(seconds(1200));
    assert_snapshot!(world.timeline(), @"
      0.0s #1 opened alert_firing encoder-drops: main
      0.0s #1 alert alert_firing EncoderDropsHigh
      0.0s #1 step_started next_step stats (attempt 1)
      0.0s #1 health sick
      1.0s #1 step_finished step_ok stats
      1.0s #1 step_started next_step lower (attempt 1)
      2.0s #1 step_finished step_ok lower
      2.0s #1 health healthy
      2.0s #1 phase healthy stabilising
      5.0s #1 alert alert_resolved EncoderDropsHigh
     32.0s #1 phase stabilised monitoring
    932.0s #1 phase restoring deciding
    932.0s #1 step_started restoring restore_preset (attempt 1)
    933.0s #1 step_finished step_ok restore_preset
    953.0s #1 phase restoring deciding
    953.0s #1 step_started restoring restore_crf (attempt 1)
    954.0s #1 step_finished step_ok restore_crf
    974.0s #1 phase restoring monitoring
    974.0s #1 closed monitored
    ");
    assert!(world.closed.contains(&IncidentId::new(1)));
}

#[test]
fn a_stage_that_hurts_is_taken_back_and_the_rest_is_left() {
    let mut world = World::new(vec![drops()])
        .script("lower", heals(1))
        .script("undo_preset", heals(1))
        .script("restore_preset", ok(1));
    world.fire("EncoderDropsHigh", "main");
    world.run(seconds(5));
    world.resolve("EncoderDropsHigh", "main");
    world.run(seconds(930));
    world.health("main", Verdict::Sick);
    world.run(seconds(1200));
    assert_snapshot!(world.timeline(), @"
       0.0s #1 opened alert_firing encoder-drops: main
       0.0s #1 alert alert_firing EncoderDropsHigh
       0.0s #1 step_started next_step stats (attempt 1)
       0.0s #1 health sick
       1.0s #1 step_finished step_ok stats
       1.0s #1 step_started next_step lower (attempt 1)
       2.0s #1 step_finished step_ok lower
       2.0s #1 health healthy
       2.0s #1 phase healthy stabilising
       5.0s #1 alert alert_resolved EncoderDropsHigh
      32.0s #1 phase stabilised monitoring
     932.0s #1 phase restoring deciding
     932.0s #1 step_started restoring restore_preset (attempt 1)
     933.0s #1 step_finished step_ok restore_preset
     935.0s #1 health sick
     935.0s #1 phase restore_hurt deciding
     935.0s #1 step_started restore_hurt undo_preset (attempt 1)
     936.0s #1 step_finished step_ok undo_preset
     936.0s #1 paged restore_hurt L1
     936.0s #1 phase restore_hurt monitoring
     936.1s #1 page_delivered delivered 1
     941.0s #1 health healthy
    1836.0s #1 page_resolved monitored 1
    1836.0s #1 closed monitored
    ");
    assert!(world.runs.iter().all(|(_, step, _)| step.as_str() != "restore_crf"));
    assert!(world.closed.contains(&IncidentId::new(1)));
}
