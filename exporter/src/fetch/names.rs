//! The addresses of host names, looked up again while a name is in use: a kept connection would hide that its name has moved.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// How long addresses are taken as they are.
const FRESH: Duration = Duration::from_secs(5);

/// How long after a failure, of a look-up or of a request, a name is looked up anew.
const FRESH_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long a request that has a connection waits for a look-up; a slower one is for the next request.
const PATIENCE: Duration = Duration::from_millis(50);

/// Look-ups at once: each takes a thread, for as long as a name server is silent.
const AT_ONCE: usize = 256;

/// Names beyond which those that nobody has asked for lately are forgotten.
const KEPT: usize = 1024;

/// How long a name is kept that nobody asks for.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

/// In order, each once.
pub(super) type Addresses = Arc<[IpAddr]>;

/// What the last look-ups of a name gave.
#[derive(Clone, Debug, Default)]
struct Known {
    /// When the last one ended; none before the first.
    at: Option<Instant>,
    /// As the resolver orders them; those of the last one that succeeded.
    addresses: Vec<IpAddr>,
    /// The same for comparison; none before the first that succeeded.
    in_order: Option<Addresses>,
    /// Why the last one failed.
    failure: Option<String>,
}

#[derive(Debug)]
struct Host {
    known: watch::Sender<Known>,
    under_way: bool,
    /// A request failed: its address comes last next time.
    turn: usize,
    doubted: bool,
    used: Instant,
}

/// Looks names up, each once at a time; clones share what is known.
#[derive(Clone, Debug)]
pub(super) struct Names {
    hosts: Arc<Mutex<HashMap<String, Host>>>,
    places: Arc<Semaphore>,
}

impl Default for Names {
    fn default() -> Self {
        Self { hosts: Arc::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Names {
    /// The addresses that a name has now; none while none is known. A look-up that is due is waited for, but not for long.
    pub(super) async fn current(&self, host: &str) -> Option<Addresses> {
        let (mut known, due) = self.ask(host);
        if due {
            // One that takes longer is for the next request.
            let _: Result<_, _> = timeout(PATIENCE, known.changed()).await;
        }
        known.borrow().in_order.clone()
    }

    /// Notes that a request to a name failed.
    pub(super) fn doubt(&self, host: &str) {
        if let Some(host) = self.hosts().get_mut(host) {
            host.doubted = true;
            host.turn = host.turn.wrapping_add(1);
        }
    }

    /// For a new connection.
    pub(super) async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let (mut known, due) = self.ask(host);
        if due && known.changed().await.is_err() {
            return Err(io::Error::other(format!("the look-up of {host} was given up")));
        }
        let Known { mut addresses, failure, .. } = known.borrow().clone();
        if let Some(failure) = failure {
            return Err(io::Error::other(format!("look up {host}: {failure}")));
        }
        let turn = self.hosts().get(host).map_or(0, |host| host.turn);
        let first = turn.checked_rem(addresses.len()).unwrap_or_default();
        addresses.rotate_left(first);
        Ok(addresses)
    }

    /// What is known, and whether a look-up is under way that may change it.
    fn ask(&self, name: &str) -> (watch::Receiver<Known>, bool) {
        let now = Instant::now();
        let mut hosts = self.hosts();
        if !hosts.contains_key(name) {
            if hosts.len() >= KEPT {
                hosts.retain(|_, host| host.under_way || now - host.used < FORGOTTEN_AFTER);
            }
            let known = watch::Sender::new(Known::default());
            hosts.insert(name.to_owned(), Host { known, under_way: false, turn: 0, doubted: false, used: now });
        }
        let Some(host) = hosts.get_mut(name) else { return (watch::Sender::new(Known::default()).subscribe(), false) };
        host.used = now;
        let due = {
            let known = host.known.borrow();
            let fresh = if host.doubted || known.failure.is_some() { FRESH_AFTER_FAILURE } else { FRESH };
            known.at.is_none_or(|at| now - at >= fresh)
        };
        if due && !host.under_way {
            host.under_way = true;
            host.doubted = false;
            tokio::spawn(self.clone().look(name.to_owned()));
        }
        (host.known.subscribe(), due)
    }

    async fn look(self, name: String) {
        let found = {
            let _place = self.places.acquire().await;
            tokio::net::lookup_host((name.as_str(), 0)).await
        };
        let mut hosts = self.hosts();
        let Some(host) = hosts.get_mut(&name) else { return };
        host.under_way = false;
        host.known.send_modify(|known| {
            known.at = Some(Instant::now());
            match found {
                Ok(found) => {
                    (known.addresses, known.failure) = (found.map(|address| address.ip()).collect(), None);
                    let mut in_order = known.addresses.clone();
                    in_order.sort_unstable();
                    in_order.dedup();
                    known.in_order = (!in_order.is_empty()).then(|| in_order.into());
                }
                Err(error) => known.failure = Some(error.to_string()),
            }
        });
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_once_by_all_who_ask_and_its_first_address_changes_after_a_failure() {
        let names = Names::default();
        let (first, second) = tokio::join!(names.look_up("localhost"), names.current("localhost"));
        let first = first.unwrap();
        assert!(first.iter().all(IpAddr::is_loopback) && !first.is_empty(), "{first:?}");
        assert!(second.is_none_or(|second| second.len() <= first.len()));
        let at = |names: &Names| names.hosts().get("localhost").unwrap().known.borrow().at;
        let looked = at(&names);
        assert_eq!(names.look_up("localhost").await.unwrap(), first);
        assert_eq!(at(&names), looked, "known already");
        names.doubt("localhost");
        let rotated = names.look_up("localhost").await.unwrap();
        assert_eq!(rotated.first(), first.get(1 % first.len()));
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_named() {
        let names = Names::default();
        let error = names.look_up("nobody.invalid").await.unwrap_err();
        assert!(error.to_string().starts_with("look up nobody.invalid: "), "{error}");
        assert!(names.current("nobody.invalid").await.is_none());
    }
}
