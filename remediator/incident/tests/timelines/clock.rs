//! A start with a clock that is ahead, and the start after it with the right one; on the same virtual time as everything else.

use vvtv_incident::{
    Agenda, AgendaCommand, AgendaEvent, ClockStep, Doer, Duty, Event, Gate, Level, Operation, Person, Reason,
    SavedAgenda, Scope, Standing, TaskName, TaskState, Timestamp,
};

use crate::world::{World, change, ok, repeatable, runbook, seconds};

const DAY: u64 = 24 * 3600;

fn world() -> World {
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![repeatable("restart")])]);
    world = world.script("restart", ok(1));
    world.run(seconds(1000 * DAY));
    world
}

/// Seconds from an incident's opening to each page.
fn pages_after(world: &World, opened_at: u64) -> Vec<(u64, u8)> {
    world.pages.iter().map(|(at, _, level)| (at - opened_at, *level)).collect()
}

#[test]
fn nobody_is_called_for_a_jump_ahead_and_the_way_back_leaves_every_timer_as_it_was() {
    let paused = || {
        let mut world = world();
        // Nothing but people's timers goes on.
        world.event(Event::Pause { by: Person::new("ana") });
        world
    };
    let mut undisturbed = paused();
    let opened_at = 1000 * DAY;
    undisturbed.fire("SegmentAgeHigh", "main");
    undisturbed.run(seconds(2 * 3600));
    let expected = pages_after(&undisturbed, opened_at);
    assert_eq!(expected.first().map(|(at, _)| *at / 10), Some(30), "{expected:?}");

    let mut jumped = paused();
    jumped.fire("SegmentAgeHigh", "main");
    jumped.run(seconds(100));
    // Wrong for ten seconds, and right again.
    jumped.start_at(seconds(400 * DAY));
    let begun = jumped.pages.len();
    jumped.run(seconds(10));
    assert_eq!(jumped.pages.len(), begun, "{}", jumped.pages_in_short());
    let back = jumped.step_back(seconds(400 * DAY));
    assert_eq!(back.reason(), Reason::ClockSteppedBack);
    jumped.run(seconds(2 * 3600 - 110));
    let (levels, times): (Vec<_>, Vec<_>) =
        pages_after(&jumped, opened_at).iter().map(|(at, level)| (*level, *at)).unzip();
    assert_eq!(levels, expected.iter().map(|(_, level)| *level).collect::<Vec<_>>());
    for (at, (undisturbed, _)) in times.iter().zip(&expected) {
        assert!(at.abs_diff(*undisturbed) <= 15, "{times:?} instead of {expected:?}");
    }
}

#[test]
fn an_acknowledgement_and_a_settling_change_have_as_long_to_go_as_before() {
    let mut world = World::new(vec![runbook("segment-age", "SegmentAgeHigh", vec![change("restart")])]);
    world = world.script("restart", ok(1));
    world.run(seconds(1000 * DAY));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    assert_eq!(world.phase(1), "settling");
    world.operate(1, Operation::Ack);
    let remaining = |world: &World| {
        let incident = world.fleet.incidents().next().unwrap();
        let Standing::InHand { until, .. } = incident.escalation.standing else { panic!("nobody has it in hand") };
        (incident.settle_until.unwrap().since(world.now), until.since(world.now))
    };
    let before = remaining(&world);
    world.start_at(seconds(400 * DAY));
    assert_eq!(remaining(&world), before);
    world.step_back(seconds(400 * DAY));
    assert_eq!(remaining(&world), before);
}

#[test]
fn alerts_that_were_heard_of_in_the_future_are_still_found_to_be_over() {
    let mut world = world();
    world.start_at(seconds(400 * DAY));
    world.fire("SegmentAgeHigh", "main");
    world.run(seconds(5));
    world.step_back(seconds(400 * DAY));
    world.run(seconds(5));
    let incident = world.fleet.incidents().next().unwrap();
    assert!(incident.opened_at <= world.now, "{} after {}", incident.opened_at, world.now);
    world.event(Event::Reconciled { active: Vec::new(), scope: Scope::All, asked_at: world.now });
    assert!(!world.fleet.incidents().next().unwrap().firing());
}

#[test]
fn a_schedule_that_was_dealt_with_in_the_future_comes_round_again_and_no_task_is_overdue_by_the_jump() {
    let at = |second: u64| Timestamp::from_millis(1000 * second);
    let duty = || Duty {
        name: TaskName::new("daily"),
        title: "Daily".into(),
        owner: Level::FIRST,
        due_within: seconds(8 * 3600),
        doer: Doer::Person,
    };
    let daily = TaskName::new("daily");
    let open = |agenda: &Agenda| SavedAgenda {
        open: agenda.open().cloned().collect(),
        handled: [(daily.clone(), at(1400 * DAY))].into(),
        last_id: 1,
    };
    let pages = |commands: &[AgendaCommand]| commands.iter().any(|it| matches!(it, AgendaCommand::Page(..)));
    let mut agenda = Agenda::new(SavedAgenda::default());
    let in_force = || AgendaEvent::Configured(vec![duty()]);
    let time_comes = |at| AgendaEvent::Scheduled { name: daily.clone(), at };
    let free = || AgendaEvent::Evaluated(Gate::Free);
    let _ = agenda.step(at(999 * DAY), in_force());
    let _ = agenda.step(at(1000 * DAY), time_comes(at(1000 * DAY)));
    let mut saved = open(&agenda);
    let ahead = ClockStep { from: at(1000 * DAY), to: at(1400 * DAY) };
    ahead.apply_to_agenda(&mut saved);
    let mut agenda = Agenda::new(saved);
    let _ = agenda.step(ahead.to, in_force());
    assert!(!pages(&agenda.step(ahead.to, free())), "nobody is called for the jump");
    let mut saved = open(&agenda);
    let back = ClockStep { from: at(1400 * DAY), to: at(1000 * DAY + 60) };
    back.apply_to_agenda(&mut saved);
    let mut agenda = Agenda::new(saved);
    let _ = agenda.step(back.to, in_force());
    assert!(!pages(&agenda.step(at(1000 * DAY + 7 * 3600), free())));
    assert!(pages(&agenda.step(at(1000 * DAY + 9 * 3600), free())), "its own time counts");
    let task = agenda.open().next().cloned().unwrap();
    assert!(matches!(task.state, TaskState::Person { paged_at: Some(paged) } if paged == at(1000 * DAY + 9 * 3600)));
    let done = AgendaEvent::Closed { task: task.id, by: Person::new("ana"), note: Box::default() };
    let closed = agenda.step(at(1000 * DAY + 9 * 3600), done);
    assert!(!closed.is_empty());
    let next = agenda.step(at(1001 * DAY), time_comes(at(1001 * DAY)));
    assert!(next.iter().any(|it| matches!(it, AgendaCommand::Keep(_))), "{next:?}");
}

#[test]
fn without_a_journal_no_step_runs_and_every_target_s_people_are_called_at_once() {
    let mut book = runbook("segment-age", "SegmentAgeHigh", vec![repeatable("restart")]);
    book.recovery.restore = vec![vvtv_incident::Restore { apply: change("restore"), undo: change("undo") }];
    let mut world = World::new(vec![book]).for_people_only();
    for stream in ["main", "second"] {
        world.fire("SegmentAgeHigh", stream);
    }
    world.run(seconds(60));
    assert_eq!(world.runs, []);
    assert_eq!(world.pages_in_short(), "0s #1 L1, 0s #2 L1");
    for stream in ["main", "second"] {
        world.health(stream, vvtv_incident::Verdict::Healthy);
        world.resolve("SegmentAgeHigh", stream);
    }
    world.run(seconds(600));
    assert!(world.has_closed(1) && world.has_closed(2), "{}", world.timeline());
    assert_eq!((world.runs.len(), world.pages.len()), (0, 2), "{}", world.timeline());
}
