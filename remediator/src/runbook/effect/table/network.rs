//! The network: who is reached, what is open, filters, routes and interfaces.

use super::super::net;
use super::Does::{Changes, First, OnlyWith, Reads, Unless, UpTo, Verb, Words};
use super::{Does, Program, changes, program, reads};

const SETS: &str = "alters interfaces, routes or addresses";
const FILTERS: &str = "alters what the network lets through";
const WRITES: &str = "writes a file";
const CLOCK: &str = "sets or steers the clock";

pub(super) const PROGRAMS: &[Program] = &[
    reads(
        "ping ping6 fping arping traceroute traceroute6 tracepath mtr dig host nslookup drill whois netstat nstat iftop nload bmon",
    ),
    reads("nethogs vnstat iperf3 lldpctl ntpq ntpdc ipcalc sipcalc geoiplookup"),
    program(
        "ss",
        "-f -F -A -D --family --filter --query --diag",
        Unless(&[("-K --kill", Changes("ends connections")), ("-D --diag", Changes(WRITES))]),
    ),
    program("curl", "", Words(net::curl)),
    program("wget wget2", "", Words(net::wget)),
    program("http https xh", "", Does::CannotSay("sends what its words say")),
    program("nc ncat netcat socat telnet", "", Words(net::netcat)),
    program("openssl", "", Words(net::openssl)),
    program(
        "tcpdump tshark dumpcap",
        "-i -c -s -w -r -C -G -W -z -Z -F -E -B -f -Y -T -e -a",
        Unless(&[("-w -C", Changes(WRITES)), ("-z", Does::CannotSay("runs another program"))]),
    ),
    program("nmap", "", Does::CannotSay("may do much to those whom it asks")),
    program(
        "ip",
        "-f -n -b -rc -netns -family -batch",
        First(&[("-b -batch -force", Does::CannotSay("does what a file says"))], &Verb(IP)),
    ),
    program("bridge", "-n -netns", Verb(&[("link fdb mdb vlan vni monitor", Verb(SHOWS)), ("", Reads)])),
    program(
        "tc",
        "-n -netns -b -batch",
        First(
            &[("-b -batch", Does::CannotSay("does what a file says"))],
            &Verb(&[("qdisc class filter action actions chain monitor", Verb(SHOWS))]),
        ),
    ),
    program("ifconfig", "", UpTo(1, SETS, &[])),
    program("route", "-A", UpTo(0, SETS, &[])),
    program("arp", "-i -H -t -f", Unless(&[("-s -d -f --set --delete --file", Changes(SETS))])),
    changes("ifup ifdown dhclient dhcpcd nmtui wpa_cli ifrename vconfig brctl iwconfig", SETS),
    program("iw", "", Verb(&[("dev", Verb(&[("", Reads)])), ("list", Reads)])),
    program(
        "nmcli",
        "-f -t -m -g -c",
        Verb(&[
            ("", Reads),
            ("general", Verb(&[("", Reads), ("status permissions", Reads), ("hostname", UpTo(0, SETS, &[]))])),
            (
                "connection con c",
                Verb(&[
                    ("", Reads),
                    ("show", Reads),
                    ("up down add modify delete reload load edit clone import", Changes(SETS)),
                ]),
            ),
            (
                "device dev d",
                Verb(&[
                    ("", Reads),
                    ("status show", Reads),
                    ("connect disconnect reapply modify set delete", Changes(SETS)),
                ]),
            ),
        ]),
    ),
    program("ethtool", "", Words(net::ethtool)),
    program(
        "iptables ip6tables iptables-legacy ip6tables-legacy iptables-nft ebtables arptables",
        "-t --table",
        OnlyWith(
            "-L -S -C --list --list-rules --check",
            "-n -v -x -t -w --numeric --verbose --exact --line-numbers --table -p -s -d -j -i -o -m --dport --sport --state --ctstate",
            FILTERS,
        ),
    ),
    reads("iptables-save ip6tables-save"),
    changes("iptables-restore ip6tables-restore", FILTERS),
    program(
        "ipset",
        "-o",
        Verb(&[("list save test", Reads), ("create add del flush destroy swap rename restore", Changes(FILTERS))]),
    ),
    program(
        "nft",
        "-f -I -D",
        First(
            &[("-f --file -i --interactive", Changes(FILTERS))],
            &Verb(&[
                ("list", Reads),
                ("add create delete flush insert replace rename reset destroy", Changes(FILTERS)),
            ]),
        ),
    ),
    program(
        "ufw",
        "",
        Verb(&[
            ("status show version", Reads),
            (
                "enable disable allow deny reject limit delete reset reload insert route default logging",
                Changes(FILTERS),
            ),
        ]),
    ),
    program("firewall-cmd", "", Words(net::firewall_cmd)),
    program(
        "conntrack",
        "-p -s -d --proto --src --dst",
        OnlyWith(
            "-L -G -C -S --dump --get --count --stats",
            "-p -s -d -o --proto --src --dst",
            "alters tracked connections",
        ),
    ),
    program(
        "fail2ban-client",
        "-c -s -p",
        Verb(&[("status ping version", Reads), ("set start stop reload restart unban add", Changes(FILTERS))]),
    ),
    program("wg", "", Verb(&[("", Reads), ("show showconf", Reads), ("set setconf addconf syncconf", Changes(SETS))])),
    changes("wg-quick", SETS),
    program(
        "chronyc",
        "-h -p -d",
        Verb(&[
            ("tracking sources sourcestats activity ntpdata serverstats selectdata rtcdata clients", Reads),
            ("makestep burst online offline add delete settime reselect shutdown reset", Changes(CLOCK)),
        ]),
    ),
    program("ntpdate sntp", "", OnlyWith("-q", "-u -p -t", CLOCK)),
    program("networksetup", "", Words(net::networksetup)),
    program("pfctl", "-t -T -f -k -K -a -s", OnlyWith("-s", "-v -a", FILTERS)),
];

const IP: &[(&str, Does)] = &[
    (
        "address addr a link l route r rule ru neighbour neighbor neigh n netns maddress maddr tunnel tun ntable mroute tcp_metrics",
        Verb(SHOWS),
    ),
    ("nexthop vrf macsec token xfrm", Verb(SHOWS)),
    ("monitor", Reads),
];

const SHOWS: &[(&str, Does)] = &[
    ("", Reads),
    ("show sh s list ls lst get g identify pids test", Reads),
    (
        "add a append change chg replace delete del d set flush f save restore up down change attach detach exec",
        Changes(SETS),
    ),
];
