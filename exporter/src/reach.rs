//! Where addresses may lead that others wrote: a redirect, or a reference in a playlist or manifest. Pure.
//!
//! What was configured may lie anywhere. From there, nothing leads to another origin (scheme, host and port) on loopback, or on any other
//! address that is not public, unless that origin is named. Judged are the addresses that a connection is made to, not names, and by
//! whoever makes it, so that an answer of the name server cannot change in between.

mod kind;
mod named;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

pub use self::kind::Kind;
pub use self::named::{Named, NamedError};
use crate::config::Location;

/// Scheme, host and port (RFC 6454 §4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// Of an address; none where it has no host, or no port that is known.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        Some(Self { scheme: url.scheme().to_owned(), host, port })
    }

    fn is_of(&self, url: &Url) -> bool {
        url.scheme() == self.scheme
            && url.host_str() == Some(self.host.as_str())
            && url.port_or_known_default() == Some(self.port)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// From where the addresses of one source lead, and what is named beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    home: Option<Origin>,
    /// What the source itself has to be named in, where it is not configured.
    asked: Option<Arc<Named>>,
    named: Arc<Named>,
}

impl Reach {
    /// Of a source that is configured: its own origin may lie anywhere.
    #[must_use]
    pub fn configured(source: &Location, named: &Arc<Named>) -> Self {
        let home = match source {
            Location::Http(url) => Origin::of(url),
            Location::File(_) => None,
        };
        Self { home, asked: None, named: Arc::clone(named) }
    }

    /// Of a source that somebody asked for: its own origin has to be one of `targets`.
    #[must_use]
    pub fn asked(source: &Url, targets: &Arc<Named>, named: &Arc<Named>) -> Self {
        Self { home: Origin::of(source), asked: Some(Arc::clone(targets)), named: Arc::clone(named) }
    }

    /// What is demanded of the addresses that a request is sent to.
    #[must_use]
    pub fn guard(&self, url: &Url) -> Guard {
        match (&self.home, &self.asked) {
            (Some(home), Some(targets)) if home.is_of(url) => Guard::named(targets),
            (Some(home), None) if home.is_of(url) => Guard::FREE,
            _ => Guard(Some((Demand::PublicOrNamed, Arc::clone(&self.named)))),
        }
    }

    /// The error of a request that leads where it may not.
    #[must_use]
    pub fn forbidden(&self, url: &Url, address: IpAddr) -> Forbidden {
        let to = Origin::of(url).map(|origin| origin.to_string()).unwrap_or_default();
        let is_target = self.asked.is_some() && self.home.as_ref().is_some_and(|home| home.is_of(url));
        let from = self.home.as_ref().filter(|_| !is_target).map(Origin::to_string);
        Forbidden { from, to, address }
    }
}

/// What is demanded of addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Guard(Option<(Demand, Arc<Named>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Demand {
    PublicOrNamed,
    Named,
}

impl Guard {
    /// Nothing is demanded.
    pub const FREE: Self = Self(None);

    /// Everything has to be named.
    #[must_use]
    pub fn named(named: &Arc<Named>) -> Self {
        Self(Some((Demand::Named, Arc::clone(named))))
    }

    /// Nothing is demanded of it.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a connection may be made: to this address, which was found for this name, or written in place of one.
    #[must_use]
    pub fn admits(&self, name: Option<&str>, port: u16, address: IpAddr) -> bool {
        let Some((demand, named)) = &self.0 else { return true };
        let public = *demand == Demand::PublicOrNamed && Kind::of(address).is_public();
        public || named.covers(name, port, address)
    }

    /// Whether an address may be asked for, where it tells by itself; none where its name has to be looked up.
    #[must_use]
    pub fn admits_url(&self, url: &Url) -> Option<Result<(), IpAddr>> {
        let address = match url.host() {
            _ if self.is_free() => return Some(Ok(())),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return None,
        };
        let port = url.port_or_known_default().unwrap_or_default();
        Some(if self.admits(None, port, address) { Ok(()) } else { Err(address) })
    }
}

/// A request that was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// None where it is what somebody asked for.
    from: Option<String>,
    to: String,
    address: IpAddr,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, address } = self;
        let kind = Kind::of(*address).label();
        match from {
            Some(from) => write!(
                f,
                "not asked: {from} leads to another origin, {to}, at the {kind} address {address}; if that is right, name {address} or its host in `reach`"
            ),
            None => write!(f, "not asked: {to}, at the {kind} address {address}, is not named in `probe.allow`"),
        }
    }
}

impl std::error::Error for Forbidden {}

#[cfg(test)]
mod tests;
