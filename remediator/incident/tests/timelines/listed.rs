//! What Alertmanager's own list may bring about, and what a late or half-known message means.

use crate::world::{World, alert, heals, repeatable, runbook, seconds};
use insta::assert_snapshot;
use vvtv_incident::{Alert, Event, Fingerprint, Muting, ReceiverName, Runbook, Scope, Sender, Timestamp};

const HOUR: u64 = 3600;

fn segment_age() -> Runbook {
    runbook("segment-age", "SegmentAgeHigh", vec![repeatable("restart")])
}

/// Of another receiver, or muted: no delivery has ever named it. It is about the same target as [`alert`]'s.
fn foreign() -> Alert {
    Alert { fingerprint: Fingerprint::new("staging"), ..alert("SegmentAgeHigh", "main") }
}

fn since(second: u64, alert: Alert) -> Alert {
    Alert { starts_at: Timestamp::from_millis(1000 * second), ..alert }
}

fn world() -> World {
    let mut world = World::new(vec![segment_age()]).script("restart", heals(1));
    world.know("main");
    world
}

#[test]
fn the_list_alone_begins_nothing_that_no_delivery_has_named() {
    let mut world = world();
    for _ in 0..3 {
        world.list(&[foreign()], Muting::Unknown);
        world.run(seconds(30));
    }
    assert_snapshot!(world.timeline(), @"
      0.0s - ignored not_delivered SegmentAgeHigh
     30.0s - ignored not_delivered SegmentAgeHigh
     60.0s - ignored not_delivered SegmentAgeHigh
    ");
    assert_eq!(world.fleet.incidents().count(), 0);
}

#[test]
fn an_open_incident_takes_nothing_from_the_list_that_no_delivery_has_named() {
    let mut world = world();
    world.fire("SegmentAgeHigh", "main");
    world.list(&[alert("SegmentAgeHigh", "main"), foreign()], Muting::Unknown);
    world.run(seconds(60));
    world.list(&[foreign()], Muting::Unknown);
    world.run(seconds(5));
    assert!(world.has_closed(1), "what it does not know keeps it open:\n{}", world.timeline());
}

#[test]
fn what_fires_again_within_a_group_interval_is_told_by_nobody_and_begins_by_the_list() {
    let mut world = world();
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(60));
    world.list(&[], Muting::Unknown);
    world.run(seconds(5));
    assert!(world.has_closed(1), "{}", world.timeline());
    world.restart(seconds(1));
    world.list(&[since(65, alert("SegmentAgeHigh", "main"))], Muting::Unknown);
    assert_eq!(world.phase(2), "deciding", "{}", world.timeline());
}

#[test]
fn what_a_delivery_has_ended_and_what_alertmanager_has_forgotten_is_delivered_anew_or_is_not_ours() {
    let mut world = world();
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(60));
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(5));
    assert!(world.has_closed(1), "{}", world.timeline());
    world.list(&[alert("SegmentAgeHigh", "main")], Muting::Unknown);
    assert_eq!(world.fleet.incidents().count(), 0, "{}", world.timeline());

    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(60));
    world.list(&[], Muting::Unknown);
    world.run(seconds(121 * HOUR));
    world.list(&[alert("SegmentAgeHigh", "main")], Muting::Unknown);
    assert_eq!(world.fleet.incidents().count(), 0, "{}", world.timeline());
}

#[test]
fn where_alertmanager_says_what_it_mutes_the_list_begins_what_it_does_not_once_it_has_looked() {
    let mut world = world();
    world.run(seconds(100));
    world.list(&[since(50, foreign())], Muting::NotMuted);
    assert_eq!(world.fleet.incidents().count(), 0, "it has not looked yet:\n{}", world.timeline());
    world.run(seconds(10));
    world.list(&[since(50, foreign())], Muting::NotMuted);
    assert_eq!(world.phase(1), "deciding", "{}", world.timeline());
}

#[test]
fn what_a_delivery_left_out_is_as_good_as_delivered() {
    let mut world = world();
    world.list(&[foreign()], Muting::LeftOut);
    world.list(&[foreign()], Muting::Unknown);
    assert_eq!(world.phase(1), "deciding", "{}", world.timeline());
    assert!(!world.timeline().contains("not_delivered"), "{}", world.timeline());
}

#[test]
fn a_list_ends_only_what_it_would_have() {
    let mut world = World::new(vec![segment_age()]);
    world.know("main");
    let from =
        |name: &str, sender| Alert { fingerprint: Fingerprint::new(name), sender, ..alert("SegmentAgeHigh", "main") };
    let receiver = |name| Sender::Receiver(ReceiverName::new(name));
    for alert in [from("ours", receiver("ours")), from("theirs", receiver("theirs")), from("grafana", Sender::Other)] {
        world.event(Event::AlertFiring(alert));
    }
    world.run(seconds(1));
    let scope = Scope::Receivers([ReceiverName::new("ours")].into());
    world.event(Event::Reconciled { active: Vec::new(), scope, asked_at: world.now });
    let incident = world.fleet.incidents().next().unwrap();
    let ended: Vec<_> = incident.alerts.iter().filter(|(_, alert)| alert.ends_at.is_some()).collect();
    assert_eq!(ended.iter().map(|(fingerprint, _)| fingerprint.as_str()).collect::<Vec<_>>(), ["ours"]);
    world.event(Event::Reconciled { active: Vec::new(), scope: Scope::All, asked_at: world.now });
    let incident = world.fleet.incidents().next().unwrap();
    assert_eq!(incident.alerts.values().filter(|alert| alert.ends_at.is_none()).count(), 1, "grafana's");
}

#[test]
fn a_late_end_of_an_earlier_firing_is_not_the_end_of_the_present_one() {
    let mut world = World::new(vec![segment_age()]);
    world.know("main");
    let at = |second: u64| Timestamp::from_millis(1000 * second);
    let fingerprint = alert("SegmentAgeHigh", "main").fingerprint;
    let end = |starts_at, ends_at| Event::AlertResolved { fingerprint: fingerprint.clone(), starts_at, ends_at };
    world.run(seconds(100));
    world.event(Event::AlertFiring(since(100, alert("SegmentAgeHigh", "main"))));
    world.run(seconds(200));
    // Nobody told the end in between.
    world.event(Event::AlertFiring(since(295, alert("SegmentAgeHigh", "main"))));
    let late = world.lines.len();
    world.event(end(at(100), Some(at(290))));
    world.event(end(at(0), Some(at(99))));
    world.list(&[since(295, alert("SegmentAgeHigh", "main"))], Muting::Unknown);
    // Its own times: by a clock that is wrong, and by none.
    world.event(end(at(295), Some(at(5))));
    world.event(Event::AlertFiring(since(300, alert("SegmentAgeHigh", "main"))));
    world.event(end(at(0), None));
    let told: Vec<_> =
        world.lines.iter().skip(late).filter(|line| line.contains("alert") || line.contains("ignored")).collect();
    assert_snapshot!(told.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n"), @"
     300.0s #1 ignored earlier_episode SegmentAgeHigh/main
     300.0s #1 ignored earlier_episode SegmentAgeHigh/main
     300.0s #1 ignored duplicate SegmentAgeHigh
     300.0s #1 alert alert_resolved SegmentAgeHigh
     300.0s #1 alert alert_firing SegmentAgeHigh
     300.0s #1 alert alert_resolved SegmentAgeHigh
    ");
}
