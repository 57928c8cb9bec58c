//! Garbage, too much, another version, a database that cannot be written: a clear answer, a count, and nothing lost.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rusqlite::Connection;

use crate::program::{Program, firing, refused, wait_for};

/// The answer to a delivery of so many bytes, none of which is sent: whoever still sends when he is refused may lose the answer.
fn announce(program: &Program, bytes: usize) -> String {
    let address = program.base.strip_prefix("http://").unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /webhook/alertmanager HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_delivery_that_cannot_be_read_is_refused_counted_and_harms_nothing() {
    let program = Program::start();
    let cases: [(Vec<u8>, u16, &str); 3] = [
        (b"garbage".to_vec(), 400, "the body is no Alertmanager webhook"),
        (br#"{"version":"5","alerts":[]}"#.to_vec(), 400, r#"version "5"; only "4" is understood, and Grafana's "1""#),
        (b"{\"version\":\"4\",\"alerts\":[{}]}".to_vec(), 400, "alert without a name has no `status`"),
    ];
    for (body, status, message) in cases {
        let (got, text) = program.deliver(body);
        assert_eq!(got, status, "{text}");
        assert!(text.contains(message), "{text}");
    }
    let answer = announce(&program, (16 << 20) + 1);
    assert!(
        answer.starts_with("HTTP/1.1 413 ") && answer.contains("the body is larger than 16777216 bytes"),
        "{answer}"
    );
    assert_eq!(program.deliver(firing("main")).0, 200);
    let (_, metrics) = program.get("/metrics");
    for line in [
        "vvtv_remediator_webhook_requests_total{code=\"400\"} 3",
        "vvtv_remediator_webhook_requests_total{code=\"413\"} 1",
        "vvtv_remediator_webhook_requests_total{code=\"200\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
    assert_eq!(program.incidents().len(), 1);
}

#[test]
fn a_database_that_cannot_be_written_is_answered_with_503_and_loses_nothing() {
    let program = Program::start();
    let other = Connection::open(program.path("remediator.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (status, text) = program.deliver(firing("main"));
    assert_eq!(status, 503, "{text}");
    wait_for("the server to say that it is not ready", || match program.get("/-/ready") {
        (503, _) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(program.written(), Vec::<String>::new(), "nothing runs that is not written down");
    other.execute_batch("ROLLBACK").unwrap();
    wait_for("the delivery to be taken", || match program.deliver(firing("main")) {
        (200, _) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    wait_for("the first step to run", || match program.written() {
        lines if lines == ["looked"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    assert_eq!(program.incidents().len(), 1);
}

#[test]
fn a_request_that_cannot_be_written_down_is_not_refused_and_done_all_the_same() {
    let program = Program::start();
    assert_eq!(program.deliver(firing("main")).0, 200);
    let other = Connection::open(program.path("remediator.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // It may be another turn's transaction that fails first; then the request is refused, and nothing of it happens.
    let (status, text) = program.asked("/api/v1/pause");
    let expected = r#"{"reason":"paused","explanation":"All new actions are paused. The journal cannot be written: this takes effect when it can be again, and is lost if the server ends before."}"#;
    match status {
        202 => assert_eq!(text, expected),
        status => assert_eq!((status, text.contains("the journal cannot be written")), (503, true), "{text}"),
    }
    let (refused, text) = program.asked("/api/v1/incidents/1/hold");
    assert_eq!(refused, 503, "{text}");
    let metrics = program.get("/metrics").1;
    assert!(metrics.contains("vvtv_remediator_journal_waiting_messages "), "{metrics}");
    other.execute_batch("ROLLBACK").unwrap();
    wait_for("the journal to be written again", || match program.get("/-/ready") {
        (200, _) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let noted = |detail: &str| {
        let sql = "SELECT count(*) FROM timeline WHERE event = 'operator' AND reason = ?1";
        other.query_row(sql, [detail], |row| row.get::<_, u32>(0)).unwrap()
    };
    assert_eq!(noted("paused"), u32::from(status == 202));
    assert_eq!(noted("held"), 0);
}

#[test]
fn a_database_that_cannot_be_opened_is_named_and_ends_with_exit_code_1() {
    let program = Program::start();
    let text = std::fs::read_to_string(program.path("remediator.yml")).unwrap();
    std::fs::write(program.path("remediator.yml"), text.replace("sqlite:remediator.db", "sqlite:absent/remediator.db"))
        .unwrap();
    let (code, said) = refused(program.dir.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot open the journal DIR/absent/remediator.db"), "{said}");
}

#[test]
fn broken_yaml_and_unknown_keys_are_shown_in_their_place_and_end_with_exit_code_1() {
    let program = Program::start();
    let config = std::fs::read_to_string(program.path("remediator.yml")).unwrap();
    let runbook = std::fs::read_to_string(program.path("runbooks/demo.yml")).unwrap();
    let cases = [
        (
            "remediator.yml",
            config.replace("prometheus:", "promethues:"),
            "remediator.yml:6:1: unknown field `promethues`",
        ),
        ("remediator.yml", config.replace("contacts:\n", "contacts: [\n"), "remediator.yml:"),
        (
            "runbooks/demo.yml",
            runbook.replace("settle: 1s", "settles: 1s"),
            "runbooks/demo.yml:23:5: unknown field `settles`",
        ),
        ("runbooks/demo.yml", runbook.replace("timeout: 5s", "timeout: fast"), "runbooks/demo.yml:17:14: "),
    ];
    for (file, text, message) in cases {
        let before = std::fs::read_to_string(program.path(file)).unwrap();
        std::fs::write(program.path(file), text).unwrap();
        let (code, said) = refused(program.dir.path());
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(message), "{message} is not in:\n{said}");
        std::fs::write(program.path(file), before).unwrap();
    }
}
