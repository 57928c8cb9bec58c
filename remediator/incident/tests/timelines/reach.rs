//! Channels that take no pages: who is called meanwhile, who is not, and what becomes of the timers.

use insta::assert_snapshot;
use vvtv_incident::{
    ChannelName, Contact, EscalateAt, Event, IncidentId, Level, Operation, Outcome, Policy, Runbook, Verdict,
};

use crate::world::{Script, World, change, policy, runbook, seconds};

/// Its one change fails after a second, which calls the first level.
fn broken() -> Runbook {
    runbook("segment-age", "SegmentAgeHigh", vec![change("restart")])
}

/// The people of [`policy`], each reached over these channels.
fn reached_over(channels: [&[&str]; 4]) -> Policy {
    let contact = |(contact, channels): (Contact, &[&str])| Contact {
        channels: channels.iter().map(|name| ChannelName::new(*name)).collect(),
        ..contact
    };
    let contacts = policy().contacts.into_iter().zip(channels).map(contact).collect();
    Policy { contacts, ..policy() }
}

fn world(policy: Policy) -> World {
    let failed = Script { takes: seconds(1), outcome: Outcome::Failed("exit code 1".to_owned()), heals: false };
    World::with_policy(vec![broken()], policy).script("restart", failed)
}

const ONE: [&[&str]; 4] = [&["pager"]; 4];

#[test]
fn forty_seconds_without_the_one_channel_call_the_first_level_late_and_nobody_else() {
    let mut world = world(reached_over(ONE));
    world.break_channel("pager");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(40));
    world.mend_channel("pager");
    world.run(seconds(500));
    assert_eq!(world.pages_in_short(), "1s #1 L1");
    assert_eq!(world.taken_in_short(), "40s L1 pager");
    world.run(seconds(500));
    assert_snapshot!(world.timeline(), @"
      0.0s #1 opened alert_firing segment-age: main
      0.0s #1 alert alert_firing SegmentAgeHigh
      0.0s #1 health sick
      0.0s #1 step_started next_step restart (attempt 1)
      1.0s #1 step_finished step_failed restart: exit code 1
      1.0s #1 paged step_failed L1
      1.0s #1 phase exhausted exhausted
     11.0s - channel channel_failing pager
     11.0s #1 page_delivered undeliverable 1
     11.0s #1 not_called no_other_channel L1
     40.0s - channel channel_working pager
     40.0s #1 page_delivered delivered 1
    629.0s #1 paged escalation_timer L2
    629.0s #1 page_delivered delivered 2
    ");
}

#[test]
fn an_hour_without_the_one_channel_calls_the_first_level_and_then_the_timers_go_on() {
    let mut world = world(reached_over(ONE));
    world.break_channel("pager");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(3600));
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
    world.mend_channel("pager");
    world.run(seconds(3600));
    assert_eq!(world.taken_in_short(), "3600s L1 pager, 4188s L2 pager, 5088s L3 pager, 6888s L4 pager");
}

#[test]
fn a_level_that_another_channel_leads_to_is_called_at_once_and_those_between_are_not() {
    let mut world = world(reached_over([&["pager"], &["pager"], &["pager", "mail"], &["phone"]]));
    world.break_channel("pager");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(20));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 11s #1 L3", "{}", world.timeline());
    assert_eq!(world.taken_in_short(), "11s L3 mail");
    world.mend_channel("pager");
    world.run(seconds(1000));
    assert_eq!(world.taken_in_short(), "11s L3 mail, 20s L1 pager, 20s L3 pager");
    assert_eq!(world.pages_in_short(), "1s #1 L1, 11s #1 L3", "the third level has time to answer");
    world.run(seconds(1000));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 11s #1 L3, 1811s #1 L4");
}

#[test]
fn a_channel_that_is_known_to_fail_lets_the_next_incident_skip_it_at_once() {
    let mut world = world(reached_over([&["pager"], &["phone"], &["pager"], &["pager"]]));
    world.break_channel("pager");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(20));
    world.fire("SegmentAgeHigh", "second");
    world.run(seconds(20));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 11s #1 L2, 21s #2 L1, 21s #2 L2", "{}", world.timeline());
    world.mend_channel("pager");
    assert_eq!(world.taken_in_short(), "11s L2 phone, 21s L2 phone, 40s L1 pager, 40s L1 pager", "no page is lost");
}

#[test]
fn when_every_channel_fails_nobody_else_is_called_and_whoever_can_be_told_first_is() {
    let mut world = world(reached_over([&["pager"], &["phone"], &["mail"], &["pager"]]));
    for channel in ["pager", "phone", "mail"] {
        world.break_channel(channel);
    }
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(1200));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 11s #1 L2, 21s #1 L3", "as long as a channel may take it");
    world.mend_channel("phone");
    world.run(seconds(890));
    assert_eq!(world.taken_in_short(), "1200s L2 phone");
    world.run(seconds(20));
    // The second level does not answer, and nobody above it can be told.
    assert_eq!(world.taken_in_short(), "1200s L2 phone, 2100s L2 phone", "{}", world.timeline());
}

#[test]
fn a_timer_skips_a_level_that_cannot_be_reached() {
    let mut world = world(reached_over([&["pager"], &["mail"], &["pager"], &["pager"]]));
    world.event(Event::ChannelFails(ChannelName::new("mail")));
    world.break_channel("mail");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(700));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 600s #1 L3", "{}", world.timeline());
}

#[test]
fn a_timer_that_cannot_reach_anybody_new_calls_whoever_was_told_again() {
    let mut world = world(reached_over([&["pager"], &["mail"], &["mail"], &["mail"]]));
    world.event(Event::ChannelFails(ChannelName::new("mail")));
    world.break_channel("mail");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(700));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 301s #1 L1, 601s #1 L1", "{}", world.timeline());
    world.mend_channel("mail");
    world.run(seconds(10));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 301s #1 L1, 601s #1 L1, 700s #1 L2", "its timer was due");
}

#[test]
fn a_restart_in_the_middle_of_an_outage_counts_none_of_its_time() {
    let mut world = world(reached_over(ONE));
    world.break_channel("pager");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(100));
    world.restart(seconds(1800));
    world.run(seconds(100));
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
    world.mend_channel("pager");
    world.run(seconds(500));
    assert_eq!(world.taken_in_short(), "2000s L1 pager", "{}", world.timeline());
    world.run(seconds(200));
    assert_eq!(world.pages.len(), 2, "{}", world.timeline());
}

#[test]
fn a_page_that_is_not_taken_by_a_channel_that_takes_others_does_not_stop_the_timers() {
    let mut world = world(reached_over(ONE));
    world.break_channel("pager");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(20));
    // It takes another page.
    world.event(Event::ChannelWorks(ChannelName::new("pager")));
    world.run(seconds(700));
    let levels: Vec<_> = world.pages.iter().map(|(_, _, level)| *level).collect();
    assert_eq!(levels, [1, 2], "{}", world.timeline());
}

#[test]
fn what_becomes_healthy_while_nobody_can_be_told_calls_nobody_and_takes_its_page_back() {
    let mut world = world(reached_over([&["pager"], &["phone"], &["pager"], &["pager"]]));
    world.break_channel("pager");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.health("main", Verdict::Healthy);
    world.resolve("SegmentAgeHigh", "main");
    world.run(seconds(120));
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
    assert_eq!(world.resolved_pages.len(), 1);
    assert!(world.has_closed(1));
}

#[test]
fn whoever_has_it_in_hand_keeps_it_whatever_the_channels_do() {
    let mut world = world(reached_over([&["pager"], &["phone"], &["pager"], &["pager"]]));
    world.break_channel("pager");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.operate(1, Operation::Ack);
    world.run(seconds(1790));
    assert_eq!(world.pages_in_short(), "1s #1 L1", "{}", world.timeline());
    world.run(seconds(100));
    assert_eq!(world.pages_in_short(), "1s #1 L1, 1805s #1 L2", "the acknowledgement ran out");
}

#[test]
fn a_runbook_s_timer_waits_for_a_channel_too() {
    let book = Runbook {
        escalate: Some(EscalateAt { level: Level::new(3), after: seconds(60) }),
        respond_within: seconds(600),
        ..runbook("segment-age", "SegmentAgeHigh", vec![])
    };
    let mut world = World::with_policy(vec![book], reached_over(ONE));
    world.event(Event::ChannelFails(ChannelName::new("pager")));
    world.break_channel("pager");
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(3000));
    assert_eq!(world.pages_in_short(), "0s #1 L1", "{}", world.timeline());
    world.mend_channel("pager");
    world.run(seconds(50));
    assert_eq!(world.pages_in_short(), "0s #1 L1");
    world.run(seconds(20));
    assert_eq!(world.pages_in_short(), "0s #1 L1, 3059s #1 L3", "{}", world.timeline());
}

#[test]
fn what_is_said_of_a_channel_that_leads_to_nobody_changes_nothing() {
    let mut world = world(reached_over(ONE));
    world.event(Event::ChannelFails(ChannelName::new("unused")));
    world.event(Event::ChannelWorks(ChannelName::new("pager")));
    world.event(Event::PageDelivered { incident: IncidentId::new(9), page: 1 });
    assert_eq!(world.timeline().lines().filter(|line| !line.contains(" ignored ")).count(), 0, "{}", world.timeline());
}
