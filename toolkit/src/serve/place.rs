//! One connection's place: whose turn it is, ours or the client's, and since when.
//!
//! A place is taken from a client that keeps us waiting, never from one that waits for us.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Limits;
use super::metrics::Closed;

/// Fewer bytes than these within the idle limit are no use of a connection: HTTP/2 keeps itself alive with some.
const PROGRESS_BYTES_MIN: u64 = 1024;

/// Who is at the other end: an address, or what one subscriber is given of IPv6 (a /64).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) peer: Peer,
    /// Whether it is one of those that are kept free for the reserved paths.
    pub(super) reserved: bool,
    turns: Mutex<Turns>,
    /// Asks the connection to end.
    pub(super) end: CancellationToken,
    /// Set when it has.
    pub(super) gone: CancellationToken,
}

#[derive(Debug)]
struct Turns {
    /// Requests that wait for us.
    ours: usize,
    /// Since when none does.
    theirs_since: Instant,
    /// Since when the client takes no bytes although there are some.
    blocked_since: Option<Instant>,
    written: u64,
    /// What was written when it was last seen to be used.
    seen: (u64, Instant),
}

impl Place {
    pub(super) fn new(peer: Peer, reserved: bool, now: Instant) -> Self {
        let turns = Turns { ours: 0, theirs_since: now, blocked_since: None, written: 0, seen: (0, now) };
        let (end, gone) = (CancellationToken::new(), CancellationToken::new());
        Self { peer, reserved, turns: Mutex::new(turns), end, gone }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when we wait for the client, if we do.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let turns = self.turns();
        turns.blocked_since.or((turns.ours == 0).then_some(turns.theirs_since))
    }

    pub(super) fn blocked(&self) {
        let mut turns = self.turns();
        turns.blocked_since = turns.blocked_since.or_else(|| Some(Instant::now()));
    }

    pub(super) fn wrote(&self, bytes: usize) {
        let mut turns = self.turns();
        turns.blocked_since = None;
        turns.written += bytes as u64;
    }

    /// The limit that the client has exceeded.
    pub(super) fn overdue(&self, limits: &Limits, now: Instant) -> Option<Closed> {
        let over = |since: Instant, limit: Duration| now.saturating_duration_since(since) >= limit;
        let mut turns = self.turns();
        if turns.blocked_since.is_some_and(|since| over(since, limits.write_timeout)) {
            return Some(Closed::WriteTimeout);
        }
        if turns.ours > 0 || turns.written - turns.seen.0 >= PROGRESS_BYTES_MIN {
            turns.seen = (turns.written, now);
            return None;
        }
        let since = turns.theirs_since.max(turns.seen.1);
        over(since, limits.idle_timeout).then_some(Closed::IdleTimeout)
    }

    /// A request has come.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        self.turns().ours += 1;
        Turn(Arc::new(Request { place: Arc::clone(self), ours: AtomicBool::new(true) }))
    }
}

/// One request's part in whose turn it is. It ends with its last clone.
#[derive(Clone, Debug)]
pub(super) struct Turn(Arc<Request>);

#[derive(Debug)]
struct Request {
    place: Arc<Place>,
    ours: AtomicBool,
}

impl Turn {
    /// The request waits for us.
    pub(super) fn ours(&self) {
        if !self.0.ours.swap(true, Ordering::AcqRel) {
            self.0.place.turns().ours += 1;
        }
    }

    /// The request waits for the client.
    pub(super) fn theirs(&self) {
        self.0.hand_over();
    }
}

impl Request {
    fn hand_over(&self) {
        if self.ours.swap(false, Ordering::AcqRel) {
            let mut turns = self.place.turns();
            turns.ours -= 1;
            if turns.ours == 0 {
                turns.theirs_since = Instant::now();
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Arc<Place> {
        Arc::new(Place::new(Peer::from(IpAddr::from([127, 0, 0, 1])), false, Instant::now()))
    }

    #[test]
    fn a_place_waits_for_its_client_unless_a_request_waits_for_us() {
        let place = place();
        assert!(place.waits_since().is_some(), "for the first request");
        let (one, two) = (place.turn(), place.turn());
        assert_eq!(place.waits_since(), None);
        one.theirs();
        one.theirs();
        assert_eq!(place.waits_since(), None, "the other still waits for us");
        two.theirs();
        assert!(place.waits_since().is_some());
        two.ours();
        assert_eq!(place.waits_since(), None);
        place.blocked();
        assert!(place.waits_since().is_some(), "nothing is taken");
        place.wrote(1);
        assert_eq!(place.waits_since(), None);
        drop((one, two));
        assert!(place.waits_since().is_some());
    }

    #[test]
    fn a_few_bytes_now_and_then_are_no_use_of_a_connection() {
        let limits = Limits::default();
        let (place, begun) = (place(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        place.wrote(17);
        assert_eq!(place.overdue(&limits, at(59)), None);
        place.wrote(17);
        assert_eq!(place.overdue(&limits, at(61)), Some(Closed::IdleTimeout));
        place.wrote(1024);
        assert_eq!(place.overdue(&limits, at(61)), None);
        assert_eq!(place.overdue(&limits, at(122)), Some(Closed::IdleTimeout));
        let turn = place.turn();
        assert_eq!(place.overdue(&limits, at(1_000)), None, "the client waits for us");
        place.blocked();
        assert_eq!(place.overdue(&limits, at(1_000)), Some(Closed::WriteTimeout));
        drop(turn);
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_peer() {
        let peer = |text: &str| Peer::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }
}
