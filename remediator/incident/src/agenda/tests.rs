use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const DAY: u64 = 24 * 3600;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn duty(name: &str, doer: Doer) -> Duty {
    Duty {
        name: TaskName::new(name),
        title: name.into(),
        owner: Level::new(2),
        due_within: Duration::from_secs(3600),
        doer,
    }
}

fn duties() -> Vec<Duty> {
    vec![duty("checks", Doer::Machine), duty("review", Doer::Person)]
}

/// What commands say, a line each; what is kept is told by its record.
fn said(commands: &[AgendaCommand]) -> Vec<String> {
    let line = |command: &AgendaCommand| match command {
        AgendaCommand::Record { entry, .. } => Some(format!("{} ({})", entry.detail, entry.reason)),
        AgendaCommand::Keep(_) => None,
        AgendaCommand::Handled(name, at) => Some(format!("handled {name} {at}")),
        AgendaCommand::Run(id) => Some(format!("run {id}")),
        AgendaCommand::Page(id, _) => Some(format!("page {id}")),
        AgendaCommand::ResolvePage(id, _) => Some(format!("resolve {id}")),
    };
    commands.iter().filter_map(line).collect()
}

fn begun() -> Agenda {
    let mut agenda = Agenda::default();
    assert_eq!(
        said(&agenda.step(at(0), AgendaEvent::Configured(duties()))),
        ["handled checks 0ms", "handled review 0ms"]
    );
    agenda
}

const CHECKS: &str = "checks";

fn time_comes(name: &str, at: Timestamp) -> AgendaEvent {
    AgendaEvent::Scheduled { name: TaskName::new(name), at }
}

fn scheduled(agenda: &mut Agenda, now: u64, name: &str, time: u64) -> Vec<String> {
    said(&agenda.step(at(now), time_comes(name, at(time))))
}

fn evaluated(agenda: &mut Agenda, now: u64, gate: Gate) -> Vec<String> {
    said(&agenda.step(at(now), AgendaEvent::Evaluated(gate)))
}

fn finished(agenda: &mut Agenda, now: u64, task: u32, outcome: Outcome) -> Vec<String> {
    said(&agenda.step(at(now), ended(task, outcome)))
}

fn ended(task: u32, outcome: Outcome) -> AgendaEvent {
    AgendaEvent::Finished { task: TaskId::new(task), outcome }
}

fn closed(task: u32, note: &str) -> AgendaEvent {
    AgendaEvent::Closed { task: TaskId::new(task), by: Person::new("ana"), note: note.into() }
}

#[test]
fn a_machine_waits_for_quiet_and_its_success_is_the_end() {
    let mut agenda = begun();
    assert_eq!(scheduled(&mut agenda, 100, CHECKS, 100), ["handled checks 100000ms", "checks: task 1 (scheduled)"]);
    assert_eq!(evaluated(&mut agenda, 100, Gate::Held), [""; 0]);
    assert_eq!(evaluated(&mut agenda, 101, Gate::Shadow), [""; 0]);
    assert_eq!(evaluated(&mut agenda, 102, Gate::Free), ["checks: task 1 (next_step)", "run 1"]);
    assert_eq!(evaluated(&mut agenda, 103, Gate::Free), [""; 0]);
    assert_eq!(finished(&mut agenda, 104, 1, Outcome::Ok), ["checks: task 1 (step_ok)"]);
    assert_eq!(finished(&mut agenda, 104, 1, Outcome::Ok), [""; 0]);
    assert_eq!((agenda.open().count(), agenda.next_deadline()), (0, None));
}

#[test]
fn one_machine_at_a_time_in_the_order_of_their_opening() {
    let mut agenda = Agenda::default();
    let duties = vec![duty("a", Doer::Machine), duty("b", Doer::Machine)];
    let _ = agenda.step(at(0), AgendaEvent::Configured(duties));
    scheduled(&mut agenda, 10, "b", 10);
    scheduled(&mut agenda, 10, "a", 10);
    assert_eq!(evaluated(&mut agenda, 10, Gate::Free), ["b: task 1 (next_step)", "run 1"]);
    assert_eq!(evaluated(&mut agenda, 11, Gate::Free), [""; 0]);
    finished(&mut agenda, 12, 1, Outcome::Ok);
    assert_eq!(evaluated(&mut agenda, 12, Gate::Free), ["a: task 2 (next_step)", "run 2"]);
}

#[test]
fn a_failure_is_a_persons_who_is_called_once_when_it_is_overdue_until_it_is_closed() {
    let mut agenda = begun();
    scheduled(&mut agenda, 100, CHECKS, 100);
    evaluated(&mut agenda, 100, Gate::Free);
    let failed = finished(&mut agenda, 200, 1, Outcome::Failed("exit code 3".to_owned()));
    assert_eq!(failed, ["checks: task 1: exit code 3 (step_failed)"]);
    assert_eq!(agenda.next_deadline(), Some(at(3800)));
    assert_eq!(evaluated(&mut agenda, 3799, Gate::Free), [""; 0]);
    assert_eq!(evaluated(&mut agenda, 3800, Gate::Shadow), [""; 0]);
    assert_eq!(agenda.next_deadline(), None, "what cannot be done does not wake anybody");
    assert_eq!(evaluated(&mut agenda, 3801, Gate::Held), ["checks: task 1: L2 (overdue)", "page 1"]);
    assert_eq!(evaluated(&mut agenda, 9999, Gate::Free), [""; 0]);
    let done = agenda.step(at(10_000), closed(1, "disk was full"));
    assert_eq!(said(&done), ["checks: task 1 by ana: disk was full (done)", "resolve 1"]);
    let again = agenda.step(at(10_001), closed(1, ""));
    assert_eq!(said(&again), ["task 1 by ana (unknown_task)"]);
}

#[test]
fn a_machine_whose_turn_never_came_gives_up_to_a_person() {
    let mut agenda = begun();
    scheduled(&mut agenda, 100, CHECKS, 100);
    evaluated(&mut agenda, 100, Gate::Held);
    let given_up = evaluated(&mut agenda, 3700, Gate::Held);
    assert_eq!(given_up, ["checks: task 1: it was never its turn (blocked)"]);
    assert_eq!(agenda.next_deadline(), Some(at(7300)));
}

#[test]
fn a_time_is_told_once_the_last_of_several_counts_and_one_older_than_a_day_is_left_out() {
    let mut agenda = begun();
    assert_eq!(scheduled(&mut agenda, 500, "review", 400).len(), 2);
    assert_eq!(scheduled(&mut agenda, 500, "review", 400), [""; 0]);
    assert_eq!(scheduled(&mut agenda, 500, "review", 300), [""; 0]);
    assert_eq!(
        scheduled(&mut agenda, 600, "review", 600),
        ["handled review 600000ms", "review: task 1 (still_open)"],
        "the one before is open"
    );
    assert_eq!(
        scheduled(&mut agenda, 700 + DAY, CHECKS, 700),
        ["handled checks 700000ms", "checks (missed)"],
        "a day ago"
    );
    assert_eq!(scheduled(&mut agenda, 699 + 2 * DAY, CHECKS, 700 + DAY).len(), 2, "less than a day ago");
    assert_eq!(scheduled(&mut agenda, 800, "nobody knows it", 800), [""; 0]);
}

#[test]
fn what_ran_when_the_program_died_is_a_persons_and_never_runs_again() {
    let mut agenda = begun();
    scheduled(&mut agenda, 100, CHECKS, 100);
    evaluated(&mut agenda, 100, Gate::Free);
    let mut again = restarted(&agenda);
    assert_eq!(evaluated(&mut again, 200, Gate::Free), [""; 0]);
    let refused = again.step(at(201), closed(1, ""));
    assert_eq!(said(&refused), ["task 1 by ana (task_running)"]);
    let unknown = finished(&mut again, 202, 1, Outcome::Unknown);
    assert_eq!(unknown, ["checks: task 1: how it ended is not known (outcome_unknown)"]);
    assert_eq!(evaluated(&mut again, 203, Gate::Free), [""; 0]);
}

fn restarted(agenda: &Agenda) -> Agenda {
    let open = agenda.open().cloned().collect();
    let mut again = Agenda::new(SavedAgenda { open, handled: agenda.handled.clone(), last_id: agenda.last_id });
    assert_eq!(again.step(at(0), AgendaEvent::Configured(duties())), []);
    again
}

#[derive(Clone, Debug)]
enum Happens {
    Time(bool, u64),
    Ends(u32, Outcome),
    Closed(u32),
    Looked(Gate),
    Dies,
}

fn happens() -> impl Strategy<Value = Happens> {
    let outcome = prop_oneof![Just(Outcome::Ok), Just(Outcome::Timeout), Just(Outcome::Failed("x".to_owned()))];
    prop_oneof![
        3 => (any::<bool>(), 0..2 * DAY).prop_map(|(machine, ago)| Happens::Time(machine, ago)),
        2 => (1..9_u32, outcome).prop_map(|(id, outcome)| Happens::Ends(id, outcome)),
        1 => (1..9_u32).prop_map(Happens::Closed),
        4 => prop_oneof![Just(Gate::Free), Just(Gate::Held), Just(Gate::Shadow)].prop_map(Happens::Looked),
        1 => Just(Happens::Dies),
    ]
}

proptest! {
    #[test]
    fn no_history_runs_or_pages_twice(history in prop::collection::vec((1..7200_u64, happens()), 1..200)) {
        let mut agenda = begun();
        let mut now = 10 * DAY;
        let (mut ran, mut paged, mut resolved) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut times = BTreeSet::new();
        for (passes, what) in history {
            now += passes;
            let mut gate = Gate::Held;
            let event = match what {
                Happens::Time(machine, ago) => Some(time_comes(if machine { CHECKS } else { "review" }, at(now - ago))),
                Happens::Ends(id, outcome) => Some(ended(id, outcome)),
                Happens::Closed(id) => Some(closed(id, "")),
                Happens::Looked(found) => {
                    gate = found;
                    Some(AgendaEvent::Evaluated(found))
                }
                Happens::Dies => {
                    agenda = restarted(&agenda);
                    agenda.running().map(|task| ended(task.id.get(), Outcome::Unknown))
                }
            };
            let commands = event.map(|event| agenda.step(at(now), event)).unwrap_or_default();
            for command in &commands {
                match command {
                    AgendaCommand::Run(id) => {
                        prop_assert!(ran.insert(*id), "task {} runs twice", id);
                        prop_assert_eq!(gate, Gate::Free);
                    }
                    AgendaCommand::Page(id, _) => {
                        prop_assert!(paged.insert(*id), "task {} pages twice", id);
                        prop_assert_ne!(gate, Gate::Shadow);
                    }
                    AgendaCommand::ResolvePage(id, _) => prop_assert!(paged.contains(id) && resolved.insert(*id)),
                    AgendaCommand::Keep(task) if task.reason == Reason::Scheduled => {
                        prop_assert!(times.insert((task.name.clone(), task.scheduled_at)), "{:?} twice", task);
                    }
                    AgendaCommand::Keep(_) | AgendaCommand::Record { .. } | AgendaCommand::Handled(..) => {}
                }
            }
            let names: BTreeSet<_> = agenda.open().map(|task| &task.name).collect();
            prop_assert_eq!(names.len(), agenda.open().count(), "one open task a name");
            let running = agenda.open().filter(|task| matches!(task.state, TaskState::Running { .. })).count();
            prop_assert!(running <= 1);
        }
    }
}
