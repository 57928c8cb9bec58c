//! Random histories against invariants: duplicates, late and lost results, restarts between any two commits, operators at play.
//!
//! Every history follows from its seed, which a failure prints: `VVTV_SIMULATION_SEED=… cargo nextest run -p vvtv-incident`.

#[cfg(test)]
mod books;
#[cfg(test)]
mod dice;
#[cfg(test)]
mod maintenance;
#[cfg(test)]
mod pager;
#[cfg(test)]
mod process;
#[cfg(test)]
mod shell;

#[cfg(test)]
mod histories {
    use std::collections::BTreeSet;

    use vvtv_incident::{EntryKind, Reason};

    use super::shell::Shell;

    /// Situations of people and of tasks that are not worth much if the histories never come to them.
    const MUST_BE_SEEN: [(EntryKind, Reason); 20] = [
        (EntryKind::Channel, Reason::ChannelFailing),
        (EntryKind::PageDelivered, Reason::Undeliverable),
        (EntryKind::Paged, Reason::Undeliverable),
        (EntryKind::Paged, Reason::AcknowledgementExpired),
        (EntryKind::NotCalled, Reason::NoOtherChannel),
        (EntryKind::Told, Reason::Relapse),
        (EntryKind::Told, Reason::StepFailed),
        (EntryKind::Opened, Reason::Returned),
        (EntryKind::Paged, Reason::Unreadable),
        (EntryKind::Task, Reason::Missed),
        (EntryKind::Task, Reason::StillOpen),
        (EntryKind::Task, Reason::NextStep),
        (EntryKind::Task, Reason::StepOk),
        (EntryKind::Task, Reason::StepFailed),
        (EntryKind::Task, Reason::OutcomeUnknown),
        (EntryKind::Task, Reason::NotRun),
        (EntryKind::Task, Reason::TaskBlocked),
        (EntryKind::Task, Reason::Overdue),
        (EntryKind::Task, Reason::Done),
        (EntryKind::Ignored, Reason::TaskRunning),
    ];

    /// Events over all histories of one test run.
    const EVENTS: u64 = 1_000_000;
    /// Events of one history.
    const HISTORY: u64 = 4_000;

    /// What one history came to.
    #[derive(Debug, PartialEq, Eq)]
    struct Counted {
        /// Events of incidents.
        events: u64,
        /// Events of the agenda.
        tasks: u64,
        /// What stands for every decision about incidents, and about tasks.
        digests: [u64; 2],
        seen: BTreeSet<(EntryKind, Reason)>,
    }

    fn run(seed: u64) -> Counted {
        let outcome = std::panic::catch_unwind(|| {
            let mut shell = Shell::new(seed);
            for _ in 0..HISTORY {
                shell.turn();
            }
            shell.settle();
            let (tasks, digests) = (shell.maintenance.events, [shell.digest, shell.maintenance.digest]);
            let seen = shell.seen.union(&shell.maintenance.seen).copied().collect();
            Counted { events: shell.events, tasks, digests, seen }
        });
        match outcome {
            Ok(counted) => counted,
            Err(panic) => {
                eprintln!("VVTV_SIMULATION_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }

    #[test]
    fn a_million_events_break_no_invariant() {
        if let Ok(seed) = std::env::var("VVTV_SIMULATION_SEED") {
            run(seed.parse().expect("a seed is a number"));
            return;
        }
        let (mut events, mut tasks) = (0, 0);
        let mut seed = 1;
        let mut seen = BTreeSet::new();
        while events < EVENTS {
            let counted = run(seed);
            events += counted.events;
            tasks += counted.tasks;
            seen.extend(counted.seen);
            seed += 1;
        }
        let unseen: Vec<_> = MUST_BE_SEEN.iter().filter(|it| !seen.contains(*it)).collect();
        assert!(unseen.is_empty(), "no history comes to {unseen:?}");
        println!("{events} events of incidents and {tasks} of tasks in {} histories", seed - 1);
    }

    #[test]
    fn one_seed_gives_one_history() {
        assert_eq!(run(42), run(42));
    }
}
