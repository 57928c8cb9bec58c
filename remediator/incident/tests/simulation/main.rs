//! Random histories against invariants: duplicates, late and lost results, restarts between any two commits, operators at play.
//!
//! Every history follows from its seed, which a failure prints: `VVTV_SIMULATION_SEED=… cargo nextest run -p vvtv-incident`.

#[cfg(test)]
mod books;
#[cfg(test)]
mod dice;
#[cfg(test)]
mod pager;
#[cfg(test)]
mod process;
#[cfg(test)]
mod shell;

#[cfg(test)]
mod histories {
    use std::collections::BTreeSet;

    use vvtv_incident::{Happening, Reason};

    use super::shell::Shell;

    /// Situations that are not worth much if the histories never come to them.
    const MUST_BE_SEEN: [(Happening, Reason); 9] = [
        (Happening::Channel, Reason::ChannelFailing),
        (Happening::PageDelivered, Reason::Undeliverable),
        (Happening::Paged, Reason::Undeliverable),
        (Happening::Paged, Reason::AcknowledgementExpired),
        (Happening::NotCalled, Reason::NoOtherChannel),
        (Happening::Told, Reason::Relapse),
        (Happening::Told, Reason::StepFailed),
        (Happening::Opened, Reason::Returned),
        (Happening::Paged, Reason::Unreadable),
    ];

    /// Events over all histories of one test run.
    const EVENTS: u64 = 1_000_000;
    /// Events of one history.
    const HISTORY: u64 = 4_000;

    fn run(seed: u64) -> (u64, u64, BTreeSet<(Happening, Reason)>) {
        let outcome = std::panic::catch_unwind(|| {
            let mut shell = Shell::new(seed);
            for _ in 0..HISTORY {
                shell.turn();
            }
            shell.settle();
            (shell.events, shell.digest, shell.seen)
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
        let mut events = 0;
        let mut seed = 1;
        let mut seen = BTreeSet::new();
        while events < EVENTS {
            let (more, _, decided) = run(seed);
            events += more;
            seen.extend(decided);
            seed += 1;
        }
        let unseen: Vec<_> = MUST_BE_SEEN.iter().filter(|it| !seen.contains(*it)).collect();
        assert!(unseen.is_empty(), "no history comes to {unseen:?}");
        println!("{events} events in {} histories", seed - 1);
    }

    #[test]
    fn one_seed_gives_one_history() {
        assert_eq!(run(42), run(42));
    }
}
