//! A proxy that has authenticated people already and names them in headers.
//!
//! oauth2-proxy sends `X-Forwarded-User` and `X-Forwarded-Groups` (`X-Auth-Request-…` behind an nginx `auth_request`), Authelia
//! `Remote-User` and `Remote-Groups`; both write groups with commas between them, authentik with `|`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::Role;

/// The longest user name that is taken.
const NAME_BYTES_MAX: usize = 64;

/// Addresses of a proxy: a network in CIDR notation, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr(IpNet);

impl std::str::FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let one = || text.parse::<IpAddr>().map(IpNet::from).map_err(|_| ());
        text.parse::<IpNet>().map_err(|_| ()).or_else(|()| one()).map(Self)
    }
}

impl Cidr {
    /// Whether it is every address there is.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.prefix_len() == 0
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

/// Whose headers are believed.
#[derive(Clone, Debug)]
pub(crate) struct TrustedProxy {
    pub(crate) addresses: Vec<Cidr>,
    pub(crate) user_header: HeaderName,
    pub(crate) groups_header: Option<HeaderName>,
    pub(crate) roles: BTreeMap<String, Role>,
}

/// What a proxy says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing, or it is not the proxy who says it.
    Nothing,
    /// This user, and what their groups come to.
    User(String, Option<Role>),
    /// Two users, or a name that cannot be written down.
    Nonsense,
}

impl TrustedProxy {
    /// Who a request is from, if the peer is the proxy.
    pub(super) fn said(&self, peer: IpAddr, headers: &HeaderMap) -> Said {
        if !self.addresses.iter().any(|known| known.contains(peer)) {
            return Said::Nothing;
        }
        let mut names = headers.get_all(&self.user_header).iter();
        // A second value is the client's own, which the proxy has not taken away.
        let name = match (names.next(), names.next()) {
            (None, _) => return Said::Nothing,
            (Some(name), None) => name.to_str().map(str::trim).unwrap_or_default(),
            (Some(_), Some(_)) => return Said::Nonsense,
        };
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Said::Nonsense;
        }
        let groups = self.groups_header.iter().flat_map(|header| headers.get_all(header));
        let groups = groups.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split([',', '|']));
        let role = groups.filter_map(|group| self.roles.get(group.trim())).max().copied();
        Said::User(name.to_owned(), role.or_else(|| self.roles.get("*").copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn proxy() -> TrustedProxy {
        TrustedProxy {
            addresses: vec!["10.1.0.0/16".parse().unwrap(), "::1".parse().unwrap()],
            user_header: HeaderName::from_static("x-forwarded-user"),
            groups_header: Some(HeaderName::from_static("x-forwarded-groups")),
            roles: [("on-call", Role::Operator), ("staff", Role::Viewer)].map(|(g, r)| (g.to_owned(), r)).into(),
        }
    }

    fn said(peer: &str, headers: &[(&'static str, &'static str)]) -> Said {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        proxy().said(peer.parse().unwrap(), &map)
    }

    #[test]
    fn headers_count_from_the_proxy_alone_and_the_highest_group_decides() {
        let user = |role| Said::User("ana".to_owned(), role);
        let ana = ("x-forwarded-user", "ana");
        assert_eq!(said("10.1.2.3", &[ana, ("x-forwarded-groups", "staff, on-call,x")]), user(Some(Role::Operator)));
        assert_eq!(
            said("::1", &[ana, ("x-forwarded-groups", "x"), ("x-forwarded-groups", "a|staff")]),
            user(Some(Role::Viewer))
        );
        assert_eq!(said("10.1.2.3", &[ana]), user(None));
        assert_eq!(said("10.2.2.3", &[ana, ("x-forwarded-groups", "on-call")]), Said::Nothing);
        assert_eq!(said("10.1.2.3", &[("x-forwarded-groups", "on-call")]), Said::Nothing);
        assert_eq!(said("10.1.2.3", &[ana, ("x-forwarded-user", "boss")]), Said::Nonsense);
        assert_eq!(said("10.1.2.3", &[("x-forwarded-user", " ")]), Said::Nonsense);
    }
}
