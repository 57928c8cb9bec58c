//! Kinds of addresses, as IANA's registries of special purposes have them (RFC 6890). Pure.
//!
//! An IPv6 address that stands for one of IPv4 is what that is: the system connects to it (RFC 4291 §2.5.5), or a translator or tunnel on
//! the way does (RFC 6052, RFC 7915, RFC 3056, RFC 5214).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Anybody.
    Public,
    /// The machines of a site: RFC 1918, RFC 4193, site-local.
    Private,
    /// A provider's network (RFC 6598).
    Shared,
    /// This machine.
    Loopback,
    /// The neighbours; where machines are rented, the service that knows their keys.
    LinkLocal,
    /// This machine too, where it is connected to.
    Unspecified,
    /// Several.
    Multicast,
    /// Nobody, or whoever uses what is set aside.
    Reserved,
}

impl Kind {
    /// Of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    /// Anybody's.
    #[must_use]
    pub fn is_public(self) -> bool {
        self == Self::Public
    }

    /// Those that a network which is named does not hold by being large.
    #[must_use]
    pub const fn is_special(self) -> bool {
        matches!(self, Self::Loopback | Self::LinkLocal | Self::Unspecified | Self::Multicast)
    }

    /// For messages.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            [0, ..] => Self::Unspecified,
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Self::Private,
            [100, 64..=127, ..] => Self::Shared,
            [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [240..=255, ..] => {
                Self::Reserved
            }
            [224..=239, ..] => Self::Multicast,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_unspecified() {
            return Self::Unspecified;
        }
        if address.is_loopback() {
            return Self::Loopback;
        }
        if let Some(inner) = inner(address) {
            return Self::of_v4(inner);
        }
        match address.segments() {
            [0xff00..=0xffff, ..] => Self::Multicast,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Self::Private,
            // A translator of the site's own (RFC 8215) leads to whatever the site has.
            [0x64, 0xff9b, 1, ..] => Self::Private,
            // Protocols and documentation: RFC 2928, RFC 3849, RFC 9637.
            [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Self::Reserved,
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Reserved,
        }
    }
}

/// The address of IPv4 that one of IPv6 stands for.
pub(super) fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let at = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // Compatible (without :: and ::1), mapped, translated, NAT64.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => at(high, low),
        // 6to4, ISATAP.
        [0x2002, high, low, ..] => at(high, low),
        [0x2000..=0x3fff, _, _, _, 0 | 0x200, 0x5efe, high, low] => at(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("9.9.9.9 192.88.99.1 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 2606:4700::1111", Kind::Public)]
    #[case("64:ff9b::9.9.9.9 ::ffff:9.9.9.9 2002:909:909::1 2600::5efe:9.9.9.9", Kind::Public)]
    #[case("10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fdff::1 fec0::1 64:ff9b:1::1", Kind::Private)]
    #[case(
        "::ffff:10.0.0.1 ::10.0.0.1 64:ff9b::10.0.0.1 2002:a00:1::1 ::ffff:0:192.168.0.1 2600::5efe:10.0.0.1",
        Kind::Private
    )]
    #[case("100.64.0.1 100.127.255.255 ::ffff:100.100.100.200", Kind::Shared)]
    #[case("127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: ::127.0.0.1", Kind::Loopback)]
    #[case("169.254.169.254 fe80::1 febf::1 ::ffff:169.254.169.254", Kind::LinkLocal)]
    #[case("0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0", Kind::Unspecified)]
    #[case("224.0.0.1 239.1.1.1 ff02::1", Kind::Multicast)]
    #[case("192.0.0.192 192.0.2.1 198.18.0.1 240.0.0.1 255.255.255.255 2001::1 2001:db8::1 100::1", Kind::Reserved)]
    fn addresses_are_of_their_kind(#[case] addresses: &str, #[case] expected: Kind) {
        for address in addresses.split(' ') {
            assert_eq!(Kind::of(address.parse().unwrap()), expected, "{address}");
        }
    }
}
