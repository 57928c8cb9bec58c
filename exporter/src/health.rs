//! What is known of a source itself: does it answer, since when not, how long does it take, why did it fail.

use std::time::Duration;

use vvtv_streaming::nginx_rtmp::PageError;

use crate::clock::Now;

/// Why a source gave nothing: a closed list, because it becomes a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// Nobody listens.
    Refused,
    /// No route, no such host, TLS trouble.
    Unreachable,
    /// The connection ended before the answer did.
    Closed,
    /// An HTTP status other than 2xx.
    Status,
    /// The thing is not there: HTTP 404 or 410, or no such file.
    Missing,
    /// More redirects than allowed.
    Redirects,
    /// More bytes, variants or datagrams than allowed.
    TooLarge,
    /// The answer is not what it should be.
    Malformed,
    /// The server answered, and said no.
    Rejected,
    /// The operating system refused.
    Io,
    /// Nothing arrived for longer than it should take.
    Silent,
    /// A list that lists nothing, a master that names nothing.
    Empty,
    /// It leads to, or comes from, where nobody said that it may.
    Forbidden,
}

impl Failure {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Timeout,
        Self::Refused,
        Self::Unreachable,
        Self::Closed,
        Self::Status,
        Self::Missing,
        Self::Redirects,
        Self::TooLarge,
        Self::Malformed,
        Self::Rejected,
        Self::Io,
        Self::Silent,
        Self::Empty,
        Self::Forbidden,
    ];

    /// The label value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Closed => "closed",
            Self::Status => "status",
            Self::Missing => "missing",
            Self::Redirects => "redirects",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Rejected => "rejected",
            Self::Io => "io",
            Self::Silent => "silent",
            Self::Empty => "empty",
            Self::Forbidden => "forbidden",
        }
    }
}

/// A failed attempt: the reason, and the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProbeError {
    /// Why, as a label.
    pub reason: Failure,
    /// Which operation on which thing, and the cause.
    pub message: String,
    /// The HTTP status, where an answer had one.
    pub http_status: Option<u16>,
    /// How long the attempt took, where that is measured.
    pub took: Duration,
}

impl ProbeError {
    /// A failure with its sentence.
    #[must_use]
    pub fn new(reason: Failure, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), http_status: None, took: Duration::ZERO }
    }
}

impl From<PageError> for ProbeError {
    fn from(error: PageError) -> Self {
        let reason = match error {
            PageError::Malformed(_) => Failure::Malformed,
            PageError::TooLarge(_) => Failure::TooLarge,
        };
        Self::new(reason, error.to_string())
    }
}

/// How often a thing is told in the log: what changes at every look, as hostile sources do, is told some times in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// Lines in [`Telling::SPAN`].
    max: u32,
    since: Duration,
    told: u32,
    kept_back: u64,
}

impl Default for Telling {
    fn default() -> Self {
        Self::of(6)
    }
}

impl Telling {
    const SPAN: Duration = Duration::from_secs(60);

    /// At most so many lines in a minute.
    #[must_use]
    pub const fn of(max: u32) -> Self {
        Self { max, since: Duration::ZERO, told: 0, kept_back: 0 }
    }

    /// Whether a line may be written now; how many were kept back before it.
    pub fn may(&mut self, now: Now) -> Option<u64> {
        if now.since(self.since) >= Self::SPAN {
            (self.since, self.told) = (now.mono, 0);
        }
        if self.told >= self.max {
            self.kept_back += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.kept_back))
    }
}

/// The record of a source's attempts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Outcome of the last attempt; none before the first.
    pub last: Option<Result<(), ProbeError>>,
    /// When an attempt last succeeded.
    pub last_success: Option<Now>,
    /// How long the last attempt took.
    pub duration: Duration,
    /// Failed attempts by [`Failure::ALL`]'s order.
    pub failures: [u64; Failure::ALL.len()],
    /// Of its edges.
    pub telling: Telling,
}

/// What an attempt changed, so that the log tells edges and not every second of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Edge {
    /// The same outcome as before.
    Same,
    /// It works (again).
    Recovered,
    /// It began to fail, or fails for another reason.
    Failed,
}

impl Health {
    /// Records an attempt that ended `now` after `duration`.
    pub fn record(&mut self, now: Now, duration: Duration, outcome: Result<(), ProbeError>) -> Edge {
        let before = self.last.as_ref().map(|last| last.as_ref().map_err(|error| error.reason).copied());
        let edge = match (&outcome, before) {
            (Ok(()), Some(Ok(()))) => Edge::Same,
            (Ok(()), _) => Edge::Recovered,
            (Err(error), Some(Err(reason))) if error.reason == reason => Edge::Same,
            (Err(_), _) => Edge::Failed,
        };
        match &outcome {
            Ok(()) => self.last_success = Some(now),
            Err(error) => self.count(error.reason),
        }
        self.duration = duration;
        self.last = Some(outcome);
        edge
    }

    /// Counts a failure of something that the source is well without.
    pub fn count(&mut self, failure: Failure) {
        for (count, reason) in self.failures.iter_mut().zip(Failure::ALL) {
            *count += u64::from(reason == failure);
        }
    }

    /// Whether the last attempt succeeded.
    #[must_use]
    pub const fn up(&self) -> bool {
        matches!(self.last, Some(Ok(())))
    }

    /// Why the last attempt failed.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.last.as_ref().and_then(|last| last.as_ref().err()).map(|error| error.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_at_every_look_is_told_some_times_in_a_minute() {
        let mut telling = Telling::of(2);
        let at = |seconds| Now { mono: Duration::from_secs(seconds), unix_seconds: 0.0 };
        let told: Vec<_> = [100, 101, 102, 159, 160, 161].map(|seconds| telling.may(at(seconds))).into();
        assert_eq!(told, [Some(0), Some(0), None, None, Some(2), Some(0)]);
    }

    #[test]
    fn edges_are_told_once_and_every_failure_is_counted() {
        let now = Now { mono: Duration::from_secs(1), unix_seconds: 100.0 };
        let mut health = Health::default();
        let fail = |reason| Err(ProbeError::new(reason, "no"));
        let mut edges = Vec::new();
        for outcome in [
            fail(Failure::Timeout),
            fail(Failure::Timeout),
            fail(Failure::Missing),
            Ok(()),
            Ok(()),
            fail(Failure::Timeout),
        ] {
            edges.push(health.record(now, Duration::ZERO, outcome));
        }
        assert_eq!(edges, [Edge::Failed, Edge::Same, Edge::Failed, Edge::Recovered, Edge::Same, Edge::Failed]);
        assert_eq!(health.failures, [3, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(health.failure(), Some(Failure::Timeout));
        assert_eq!(health.last_success, Some(now));
    }
}
