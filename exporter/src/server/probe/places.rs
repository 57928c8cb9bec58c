//! How many probes run at once: all together, and for each who asks, so that nobody takes the places of all others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{IntCounterVec, Opts, Registry};

/// Probes at once.
pub(crate) const ALL: usize = 64;

/// Of one who asks: the rest is for others.
pub(crate) const EACH: usize = 48;

/// Why a probe was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nothing is named that may be asked for.
    Off,
    /// The target is not named.
    NotNamed,
    /// Whoever asks has all of its places.
    Share,
    /// Every place is taken.
    Full,
}

impl Refused {
    const ALL: [Self; 4] = [Self::Off, Self::NotNamed, Self::Share, Self::Full];

    const fn label(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NotNamed => "not_named",
            Self::Share => "share",
            Self::Full => "full",
        }
    }
}

/// Whoever asks: an address, of IPv6 the network of a site's one link (RFC 4291 §2.5.4), of which one machine has every address.
type Asker = IpAddr;

/// The places of probes.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    taken: Arc<Mutex<HashMap<Asker, usize>>>,
    refused: IntCounterVec,
}

/// A place, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Arc<Mutex<HashMap<Asker, usize>>>,
    asker: Asker,
}

impl Places {
    /// All of them free.
    ///
    /// # Errors
    /// Its metric is registered already.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Probes that were asked for and not begun, by reason.";
        let refused = IntCounterVec::new(Opts::new("vvtv_exporter_probes_refused_total", help), &["reason"])?;
        for reason in Refused::ALL {
            refused.with_label_values(&[reason.label()]).reset();
        }
        registry.register(Box::new(refused.clone()))?;
        Ok(Self { taken: Arc::default(), refused })
    }

    /// A place for whoever asks.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn take(&self, peer: IpAddr) -> Result<Place, Refused> {
        let asker = asker(peer);
        let mut taken = lock(&self.taken);
        if taken.values().sum::<usize>() >= ALL {
            return Err(Refused::Full);
        }
        let own = taken.entry(asker).or_default();
        if *own >= EACH {
            return Err(Refused::Share);
        }
        *own += 1;
        Ok(Place { taken: Arc::clone(&self.taken), asker })
    }

    /// Counts a probe that was not begun.
    pub(crate) fn count(&self, refused: Refused) {
        self.refused.with_label_values(&[refused.label()]).inc();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(own) = taken.get_mut(&self.asker) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.asker);
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<Asker, usize>>) -> MutexGuard<'_, HashMap<Asker, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

fn asker(peer: IpAddr) -> Asker {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_asks_leaves_places_for_others_and_all_together_have_a_limit() {
        let places = Places::register(&Registry::new()).unwrap();
        let [one, other] = ["10.0.0.1", "2001:db8::1"].map(|text| text.parse::<IpAddr>().unwrap());
        let mut held: Vec<Place> = (0..EACH).map(|_| places.take(one).unwrap()).collect();
        assert_eq!(places.take("::ffff:10.0.0.1".parse().unwrap()).unwrap_err(), Refused::Share);
        held.extend((EACH..ALL).map(|_| places.take(other).unwrap()));
        assert_eq!(places.take("2001:db8::2".parse().unwrap()).unwrap_err(), Refused::Full);
        held.truncate(1);
        drop(places.take(other).unwrap());
        drop(held);
        assert!(lock(&places.taken).is_empty());
    }
}
