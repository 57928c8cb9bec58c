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
    use super::shell::Shell;

    /// Events over all histories of one test run.
    const EVENTS: u64 = 1_000_000;
    /// Events of one history.
    const HISTORY: u64 = 4_000;

    fn run(seed: u64) -> (u64, u64) {
        let outcome = std::panic::catch_unwind(|| {
            let mut shell = Shell::new(seed);
            for _ in 0..HISTORY {
                shell.turn();
            }
            shell.settle();
            (shell.events, shell.digest)
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
        while events < EVENTS {
            events += run(seed).0;
            seed += 1;
        }
        println!("{events} events in {} histories", seed - 1);
    }

    #[test]
    fn one_seed_gives_one_history() {
        assert_eq!(run(42), run(42));
    }
}
