//! The age of a variant: pure, and it survives whatever happens to the playlist.

use std::time::Duration;

use super::playlist::Identity;
use crate::clock::Now;

/// How long ago the newest listed segment changed.
///
/// It begins at the start of watching and only an observed advance resets it: a playlist that vanishes, freezes, or turns into an
/// error page keeps ageing.
#[derive(Clone, Debug, PartialEq)]
pub struct Freshness {
    newest: Option<Identity>,
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

    /// Takes a look at the newest listed segment. `age` is what the source says of its content's age; it only counts at first
    /// sight, because afterwards the change itself is seen.
    pub fn observe(&mut self, now: Now, newest: &Identity, age: Option<Duration>) -> Change {
        let change = match &self.newest {
            None => Change::First,
            Some(known) if known == newest => return Change::Same,
            Some(known) if newest.sequence < known.sequence => Change::WentBack,
            Some(_) => Change::Advanced,
        };
        let seed = if change == Change::First { age.unwrap_or_default() } else { Duration::ZERO };
        self.advanced = now;
        self.seed = seed;
        self.sequence_resets += u64::from(change == Change::WentBack);
        self.newest = Some(newest.clone());
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
    pub const fn newest(&self) -> Option<&Identity> {
        self.newest.as_ref()
    }
}
