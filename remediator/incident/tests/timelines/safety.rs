//! Situations in which an incident could fall between two stools: nobody acts, or nobody knows, or something acts again.

use std::time::Duration;

use insta::assert_snapshot;

use crate::world::{World, alert, change, conditional, diagnose, heals, ok, policy, repeatable, runbook, seconds};
use vvtv_incident::{
    Efficacy, EfficacyFloor, EfficacyTable, Event, HealthTest, IncidentId, Mode, Operation, Reason, Recovery, Restore,
    Runbook, RunbookId, Scope, StepId, Timestamp, Verdict,
};

fn segment_age() -> Runbook {
    runbook("segment-age", "SegmentAgeHigh", vec![diagnose("status"), repeatable("restart")])
}

#[test]
fn an_aborted_incident_whose_alert_fires_is_people_s_until_it_resolves() {
    let mut world = World::new(vec![segment_age()]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1));
    world.operate(1, Operation::Abort);
    let before = world.runs.len();
    let active = vec![alert("SegmentAgeHigh", "main").fingerprint];
    for _ in 0..15 {
        world.event(Event::AlertFiring(alert("SegmentAgeHigh", "main")));
        world.event(Event::Reconciled { active: active.clone(), scope: Scope::All, asked_at: world.now });
        world.run(seconds(60));
    }
    assert_eq!(world.runs.len(), before, "{}", world.timeline());
    assert_eq!(world.pages_in_short(), "1s #1 L1, 600s #1 L2", "{}", world.timeline());
    world.operate(1, Operation::Ack);
    world.operate(1, Operation::Abort);
    world.run(seconds(900));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 600s #1 L2", "somebody has it:\n{}", world.timeline());
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(1));
    assert!(world.has_closed(1), "{}", world.timeline());
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    assert!(world.runs.len() > before, "a new fault is a new incident:\n{}", world.timeline());
}

#[test]
fn whoever_has_an_incident_in_hand_is_not_called_for_aborting_it() {
    let mut world = World::new(vec![segment_age()]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1));
    world.operate(1, Operation::Ack);
    world.operate(1, Operation::Abort);
    world.run(seconds(600));
    assert_eq!(world.pages_in_short(), "", "{}", world.timeline());
    world.run(seconds(1500));
    assert!(!world.pages.is_empty(), "the acknowledgement runs out:\n{}", world.timeline());
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
    assert_eq!(world.runs_of("restart_nginx"), 0);
    assert_eq!(world.runs_of("restart"), 1, "{}", world.timeline());
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
    world.operate(1, Operation::Approve(StepId::new("restart")));
    world.run(seconds(10));
    assert_eq!(world.runs_of("restart"), 0, "healthy by then");
    world.health("main", Verdict::Unhealthy);
    world.run(seconds(30));
    assert_eq!(world.runs_of("restart"), 0, "the approval is spent:\n{}", world.timeline());
    assert_eq!(world.phase(1), "awaiting_approval");
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
    assert_eq!(world.phase(1), "blocked", "the budget is spent");
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
    world.resolve("IngestDown", "main");
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

#[test]
fn an_approval_names_its_step_and_is_for_no_other() {
    let steps = vec![change("restart"), change("inject")];
    let book = Runbook { mode: Mode::Approve, ..runbook("segment-age", "SegmentAgeHigh", steps) };
    let mut world = World::new(vec![book]).script("restart", ok(1));
    let approve = |step| Operation::Approve(StepId::new(step));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.operate(1, approve("inject"));
    world.run(seconds(5));
    assert_eq!(world.runs.len(), 0, "{}", world.timeline());
    world.operate(1, approve("restart"));
    world.run(seconds(30));
    assert_eq!(world.phase(1), "awaiting_approval");
    world.operate(1, approve("restart"));
    world.run(seconds(30));
    assert_eq!((world.runs_of("restart"), world.runs_of("inject")), (1, 0), "{}", world.timeline());
    world.operate(1, approve("inject"));
    world.run(seconds(5));
    assert_eq!(world.runs_of("inject"), 1, "{}", world.timeline());
}

#[test]
fn an_alert_that_fires_while_its_incident_is_being_closed_opens_another() {
    let mut world = World::new(vec![segment_age()]).script("status", ok(20));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1));
    world.resolve("SegmentAgeHigh", "main");
    world.operate(1, Operation::Abort);
    world.event(Event::AlertFiring(vvtv_incident::Alert {
        starts_at: Timestamp::from_millis(1000),
        ..alert("SegmentAgeHigh", "main")
    }));
    world.run(seconds(1));
    assert_snapshot!(world.timeline(), @"
    0.0s #1 opened alert_firing segment-age: main
    0.0s #1 alert alert_firing SegmentAgeHigh
    0.0s #1 step_started next_step status (attempt 1)
    0.0s #1 health sick
    1.0s #1 alert alert_resolved SegmentAgeHigh
    1.0s #1 operator aborted ana
    1.0s #1 phase aborted closing
    1.0s #1 ignored closing SegmentAgeHigh
    1.0s #1 step_finished step_failed status: killed
    1.0s #1 closed aborted
    1.0s #2 opened alert_firing segment-age: main
    1.0s #2 alert alert_firing SegmentAgeHigh
    1.0s #2 step_started next_step status (attempt 1)
    1.0s #2 health sick
    ");
}

#[test]
fn a_runbook_that_is_taken_away_leaves_its_incident_to_people() {
    let mut world = World::new(vec![segment_age()]).script("restart", ok(5));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(3));
    world.fleet.reconfigure(policy(), Vec::new(), world.now);
    world.run(seconds(400));
    assert_snapshot!(world.timeline(), @"
      0.0s #1 opened alert_firing segment-age: main
      0.0s #1 alert alert_firing SegmentAgeHigh
      0.0s #1 step_started next_step status (attempt 1)
      0.0s #1 health sick
      1.0s #1 step_finished step_ok status
      1.0s #1 step_started next_step restart (attempt 1)
      3.0s #1 phase runbook_gone exhausted
      3.0s #1 paged runbook_gone L1
      3.0s #1 ignored stale
      3.0s #1 health sick
      3.0s #1 step_finished step_failed restart: killed
      3.0s #1 page_delivered delivered 1
      6.0s #1 ignored stale
    303.0s #1 paged no_acknowledgement L2
    303.1s #1 page_delivered delivered 2
    ");
    world.fleet.reconfigure(policy(), vec![segment_age()], world.now);
    world.health("main", Verdict::Healthy);
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert!(world.has_closed(1), "with its text back it closes:\n{}", world.timeline());
    assert_eq!(world.resolved_pages.len(), world.pages.len());
}

#[test]
fn a_reload_in_the_middle_changes_no_timer_unless_another_test_asks_for_health() {
    let books = || vec![runbook("segment-age", "SegmentAgeHigh", vec![repeatable("restart"), change("inject")])];
    let timeline = |reloads: &[(u64, Vec<Runbook>)]| {
        let mut world = World::new(books()).script("inject", heals(1));
        world.fire("SegmentAgeHigh", "main");
        for (at, books) in reloads {
            world.run(seconds(*at).saturating_sub(Duration::from_millis(world.now.millis())));
            world.fleet.reconfigure(policy(), books.clone(), world.now);
        }
        world.run(seconds(45).saturating_sub(Duration::from_millis(world.now.millis())));
        world.resolve("SegmentAgeHigh", "main");
        world.run(seconds(100));
        world.timeline()
    };
    let undisturbed = timeline(&[]);
    // While the first change settles, and while health must hold.
    assert_eq!(timeline(&[(10, books()), (40, books())]), undisturbed);
    assert!(undisturbed.contains("52.0s #1 closed stabilised"), "{undisturbed}");
    let mut others = books();
    others[0].healthy = HealthTest::new("vector(1)");
    let disturbed = timeline(&[(40, others)]);
    assert!(disturbed.contains("70.0s #1 closed stabilised"), "{disturbed}");
}

#[test]
fn until_the_targets_are_counted_three_sick_ones_are_all_there_are() {
    let mut world = World::new(vec![segment_age()]);
    for stream in ["a", "b", "c"] {
        world.fire("SegmentAgeHigh", stream);
    }
    world.run(seconds(10));
    assert_eq!(world.runs_of("restart"), 0, "{}", world.timeline());
    assert_eq!(world.pages_in_short(), "1s #3 L1", "one page says systemic");
    world.count_targets(100);
    world.run(seconds(60));
    assert_eq!(world.runs_of("restart"), 3, "{}", world.timeline());
}

#[test]
fn a_maintenance_window_holds_everything_back_and_calls_nobody_while_it_is_open() {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(1));
    world.event(Event::Maintenance(true));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(7200));
    assert_eq!(world.runs.len(), 0, "{}", world.timeline());
    assert_eq!(world.pages_in_short(), "");
    assert_eq!(world.fleet.incident(IncidentId::new(1)).unwrap().reason, Reason::Maintenance);
    world.event(Event::Maintenance(false));
    world.run(seconds(60));
    assert_eq!(world.runs_of("restart"), 1, "{}", world.timeline());
}

#[test]
fn an_alert_that_is_silenced_in_the_middle_is_not_acted_on_until_it_is_not() {
    let steps = vec![change("restart"), change("inject")];
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", steps)]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(10));
    for _ in 0..4 {
        world.event(Event::AlertSuppressed(alert("SegmentAgeHigh", "main")));
        world.run(seconds(1800));
    }
    assert_eq!(world.pages_in_short(), "", "nobody is called about it either");
    world.event(Event::AlertFiring(alert("SegmentAgeHigh", "main")));
    world.run(seconds(30));
    assert_snapshot!(world.timeline(), @"
       0.0s #1 opened alert_firing segment-age: main
       0.0s #1 alert alert_firing SegmentAgeHigh
       0.0s #1 health sick
       0.0s #1 step_started next_step restart (attempt 1)
       1.0s #1 step_finished step_ok restart
      10.0s #1 alert suppressed SegmentAgeHigh
      21.0s #1 blocked suppressed inject
    1810.0s #1 ignored suppressed SegmentAgeHigh
    3610.0s #1 ignored suppressed SegmentAgeHigh
    5410.0s #1 ignored suppressed SegmentAgeHigh
    7210.0s #1 alert alert_firing SegmentAgeHigh
    7210.0s #1 step_started next_step inject (attempt 1)
    7211.0s #1 step_finished step_ok inject
    7231.0s #1 phase exhausted exhausted
    7231.0s #1 paged exhausted L1
    7231.1s #1 page_delivered delivered 1
    ");
}

#[test]
fn one_alert_of_two_that_is_silenced_holds_nothing_back() {
    let mut book = segment_age();
    book.alerts.push(vvtv_incident::AlertName::new("PublisherLost"));
    let mut world = World::new(vec![book]).script("status", ok(5)).script("restart", heals(1));
    world.fire("SegmentAgeHigh", "main");
    world.fire("PublisherLost", "main");
    world.event(Event::AlertSuppressed(alert("SegmentAgeHigh", "main")));
    world.run(seconds(20));
    assert_eq!(world.runs_of("restart"), 1, "{}", world.timeline());
}

fn helped(helped: u32, runs: u32) -> Event {
    let key = (RunbookId::new("segment-age"), StepId::new("restart"));
    Event::Efficacy(EfficacyTable::from([(key, Efficacy { runs, helped })]))
}

#[test]
fn a_change_that_helped_too_seldom_waits_for_a_person_and_says_why() {
    let mut restart = change("restart");
    restart.efficacy_floor = EfficacyFloor::new(0.3);
    let book = runbook("segment-age", "SegmentAgeHigh", vec![restart]);
    let mut world = World::new(vec![book]).script("restart", heals(1));
    world.event(helped(1, 5));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.operate(1, Operation::Approve(StepId::new("restart")));
    world.run(seconds(2));
    assert_snapshot!(world.timeline(), @"
    0.0s #1 opened alert_firing segment-age: main
    0.0s #1 alert alert_firing SegmentAgeHigh
    0.0s #1 health sick
    0.0s #1 blocked efficacy_low restart: helped 1 of 5
    0.0s #1 paged efficacy_low L1
    0.1s #1 page_delivered delivered 1
    5.0s #1 operator approved restart: ana
    5.0s #1 step_started next_step restart (attempt 1)
    6.0s #1 step_finished step_ok restart
    6.0s #1 health healthy
    6.0s #1 phase healthy stabilising
    ");
}

#[test]
fn a_change_is_not_judged_by_fewer_runs_than_the_limit_nor_at_its_floor() {
    for record in [helped(0, 4), helped(3, 10)] {
        let mut restart = change("restart");
        restart.efficacy_floor = EfficacyFloor::new(0.3);
        let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![restart])]);
        world.event(record);
        world.fire("SegmentAgeHigh", "main");
        world.run(seconds(5));
        assert_eq!(world.runs_of("restart"), 1, "{}", world.timeline());
    }
}
