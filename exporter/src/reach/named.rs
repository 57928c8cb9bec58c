//! Hosts and networks that a configuration names. Pure.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

use super::kind::{Kind, inner};

/// Hosts and networks, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named(Vec<Entry>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Entry {
    who: Who,
    /// None: every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Who {
    Network(IpNet),
    Name(String),
    /// `*.` and this.
    Below(String),
}

/// Why a text names neither a host nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamedError {
    /// It names nothing.
    #[error(
        "expected a host (`packager.example.com`, `*.example.com`), an address or a network (`10.0.0.0/8`); of a host or address, with its `:PORT` where only that is meant"
    )]
    Neither,
    /// Its address is no network's first.
    #[error("`{0}` has bits set behind its prefix: `{1}` is meant?")]
    HostBits(IpNet, IpNet),
}

impl Named {
    /// Nothing is named.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what a text names.
    ///
    /// # Errors
    /// It is neither a host nor a network.
    pub fn add(&mut self, text: &str) -> Result<(), NamedError> {
        self.0.push(text.parse()?);
        Ok(())
    }

    /// Whether a connection is to what is named: to this address, which was found for this name, or written in place of one.
    ///
    /// Loopback, link-local and their like are named by an address or network of their own alone: neither a larger network holds them,
    /// nor a name, whatever the name server says of it; of names, `localhost` is one of loopback.
    #[must_use]
    pub fn covers(&self, name: Option<&str>, port: u16, address: IpAddr) -> bool {
        self.0.iter().any(|entry| entry.covers(name, port, address))
    }

    /// Whether a name may be one of them: otherwise it need not be looked up.
    #[must_use]
    pub fn may_cover(&self, name: &str, port: u16) -> bool {
        let may = |entry: &Entry| matches!(entry.who, Who::Network(_)) || entry.is_name(name);
        self.0.iter().any(|entry| entry.is_for(port) && may(entry))
    }

    /// Adds what another list names.
    pub fn add_all(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether names are among them, besides addresses and networks.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.0.iter().any(|entry| !matches!(entry.who, Who::Network(_)))
    }
}

impl Entry {
    fn is_for(&self, port: u16) -> bool {
        self.port.is_none_or(|only| only == port)
    }

    fn is_name(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        match &self.who {
            Who::Network(_) => false,
            Who::Name(own) => name.eq_ignore_ascii_case(own),
            Who::Below(parent) => {
                let split = name.len().checked_sub(parent.len() + 1).and_then(|at| name.split_at_checked(at));
                split.is_some_and(|(sub, rest)| {
                    !sub.is_empty() && rest.strip_prefix('.').is_some_and(|rest| rest.eq_ignore_ascii_case(parent))
                })
            }
        }
    }

    fn covers(&self, name: Option<&str>, port: u16, address: IpAddr) -> bool {
        if !self.is_for(port) {
            return false;
        }
        let kind = Kind::of(address);
        match &self.who {
            Who::Network(network) => holds(network, address) && (!kind.is_special() || is_all(network, kind)),
            Who::Name(_) | Who::Below(_) if !name.is_some_and(|name| self.is_name(name)) => false,
            Who::Name(own) => !kind.is_special() || (own == "localhost" && kind == Kind::Loopback),
            Who::Below(_) => !kind.is_special(),
        }
    }
}

/// Whether a network holds an address, or what that stands for.
fn holds(network: &IpNet, address: IpAddr) -> bool {
    let stands_for = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => inner(address).map(IpAddr::V4),
    };
    network.contains(&address) || stands_for.is_some_and(|inner| network.contains(&inner))
}

/// Whether a network lies within one of the blocks of a kind: both of its ends do, and none holds another kind between two of its blocks.
fn is_all(network: &IpNet, kind: Kind) -> bool {
    Kind::of(network.network()) == kind && Kind::of(network.broadcast()) == kind
}

/// Whether it has labels alone (RFC 1034 §3.1), and none that stands for others.
fn is_name(name: &str) -> bool {
    !name.contains(['*', '{', '}']) && !name.split('.').any(str::is_empty)
}

impl FromStr for Entry {
    type Err = NamedError;

    fn from_str(text: &str) -> Result<Self, NamedError> {
        if text.contains('/') {
            let network: IpNet = text.parse().map_err(|_| NamedError::Neither)?;
            if network != network.trunc() {
                return Err(NamedError::HostBits(network, network.trunc()));
            }
            return Ok(Self { who: Who::Network(network), port: None });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { who: Who::Network(address.into()), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0).ok_or(NamedError::Neither)?;
                (host, Some(port))
            }
            Some(_) | None => (text, None),
        };
        let (host, below) = host.strip_prefix("*.").map_or((host, false), |parent| (parent, true));
        let who = match Host::parse(host.strip_suffix('.').unwrap_or(host)).map_err(|_| NamedError::Neither)? {
            Host::Domain(name) if !is_name(&name) => return Err(NamedError::Neither),
            Host::Domain(name) if below => Who::Below(name),
            Host::Domain(name) => Who::Name(name),
            Host::Ipv4(_) | Host::Ipv6(_) if below => return Err(NamedError::Neither),
            Host::Ipv4(address) => Who::Network(IpAddr::V4(address).into()),
            Host::Ipv6(address) => Who::Network(IpAddr::V6(address).into()),
        };
        Ok(Self { who, port })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Network(IpNet::V6(network)) if self.port.is_some() => write!(f, "[{}]", network.addr())?,
            Who::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "{}", network.addr())?;
            }
            Who::Network(network) => write!(f, "{network}")?,
            Who::Name(name) => write!(f, "{name}")?,
            Who::Below(parent) => write!(f, "*.{parent}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self.0.iter().map(Entry::to_string).collect();
        f.write_str(&entries.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.0.0.0/8", "10.0.0.0/8")]
    #[case("10.1.2.3", "10.1.2.3")]
    #[case("10.1.2.3:8080", "10.1.2.3:8080")]
    #[case("0x7f.1", "127.0.0.1")]
    #[case("fd00::1", "fd00::1")]
    #[case("[FD00::1]:80", "[fd00::1]:80")]
    #[case("[fd00::1]", "fd00::1")]
    #[case("fd00::/8", "fd00::/8")]
    #[case("Packager.Example.com.", "packager.example.com")]
    #[case("*.bücher.example:443", "*.xn--bcher-kva.example:443")]
    fn what_is_named_is_read(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<Entry>().map(|entry| entry.to_string()), Ok(shown.to_owned()));
    }

    #[rstest]
    #[case("10.1.2.3/8", "`10.1.2.3/8` has bits set behind its prefix: `10.0.0.0/8` is meant?")]
    #[case("http://a.test/", "")]
    #[case("", "")]
    #[case("*", "")]
    #[case("*.", "")]
    #[case(".", "")]
    #[case("..", "")]
    #[case("a..test", "")]
    #[case("*..test", "")]
    #[case("*.10.0.0.1", "")]
    #[case("a.*.test", "")]
    #[case("a.test:0", "")]
    #[case("a.test:http", "")]
    #[case("10.0.0.0/33", "")]
    fn what_is_none_is_told(#[case] text: &str, #[case] expected: &str) {
        let error = text.parse::<Entry>().unwrap_err();
        let neither = NamedError::Neither.to_string();
        assert_eq!(error.to_string(), if expected.is_empty() { &neither } else { expected });
    }

    fn covers(entry: &str, name: Option<&str>, address: &str) -> bool {
        let mut named = Named::default();
        named.add(entry).unwrap();
        named.covers(name, 80, address.parse().unwrap())
    }

    #[rstest]
    #[case("10.0.0.0/8", None, "10.1.2.3")]
    #[case("10.0.0.0/8", Some("a.test"), "::ffff:10.1.2.3")]
    #[case("10.0.0.0/8", None, "64:ff9b::10.1.2.3")]
    #[case("0.0.0.0/0", None, "10.1.2.3")]
    #[case("127.0.0.0/8", None, "127.1.2.3")]
    #[case("127.0.0.1", Some("localhost"), "127.0.0.1")]
    #[case("127.0.0.1:80", None, "127.0.0.1")]
    #[case("localhost", Some("localhost"), "::1")]
    #[case("169.254.169.254", None, "169.254.169.254")]
    #[case("fe80::/10", None, "fe80::1")]
    #[case("a.test", Some("a.test."), "10.1.2.3")]
    #[case("*.a.test", Some("b.A.test"), "9.9.9.9")]
    #[case("*.a.test:80", Some("c.b.a.test"), "10.1.2.3")]
    fn it_covers(#[case] entry: &str, #[case] name: Option<&str>, #[case] address: &str) {
        assert!(covers(entry, name, address));
    }

    #[rstest]
    #[case("10.0.0.0/8", None, "11.1.2.3")]
    #[case("0.0.0.0/0", None, "127.0.0.1")]
    #[case("0.0.0.0/0", None, "169.254.169.254")]
    #[case("0.0.0.0/0", None, "0.0.0.0")]
    #[case("::/0", None, "::1")]
    #[case("::/0", None, "::ffff:127.0.0.1")]
    #[case("::/0", None, "fe80::1")]
    #[case("0.0.0.0/1", None, "127.0.0.1")]
    #[case("127.0.0.1:81", None, "127.0.0.1")]
    #[case("localhost", None, "127.0.0.1")]
    #[case("a.test", Some("a.test"), "127.0.0.1")]
    #[case("a.test", Some("a.test"), "169.254.169.254")]
    #[case("a.test", Some("b.a.test"), "10.1.2.3")]
    #[case("*.a.test", Some("a.test"), "10.1.2.3")]
    #[case("*.a.test", Some("b.a.test.evil.test"), "10.1.2.3")]
    #[case("*.a.test", Some("xa.test"), "10.1.2.3")]
    #[case("*.localhost", Some("a.localhost"), "127.0.0.1")]
    #[case("a.test:81", Some("a.test"), "10.1.2.3")]
    fn it_does_not_cover(#[case] entry: &str, #[case] name: Option<&str>, #[case] address: &str) {
        assert!(!covers(entry, name, address));
    }

    #[rstest]
    #[case("a.test", "a.test", true)]
    #[case("a.test:81", "a.test", false)]
    #[case("*.a.test", "b.test", false)]
    #[case("10.0.0.0/8", "b.test", true)]
    fn what_cannot_be_meant_is_not_looked_up(#[case] entry: &str, #[case] name: &str, #[case] expected: bool) {
        let mut named = Named::default();
        named.add(entry).unwrap();
        assert_eq!(named.may_cover(name, 80), expected);
    }
}
