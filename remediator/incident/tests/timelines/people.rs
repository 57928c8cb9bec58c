//! What is people's from the beginning: alerts that no runbook answers, and the silence of those by whom faults are heard of.

use insta::assert_snapshot;
use vvtv_incident::{
    Alert, AlertName, Event, Kind, LabelName, Mode, OnFailure, Operation, Outcome, Policy, Runbook, Scope, Source,
    Timestamp, Unanswered, Watch,
};

use crate::world::{Script, World, alert, change, diagnose, policy, runbook, seconds};

fn probe() -> Runbook {
    runbook("probe", "ProbeSick", vec![diagnose("status")])
}

fn severe(alert: Alert, severity: &str) -> Alert {
    let mut labels = alert.labels;
    labels.insert(LabelName::new("severity"), severity.into());
    Alert { labels, ..alert }
}

fn critical(name: &str, stream: &str) -> Event {
    Event::AlertFiring(severe(alert(name, stream), "critical"))
}

/// The same without a label that names a target.
fn nameless(name: &str) -> Event {
    let mut labels = severe(alert(name, "main"), "critical");
    labels.labels.remove(&LabelName::new("stream"));
    Event::AlertFiring(labels)
}

fn watching(expected: bool) -> World {
    let watch = Watch { alert: AlertName::new("Watchdog"), expected, silent_after: seconds(300) };
    World::with_policy(vec![probe()], Policy { watch: Some(watch), ..policy() })
}

/// Everybody who is there gives a sign of life every half minute, for a time.
fn hear(world: &mut World, sources: &[Source], time: u64) {
    for _ in 0..time / 30 {
        for source in sources {
            world.event(Event::Alive(*source));
        }
        world.run(seconds(30));
    }
}

/// Its lines without the signs of life that change nothing.
fn timeline(world: &World) -> String {
    let lines = world.timeline();
    let told = lines.lines().filter(|line| !line.contains("- ignored alive"));
    told.map(str::to_owned).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_critical_alert_that_no_runbook_answers_is_people_s_until_it_is_resolved() {
    let mut world = World::new(vec![probe()]);
    world.event(critical("ViewerBuffersEmpty", "main"));
    world.run(seconds(100));
    world.event(critical("ViewerBuffersEmpty", "main"));
    world.run(seconds(600));
    world.operate(1, Operation::Ack);
    world.run(seconds(600));
    world.resolve("ViewerBuffersEmpty", "main");
    world.run(seconds(30));
    assert_snapshot!(world.timeline(), @"
       0.0s #1 opened no_runbook unanswered_alert: ViewerBuffersEmpty: main
       0.0s #1 alert no_runbook ViewerBuffersEmpty
     100.0s #1 ignored duplicate ViewerBuffersEmpty
     300.0s #1 paged response_time L1
     300.1s #1 page_delivered delivered 1
     600.0s #1 paged no_acknowledgement L2
     600.0s #1 page_delivered delivered 2
     700.0s #1 operator acknowledged ana
    1300.0s #1 alert alert_resolved ViewerBuffersEmpty
    1320.0s #1 page_resolved alert_resolved 1
    1320.0s #1 page_resolved alert_resolved 2
    1320.0s #1 closed alert_resolved
    ");
    assert!(world.runs.is_empty(), "nothing is run, and nobody is asked for its health");
}

#[test]
fn without_the_label_that_names_its_target_too_and_by_what_the_policy_says() {
    let unanswered = Unanswered { respond_within: Some(seconds(20)), ..Unanswered::default() };
    let mut world = World::with_policy(vec![probe()], Policy { unanswered, ..policy() });
    world.event(nameless("ProbeSick"));
    world.event(Event::AlertFiring(severe(alert("DiskFillsUp", "main"), "major")));
    world.event(Event::AlertFiring(alert("Quiet", "main")));
    world.run(seconds(30));
    assert_snapshot!(world.timeline(), @"
     0.0s #1 opened target_missing unanswered_alert: ProbeSick
     0.0s #1 alert target_missing ProbeSick
     0.0s - ignored no_runbook DiskFillsUp
     0.0s - ignored no_runbook Quiet
    20.0s #1 paged response_time L1
    20.1s #1 page_delivered delivered 1
    ");
}

#[test]
fn many_of_them_are_no_systemic_fault_and_each_calls() {
    let mut world = World::new(vec![probe()]);
    world.list_targets();
    for name in ["A", "B", "C", "D"] {
        world.event(critical(name, "main"));
    }
    world.run(seconds(301));
    assert_eq!(world.pages_in_short(), "300s #1 L1, 300s #2 L1, 300s #3 L1, 300s #4 L1");
    world.fire("ProbeSick", "main");
    world.run(seconds(1));
    assert_eq!(world.runs_of("status"), 1, "and they keep no runbook from its work");
}

#[test]
fn what_one_name_says_of_one_target_is_one_incident_and_ends_with_the_last_of_its_alerts() {
    let mut world = World::new(vec![probe()]);
    let variant = |number: &str| {
        let mut alert = severe(alert("ViewerBuffersEmpty", "main"), "critical");
        alert.fingerprint = vvtv_incident::Fingerprint::new(number);
        alert
    };
    for number in ["1", "2"] {
        world.event(Event::AlertFiring(variant(number)));
    }
    world.event(critical("ViewerBuffersEmpty", "second"));
    world.run(seconds(400));
    assert_eq!(world.pages_in_short(), "300s #1 L1, 300s #2 L1");
    let ends = |number: &str| Event::AlertResolved {
        fingerprint: variant(number).fingerprint,
        starts_at: Timestamp::default(),
        ends_at: None,
    };
    world.event(ends("1"));
    assert!(!world.has_closed(1));
    world.event(ends("2"));
    world.run(seconds(20));
    assert!(world.has_closed(1) && !world.has_closed(2));
    // Nobody said so, but Alertmanager has it no more.
    let asked_at = world.now;
    world.event(Event::Reconciled { active: Vec::new(), scope: Scope::All, asked_at });
    world.run(seconds(20));
    assert!(world.has_closed(2));
}

#[test]
fn it_survives_a_restart_and_is_handed_over_to_a_runbook_that_answers_it_by_then() {
    let mut world = World::new(vec![probe()]);
    world.event(critical("ViewerBuffersEmpty", "main"));
    world.run(seconds(400));
    world.restart(seconds(10));
    world.run(seconds(10));
    assert_eq!((world.pages_in_short().as_str(), world.phase(1)), ("300s #1 L1", "exhausted"));
    let buffers = runbook("buffers", "ViewerBuffersEmpty", vec![diagnose("look")]);
    world.fleet.reconfigure(policy(), vec![probe(), buffers], world.now);
    world.know("main");
    world.event(critical("ViewerBuffersEmpty", "main"));
    world.run(seconds(20));
    assert!(world.has_closed(1), "its pages are taken back: {}", world.timeline());
    assert_eq!(world.fleet.incidents().map(|it| it.runbook.to_string()).collect::<Vec<_>>(), ["buffers"]);
    world.resolve("ViewerBuffersEmpty", "main");
    assert!(!world.fleet.incidents().any(vvtv_incident::Incident::firing), "and the alert is the runbook's");
}

#[test]
fn in_shadow_nobody_is_called_about_it() {
    let mut world = World::with_policy(vec![probe()], Policy { mode: Mode::Shadow, ..policy() });
    world.event(critical("ViewerBuffersEmpty", "main"));
    world.run(seconds(4000));
    assert_eq!((world.pages_in_short().as_str(), world.phase(1)), ("", "exhausted"));
}

#[test]
fn monitoring_that_falls_silent_calls_once_and_closes_when_all_of_it_is_back() {
    let mut world = watching(true);
    hear(&mut world, &Source::ALL, 600);
    // Prometheus dies: Alertmanager has nothing to deliver by and by.
    hear(&mut world, &[Source::Alertmanager], 390);
    world.event(Event::Alive(Source::Prometheus));
    hear(&mut world, &Source::ALL, 60);
    assert_snapshot!(timeline(&world), @"
     870.0s #1 opened watchdog_silent silent_monitoring: monitoring
     870.0s #1 alert watchdog_silent WatchdogSilent
     870.0s #1 paged watchdog_silent L1
     870.0s #1 alert prometheus_silent PrometheusSilent
     870.0s #1 page_delivered delivered 1
     990.0s #1 alert alive PrometheusSilent
     990.0s #1 alert alive WatchdogSilent
    1010.0s #1 page_resolved alert_resolved 1
    1010.0s #1 closed alert_resolved
    ");
}

#[test]
fn an_alert_that_never_came_is_missed_only_where_it_is_expected() {
    let others = [Source::Prometheus, Source::Alertmanager];
    let mut world = watching(false);
    hear(&mut world, &others, 3600);
    assert_eq!(world.pages_in_short(), "");
    world.event(Event::Alive(Source::Watchdog));
    hear(&mut world, &others, 3600);
    assert_eq!(world.pages_in_short(), "3900s #1 L1, 4200s #1 L2, 5100s #1 L3, 6900s #1 L4");
    let mut world = watching(true);
    hear(&mut world, &others, 330);
    assert_eq!(world.pages_in_short(), "300s #1 L1");
}

#[test]
fn the_alert_that_always_fires_is_no_fault() {
    let mut world = watching(true);
    world.event(critical("Watchdog", "main"));
    assert_eq!(world.timeline().trim_start(), "0.0s - ignored alive Watchdog");
    assert!(world.fleet.is_watchdog(&AlertName::new("Watchdog")));
}

#[test]
fn a_silence_goes_on_across_a_restart_and_alertmanager_s_list_does_not_end_it() {
    let mut world = watching(true);
    hear(&mut world, &[Source::Prometheus, Source::Watchdog], 330);
    assert_eq!(world.pages_in_short(), "300s #1 L1");
    world.restart(seconds(5));
    let asked_at = world.now;
    world.event(Event::Reconciled { active: Vec::new(), scope: Scope::All, asked_at });
    assert_eq!(world.phase(1), "exhausted");
    // What is sent from outside under its name does not either.
    world.event(Event::AlertResolved {
        fingerprint: vvtv_incident::Fingerprint::new("alertmanager"),
        starts_at: Timestamp::default(),
        ends_at: Some(asked_at),
    });
    assert_eq!(world.phase(1), "exhausted");
    world.event(Event::Alive(Source::Alertmanager));
    world.run(seconds(20));
    assert!(world.has_closed(1));
}

#[test]
fn a_maintenance_window_calls_nobody_about_silence_before_it_is_over() {
    let mut world = watching(true);
    world.event(Event::Maintenance(true));
    world.run(seconds(1000));
    assert_eq!(world.pages_in_short(), "");
    world.event(Event::Maintenance(false));
    world.run(seconds(1));
    assert_eq!(world.pages_in_short(), "1000s #1 L1");
}

#[test]
fn what_fails_after_the_call_is_told_on_the_page_that_is_open() {
    let mut book = runbook("probe", "ProbeSick", vec![change("restart"), change("inject"), diagnose("bundle")]);
    for step in &mut book.steps {
        if let Kind::Change { on_failure, .. } = &mut step.kind {
            *on_failure = OnFailure::Continue;
        }
    }
    let fails = |takes| Script { takes: seconds(takes), outcome: Outcome::Failed(String::new()), heals: false };
    let mut world = World::new(vec![book]).script("restart", fails(1)).script("inject", fails(5));
    world = world.script("bundle", fails(1));
    world.fire("ProbeSick", "main");
    world.run(seconds(60));
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
    assert_eq!(world.updates_in_short(), "6s #1 page 1 step_failed, 7s #1 page 1 step_failed", "{}", world.timeline());
}

#[test]
fn an_unanswered_alert_that_flaps_is_one_page_and_calls_nobody_while_it_is_away() {
    let mut world = World::new(vec![probe()]);
    world.event(critical("ViewerBuffersEmpty", "main"));
    world.run(seconds(310));
    for _ in 0..4 {
        world.resolve("ViewerBuffersEmpty", "main");
        world.run(seconds(5));
        world.event(critical("ViewerBuffersEmpty", "main"));
        world.run(seconds(5));
    }
    world.resolve("ViewerBuffersEmpty", "main");
    world.run(seconds(900));
    assert_eq!(world.pages_in_short(), "300s #1 L1", "{}", world.timeline());
    assert!(world.has_closed(1) && world.resolved_pages.len() == 1, "{}", world.timeline());
}

#[test]
fn a_flood_of_made_up_names_calls_no_more_often_than_so_many_times() {
    let mut world = World::new(vec![probe()]);
    for number in 0..200 {
        world.event(critical(&format!("Made{number}"), "main"));
    }
    world.event(critical("Made3", "main"));
    world.run(seconds(301));
    assert_eq!(world.pages.len(), 21, "{}", world.pages_in_short());
    let targets: Vec<_> = world.fleet.incidents().map(|it| it.target.to_string()).collect();
    assert_eq!((targets.len(), &*targets[19], &*targets[20]), (21, "Made19: main", "many other alerts"));
}
