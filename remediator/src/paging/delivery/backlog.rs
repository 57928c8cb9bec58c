//! What waits for one channel, in which order, and when to try again. No clock and no connection: an outage of any length is played in a
//! test at once.
//!
//! A channel that cannot take anything now rests as a whole, for longer each time; a message that the receiver does not want waits on its
//! own, and lets the others past.

use std::collections::VecDeque;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::journal::outbox::{Message, MessageKey, MessageKind};

/// Messages that may wait here: more than three for every incident that may be open. The journal keeps them all.
pub(super) const WAITING_MAX: usize = 65_536;
/// A channel rests this long after its first failure, and twice as long after each further one. Up to as much is added at random, so
/// that many that fail together do not come back together.
const REST_FIRST: Duration = Duration::from_millis(500);
const REST_MAX: Duration = Duration::from_secs(30);
/// A message that was refused is tried again after this time, doubled each time.
const REFUSED_FIRST: Duration = Duration::from_secs(15);
const REFUSED_MAX: Duration = Duration::from_secs(300);
/// A channel that takes nothing for this long, or in so many tries, fails; what is less is a hiccup that nobody need hear of.
const FAILS_AFTER: Duration = Duration::from_secs(10);
const FAILS_AFTER_TRIES: u32 = 5;

/// A message, and how long it waits if it is refused.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) message: Message,
    not_before: Instant,
    wait: Duration,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// The channel took it.
    Taken,
    /// The channel cannot take anything now.
    Busy {
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The receiver does not want this message.
    Refused,
    /// It could not be written; the channel was not asked.
    Unwritten,
}

/// How the channel stands otherwise than it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It takes no messages, since then.
    Fails(Instant),
    /// It takes messages again.
    Works,
}

/// What waits for one channel.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: VecDeque<Attempt>,
    rests_until: Option<Instant>,
    backoff: ExponentialBackoff,
    /// Since when nothing was taken, and in how many tries.
    silent: Option<(Instant, u32)>,
    fails: bool,
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), rests_until: None, backoff: backoff(), silent: None, fails: false }
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// Takes a message, and gives those that it makes moot.
    ///
    /// A resolve makes what still waits of its page moot. It is sent all the same: a try that failed here may have arrived there. An
    /// update of a page that still waits is moot itself, because the page tells the latest when it is sent.
    pub(super) fn take(&mut self, message: Message, now: Instant) -> Vec<MessageKey> {
        let of_kind = |kind| MessageKey { kind, ..message.key.clone() };
        let (trigger, update) = (of_kind(MessageKind::Trigger), of_kind(MessageKind::Update));
        let mut moot = Vec::new();
        match message.key.kind {
            MessageKind::Trigger => {}
            MessageKind::Update if self.position(&trigger).is_some() => return vec![update],
            MessageKind::Update => {
                if let Some(earlier) = self.waiting.iter_mut().find(|attempt| attempt.message.key == update) {
                    earlier.message = message;
                    return moot;
                }
            }
            MessageKind::Resolve => {
                for key in [trigger, update] {
                    if let Some(position) = self.position(&key) {
                        self.waiting.remove(position);
                        moot.push(key);
                    }
                }
            }
        }
        self.waiting.push_back(Attempt { message, not_before: now, wait: REFUSED_FIRST });
        moot
    }

    fn position(&self, key: &MessageKey) -> Option<usize> {
        self.waiting.iter().position(|attempt| attempt.message.key == *key)
    }

    /// When the next try is due, if anything waits.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let first = self.waiting.iter().map(|attempt| attempt.not_before).min()?;
        Some(self.rests_until.map_or(first, |until| first.max(until)))
    }

    /// The oldest message that may be tried now.
    pub(super) fn due(&mut self, now: Instant) -> Option<Attempt> {
        if self.rests_until.is_some_and(|until| now < until) {
            return None;
        }
        let position = self.waiting.iter().position(|attempt| attempt.not_before <= now)?;
        self.waiting.remove(position)
    }

    /// Takes in what came of a try that was begun at a time.
    pub(super) fn tried(&mut self, attempt: Attempt, tried: Tried, begun: Instant, now: Instant) -> Option<Turn> {
        match tried {
            Tried::Taken => {
                self.rests_until = None;
                self.backoff = backoff();
                self.silent = None;
                std::mem::take(&mut self.fails).then_some(Turn::Works)
            }
            Tried::Busy { retry_after } => {
                let rest = self.backoff.next().unwrap_or(REST_MAX) + retry_after.unwrap_or_default();
                self.rests_until = Some(now + rest);
                self.waiting.push_front(attempt);
                let (since, tries) = self.count_silence(begun);
                let is_hiccup = now.duration_since(since) < FAILS_AFTER && tries < FAILS_AFTER_TRIES;
                if is_hiccup { None } else { self.note_failure(since) }
            }
            Tried::Refused => {
                self.put_aside(attempt, now);
                // There is nothing to wait for: the receiver has answered, and will answer the same.
                let (since, _) = self.count_silence(begun);
                self.note_failure(since)
            }
            Tried::Unwritten => {
                self.put_aside(attempt, now);
                None
            }
        }
    }

    fn put_aside(&mut self, attempt: Attempt, now: Instant) {
        let (not_before, wait) = (now + attempt.wait, (attempt.wait * 2).min(REFUSED_MAX));
        self.waiting.push_front(Attempt { not_before, wait, ..attempt });
    }

    fn count_silence(&mut self, begun: Instant) -> (Instant, u32) {
        let (since, tries) = self.silent.unwrap_or((begun, 0));
        *self.silent.insert((since, tries.saturating_add(1)))
    }

    fn note_failure(&mut self, since: Instant) -> Option<Turn> {
        (!std::mem::replace(&mut self.fails, true)).then_some(Turn::Fails(since))
    }

    /// The channel leads elsewhere now: whatever kept it from taking something may be over.
    pub(super) fn try_anew(&mut self, now: Instant) {
        self.rests_until = None;
        self.backoff = backoff();
        for attempt in &mut self.waiting {
            (attempt.not_before, attempt.wait) = (now, REFUSED_FIRST);
        }
    }
}

fn backoff() -> ExponentialBackoff {
    let builder = ExponentialBuilder::default().with_min_delay(REST_FIRST).with_max_delay(REST_MAX);
    builder.without_max_times().with_jitter().build()
}

#[cfg(test)]
mod tests;
