//! What requests may hold in memory together: bundles are streamed, bodies have a budget, labels a length.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::json;

use crate::program::{ADMIN, PATIENCE, Program, block_on, firing};

const MIB: usize = 1 << 20;

/// The most resident memory that the program ever had, in MiB (proc_pid_status(5)).
fn peak_mib(program: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

fn connect(program: &Program) -> TcpStream {
    let client = TcpStream::connect(program.base.strip_prefix("http://").unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    client
}

#[test]
fn a_bundle_of_any_size_costs_the_same_memory() {
    const ATTACHED: usize = 60 * MIB;
    let program = Program::start();
    assert_eq!(program.deliver(firing("main")).0, 200);
    let attachments = program.path("remediator.attachments/1");
    std::fs::create_dir_all(&attachments).unwrap();
    std::fs::File::create(attachments.join("core")).unwrap().set_len(ATTACHED as u64).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", attachments.join("link")).unwrap();
    let before = peak_mib(&program);
    let mut clients: Vec<_> = (0..8).map(|_| connect(&program)).collect();
    let mut statuses = Vec::new();
    let head = format!("GET /incidents/1/bundle HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ADMIN}\r\n\r\n");
    for client in &mut clients {
        client.write_all(head.as_bytes()).unwrap();
        let mut head = [0; 12];
        client.read_exact(&mut head).unwrap();
        statuses.push(String::from_utf8(head.to_vec()).unwrap());
    }
    let expected = [["HTTP/1.1 200"; 4], ["HTTP/1.1 503"; 4]].concat();
    assert_eq!(statuses, expected);
    drop(clients);
    // Those that left have made room, or do so as soon as that is noticed.
    let url = format!("{}/incidents/1/bundle", program.base);
    let archive = block_on(async {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = reqwest::Client::new().get(&url).bearer_auth(ADMIN).send().await.unwrap();
            if answer.status() == 200 {
                return answer.bytes().await.unwrap();
            }
            assert!(tokio::time::Instant::now() < deadline, "{}", answer.status());
        }
    });
    let grown = peak_mib(&program) - before;
    assert!(grown < 100, "{grown} MiB more");
    let mut archive = tar::Archive::new(GzDecoder::new(&archive[..]));
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        if name == "NOTES.txt" {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            assert_eq!(text, "link: Too many levels of symbolic links (os error 40)\n");
        }
        found.push((name, entry.size()));
    }
    assert!(found.contains(&("attachments/core".to_owned(), ATTACHED as u64)), "{found:?}");
    assert!(found.iter().any(|(name, _)| name == "incident.json"), "{found:?}");
}

#[test]
fn bodies_have_a_budget_together_and_small_ones_pass_beside_them() {
    let program = Program::start();
    let before = peak_mib(&program);
    let (length, piece) = (15 * MIB, vec![b' '; MIB / 2]);
    let head = format!(
        "POST /webhook/alertmanager HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut held = Vec::new();
    for _ in 0..60 {
        let mut client = connect(&program);
        client.write_all(head.as_bytes()).unwrap();
        // All but the last byte; one that finds no room is answered and cut off on the way.
        let sent = (0..29).all(|_| client.write_all(&piece).is_ok()) && client.write_all(&piece[1..]).is_ok();
        held.push((client, sent));
    }
    assert_eq!(program.deliver(firing("main")).0, 200);
    let refused = "vvtv_remediator_http_refused_requests_total{reason=\"bodies\"} ";
    let (_, metrics) = program.get("/metrics");
    let count = metrics.lines().find_map(|line| line.strip_prefix(refused)).unwrap().parse::<usize>().unwrap();
    // Four fit at once; slow ones may have run out of time meanwhile, and made room for others.
    assert!((40..=56).contains(&count), "{count}");
    let grown = peak_mib(&program) - before;
    assert!(grown < 200, "{grown} MiB more");
    drop(held);
}

#[test]
fn a_label_beyond_its_length_is_cut_before_anything_else_sees_it() {
    let program = Program::start();
    let labels = json!({"alertname": "Demo", "stream": "main", "note": "n".repeat(15 * MIB)});
    let alert = json!({
        "status": "firing", "labels": labels, "startsAt": "2026-11-22T15:07:17.131Z", "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f".repeat(10_000),
    });
    let many: serde_json::Map<_, _> = (0..200).map(|n| (format!("l{n}"), json!("x"))).collect();
    let mut wide = alert.clone();
    (wide["labels"], wide["fingerprint"]) = (many.into(), json!("wide"));
    let body = json!({"version": "4", "alerts": [alert, wide]}).to_string();
    assert_eq!(program.deliver(body).0, 200);
    assert_eq!(program.incidents().len(), 1);
    for page in ["/", "/incidents/1", "/api/v1/incidents/1"] {
        let (status, text) = program.get(page);
        assert!(status == 200 && text.len() < 100_000, "{page}: {status}, {} bytes", text.len());
    }
    assert!(program.get("/incidents/1").1.contains("n… [cut: 15728640 bytes, sha256 "));
    let (_, metrics) = program.get("/metrics");
    for line in ["vvtv_remediator_alert_texts_cut_total 2", "vvtv_remediator_alerts_refused_total 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    let journal: u64 = ["remediator.db", "remediator.db-wal"]
        .iter()
        .filter_map(|name| std::fs::metadata(program.path(name)).ok())
        .map(|data| data.len())
        .sum();
    assert!(journal < 5 * MIB as u64, "{journal}");
}
