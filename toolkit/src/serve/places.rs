//! All connections at once: who gets a place, and who loses one.
//!
//! A program must not be locked out by clients that keep it waiting. So a new connection takes the place of the one that has kept us
//! waiting longest: of the same address, if that has its share already, else of any. Where all wait for us, some places are left that
//! answer only what must be answered always.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Limits;
use super::metrics::Closed;
use super::place::{Peer, Place};

/// A client has at least so long for what we wait for, however crowded it is.
const GRACE: Duration = Duration::from_millis(100);

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Places {
    ordinary_max: usize,
    reserved_max: usize,
    per_peer_max: usize,
    taken: Mutex<Vec<Arc<Place>>>,
}

/// What becomes of a new connection.
#[derive(Debug)]
pub(super) enum Admission {
    /// It has a place.
    Seated(Seat),
    /// It has one as soon as this connection has ended, for this reason.
    Replaces(Arc<Place>, Closed),
    /// All places are taken by clients that wait for us.
    Full,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    places: Arc<Places>,
    pub(super) place: Arc<Place>,
}

impl Places {
    pub(super) fn new(limits: &Limits) -> Self {
        let reserved_max = limits.reserved.min(limits.connections / 2);
        Self {
            ordinary_max: limits.connections - reserved_max,
            reserved_max,
            per_peer_max: limits.connections_per_peer,
            taken: Mutex::new(Vec::new()),
        }
    }

    /// Finds a place for a new connection.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Admission {
        let peer = Peer::from(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let reserved = taken.iter().filter(|place| place.reserved).count();
        let share_used = taken.iter().filter(|place| place.peer == peer).count() >= self.per_peer_max;
        let ordinary_left = taken.len() - reserved < self.ordinary_max;
        let seat = |taken: &mut Vec<Arc<Place>>, reserved| {
            let place = Arc::new(Place::new(peer, reserved, now));
            taken.push(Arc::clone(&place));
            Admission::Seated(Seat { places: Arc::clone(self), place })
        };
        if ordinary_left && !share_used {
            return seat(&mut taken, false);
        }
        let slowest = |of: &dyn Fn(&Place) -> bool| {
            let waiting =
                taken.iter().filter(|place| of(place)).filter_map(|place| Some((place.waits_since()?, place)));
            let longest = waiting.min_by_key(|(since, _)| *since);
            longest
                .filter(|(since, _)| now.saturating_duration_since(*since) >= GRACE)
                .map(|(_, place)| Arc::clone(place))
        };
        let (victim, why) = if share_used {
            (slowest(&|place| place.peer == peer), Closed::PeerLimit)
        } else {
            (slowest(&|place| !place.reserved), Closed::Replaced)
        };
        if let Some(victim) = victim {
            return Admission::Replaces(victim, why);
        }
        if reserved < self.reserved_max {
            return seat(&mut taken, true);
        }
        slowest(&|place| place.reserved).map_or(Admission::Full, |victim| Admission::Replaces(victim, Closed::Replaced))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|place| !Arc::ptr_eq(place, &self.place));
        drop(taken);
        self.place.gone.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn places(connections: usize, per_peer: usize, reserved: usize) -> Arc<Places> {
        Arc::new(Places::new(&Limits { connections, connections_per_peer: per_peer, reserved, ..Limits::default() }))
    }

    fn seated(admission: Admission) -> Seat {
        match admission {
            Admission::Seated(seat) => seat,
            other @ (Admission::Replaces(..) | Admission::Full) => panic!("{other:?}"),
        }
    }

    fn replaced(admission: &Admission) -> Option<(&Arc<Place>, Closed)> {
        match admission {
            Admission::Replaces(place, why) => Some((place, *why)),
            Admission::Seated(_) | Admission::Full => None,
        }
    }

    #[test]
    fn the_one_that_kept_us_waiting_longest_loses_its_place() {
        let places = places(3, 3, 0);
        let begun = Instant::now();
        let seats: Vec<_> = (0..3).map(|n| seated(places.admit(ALICE, begun + Duration::from_millis(n)))).collect();
        let served = seats[0].place.turn();
        let next = places.admit(BOB, begun + Duration::from_secs(1));
        let (victim, why) = replaced(&next).unwrap();
        assert!(Arc::ptr_eq(victim, &seats[1].place) && why == Closed::Replaced, "the oldest waits for us");
        drop((served, seats));
        seated(places.admit(BOB, begun));
    }

    #[test]
    fn an_address_beyond_its_share_takes_from_itself() {
        let places = places(10, 2, 0);
        let begun = Instant::now();
        let _bob = seated(places.admit(BOB, begun));
        let alice = [(); 2].map(|()| seated(places.admit(ALICE, begun)));
        let next = places.admit(ALICE, begun + GRACE);
        let (victim, why) = replaced(&next).unwrap();
        assert!(alice.iter().any(|seat| Arc::ptr_eq(&seat.place, victim)) && why == Closed::PeerLimit);
    }

    #[test]
    fn nobody_is_ended_before_the_grace_and_what_is_reserved_is_used_last() {
        let places = places(4, 4, 2);
        let begun = Instant::now();
        let seats: Vec<_> = (0..4).map(|_| seated(places.admit(ALICE, begun))).collect();
        assert_eq!(seats.iter().map(|seat| seat.place.reserved).collect::<Vec<_>>(), [false, false, true, true]);
        assert!(matches!(places.admit(BOB, begun), Admission::Full));
        let turns: Vec<_> = seats[..3].iter().map(|seat| seat.place.turn()).collect();
        let next = places.admit(BOB, begun + GRACE);
        assert!(Arc::ptr_eq(replaced(&next).unwrap().0, &seats[3].place), "the only one that waits is a reserved one");
        drop(turns);
    }
}
