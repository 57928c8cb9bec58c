//! Clients that hold more connections than there are, from one address and from many: deliveries, metrics and health are answered all
//! the while.

use std::time::{Duration, Instant};

use rstest::rstest;

use crate::holding::{Flood, Kind};
use crate::program::{ADMIN, PATIENCE, Program, firing, wait_for};

/// How long an answer may take meanwhile. Machines that run tests do other things too; without a limit it takes for ever.
const WITHIN: Duration = Duration::from_secs(5);

// The tests' own token ([`crate::program::ADMIN`]): who shows none is refused before anything can be held.
const SLOW_BODY: Kind = Kind::Waits(
    "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin-token-of-the-tests\r\nContent-Length: 1000\r\n\r\n{",
);
const SLOW_DELIVERY: Kind = Kind::Waits(
    "POST /webhook/alertmanager HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
);
const EVENTS: Kind =
    Kind::Waits("GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin-token-of-the-tests\r\n\r\n");
const SCRAPES: Kind = Kind::NeverReads(
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin-token-of-the-tests\r\n\r\n",
    3,
);
const OUTPUT: Kind = Kind::NeverReads(
    "GET /api/v1/incidents/1/output HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin-token-of-the-tests\r\n\r\n",
    3,
);

#[rstest]
fn who_holds_all_connections_keeps_nobody_out(
    #[values(SLOW_BODY, SLOW_DELIVERY, EVENTS, SCRAPES, OUTPUT)] kind: Kind,
    #[values(1, 200)] addresses: u8,
) {
    let program = Program::start_with("shell: yes | head -c 20000");
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("an output of some size", || match program.get("/api/v1/incidents/1/output").1.len() {
        bytes if bytes > 20_000 => Ok(()),
        bytes => Err(format!("{bytes} bytes")),
    });
    let flood = Flood::start(program.base.strip_prefix("http://").unwrap(), kind, addresses);
    for number in 0..10 {
        let begun = Instant::now();
        assert_eq!(program.deliver(firing(&format!("s{number}"))).0, 200);
        assert_eq!(program.get("/metrics").0, 200);
        assert_eq!(program.get("/-/healthy").0, 200);
        assert!(begun.elapsed() < WITHIN, "the {number}th took {:?}", begun.elapsed());
    }
    drop(flood);
    let (_, metrics) = program.get("/metrics");
    let why = if addresses == 1 { "peer_limit" } else { "replaced" };
    let counted = format!("vvtv_remediator_http_closed_connections_total{{reason=\"{why}\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&counted)).map(str::to_owned);
    assert!(value.is_some_and(|value| value != "0"), "{counted}\n{metrics}");
    assert!(!metrics.contains("_http_http_"), "{metrics}");
}

#[test]
fn so_many_browsers_may_follow_and_one_that_leaves_makes_room() {
    let program = Program::start();
    let events = format!("{}/events", program.base);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ask =
        || runtime.block_on(async { reqwest::Client::new().get(&events).bearer_auth(ADMIN).send().await.unwrap() });
    let mut followers: Vec<_> = (0..32).map(|_| ask()).collect();
    assert!(followers.iter().all(|answer| answer.status() == 200));
    let refused = ask();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    let (_, metrics) = program.get("/metrics");
    assert!(metrics.contains("vvtv_remediator_http_refused_requests_total{reason=\"streams\"} 1"), "{metrics}");
    drop(followers.pop());
    wait_for("room for another", || match ask().status().as_u16() {
        200 => Ok(()),
        status => Err(format!("{status} within {PATIENCE:?}")),
    });
}
