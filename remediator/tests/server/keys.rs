//! Pages of two installations at one service, and of one before and after its journal was lost.

use crate::pagerduty::{Alert, PagerDuty};
use crate::program::{Program, firing, resolved, wait_for};

/// A program that calls people by this service as soon as health is unknown, which it is.
fn calling(service: &PagerDuty) -> Program {
    let channel = format!("pagerduty: {{routing_key_file: key, url: '{}'}}", service.url);
    let dir = Program::lay_out(&[
        (r#"webhook: {url: "http://127.0.0.1:9/"}"#, &channel),
        (
            "contacts:",
            "limits: {health_unknown_for: 100ms, health_interval: 50ms, health_interval_idle: 50ms}\ncontacts:",
        ),
    ]);
    std::fs::write(dir.path().join("key"), "0123456789abcdef0123456789abcdef").unwrap();
    Program::start_in(dir)
}

/// The service's alerts, once there are so many of which so many are open.
fn alerts(service: &PagerDuty, all: usize, open: usize) -> Vec<Alert> {
    wait_for(&format!("{all} alerts, {open} of them open"), || {
        let alerts = service.alerts();
        let is_so = alerts.len() == all && alerts.iter().filter(|alert| alert.open).count() == open;
        if is_so { Ok(alerts) } else { Err(format!("{alerts:?}")) }
    })
}

#[test]
fn two_installations_at_one_service_ring_and_end_each_their_own() {
    let service = PagerDuty::start();
    let (first, second) = (calling(&service), calling(&service));
    assert_eq!(first.deliver(firing("main")).0, 200);
    alerts(&service, 1, 1);
    assert_eq!(second.deliver(firing("main")).0, 200);
    let both = alerts(&service, 2, 2);
    let keys = [&first, &second].map(|program| program.page_key("incident-1-page-1"));
    assert_eq!(both.iter().map(|alert| &alert.key).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());

    assert_eq!(first.deliver(resolved("main")).0, 200);
    assert_eq!(first.post("/api/v1/incidents/1/abort"), 200);
    let left = alerts(&service, 2, 1);
    assert_eq!(left.iter().map(|alert| alert.open).collect::<Vec<_>>(), [false, true], "the second one's goes on");

    // Its journal is lost, and its numbers begin anew.
    let dir = second.killed();
    for ending in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(dir.path().join(format!("remediator.db{ending}"))));
    }
    let second = Program::start_in(dir);
    assert_eq!(second.deliver(firing("main")).0, 200);
    let after = alerts(&service, 3, 2);
    assert_eq!(after[2].key, second.page_key("incident-1-page-1"));
    assert!(after.iter().all(|alert| alert.triggers.len() == 1), "each of them rang: {after:?}");
}
