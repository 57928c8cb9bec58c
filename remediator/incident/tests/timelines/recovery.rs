//! Watching after the repair, taking temporary measures back, and putting them in place again when that hurts.

use crate::world::{World, change, diagnose, heals, policy, repeatable, runbook, seconds};
use insta::assert_snapshot;
use vvtv_incident::{Recovery, Restore, Runbook, RunbookId, Verdict};

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
    974.1s #1 phase restoring monitoring
    974.1s #1 closed monitored
    ");
    assert!(world.has_closed(1));
}

/// Encoder drops, its one measure in place, and the alert over: the first stage is taken back at 932 s.
fn repaired(world: World) -> World {
    let mut world = world.script("lower", heals(1)).script("undo_preset", heals(1));
    world.fire("EncoderDropsHigh", "main");
    world.run(seconds(5));
    world.resolve("EncoderDropsHigh", "main");
    world.run(seconds(930));
    world
}

fn since_the_first_stage(world: &World) -> String {
    let lines = world.lines.iter().skip_while(|line| !line.contains("restore_preset (attempt 1)"));
    lines.cloned().collect::<Vec<_>>().join("\n")
}

#[test]
fn a_stage_that_hurts_is_taken_back_and_the_rest_is_left() {
    let mut world = repaired(World::new(vec![drops()]));
    world.health("main", Verdict::Unhealthy);
    world.run(seconds(1200));
    assert_snapshot!(since_the_first_stage(&world), @"
     932.0s #1 step_started restoring restore_preset (attempt 1)
     933.0s #1 step_finished step_ok restore_preset
     935.0s #1 health sick
     953.0s #1 phase restore_hurt deciding
     953.0s #1 step_started restore_hurt undo_preset (attempt 1)
     954.0s #1 step_finished step_ok undo_preset
     954.0s #1 paged restore_hurt L1
     954.0s #1 phase restore_hurt monitoring
     954.1s #1 page_delivered delivered 1
     959.0s #1 health healthy
    1854.0s #1 page_resolved monitored 1
    1854.0s #1 closed monitored
    ");
    assert!(world.runs.iter().all(|(_, step, _)| step.as_str() != "restore_crf"));
    assert!(world.has_closed(1));
}

#[test]
fn while_a_measure_that_was_put_back_settles_its_alert_starts_nothing() {
    let mut world = repaired(World::new(vec![drops()]));
    world.health("main", Verdict::Unhealthy);
    world.run(seconds(15));
    world.fire("EncoderDropsHigh", "main");
    world.run(seconds(30));
    world.resolve("EncoderDropsHigh", "main");
    world.run(seconds(1200));
    assert!(!world.timeline().contains("relapse"), "{}", world.timeline());
    assert!(world.has_closed(1));
}

#[test]
fn what_fires_on_after_a_measure_was_put_back_and_has_settled_is_a_relapse() {
    let mut world = World::new(vec![drops()]).script("lower", heals(1));
    world.fire("EncoderDropsHigh", "main");
    world.run(seconds(5));
    world.resolve("EncoderDropsHigh", "main");
    world.run(seconds(930));
    world.health("main", Verdict::Unhealthy);
    world.fire("EncoderDropsHigh", "main");
    world.run(seconds(60));
    let relapse = world.lines.iter().find(|line| line.contains("relapse"));
    assert_eq!(relapse.map(|line| line.trim()), Some("974.0s #1 phase relapse deciding"), "{}", world.timeline());
}

#[test]
fn a_stage_that_only_looks_as_if_it_hurt_while_its_measurement_settles_stands() {
    let mut world = repaired(World::new(vec![drops()]));
    world.health("main", Verdict::Unhealthy);
    world.run(seconds(15));
    world.health("main", Verdict::Healthy);
    world.run(seconds(1200));
    assert_snapshot!(since_the_first_stage(&world), @"
    932.0s #1 step_started restoring restore_preset (attempt 1)
    933.0s #1 step_finished step_ok restore_preset
    935.0s #1 health sick
    950.0s #1 health healthy
    953.0s #1 phase restoring deciding
    953.0s #1 step_started restoring restore_crf (attempt 1)
    954.0s #1 step_finished step_ok restore_crf
    974.1s #1 phase restoring monitoring
    984.0s #1 closed monitored
    ");
    assert_eq!(world.pages_in_short(), "");
}

#[test]
fn a_cause_that_begins_while_a_stage_settles_takes_the_stage_back_at_once() {
    let cause = runbook("ingest-down", "IngestDown", vec![repeatable("restart_nginx")]);
    let symptom = Runbook { causes: vec![RunbookId::new("ingest-down")], ..drops() };
    let mut world = repaired(World::new(vec![symptom, cause]));
    world.fire("IngestDown", "main");
    world.run(seconds(10));
    assert_snapshot!(since_the_first_stage(&world), @"
    932.0s #1 step_started restoring restore_preset (attempt 1)
    933.0s #1 step_finished step_ok restore_preset
    935.0s #2 opened alert_firing ingest-down: main
    935.0s #2 alert alert_firing IngestDown
    935.0s #2 health sick
    935.0s #2 step_started next_step restart_nginx (attempt 1)
    935.0s #1 health sick
    935.0s #1 phase restore_hurt deciding
    935.0s #1 blocked lock_busy undo_preset
    935.0s #1 paged restore_hurt L1
    935.1s #1 page_delivered delivered 1
    936.0s #2 step_finished step_ok restart_nginx
    936.0s #1 step_started restore_hurt undo_preset (attempt 1)
    937.0s #1 step_finished step_ok undo_preset
    937.0s #1 phase restore_hurt monitoring
    938.0s #2 health healthy
    938.0s #2 phase healthy stabilising
    942.0s #1 health healthy
    ");
}

#[test]
fn after_a_relapse_every_stage_is_gone_through_again_as_far_as_it_may_be() {
    let again = |name: &str| Restore { apply: repeatable(name), undo: change(&format!("undo_{name}")) };
    let mut book = drops();
    book.steps = vec![repeatable("lower")];
    book.recovery.restore = vec![again("preset"), again("crf")];
    book.recovery.restore.push(Restore { apply: change("once"), undo: change("undo_once") });
    let limits = vvtv_incident::Policy { changes_per_hour: 3, ..policy() };
    let mut world = repaired(World::with_policy(vec![book], limits));
    world.run(seconds(60));
    assert_eq!(world.phase(1), "blocked", "{}", world.timeline());
    world.fire("EncoderDropsHigh", "main");
    world.run(seconds(3600));
    world.resolve("EncoderDropsHigh", "main");
    world.run(seconds(4000));
    let runs: Vec<_> = world.runs.iter().map(|(_, step, attempt)| format!("{step} {attempt}")).collect();
    assert_eq!(runs.join(", "), "lower 1, preset 1, crf 1, lower 2, preset 2, crf 2, once 1");
    assert!(world.has_closed(1), "{}", world.timeline());
}
