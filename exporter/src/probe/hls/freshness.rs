//! The age of a variant: pure, and it survives whatever happens to the playlist.

use std::sync::Arc;
use std::time::Duration;

use super::playlist::Identity;
use crate::clock::Now;

/// How long ago the newest listed segment changed.
///
/// It begins at the start of watching and only an observed advance resets it: a playlist that vanishes, freezes, or turns into an
/// error page keeps ageing.
#[derive(Clone, Debug, PartialEq)]
pub struct Freshness {
    newest: Option<Arc<Identity>>,
    advanced: Now,
    /// How old the content was already when it was first seen.
    seed: Duration,
    sequence_resets: u64,
}

/// What an observation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Change {
    /// The first segment ever seen.
    First,
    /// Another newest segment.
    Advanced,
    /// Another newest segment with a smaller number: the packager began anew.
    WentBack,
    /// The same as before.
    Same,
}

impl Freshness {
    /// Never seen, ageing from `now`.
    #[must_use]
    pub const fn never_seen(now: Now) -> Self {
        Self { newest: None, advanced: now, seed: Duration::ZERO, sequence_resets: 0 }
    }

    /// As an earlier run of the program left it. A wall clock that went back since makes it no younger than new.
    #[must_use]
    pub fn remembered(now: Now, newest: Identity, advanced_unix_seconds: f64) -> Self {
        let seed = Duration::try_from_secs_f64(now.unix_seconds - advanced_unix_seconds).unwrap_or_default();
        Self { newest: Some(Arc::new(newest)), advanced: now, seed, sequence_resets: 0 }
    }

    /// Takes a look at the newest listed segment. `age` is what the source says of its content's age; it only counts at first
    /// sight, because afterwards the change itself is seen.
    pub fn observe(&mut self, now: Now, newest: &Identity, age: Option<Duration>) -> Change {
        let change = match &self.newest {
            None => Change::First,
            Some(known) if is_same(known, newest) => return Change::Same,
            Some(known) if newest.sequence < known.sequence => Change::WentBack,
            Some(_) => Change::Advanced,
        };
        let seed = if change == Change::First { age.unwrap_or_default() } else { Duration::ZERO };
        self.advanced = now;
        self.seed = seed;
        self.sequence_resets += u64::from(change == Change::WentBack);
        self.newest = Some(Arc::new(newest.clone()));
        change
    }

    /// Since the newest segment changed.
    #[must_use]
    pub const fn age(&self, now: Now) -> Duration {
        now.since(self.advanced.mono).saturating_add(self.seed)
    }

    /// When it changed, by the wall clock.
    #[must_use]
    pub fn last_advance_unix_seconds(&self) -> f64 {
        self.advanced.unix_seconds - self.seed.as_secs_f64()
    }

    /// Times that the sequence went back.
    #[must_use]
    pub const fn sequence_resets(&self) -> u64 {
        self.sequence_resets
    }

    /// The newest segment.
    #[must_use]
    pub fn newest(&self) -> Option<&Identity> {
        self.newest.as_deref()
    }
}

/// Packagers that do not write `EXT-X-DISCONTINUITY-SEQUENCE` seem to lose discontinuities as old segments leave: that alone is no
/// advance.
fn is_same(known: &Identity, newest: &Identity) -> bool {
    (known.sequence, &known.uri, known.parts) == (newest.sequence, &newest.uri, newest.parts)
        && newest.discontinuity <= known.discontinuity
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Now = Now { mono: Duration::from_secs(100), unix_seconds: 1_000_000.0 };

    fn at(seconds: u64) -> Now {
        Now { mono: START.mono + Duration::from_secs(seconds), unix_seconds: START.unix_seconds + seconds as f64 }
    }

    fn segment(sequence: u64, uri: &str, discontinuity: u64) -> Identity {
        Identity { sequence, discontinuity, parts: 0, uri: uri.to_owned(), range: None }
    }

    fn seconds(freshness: &Freshness, now: Now) -> u64 {
        freshness.age(now).as_secs()
    }

    #[test]
    fn a_stream_never_seen_ages_from_the_start() {
        let freshness = Freshness::never_seen(START);
        assert_eq!(seconds(&freshness, at(0)), 0);
        assert_eq!(seconds(&freshness, at(3600)), 3600);
        assert!((freshness.last_advance_unix_seconds() - START.unix_seconds).abs() < 1e-9);
    }

    #[test]
    fn first_sight_is_as_old_as_the_server_says() {
        let mut freshness = Freshness::never_seen(START);
        let age = Some(Duration::from_secs(115));
        assert_eq!(freshness.observe(at(1), &segment(8, "8.ts", 0), age), Change::First);
        assert_eq!(seconds(&freshness, at(1)), 115);
        assert_eq!(seconds(&freshness, at(11)), 125);
        assert!((freshness.last_advance_unix_seconds() - (START.unix_seconds + 1.0 - 115.0)).abs() < 1e-9);
        // Later the change itself is seen: what the server says of its age does not count any more.
        assert_eq!(freshness.observe(at(12), &segment(9, "9.ts", 0), age), Change::Advanced);
        assert_eq!(seconds(&freshness, at(12)), 0);
    }

    #[test]
    fn it_grows_on_while_nothing_or_the_same_is_seen() {
        let mut freshness = Freshness::never_seen(START);
        let _ = freshness.observe(at(0), &segment(122, "main-122.ts", 0), None);
        // The playlist stands still for 19 s; then it is deleted, which no observation tells.
        for second in 1..19 {
            assert_eq!(freshness.observe(at(second), &segment(122, "main-122.ts", 0), None), Change::Same);
        }
        assert_eq!(seconds(&freshness, at(600)), 600);
    }

    proptest! {
        /// An age grows by exactly the time that passes, begins at 0 with an advance, and goes on across a restart of the program.
        #[test]
        fn an_age_is_the_time_since_the_last_advance(
            steps in proptest::collection::vec((0_u64..100, 0_u64..4, 0_u64..3, any::<bool>()), 1..100),
        ) {
            let mut freshness = Freshness::never_seen(START);
            let (mut second, mut advanced) = (0, 0);
            for (pause, sequence, discontinuity, restarts) in steps {
                second += pause;
                if freshness.observe(at(second), &segment(sequence, "a.ts", discontinuity), None) != Change::Same {
                    advanced = second;
                }
                if let Some(newest) = freshness.newest().cloned().filter(|_| restarts) {
                    freshness = Freshness::remembered(at(second), newest, freshness.last_advance_unix_seconds());
                }
                prop_assert!((freshness.age(at(second)).as_secs_f64() - (second - advanced) as f64).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn a_packager_that_begins_anew_is_an_advance() {
        let mut freshness = Freshness::never_seen(START);
        let _ = freshness.observe(at(0), &segment(122, "main-122.ts", 0), None);
        assert_eq!(freshness.observe(at(30), &segment(0, "main-0.ts", 1), None), Change::WentBack);
        assert_eq!((seconds(&freshness, at(30)), freshness.sequence_resets()), (0, 1));
        // Two short runs can end at the same number: then the URI or the discontinuity tells.
        assert_eq!(freshness.observe(at(40), &segment(0, "other-0.ts", 1), None), Change::Advanced);
        assert_eq!(freshness.observe(at(50), &segment(0, "other-0.ts", 2), None), Change::Advanced);
        assert_eq!(freshness.sequence_resets(), 1);
        // An old segment left and took its discontinuity along: nothing new came.
        assert_eq!(freshness.observe(at(60), &segment(0, "other-0.ts", 1), None), Change::Same);
        assert_eq!(seconds(&freshness, at(60)), 10);
    }
}
