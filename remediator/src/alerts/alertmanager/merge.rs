//! One list out of several: those of a cluster's members, and an alert's several groups.
//!
//! An alert that fires at one member fires: a member that Prometheus does not reach knows less, not better. It is kept back only where all
//! that have it keep it back: silences and inhibitions reach one member before the other, and a member that does not keep an alert back
//! delivers it, so that the list says the same as the deliveries. Mutes are of the configuration, which is the same for all: who does
//! not tell of them does not outweigh who does.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use vvtv_incident::{Alert, Fingerprint, Muting};

use crate::alerts::webhook::AlertUpdate;

/// How an alert stands in one group of one member. Of two, the later in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stands {
    /// It is silenced or inhibited, or not looked at yet.
    Silenced,
    /// It fires; whether its group is muted is not told.
    Unsaid,
    /// Its group is muted.
    Muted,
    /// It fires, and its group is not muted.
    NotMuted,
    /// It fires, and a delivery of its group has just left alerts out.
    LeftOut,
}

/// Each alert once.
pub(super) fn merged(stand: impl IntoIterator<Item = (Alert, Stands)>) -> Vec<AlertUpdate> {
    let mut all: BTreeMap<Fingerprint, (Alert, Stands)> = BTreeMap::new();
    for (alert, stands) in stand {
        match all.entry(alert.fingerprint.clone()) {
            Entry::Vacant(place) => drop(place.insert((alert, stands))),
            Entry::Occupied(mut known) if known.get().1 < stands => drop(known.insert((alert, stands))),
            Entry::Occupied(_) => {}
        }
    }
    let update = |(alert, stands)| match stands {
        Stands::Silenced | Stands::Muted => AlertUpdate::Suppressed(alert),
        Stands::Unsaid => AlertUpdate::Listed(alert, Muting::Unknown),
        Stands::NotMuted => AlertUpdate::Listed(alert, Muting::NotMuted),
        Stands::LeftOut => AlertUpdate::Listed(alert, Muting::LeftOut),
    };
    all.into_values().map(update).collect()
}
