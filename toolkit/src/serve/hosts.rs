//! Under which names a program answers (RFC 9110 §7.4): a page of another site may have its own name lead here.
//!
//! Addresses are always known: it takes a name to lead a browser's idea of "the same site" astray (DNS rebinding).

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, Version};

use crate::text::visible;

/// The most of an unknown name that an answer shows.
const SHOWN_MAX: usize = 100;

/// A name under which a program may be asked, `NAME`, or `*.NAME` for every name below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName(String);

/// Why a text is no host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host name: expected NAME or *.NAME, without a port")]
pub struct HostNameError(String);

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = normal(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let bare = name.strip_prefix("*.").unwrap_or(&name);
        if bare.is_empty() || bare.starts_with('.') || !bare.chars().all(plain) {
            return Err(HostNameError(text.chars().take(SHOWN_MAX).collect()));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names that are known, besides addresses and `localhost`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(BTreeSet<String>);

/// What is wrong with the host of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostError {
    #[error("the request names no host, or several, or none that can be read (RFC 9112 section 3.2)")]
    Malformed,
    #[error("this server is not known as \"{0}\": --web.allowed-host={0} would have it answer under that name")]
    Unknown(String),
}

impl FromIterator<HostName> for Hosts {
    fn from_iter<I: IntoIterator<Item = HostName>>(names: I) -> Self {
        Self(names.into_iter().map(|name| name.0).collect())
    }
}

impl Hosts {
    /// Adds a name that stands in the configuration elsewhere: an external URL's or a listen address'. Addresses need not be added.
    pub fn add(&mut self, host: &str) {
        self.0.extend(host.parse::<HostName>().ok().map(|name| name.0));
    }

    fn know(&self, host: &str) -> bool {
        let name = normal(host);
        let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = literal.map_or_else(|| name.parse::<Ipv4Addr>().is_ok(), |it| it.parse::<Ipv6Addr>().is_ok());
        let below = || name.match_indices('.').any(|(dot, _)| self.0.contains(&format!("*{}", &name[dot..])));
        address || name == "localhost" || self.0.contains(&name) || below()
    }

    /// Whether a request asks for us. HTTP/1.0 may say nothing of it; browsers never do.
    pub(super) fn check(&self, version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), HostError> {
        let asked = match uri.authority() {
            Some(authority) => Some(authority.host().to_owned()),
            None => named(headers)?,
        };
        match asked {
            None if version <= Version::HTTP_10 => Ok(()),
            None => Err(HostError::Malformed),
            Some(host) if self.know(&host) => Ok(()),
            Some(host) => Err(HostError::Unknown(visible(&host).chars().take(SHOWN_MAX).collect())),
        }
    }
}

fn named(headers: &HeaderMap) -> Result<Option<String>, HostError> {
    let mut all = headers.get_all(HOST).iter();
    let Some(one) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(HostError::Malformed);
    }
    let authority = Authority::try_from(one.as_bytes()).map_err(|_| HostError::Malformed)?;
    Ok(Some(authority.host().to_owned()))
}

/// The host in the header that handlers look at: HTTP/2 tells it in the address alone (RFC 9113 §8.3.1), which counts before a header.
pub(super) fn into_header(uri: &Uri, headers: &mut HeaderMap) {
    let value = uri.authority().and_then(|authority| {
        let bare = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, bare)| bare);
        HeaderValue::from_str(bare).ok()
    });
    if let Some(value) = value {
        headers.insert(HOST, value);
    }
}

/// Names differ neither by case nor by the root's dot.
fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn hosts() -> Hosts {
        let mut hosts: Hosts =
            ["*.svc.cluster.local", "VVTV-Exporter"].map(|name| name.parse().unwrap()).into_iter().collect();
        hosts.add("ops.example");
        hosts.add("192.0.2.1");
        hosts
    }

    #[rstest]
    #[case("127.0.0.1:10047", true)]
    #[case("198.51.100.7", true)]
    #[case("[::1]:10047", true)]
    #[case("localhost:1", true)]
    #[case("LOCALHOST.", true)]
    #[case("ops.example", true)]
    #[case("Ops.Example:10048", true)]
    #[case("vvtv-exporter:10047", true)]
    #[case("vvtv.media.svc.cluster.local", true)]
    #[case("svc.cluster.local", false)]
    #[case("evil.example", false)]
    #[case("ops.example.evil.example", false)]
    #[case("evil-ops.example", false)]
    #[case("127.0.0.1.evil.example", false)]
    #[case("localhost.evil.example", false)]
    #[case("0x7f.1", false)]
    #[case("2130706433", false)]
    #[case("::1", false)]
    fn names_are_known_and_addresses_always(#[case] host: &'static str, #[case] known: bool) {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
        assert_eq!(hosts().check(Version::HTTP_11, &Uri::from_static("/"), &headers).is_ok(), known);
    }

    #[test]
    fn the_address_counts_before_the_header_and_one_must_be_there() {
        let header = |hosts: &[&'static str]| -> HeaderMap {
            hosts.iter().map(|host| (HOST, HeaderValue::from_static(host))).collect()
        };
        let check =
            |version, uri, headers: &[&'static str]| hosts().check(version, &Uri::from_static(uri), &header(headers));
        let unknown = Err(HostError::Unknown("evil.example".to_owned()));
        assert_eq!(check(Version::HTTP_11, "http://evil.example/", &["127.0.0.1"]), unknown);
        assert_eq!(check(Version::HTTP_2, "http://evil.example/", &[]), unknown);
        assert_eq!(check(Version::HTTP_2, "http://a@127.0.0.1:1/", &["evil.example"]), Ok(()));
        assert_eq!(check(Version::HTTP_11, "/", &[]), Err(HostError::Malformed));
        assert_eq!(check(Version::HTTP_2, "/", &[]), Err(HostError::Malformed));
        assert_eq!(check(Version::HTTP_10, "/", &[]), Ok(()));
        assert_eq!(check(Version::HTTP_11, "/", &["127.0.0.1", "127.0.0.1"]), Err(HostError::Malformed));
        assert_eq!(check(Version::HTTP_11, "/", &["a b"]), Err(HostError::Malformed));
        let mut headers = header(&["evil.example"]);
        into_header(&Uri::from_static("http://a@127.0.0.1:1/"), &mut headers);
        assert_eq!(headers[HOST], "127.0.0.1:1");
    }

    #[rstest]
    #[case("name:80")]
    #[case("http://name")]
    #[case("*")]
    #[case("*.")]
    #[case("a*.b")]
    #[case("")]
    fn what_is_no_name_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<HostName>(), Err(HostNameError(text.to_owned())));
    }
}
