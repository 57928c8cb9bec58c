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

fn duties() -> [Duty; 2] {
    [duty("checks", Doer::Machine), duty("review", Doer::Person)]
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
    assert_eq!(said(&agenda.configure(at(0), duties())), ["handled checks 0ms", "handled review 0ms"]);
    agenda
}

const CHECKS: &str = "checks";

fn scheduled(agenda: &mut Agenda, now: u64, name: &str, time: u64) -> Vec<String> {
    said(&agenda.scheduled(at(now), &TaskName::new(name), at(time)))
}

#[test]
fn a_machine_waits_for_quiet_and_its_success_is_the_end() {
    let mut agenda = begun();
    assert_eq!(scheduled(&mut agenda, 100, CHECKS, 100), ["handled checks 100000ms", "checks: task 1 (scheduled)"]);
    assert_eq!(said(&agenda.look(at(100), Gate::Held)), [""; 0]);
    assert_eq!(said(&agenda.look(at(101), Gate::Shadow)), [""; 0]);
    assert_eq!(said(&agenda.look(at(102), Gate::Free)), ["checks: task 1 (next_step)", "run 1"]);
    assert_eq!(said(&agenda.look(at(103), Gate::Free)), [""; 0]);
    assert_eq!(said(&agenda.finished(at(104), TaskId::new(1), &Outcome::Ok)), ["checks: task 1 (step_ok)"]);
    assert_eq!(said(&agenda.finished(at(104), TaskId::new(1), &Outcome::Ok)), [""; 0]);
    assert_eq!((agenda.open().count(), agenda.next_deadline()), (0, None));
}

#[test]
fn one_machine_at_a_time_in_the_order_of_their_opening() {
    let mut agenda = Agenda::default();
    agenda.configure(at(0), [duty("a", Doer::Machine), duty("b", Doer::Machine)]);
    scheduled(&mut agenda, 10, "b", 10);
    scheduled(&mut agenda, 10, "a", 10);
    assert_eq!(said(&agenda.look(at(10), Gate::Free)), ["b: task 1 (next_step)", "run 1"]);
    assert_eq!(said(&agenda.look(at(11), Gate::Free)), [""; 0]);
    agenda.finished(at(12), TaskId::new(1), &Outcome::Ok);
    assert_eq!(said(&agenda.look(at(12), Gate::Free)), ["a: task 2 (next_step)", "run 2"]);
}

#[test]
fn a_failure_is_a_persons_who_is_called_once_when_it_is_overdue_until_it_is_closed() {
    let mut agenda = begun();
    scheduled(&mut agenda, 100, CHECKS, 100);
    agenda.look(at(100), Gate::Free);
    let failed = agenda.finished(at(200), TaskId::new(1), &Outcome::Failed("exit code 3".to_owned()));
    assert_eq!(said(&failed), ["checks: task 1: exit code 3 (step_failed)"]);
    assert_eq!(agenda.next_deadline(), Some(at(3800)));
    assert_eq!(said(&agenda.look(at(3799), Gate::Free)), [""; 0]);
    assert_eq!(said(&agenda.look(at(3800), Gate::Shadow)), [""; 0]);
    assert_eq!(agenda.next_deadline(), None, "what cannot be done does not wake anybody");
    assert_eq!(said(&agenda.look(at(3801), Gate::Held)), ["checks: task 1: L2 (overdue)", "page 1"]);
    assert_eq!(said(&agenda.look(at(9999), Gate::Free)), [""; 0]);
    let closed = agenda.close(at(10_000), TaskId::new(1), Person::new("ana"), "disk was full");
    assert_eq!(said(&closed), ["checks: task 1 by ana: disk was full (done)", "resolve 1"]);
    let again = agenda.close(at(10_001), TaskId::new(1), Person::new("ana"), "");
    assert_eq!(said(&again), ["task 1 by ana (unknown_task)"]);
}

#[test]
fn a_machine_whose_turn_never_came_gives_up_to_a_person() {
    let mut agenda = begun();
    scheduled(&mut agenda, 100, CHECKS, 100);
    agenda.look(at(100), Gate::Held);
    let given_up = agenda.look(at(3700), Gate::Held);
    assert_eq!(said(&given_up), ["checks: task 1: it was never its turn (blocked)"]);
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
    agenda.look(at(100), Gate::Free);
    let mut again = restarted(&agenda);
    assert_eq!(said(&again.look(at(200), Gate::Free)), [""; 0]);
    let refused = again.close(at(201), TaskId::new(1), Person::new("ana"), "");
    assert_eq!(said(&refused), ["task 1 by ana (task_running)"]);
    let unknown = again.finished(at(202), TaskId::new(1), &Outcome::Unknown);
    assert_eq!(said(&unknown), ["checks: task 1: how it ended is not known (outcome_unknown)"]);
    assert_eq!(said(&again.look(at(203), Gate::Free)), [""; 0]);
}

fn restarted(agenda: &Agenda) -> Agenda {
    let open = agenda.open().cloned().collect();
    let mut again = Agenda::new(SavedAgenda { open, handled: agenda.handled.clone(), last_id: agenda.last_id });
    assert_eq!(again.configure(at(0), duties()), []);
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
            let commands = match what {
                Happens::Time(machine, ago) => {
                    let name = TaskName::new(if machine { CHECKS } else { "review" });
                    agenda.scheduled(at(now), &name, at(now - ago))
                }
                Happens::Ends(id, outcome) => agenda.finished(at(now), TaskId::new(id), &outcome),
                Happens::Closed(id) => agenda.close(at(now), TaskId::new(id), Person::new("ana"), ""),
                Happens::Looked(found) => {
                    gate = found;
                    agenda.look(at(now), found)
                }
                Happens::Dies => {
                    agenda = restarted(&agenda);
                    let left = agenda.running().map(|task| task.id);
                    left.map(|id| agenda.finished(at(now), id, &Outcome::Unknown)).unwrap_or_default()
                }
            };
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
