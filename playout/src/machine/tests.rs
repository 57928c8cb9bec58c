//! The machine on a virtual clock: each case is a story of events and the commands that must follow.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    respawn_first: Duration::from_millis(500),
    respawn_max: Duration::from_secs(10),
    respawn_after_signal: Duration::from_secs(30),
    stuck_after: Duration::from_secs(2),
    start_within: Duration::from_secs(10),
    term_grace: Duration::from_secs(2),
    drop_within: Duration::from_millis(1500),
    publish_within: Duration::from_secs(15),
    good_after: Duration::from_secs(10),
};

const fn ms(millis: u64) -> Moment {
    Duration::from_millis(millis)
}

fn advance(seconds: u64) -> Event {
    Event::Progress { out_time: Some(Duration::from_secs(seconds)), total_bytes: Some(seconds * 1000) }
}

/// A machine with encoder 100 running since 0 and published at 1 s.
fn running() -> Machine {
    let mut machine = Machine::new(LIMITS);
    assert_eq!(machine.step(ms(0), Event::Start), [Command::Spawn]);
    assert_eq!(machine.step(ms(0), Event::Spawned { pid: 100 }), []);
    assert_eq!(machine.step(ms(500), advance(1)), [Command::ConfirmPublishing { pid: 100 }]);
    assert_eq!(machine.step(ms(1000), Event::Published { pid: 100 }), []);
    assert_eq!(machine.state(ms(1000)), State::Running);
    machine
}

fn waiting_until(machine: &Machine) -> Moment {
    let Phase::Waiting { until, .. } = machine.phase() else { panic!("not waiting: {:?}", machine.phase()) };
    *until
}

#[test]
fn silence_is_stuck_after_two_seconds_and_nothing_is_done_about_it() {
    let mut machine = running();
    assert_eq!(machine.step(ms(2400), Event::Tick), []);
    assert_eq!(machine.state(ms(2499)), State::Running);
    assert_eq!(machine.state(ms(2500)), State::Stuck);
    assert_eq!(machine.next_deadline(), None);
    assert_eq!(machine.step(ms(3000), advance(2)), []);
    assert_eq!(machine.state(ms(3000)), State::Running);
}

#[test]
fn time_that_advances_without_bytes_is_stuck_too() {
    let mut machine = running();
    let event = Event::Progress { out_time: Some(ms(9000)), total_bytes: Some(1000) };
    assert_eq!(machine.step(ms(2500), event), []);
    assert_eq!(machine.state(ms(2500)), State::Stuck);
}

#[test]
fn a_stopped_process_is_stuck_at_once_and_a_zombie_is_dead() {
    let mut machine = running();
    assert_eq!(machine.step(ms(1100), Event::Observed(ProcessState::Stopped)), []);
    assert_eq!(machine.state(ms(1100)), State::Stuck);
    assert_eq!(machine.step(ms(1100), Event::Observed(ProcessState::Zombie)), []);
    assert_eq!(machine.state(ms(1100)), State::Dead);
}

#[test]
fn a_new_encoder_that_never_sends_is_starting_then_stuck() {
    let mut machine = Machine::new(LIMITS);
    let _ = machine.step(ms(0), Event::Start);
    assert_eq!(machine.state(ms(0)), State::Starting);
    let _ = machine.step(ms(0), Event::Spawned { pid: 1 });
    assert_eq!(machine.state(ms(9_999)), State::Starting);
    assert_eq!(machine.state(ms(10_000)), State::Stuck);
}

#[test]
fn an_encoder_that_ends_comes_back_with_growing_pauses() {
    let mut machine = Machine::new(LIMITS);
    let mut now = ms(0);
    let _ = machine.step(now, Event::Start);
    let mut pauses = Vec::new();
    for pid in 0..7 {
        let _ = machine.step(now, Event::Spawned { pid });
        assert_eq!(machine.step(now, Event::Exited(Exit::Code(1))), []);
        assert_eq!(machine.state(now), State::Dead);
        let until = waiting_until(&machine);
        assert_eq!(machine.next_deadline(), Some(until));
        pauses.push((until - now).as_millis());
        assert_eq!(machine.step(until, Event::Tick), [Command::Spawn]);
        now = until;
    }
    assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    // One that lived long enough starts the pauses anew.
    let _ = machine.step(now, Event::Spawned { pid: 9 });
    let _ = machine.step(now + ms(10_000), Event::Exited(Exit::Code(1)));
    assert_eq!(waiting_until(&machine) - now, ms(10_500));
    assert_eq!(machine.restarts(), 7);
}

#[test]
fn a_server_that_answers_again_ends_the_pause() {
    let mut machine = running();
    let _ = machine.step(ms(2000), Event::Exited(Exit::Code(1)));
    assert_eq!(machine.step(ms(2100), Event::IngestReturned), [Command::Spawn]);
    // Not after a kill: that is somebody's decision.
    let mut machine = running();
    let _ = machine.step(ms(2000), Event::Exited(Exit::Signal(9)));
    assert_eq!(machine.step(ms(2100), Event::IngestReturned), []);
}

#[test]
fn a_killed_encoder_stays_dead_until_somebody_restarts_it() {
    let mut machine = running();
    assert_eq!(machine.step(ms(5000), Event::Exited(Exit::Signal(9))), []);
    assert_eq!(machine.state(ms(34_999)), State::Dead);
    assert_eq!(machine.step(ms(34_999), Event::Tick), []);
    assert_eq!(machine.clone().step(ms(35_000), Event::Tick), [Command::Spawn]);
    // Its connection may live on at the server: the name is freed all the same.
    assert_eq!(machine.step(ms(8000), Event::Restart { request: 7 }), [Command::DropPublisher]);
    assert_eq!(machine.step(ms(8000), Event::DropAnswered { dropped: false }), [Command::Spawn]);
    let _ = machine.step(ms(8000), Event::Spawned { pid: 101 });
    assert_eq!(machine.step(ms(8500), advance(1)), [Command::ConfirmPublishing { pid: 101 }]);
    let outcome = RestartOutcome::Published { old_pid: None, new_pid: 101, dropped_publisher: false, took: ms(900) };
    assert_eq!(machine.step(ms(8900), Event::Published { pid: 101 }), [Command::Answer { request: 7, outcome }]);
}

#[test]
fn a_healthy_encoder_is_terminated_then_killed() {
    let mut machine = running();
    assert_eq!(machine.step(ms(1500), Event::Restart { request: 1 }), [Command::Terminate]);
    assert_eq!(machine.state(ms(1500)), State::Starting);
    assert_eq!(machine.step(ms(3499), Event::Tick), []);
    assert_eq!(machine.step(ms(3500), Event::Tick), [Command::Kill]);
    assert_eq!(machine.step(ms(3600), Event::Tick), []);
    assert_eq!(machine.step(ms(3600), Event::Exited(Exit::Signal(9))), [Command::Spawn]);
}

#[test]
fn a_stuck_publisher_is_dropped_first_and_killed_at_once() {
    let mut machine = running();
    let _ = machine.step(ms(1500), Event::Observed(ProcessState::Stopped));
    assert_eq!(machine.step(ms(1500), Event::Restart { request: 1 }), [Command::DropPublisher]);
    assert_eq!(machine.step(ms(1510), Event::DropAnswered { dropped: true }), [Command::Kill]);
    assert_eq!(machine.step(ms(1520), Event::Exited(Exit::Signal(9))), [Command::Spawn]);
    let _ = machine.step(ms(1530), Event::Spawned { pid: 101 });
    let _ = machine.step(ms(2000), advance(1));
    let outcome =
        RestartOutcome::Published { old_pid: Some(100), new_pid: 101, dropped_publisher: true, took: ms(700) };
    assert_eq!(machine.step(ms(2200), Event::Published { pid: 101 }), [Command::Answer { request: 1, outcome }]);
}

#[test]
fn a_server_that_does_not_answer_the_drop_does_not_stop_the_restart() {
    let mut machine = running();
    let _ = machine.step(ms(1500), Event::Observed(ProcessState::Stopped));
    assert_eq!(machine.step(ms(1500), Event::Restart { request: 1 }), [Command::DropPublisher]);
    assert_eq!(machine.step(ms(3000), Event::Tick), [Command::Kill]);
    assert_eq!(machine.step(ms(3001), Event::DropAnswered { dropped: true }), []);
}

#[test]
fn a_restart_that_does_not_publish_is_answered_at_its_deadline() {
    let mut machine = running();
    let _ = machine.step(ms(1500), Event::Restart { request: 1 });
    let _ = machine.step(ms(1600), Event::Exited(Exit::Code(255)));
    let _ = machine.step(ms(1600), Event::Spawned { pid: 101 });
    let _ = machine.step(ms(1700), Event::Exited(Exit::Code(1)));
    assert_eq!(machine.step(ms(2200), Event::Tick), [Command::Spawn]);
    let _ = machine.step(ms(2200), Event::Spawned { pid: 102 });
    let _ = machine.step(ms(2300), Event::Exited(Exit::Signal(9)));
    assert_eq!(machine.next_deadline(), Some(ms(16_500)));
    let outcome =
        RestartOutcome::NotPublished { pid: None, state: State::Dead, dropped_publisher: false, took: ms(15_000) };
    assert_eq!(machine.step(ms(16_500), Event::Tick), [Command::Answer { request: 1, outcome }]);
    assert_eq!(machine.next_deadline(), Some(ms(32_300)));
}

#[test]
fn a_second_request_joins_or_is_served_after() {
    let mut machine = running();
    assert_eq!(machine.step(ms(1500), Event::Restart { request: 1 }), [Command::Terminate]);
    assert_eq!(machine.step(ms(1510), Event::Restart { request: 2 }), []);
    let _ = machine.step(ms(1600), Event::Exited(Exit::Code(255)));
    let _ = machine.step(ms(1600), Event::Spawned { pid: 101 });
    // This one comes after the settings were read.
    assert_eq!(machine.step(ms(1700), Event::Restart { request: 3 }), []);
    let _ = machine.step(ms(2000), advance(1));
    let outcome =
        RestartOutcome::Published { old_pid: Some(100), new_pid: 101, dropped_publisher: false, took: ms(700) };
    assert_eq!(
        machine.step(ms(2200), Event::Published { pid: 101 }),
        [Command::Answer { request: 1, outcome }, Command::Answer { request: 2, outcome }, Command::Terminate,]
    );
}

#[test]
fn stop_ends_what_lives_and_refuses_requests() {
    let mut machine = running();
    assert_eq!(machine.step(ms(1500), Event::Stop), [Command::Terminate]);
    let outcome = RestartOutcome::Stopping;
    assert_eq!(machine.step(ms(1500), Event::Restart { request: 4 }), [Command::Answer { request: 4, outcome }]);
    assert_eq!(machine.step(ms(1600), Event::Exited(Exit::Code(255))), [Command::Finished]);
    assert_eq!(machine.state(ms(1600)), State::Stopped);
    // With no process left there is nothing to wait for, whatever the server is being asked.
    let mut machine = running();
    let _ = machine.step(ms(5000), Event::Exited(Exit::Signal(9)));
    let _ = machine.step(ms(5000), Event::Restart { request: 1 });
    let answer = Command::Answer { request: 1, outcome: RestartOutcome::Stopping };
    assert_eq!(machine.step(ms(5001), Event::Stop), [answer, Command::Finished]);
    assert_eq!(machine.step(ms(5002), Event::DropAnswered { dropped: true }), []);
    // While a process is being started, its answer comes first.
    let mut machine = Machine::new(LIMITS);
    let _ = machine.step(ms(0), Event::Start);
    assert_eq!(machine.step(ms(1), Event::Stop), []);
    assert_eq!(machine.step(ms(2), Event::Spawned { pid: 5 }), [Command::Terminate]);
}

#[test]
fn a_stale_confirmation_is_ignored() {
    let mut machine = running();
    let _ = machine.step(ms(1500), Event::Restart { request: 1 });
    let _ = machine.step(ms(1600), Event::Exited(Exit::Code(255)));
    let _ = machine.step(ms(1600), Event::Spawned { pid: 101 });
    assert_eq!(machine.step(ms(1700), Event::Published { pid: 100 }), []);
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u64..40).prop_map(advance),
        Just(Event::Observed(ProcessState::Stopped)),
        Just(Event::Observed(ProcessState::Active)),
        Just(Event::IngestReturned),
        Just(Event::Tick),
        any::<bool>().prop_map(|dropped| Event::DropAnswered { dropped }),
        prop_oneof![Just(Exit::Code(1)), Just(Exit::Signal(9))].prop_map(Event::Exited),
        Just(Event::Restart { request: 0 }),
    ]
}

proptest! {
    /// Any order of events: never two processes, every request answered once, and a stop always finishes.
    #[test]
    fn invariants_hold(script in proptest::collection::vec((any_event(), 0_u64..6_000), 0..80)) {
        let mut machine = Machine::new(LIMITS);
        let (mut now, mut alive, mut pid, mut next_request) = (ms(0), false, 0, 0);
        let mut open = std::collections::BTreeSet::new();
        let mut queue = machine.step(now, Event::Start);
        let mut finished = false;
        let script = script.into_iter().chain([(Event::Stop, 0), (Event::Exited(Exit::Signal(9)), 3_000)]);
        for (event, pause) in script {
            now += ms(pause);
            let mut event = event;
            if let Event::Restart { request } = &mut event {
                next_request += 1;
                *request = next_request;
                open.insert(next_request);
            }
            if matches!(event, Event::Exited(_)) {
                event = if alive { event } else { Event::Tick };
                alive = false;
            }
            queue.extend(machine.step(now, event));
            while !queue.is_empty() {
                match queue.remove(0) {
                    Command::Spawn => {
                        prop_assert!(!alive, "two processes");
                        alive = true;
                        pid += 1;
                        queue.extend(machine.step(now, Event::Spawned { pid }));
                    }
                    Command::Terminate | Command::Kill => prop_assert!(alive, "signal to nobody"),
                    Command::Answer { request, .. } => prop_assert!(open.remove(&request), "answered twice"),
                    Command::ConfirmPublishing { pid } => queue.extend(machine.step(now, Event::Published { pid })),
                    Command::DropPublisher => {}
                    Command::Finished => finished = true,
                }
            }
        }
        prop_assert!(finished && !alive);
        prop_assert!(open.is_empty(), "unanswered: {open:?}");
    }
}
