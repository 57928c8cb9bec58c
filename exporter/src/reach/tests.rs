//! The rule, and what holds of it for any address.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn named(entries: &[&str]) -> Arc<Named> {
    let mut named = Named::default();
    for entry in entries {
        named.add(entry).unwrap();
    }
    Arc::new(named)
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

/// Whether an address may be asked for whose host is an address.
fn leads(from: &str, to: &str, entries: &[&str]) -> bool {
    let reach = Reach::configured(&Location::Http(url(from)), &named(entries));
    reach.guard(&url(to)).admits_url(&url(to)).unwrap().is_ok()
}

#[rstest]
#[case::of_the_same_origin("http://127.0.0.1:8080/a.m3u8", "http://127.0.0.1:8080/1.ts", &[])]
#[case::its_port_is_written("http://10.0.0.1/a.m3u8", "http://10.0.0.1:80/1.ts", &[])]
#[case::in_another_form("http://127.0.0.1/a.m3u8", "http://0x7f.0.0.1/1.ts", &[])]
#[case::a_public_one("http://127.0.0.1/a.m3u8", "http://9.9.9.9/1.ts", &[])]
#[case::named("http://10.0.0.1/a.m3u8", "http://10.0.0.2/1.ts", &["10.0.0.0/8"])]
#[case::named_with_its_port("http://127.0.0.1/a.m3u8", "http://127.0.0.1:81/1.ts", &["127.0.0.1:81"])]
fn it_leads_to(#[case] from: &str, #[case] to: &str, #[case] entries: &[&str]) {
    assert!(leads(from, to, entries));
}

#[rstest]
#[case::another_port("http://127.0.0.1:8080/a.m3u8", "http://127.0.0.1:8081/1.ts", &[])]
#[case::another_scheme("http://10.0.0.1/a.m3u8", "https://10.0.0.1/1.ts", &[])]
#[case::another_host("http://10.0.0.1/a.m3u8", "http://10.0.0.2/1.ts", &[])]
#[case::loopback("http://a.test/a.m3u8", "http://127.0.0.1:8080/control/drop/publisher", &[])]
#[case::in_hexadecimal("http://a.test/a.m3u8", "http://0x7f000001/", &[])]
#[case::in_octal("http://a.test/a.m3u8", "http://0177.1/", &[])]
#[case::as_one_number("http://a.test/a.m3u8", "http://2130706433/", &[])]
#[case::mapped("http://a.test/a.m3u8", "http://[::ffff:127.0.0.1]/", &[])]
#[case::translated("http://a.test/a.m3u8", "http://[64:ff9b::7f00:1]/", &[])]
#[case::unspecified("http://a.test/a.m3u8", "http://0/", &[])]
#[case::metadata("http://a.test/a.m3u8", "http://169.254.169.254/latest/meta-data/", &["0.0.0.0/0"])]
#[case::in_full_width("http://a.test/a.m3u8", "http://１２７.0.0.1/", &[])]
#[case::another_one_is_named("http://10.0.0.1/a.m3u8", "http://10.0.0.2/1.ts", &["10.0.0.3", "a.test"])]
fn it_does_not_lead_to(#[case] from: &str, #[case] to: &str, #[case] entries: &[&str]) {
    assert!(!leads(from, to, entries));
}

#[test]
fn what_is_asked_for_has_to_be_named_itself() {
    let (home, other) = (url("http://9.9.9.9/a.m3u8"), url("http://9.9.9.8/1.ts"));
    let admits =
        |entries: &[&str], to: &Url| Reach::asked(&home, &named(entries), &named(&[])).guard(to).admits_url(to);
    assert_eq!(admits(&[], &home), Some(Err("9.9.9.9".parse().unwrap())));
    assert_eq!(admits(&["9.9.9.0/24"], &home), Some(Ok(())));
    assert_eq!(admits(&["9.9.9.9"], &other), Some(Ok(())), "what is public needs no name where a target leads there");
}

#[test]
fn a_name_is_judged_by_what_it_leads_to() {
    let reach = Reach::configured(&Location::Http(url("http://a.test/a.m3u8")), &named(&["packager.test"]));
    let admits = |host: &str, address: &str| {
        let guard = reach.guard(&url(&format!("http://{host}/")));
        guard.admits(Some(host), 80, address.parse().unwrap())
    };
    assert!(admits("a.test", "127.0.0.1"), "it was configured");
    assert!(admits("b.test", "9.9.9.9") && !admits("b.test", "127.0.0.1") && !admits("b.test", "10.0.0.1"));
    assert!(admits("packager.test", "10.0.0.1") && !admits("packager.test", "127.0.0.1"));
}

#[test]
fn a_refusal_says_what_to_set() {
    let (home, to) = (url("http://jo:secret@a.test/a.m3u8?t=s3cret"), url("http://10.0.0.2:81/x?t=s3cret"));
    let address = "10.0.0.2".parse().unwrap();
    let leads = Reach::configured(&Location::Http(home), &named(&[])).forbidden(&to, address).to_string();
    let expected = "not asked: http://a.test:80 leads to another origin, http://10.0.0.2:81, at the private address \
                    10.0.0.2; if that is right, name 10.0.0.2 or its host in `reach`";
    assert_eq!(leads, expected);
    let asked = Reach::asked(&to, &named(&[]), &named(&[])).forbidden(&to, address).to_string();
    assert_eq!(asked, "not asked: http://10.0.0.2:81, at the private address 10.0.0.2, is not named in `probe.allow`");
}

/// Addresses near the edges of blocks as often as any others.
fn address() -> impl Strategy<Value = IpAddr> {
    let near = prop_oneof![
        Just("127.0.0.1"),
        Just("10.0.0.1"),
        Just("169.254.169.254"),
        Just("100.64.0.1"),
        Just("0.0.0.0"),
        Just("::1"),
        Just("::ffff:127.0.0.1"),
        Just("64:ff9b::a00:1"),
        Just("fd00::1"),
        Just("fe80::1"),
    ];
    prop_oneof![
        near.prop_map(|text| text.parse().unwrap()),
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u16; 8]>().prop_map(IpAddr::from),
    ]
}

proptest! {
    /// Whatever is not public is reached by its own origin, or by being named.
    #[test]
    fn nothing_leads_to_what_is_not_public(address in address(), port in 1..u16::MAX, from in "[a-z]{1,8}\\.test") {
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let (home, to) = (format!("http://{from}/a.m3u8"), format!("http://{host}:{port}/"));
        prop_assert_eq!(leads(&home, &to, &[]), Kind::of(address).is_public());
        let with_port = format!("{host}:{port}");
        prop_assert!(leads(&home, &to, &[&host]) && leads(&home, &to, &[&with_port]));
        prop_assert!(leads(&to, &to, &[]));
        let special = Kind::of(address).is_special();
        prop_assert_eq!(leads(&home, &to, &["0.0.0.0/0", "::/0"]), !special);
        prop_assert_eq!(named(&[&from]).covers(Some(&from), port, address), !special);
    }

    /// However a reference is written.
    #[test]
    fn a_reference_leads_home_or_to_what_is_public(
        host in "[0-9a-fx.:%@１２\\[\\]\\\\/]{0,24}|localhost|127\\.1|\\[::ffff:7f00:1\\]|0x7f\\.0\\.0\\.1|017700000001",
        before in "(https?:|HTTP:)?[/\\\\]{0,3}",
        after in "(:[0-9]{1,5})?(/[a-z.%0-9]{0,8})?",
    ) {
        let home = url("http://a.test/live/a.m3u8");
        let Ok(to) = home.join(&format!("{before}{host}{after}")) else { return Ok(()) };
        let guard = Reach::configured(&Location::Http(home.clone()), &named(&[])).guard(&to);
        let address = match to.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => {
                let admitted = guard.admits(to.host_str(), 80, "127.0.0.1".parse().unwrap());
                prop_assert_eq!(admitted, to.origin() == home.origin(), "{}", to);
                return Ok(());
            }
        };
        let admitted = guard.admits_url(&to).unwrap().is_ok();
        prop_assert_eq!(admitted, Kind::of(address).is_public(), "{}", to);
    }

    /// A network of which both ends are of a kind that has to be named is of that kind all through: the largest ones that there are.
    #[test]
    fn a_network_holds_what_is_special_only_if_all_of_it_is(address in address(), other in any::<u128>()) {
        let kind = Kind::of(address);
        prop_assume!(kind.is_special());
        let width = if address.is_ipv4() { 32 } else { 128 };
        let around = |bits| ipnet::IpNet::new(address, bits).unwrap().trunc();
        let is_all = |network: &ipnet::IpNet| {
            Kind::of(network.network()) == kind && Kind::of(network.broadcast()) == kind
        };
        let network = (0..=width).map(around).find(is_all).unwrap();
        let within: IpAddr = match network {
            ipnet::IpNet::V4(network) => {
                let host = u32::from(network.hostmask()) & other as u32;
                std::net::Ipv4Addr::from(u32::from(network.network()) | host).into()
            }
            ipnet::IpNet::V6(network) => {
                let host = u128::from(network.hostmask()) & other;
                std::net::Ipv6Addr::from(u128::from(network.network()) | host).into()
            }
        };
        prop_assert_eq!(Kind::of(within), kind, "{} in {}", within, network);
    }

    /// Anything that is written in a configuration is read, or refused; what is read is read again as it is shown.
    #[test]
    fn what_is_named_is_shown_as_it_is_read(text in "([*]\\.)?[a-z0-9.:/\\[\\]%é-]{0,24}") {
        let mut first = Named::default();
        if first.add(&text).is_ok() {
            let mut second = Named::default();
            second.add(&first.to_string()).unwrap();
            prop_assert_eq!(first, second);
        }
    }
}
