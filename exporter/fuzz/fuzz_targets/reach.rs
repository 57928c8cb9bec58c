//! Any reference in any playlist, resolved and redirected as it says: where it leads is public, the configured origin, or named.

#![no_main]

use std::net::IpAddr;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use url::Url;
use vvtv_exporter::config::Location;
use vvtv_exporter::reach::{Kind, Named, Reach};

fuzz_target!(|input: (&str, &str, &str)| {
    let (home, reference, entry) = input;
    let Ok(home) = home.parse::<Url>() else { return };
    if !matches!(home.scheme(), "http" | "https") {
        return;
    }
    let mut named = Named::default();
    let is_named = named.add(entry).is_ok();
    if is_named {
        let mut again = Named::default();
        again.add(&named.to_string()).expect("what is shown is read");
        assert_eq!(named, again);
    }
    let reach = Reach::configured(&Location::Http(home.clone()), &Arc::new(named.clone()));
    let Ok(to) = home.join(reference) else { return };
    let same = to.origin() == home.origin();
    let guard = reach.guard(&to);
    let port = to.port_or_known_default().unwrap_or_default();
    let address = match to.host() {
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address),
        // Whatever a name server says of it.
        Some(url::Host::Domain(name)) => {
            let loopback = IpAddr::from([127, 0, 0, 1]);
            let admitted = guard.admits(Some(name), port, loopback);
            assert!(!admitted || same || named.covers(Some(name), port, loopback), "{home} {to} {entry}");
            return;
        }
        None => return,
    };
    let admitted = guard.admits_url(&to).is_some_and(|admitted| admitted.is_ok());
    let expected = same || Kind::of(address).is_public() || named.covers(None, port, address);
    assert!(!admitted || expected, "{home} {to} {entry}");
    if !is_named && !same {
        assert_eq!(admitted, Kind::of(address).is_public(), "{home} {to}");
    }
});
