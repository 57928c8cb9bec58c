//! Incidents of which what was kept cannot be read.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use vvtv_incident::{
    AlertRecord, Arrival, Event, Fingerprint, IncidentId, Level, Operation, PageRecord, Reason, RunbookId, StepId,
    StepKind, StepRecord, StepState, Target, Timestamp, Unreadable, Verdict,
};

use crate::world::{World, alert, change, diagnose, runbook, seconds};

fn world() -> World {
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![diagnose("look"), change("mend")])]);
    world.know("main");
    world.run(seconds(100));
    world
}

/// One whose second step ran when the program ended, and that had called the first level.
fn found(alerts: BTreeMap<Fingerprint, AlertRecord>) -> Event {
    let mend = StepRecord {
        id: StepId::new("mend"),
        kind: StepKind::Change,
        state: StepState::Running,
        reason: None,
        attempts: 1,
        not_run: 0,
        started_at: Some(Timestamp::from_millis(50_000)),
        finished_at: None,
        approved_by: None,
    };
    let page = PageRecord {
        page: 1,
        level: Level::FIRST,
        reason: Reason::ResponseTime,
        due_at: Timestamp::from_millis(60_000),
        arrival: Arrival::Taken { at: Timestamp::from_millis(60_100) },
        resolved: false,
    };
    Event::Unreadable(Box::new(Unreadable {
        id: IncidentId::new(4),
        runbook: RunbookId::new("segment-age"),
        target: Target::new("main"),
        opened_at: Timestamp::from_millis(40_000),
        alerts,
        steps: vec![mend],
        pages: vec![page],
        text: "{\"phase\":\"spent\"}".to_owned(),
    }))
}

fn its_alert() -> BTreeMap<Fingerprint, AlertRecord> {
    let alert = alert("SegmentAgeHigh", "main");
    let record = AlertRecord {
        name: alert.name,
        labels: alert.labels,
        starts_at: alert.starts_at,
        heard_at: Timestamp::from_millis(40_000),
        ends_at: None,
        suppressed: false,
        sender: alert.sender,
    };
    BTreeMap::from([(alert.fingerprint, record)])
}

#[test]
fn it_is_people_s_until_its_alert_is_over_and_nothing_is_run() {
    let mut world = world();
    world.event(found(its_alert()));
    world.health("main", Verdict::Unhealthy);
    world.run(seconds(30));
    world.fire("SegmentAgeHigh", "main");
    world.health("main", Verdict::Healthy);
    world.run(seconds(60));
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(30));
    assert!(world.runs.is_empty(), "{:?}", world.runs);
    assert!(world.has_closed(4));
    assert_snapshot!(world.timeline(), @r#"
    100.0s #4 journal unreadable {"phase":"spent"}
    100.0s #4 phase unreadable exhausted
    100.0s #4 paged unreadable L1
    100.0s #4 step_finished step_failed mend: killed
    100.0s #4 page_delivered delivered 2
    130.0s #4 ignored duplicate SegmentAgeHigh
    190.0s #4 alert alert_resolved SegmentAgeHigh
    190.0s #4 page_resolved alert_resolved 1
    190.0s #4 page_resolved alert_resolved 2
    190.0s #4 closed alert_resolved
    190.0s - ignored unknown_incident 4
    "#);
}

#[test]
fn one_whose_alerts_nobody_knows_is_not_over_before_a_person_says_so() {
    let mut world = world();
    world.event(found(BTreeMap::new()));
    world.health("main", Verdict::Healthy);
    world.run(seconds(3600));
    assert_eq!(world.phase(4), "exhausted");
    world.operate(4, Operation::Abort);
    world.run(seconds(5));
    assert!(world.has_closed(4));
    assert_eq!(world.resolved_pages.len(), world.pages.len() + 1, "the page of before is taken back too");
    world.fire("SegmentAgeHigh", "main");
    assert_eq!(world.phase(5), "running", "numbers go on, and the next one is repaired");
}

#[test]
fn a_new_delivery_of_its_alert_is_its_own_again() {
    let mut world = world();
    world.event(found(BTreeMap::new()));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(5));
    assert!(world.has_closed(4) && world.runs.is_empty());
}

#[test]
fn what_is_open_already_is_not_taken_up_again() {
    let mut world = world();
    world.event(found(its_alert()));
    let before = world.lines.len();
    world.event(found(its_alert()));
    assert_eq!(world.lines.get(before..).unwrap_or_default(), ["  100.0s - ignored duplicate 4"]);
}
