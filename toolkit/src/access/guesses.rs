//! Whoever guesses passwords waits, and nobody else does: checks are counted by address, and addresses that were right have a lane
//! of their own.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Wrong passwords that an address may show at once.
const BURST: f64 = 10.0;
/// After them, one in this time.
const INTERVAL: Duration = Duration::from_secs(2);
/// Checks of one address that run or wait at once.
const AT_ONCE: u32 = 2;
/// Checks of addresses that never were right that run or wait at once, all together.
const STRANGERS: u32 = 16;
/// Addresses that are remembered for their guesses.
const ADDRESSES: usize = 4096;
/// Addresses that are remembered for having been right.
const KNOWN: usize = 256;
/// When to come again where too many checks are at work.
const SOON: Duration = Duration::from_secs(1);

/// The guesses of each address.
#[derive(Debug)]
pub(crate) struct Guesses {
    state: Mutex<State>,
    strangers: Semaphore,
    known: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    addresses: HashMap<IpAddr, Record>,
    known: VecDeque<IpAddr>,
    strangers: u32,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    left: f64,
    at: Instant,
    checks: u32,
}

impl Record {
    fn grown(self, now: Instant) -> Self {
        let grown = now.saturating_duration_since(self.at).as_secs_f64() / INTERVAL.as_secs_f64();
        Self { left: (self.left + grown).min(BURST), at: now, ..self }
    }

    fn tells_nothing(&self) -> bool {
        self.checks == 0 && self.left >= BURST
    }
}

/// Leave for one check; it counts as wrong until it is told to have been right.
#[derive(Debug)]
pub(crate) struct Check<'a> {
    guesses: &'a Guesses,
    address: IpAddr,
    stranger: bool,
}

impl Guesses {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), strangers: Semaphore::new(1), known: Semaphore::new(1) }
    }

    /// Leave for a check, or after which time to come again.
    pub(crate) fn begin(&self, address: IpAddr, now: Instant) -> Result<Check<'_>, Duration> {
        let address = network(address);
        let mut state = self.state();
        let stranger = !state.known.contains(&address);
        let room = state.addresses.contains_key(&address) || state.make_room(now);
        let record = state.addresses.get(&address).copied();
        let record = record.unwrap_or(Record { left: BURST, at: now, checks: 0 }).grown(now);
        if !room || record.checks >= AT_ONCE || stranger && state.strangers >= STRANGERS {
            return Err(SOON);
        }
        if record.left < 1.0 {
            return Err(INTERVAL.mul_f64(1.0 - record.left));
        }
        state.addresses.insert(address, Record { left: record.left - 1.0, checks: record.checks + 1, ..record });
        state.strangers += u32::from(stranger);
        Ok(Check { guesses: self, address, stranger })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets who has not guessed lately; whether there is a place then.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.addresses.len() >= ADDRESSES {
            self.addresses.retain(|_, record| !record.grown(now).tells_nothing());
        }
        self.addresses.len() < ADDRESSES
    }
}

impl Check<'_> {
    /// The turn for the expensive part; guessers wait for each other only.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let lane = if self.stranger { &self.guesses.strangers } else { &self.guesses.known };
        lane.acquire().await.ok()
    }

    /// The password was right: it was no guess, and the address is known from now on.
    pub(crate) fn right(self) {
        let mut state = self.guesses.state();
        if let Some(record) = state.addresses.get_mut(&self.address) {
            record.left = (record.left + 1.0).min(BURST);
        }
        state.known.retain(|known| *known != self.address);
        if state.known.len() >= KNOWN {
            state.known.pop_front();
        }
        state.known.push_back(self.address);
    }
}

impl Drop for Check<'_> {
    fn drop(&mut self) {
        let mut state = self.guesses.state();
        state.strangers = state.strangers.saturating_sub(u32::from(self.stranger));
        if let Some(record) = state.addresses.get_mut(&self.address) {
            record.checks = record.checks.saturating_sub(1);
        }
    }
}

/// One subscriber's: a /64 network of IPv6, an address of IPv4.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_guesser_is_slowed_down_and_nobody_else_is() {
        let (guesses, start) = (Guesses::new(), Instant::now());
        let guess = |from: &str, seconds: u64| {
            guesses
                .begin(address(from), start + Duration::from_secs(seconds))
                .map(drop)
                .map_err(|wait| wait.as_millis())
        };
        for _ in 0..10 {
            assert_eq!(guess("192.0.2.1", 0), Ok(()));
        }
        assert_eq!([guess("192.0.2.1", 0), guess("192.0.2.1", 1)], [Err(2000), Err(1000)]);
        assert_eq!([guess("::ffff:192.0.2.1", 1), guess("192.0.2.2", 1)], [Err(1000), Ok(())]);
        assert_eq!([guess("192.0.2.1", 2), guess("192.0.2.1", 2)], [Ok(()), Err(2000)]);
        guesses.begin(address("192.0.2.1"), start + Duration::from_secs(4)).unwrap().right();
        assert_eq!(guess("192.0.2.1", 4), Ok(()), "who was right has not guessed");
    }

    #[test]
    fn checks_at_once_are_few_by_address_and_altogether() {
        let (guesses, now) = (Guesses::new(), Instant::now());
        let one = address("2001:db8::1");
        let held = [guesses.begin(one, now).unwrap(), guesses.begin(address("2001:db8::2"), now).unwrap()];
        assert_eq!(guesses.begin(one, now).unwrap_err(), SOON);
        drop(held);
        guesses.begin(one, now).unwrap().right();
        let strangers: Vec<_> =
            (0..STRANGERS).map(|n| guesses.begin(Ipv4Addr::from(n + 1).into(), now).unwrap()).collect();
        assert_eq!(guesses.begin(address("192.0.2.1"), now).unwrap_err(), SOON);
        let known = guesses.begin(one, now).unwrap();
        assert!(!known.stranger, "an address that was right does not stand in the strangers' line");
        drop((strangers, known));
    }

    #[tokio::test]
    async fn an_address_that_was_right_does_not_wait_for_guessers() {
        let (guesses, now) = (Guesses::new(), Instant::now());
        guesses.begin(address("192.0.2.9"), now).unwrap().right();
        let guesser = guesses.begin(address("192.0.2.1"), now).unwrap();
        let _busy = guesser.turn().await.unwrap();
        let known = guesses.begin(address("192.0.2.9"), now).unwrap();
        assert!(known.turn().await.is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (guesses, now) = (Guesses::new(), Instant::now());
        for n in 0..u32::try_from(ADDRESSES).unwrap() {
            drop(guesses.begin(Ipv4Addr::from(n).into(), now).unwrap());
        }
        assert_eq!(guesses.begin(address("192.0.2.1"), now).unwrap_err(), SOON);
        assert!(guesses.begin(address("192.0.2.1"), now + INTERVAL).is_ok(), "guessers that gave up are forgotten");
        for n in 0..1000 {
            guesses.begin(Ipv4Addr::from(n).into(), now + INTERVAL).unwrap().right();
        }
        let state = guesses.state();
        assert!(state.addresses.len() <= ADDRESSES && state.known.len() == KNOWN);
    }
}
