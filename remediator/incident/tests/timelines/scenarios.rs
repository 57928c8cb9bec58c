//! Whole timelines of the situations that the design names, on virtual time.

use crate::world::{World, alert, change, conditional, diagnose, heals, ok, policy, repeatable, runbook, seconds};
use insta::assert_snapshot;
use vvtv_incident::{
    Answer, Event, IncidentId, Kind, Mode, Operation, Outcome, Person, RunbookId, Scope, StepId, Verdict,
};

fn segment_age() -> vvtv_incident::Runbook {
    let restart = conditional(repeatable("restart"));
    runbook(
        "segment-age",
        "SegmentAgeHigh",
        vec![diagnose("status"), restart, conditional(change("inject")), diagnose("bundle")],
    )
}

#[test]
fn a_change_that_helps_ends_the_incident_without_a_page() {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(2));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(10));
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened alert_firing segment-age: main
     0.0s #1 alert alert_firing SegmentAgeHigh
     0.0s #1 step_started next_step status (attempt 1)
     0.0s #1 health sick
     1.0s #1 step_finished step_ok status
     1.0s #1 step_started next_step restart (attempt 1)
     3.0s #1 step_finished step_ok restart
     3.0s #1 health healthy
     3.0s #1 step_skipped healthy inject
     3.0s #1 step_started next_step bundle (attempt 1)
     4.0s #1 step_finished step_ok bundle
     4.1s #1 phase healthy stabilising
    10.0s #1 alert alert_resolved SegmentAgeHigh
    33.0s #1 phase stabilised monitoring
    33.0s #1 closed stabilised
    ");
    assert_eq!(world.pages_in_short(), "");
    assert!(world.has_closed(1));
}

#[test]
fn steps_that_do_not_help_call_l1_at_once_and_l2_at_the_timer_and_so_on() {
    let mut world = World::new(vec![segment_age()]).answer("inject", Answer::No);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(3 * 3600 + 30 * 60));
    assert_eq!(world.pages_in_short(), "23s #1 L1, 600s #1 L2, 1500s #1 L3, 3300s #1 L4, 6900s #1 L4, 10500s #1 L4");
    world.health("main", Verdict::Healthy);
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_eq!(world.resolved_pages.len(), 6);
    assert!(world.has_closed(1));
}

#[test]
fn an_acknowledgement_keeps_the_next_level_asleep_for_a_while() {
    let mut world = World::new(vec![segment_age()]).answer("inject", Answer::No);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(120));
    world.operate(1, Operation::Ack);
    world.run(seconds(3600));
    assert_eq!(world.pages_in_short(), "23s #1 L1, 1920s #1 L2, 2820s #1 L3");
}

#[test]
fn a_false_condition_skips_and_an_error_is_never_a_yes() {
    let mut world = World::new(vec![segment_age()])
        .answer("restart", Answer::No)
        .answer("inject", Answer::Error("undefined value".to_owned()));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    assert_snapshot!(world.timeline(), @"
    0.0s #1 opened alert_firing segment-age: main
    0.0s #1 alert alert_firing SegmentAgeHigh
    0.0s #1 step_started next_step status (attempt 1)
    0.0s #1 health sick
    1.0s #1 step_finished step_ok status
    1.0s #1 step_skipped condition_false restart
    1.0s #1 step_skipped condition_error inject: undefined value
    1.0s #1 step_started next_step bundle (attempt 1)
    2.0s #1 step_finished step_ok bundle
    2.0s #1 phase exhausted exhausted
    2.0s #1 paged exhausted L1
    2.1s #1 page_delivered delivered 1
    ");
    assert!(world.runs.iter().all(|(_, step, _)| matches!(step.as_str(), "status" | "bundle")));
}

#[test]
fn unknown_health_makes_no_change_and_calls_a_person() {
    let mut world = World::new(vec![segment_age()]);
    world.know("main");
    world.event(Event::AlertFiring(alert("SegmentAgeHigh", "main")));
    world.run(seconds(120));
    assert_eq!(world.pages_in_short(), "30s #1 L1");
    assert_eq!(world.runs.len(), 1, "only the status step ran: {:?}", world.runs);
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened alert_firing segment-age: main
     0.0s #1 alert alert_firing SegmentAgeHigh
     0.0s #1 step_started next_step status (attempt 1)
     1.0s #1 step_finished step_ok status
     1.0s #1 blocked health_unknown restart
    30.0s #1 paged health_unknown L1
    30.1s #1 page_delivered delivered 1
    ");
}

#[test]
fn a_crash_in_the_middle_of_a_change_verifies_first_and_does_not_repeat_what_worked() {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(5));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(3));
    world.health("main", Verdict::Healthy);
    world.restart(seconds(2));
    world.event(unknown_end("restart", 1));
    world.run(seconds(10));
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened alert_firing segment-age: main
     0.0s #1 alert alert_firing SegmentAgeHigh
     0.0s #1 step_started next_step status (attempt 1)
     0.0s #1 health sick
     1.0s #1 step_finished step_ok status
     1.0s #1 step_started next_step restart (attempt 1)
     5.0s #1 step_finished outcome_unknown restart
     5.0s #1 health healthy
     5.0s #1 step_skipped healthy inject
     5.0s #1 step_started next_step bundle (attempt 1)
     6.0s #1 step_finished step_ok bundle
     6.0s #1 phase healthy stabilising
    15.0s #1 alert alert_resolved SegmentAgeHigh
    35.0s #1 phase stabilised monitoring
    35.0s #1 closed stabilised
    ");
    assert_eq!(world.runs_of("restart"), 1);
}

fn unknown_end(step: &str, attempt: u32) -> Event {
    let outcome = Outcome::Unknown;
    Event::StepFinished { incident: IncidentId::new(1), step: StepId::new(step), attempt, outcome }
}

#[test]
fn an_unknown_outcome_is_repeated_only_if_the_step_says_so() {
    for (step, again) in [(repeatable("restart"), 2), (change("restart"), 1)] {
        let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![step])]);
        world.fire("SegmentAgeHigh", "main");
        world.run(seconds(1));
        world.restart(seconds(1));
        world.event(unknown_end("restart", 1));
        world.run(seconds(60));
        assert_eq!(world.runs.len(), again, "{}", world.timeline());
        assert_eq!(world.pages.len(), 1, "{}", world.timeline());
    }
}

#[test]
fn a_cause_holds_its_symptom_back_and_the_symptom_calls_nobody() {
    let mut symptom = segment_age();
    symptom.causes = vec![RunbookId::new("ingest-down")];
    let mut slow = change("restart_nginx");
    slow.timeout = seconds(500);
    let cause = runbook("ingest-down", "IngestDown", vec![slow]);
    let mut world = World::new(vec![symptom, cause]).script("restart_nginx", ok(400));
    world.fire("IngestDown", "main");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(350));
    assert_eq!(world.pages_in_short(), "300s #1 L1");
    world.health("main", Verdict::Healthy);
    world.resolve("IngestDown", "main");
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(200));
    assert_eq!(world.runs.len(), 1, "{}", world.timeline());
    assert_eq!(world.closed.len(), 2, "{}", world.timeline());
}

#[test]
fn three_sick_targets_of_five_are_systemic_and_call_one_person_once() {
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![change("restart")])]);
    world.count_targets(5);
    for stream in ["a", "b", "c", "d"] {
        world.fire("SegmentAgeHigh", stream);
    }
    world.run(seconds(100));
    assert_eq!(world.pages.len(), 1, "{}", world.timeline());
    assert_eq!(world.runs.len(), 0, "{}", world.timeline());
}

#[test]
fn one_change_at_a_time_and_a_budget_for_the_hour() {
    let mut limits = policy();
    limits.changes_per_hour = 2;
    limits.max_unhealthy_ratio = 1.0;
    let book = runbook("segment-age", "SegmentAgeHigh", vec![change("restart")]);
    let mut world = World::with_policy(vec![book], limits).script("restart", ok(10));
    for stream in ["a", "b", "c"] {
        world.fire("SegmentAgeHigh", stream);
    }
    world.run(seconds(5));
    assert_eq!(world.runs.len(), 1);
    world.run(seconds(60));
    assert_eq!(world.runs.len(), 2);
    let blocked = world.fleet.incidents().filter(|incident| incident.phase_name() == "blocked").count();
    assert_eq!(blocked, 1, "{}", world.timeline());
}

#[test]
fn a_runbook_s_own_budget_stops_its_changes_and_no_other_s_and_people_are_called() {
    let limits = vvtv_incident::Policy { max_unhealthy_ratio: 1.0, ..policy() };
    let own = vvtv_incident::Runbook {
        changes_per_hour: Some(1),
        ..runbook("segment-age", "SegmentAgeHigh", vec![change("restart")])
    };
    let other = runbook("ingest-down", "IngestDown", vec![change("restart_nginx")]);
    let mut world =
        World::with_policy(vec![own, other], limits).script("restart", heals(1)).script("restart_nginx", heals(1));
    world.fire("SegmentAgeHigh", "a");
    world.run(seconds(5));
    world.fire("SegmentAgeHigh", "b");
    world.fire("IngestDown", "c");
    world.run(seconds(60));
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened alert_firing segment-age: a
     0.0s #1 alert alert_firing SegmentAgeHigh
     0.0s #1 health sick
     0.0s #1 step_started next_step restart (attempt 1)
     1.0s #1 step_finished step_ok restart
     1.0s #1 health healthy
     1.0s #1 phase healthy stabilising
     5.0s #2 opened alert_firing segment-age: b
     5.0s #2 alert alert_firing SegmentAgeHigh
     5.0s #3 opened alert_firing ingest-down: c
     5.0s #3 alert alert_firing IngestDown
     5.0s #2 health sick
     5.0s #2 blocked runbook_budget_spent restart
     5.0s #2 paged runbook_budget_spent L1
     5.0s #3 health sick
     5.0s #3 step_started next_step restart_nginx (attempt 1)
     5.1s #2 page_delivered delivered 1
     6.0s #3 step_finished step_ok restart_nginx
     6.0s #3 health healthy
     6.0s #3 phase healthy stabilising
    31.0s #1 phase stabilised monitoring
    36.0s #3 phase stabilised monitoring
    ");
    assert_eq!(world.pages_in_short(), "5s #2 L1");
    world.run(seconds(3600));
    let restarts = world.runs_of("restart");
    assert_eq!(restarts, 2, "an hour later there is room again:\n{}", world.timeline());
}

#[test]
fn hold_stops_actions_calls_l1_and_release_goes_on() {
    let mut world = World::new(vec![segment_age()]).script("status", ok(5));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1));
    world.operate(1, Operation::Hold);
    world.run(seconds(60));
    assert_eq!(world.runs.len(), 1, "{}", world.timeline());
    assert_eq!(world.pages_in_short(), "1s #1 L1");
    world.operate(1, Operation::Release);
    world.run(seconds(10));
    assert_eq!(world.runs.len(), 2, "{}", world.timeline());
}

#[test]
fn a_pause_stops_new_actions_everywhere_and_resume_lets_them_run() {
    let mut world = World::new(vec![segment_age()]);
    world.event(Event::Pause { by: Person::new("ana") });
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_eq!(world.runs.len(), 0);
    world.event(Event::Resume { by: Person::new("ana") });
    world.run(seconds(2));
    assert!(!world.runs.is_empty());
}

#[test]
fn abort_kills_and_nothing_runs_afterwards() {
    let mut world = World::new(vec![segment_age()]).script("status", ok(50));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1));
    world.operate(1, Operation::Abort);
    world.run(seconds(100));
    assert_eq!(world.runs.len(), 1);
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened alert_firing segment-age: main
     0.0s #1 alert alert_firing SegmentAgeHigh
     0.0s #1 step_started next_step status (attempt 1)
     0.0s #1 health sick
     1.0s #1 operator aborted ana
     1.0s #1 phase aborted exhausted
     1.0s #1 paged aborted L1
     1.0s #1 step_finished step_failed status: killed
     1.1s #1 page_delivered delivered 1
    50.0s #1 ignored stale
    ");
}

#[test]
fn approve_mode_waits_for_a_person_and_asks_health_again() {
    let mut book = segment_age();
    book.mode = Mode::Approve;
    let mut world = World::new(vec![book]).script("restart", heals(1));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(30));
    assert_eq!(world.runs.len(), 1);
    assert_eq!(world.pages_in_short(), "1s #1 L1");
    world.operate(1, Operation::Approve(StepId::new("restart")));
    world.run(seconds(5));
    assert!(world.runs.iter().any(|(_, step, _)| step.as_str() == "restart"), "{}", world.timeline());
}

#[test]
fn shadow_mode_writes_down_what_would_run_and_calls_nobody() {
    let mut book = segment_age();
    book.mode = Mode::Shadow;
    let mut world = World::new(vec![book]);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(2000));
    assert_eq!(world.pages_in_short(), "");
    assert_snapshot!(world.timeline(), @"
    0.0s #1 opened alert_firing segment-age: main
    0.0s #1 alert alert_firing SegmentAgeHigh
    0.0s #1 step_started next_step status (attempt 1)
    0.0s #1 health sick
    1.0s #1 step_finished step_ok status
    1.0s #1 step_skipped shadow restart
    1.0s #1 step_skipped shadow inject
    1.0s #1 step_started next_step bundle (attempt 1)
    2.0s #1 step_finished step_ok bundle
    2.0s #1 phase exhausted exhausted
    ");
}

#[test]
fn a_wobble_within_settle_does_not_try_the_next_change() {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(1));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(4));
    world.health("main", Verdict::Unhealthy);
    world.run(seconds(3));
    world.health("main", Verdict::Healthy);
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_eq!(world.runs_of("inject"), 0, "{}", world.timeline());
    assert!(world.has_closed(1), "{}", world.timeline());
    assert_eq!(world.pages_in_short(), "");
}

#[test]
fn a_relapse_climbs_the_ladder_again_with_what_may_run_again_until_it_flaps() {
    let mut limits = policy();
    limits.attempts_per_step = 10;
    let mut world =
        World::with_policy(vec![segment_age()], limits).script("restart", heals(1)).answer("inject", Answer::No);
    world.fire("SegmentAgeHigh", "main");
    for _ in 0..5 {
        world.run(seconds(25));
        world.health("main", Verdict::Unhealthy);
    }
    world.run(seconds(20));
    assert_eq!(world.runs_of("restart"), 4, "{}", world.timeline());
    assert_eq!(world.pages.len(), 1, "{}", world.timeline());
}

#[test]
fn duplicates_and_a_refire_within_healthy_for_stay_one_incident() {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(1));
    for _ in 0..5 {
        world.fire("SegmentAgeHigh", "main");
    }
    world.run(seconds(5));
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.event(Event::AlertFiring(alert("SegmentAgeHigh", "main")));
    world.run(seconds(5));
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_eq!(world.closed.len(), 1, "{}", world.timeline());
    assert_eq!(world.runs_of("restart"), 1);
}

#[test]
fn a_resolve_that_nobody_told_is_found_by_reconciling() {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(1));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_eq!(world.closed.len(), 0);
    world.event(Event::Reconciled { active: Vec::new(), scope: Scope::All, asked_at: world.now });
    world.run(seconds(1));
    assert_eq!(world.closed.len(), 1, "{}", world.timeline());
}

#[test]
fn overdue_deadlines_fire_once_after_a_restart_at_the_highest_level_due() {
    let mut world = World::new(vec![segment_age()]).answer("inject", Answer::No);
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(60));
    assert_eq!(world.pages_in_short(), "23s #1 L1");
    world.restart(seconds(1600));
    world.run(seconds(5));
    assert_eq!(world.pages_in_short(), "23s #1 L1, 1660s #1 L3", "{}", world.timeline());
}

#[test]
fn alerts_without_runbook_or_target_do_nothing_and_say_why() {
    let mut world = World::new(vec![segment_age()]);
    world.event(Event::AlertFiring(alert("Unheard", "main")));
    world.event(Event::AlertFiring(alert("SegmentAgeHigh", "")));
    world.event(Event::AlertSuppressed(alert("SegmentAgeHigh", "main")));
    assert_snapshot!(world.timeline(), @"
    0.0s - ignored no_runbook Unheard
    0.0s - ignored target_missing SegmentAgeHigh
    0.0s - ignored suppressed SegmentAgeHigh
    ");
}

#[test]
fn a_background_diagnosis_delays_nothing() {
    let mut slow = diagnose("iostat");
    slow.kind = Kind::Diagnose { background: true, settle: seconds(0), known_to_read: true };
    let book = runbook("segment-age", "SegmentAgeHigh", vec![slow, change("restart")]);
    let mut world = World::new(vec![book]).script("iostat", ok(9)).script("restart", heals(1));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1));
    assert_eq!(world.runs.len(), 2, "{}", world.timeline());
    world.run(seconds(20));
    let record = &world.fleet.incident(IncidentId::new(1)).unwrap().ladder[0];
    assert_eq!(record.state.as_str(), "ok");
}

#[test]
fn a_failed_change_stops_further_changes_calls_l1_and_still_diagnoses() {
    let mut world = World::new(vec![segment_age()]);
    world.scripts.insert(
        StepId::new("restart"),
        crate::world::Script { takes: seconds(1), outcome: Outcome::Failed("exit code 1".to_owned()), heals: false },
    );
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(30));
    assert_snapshot!(world.timeline(), @"
    0.0s #1 opened alert_firing segment-age: main
    0.0s #1 alert alert_firing SegmentAgeHigh
    0.0s #1 step_started next_step status (attempt 1)
    0.0s #1 health sick
    1.0s #1 step_finished step_ok status
    1.0s #1 step_started next_step restart (attempt 1)
    2.0s #1 step_finished step_failed restart: exit code 1
    2.0s #1 paged step_failed L1
    2.0s #1 step_skipped earlier_failed inject
    2.0s #1 step_started next_step bundle (attempt 1)
    2.1s #1 page_delivered delivered 1
    3.0s #1 step_finished step_ok bundle
    3.0s #1 phase exhausted exhausted
    ");
}
