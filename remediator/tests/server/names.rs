//! Under which names the program answers, whatever is asked for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::program::{ADMIN, Program, firing};

fn ask(program: &Program, method: &str, path: &str, host: &str) -> String {
    let mut client = TcpStream::connect(program.base.strip_prefix("http://").unwrap()).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_page_whose_name_was_led_here_reads_nothing_and_does_nothing() {
    let ops = ("external_url: http://127.0.0.1:10048", "external_url: http://ops.example:10048");
    let program = Program::start_in(Program::lay_out(&[ops]));
    assert_eq!(program.deliver(firing("main")).0, 200);
    let reads = [
        "/",
        "/incidents/1",
        "/incidents/1/bundle",
        "/runbooks/demo",
        "/static/console.js",
        "/events",
        "/api/v1/incidents",
        "/api/v1/incidents/1",
        "/api/v1/incidents/1/output",
        "/api/v1/maintenance",
        "/api/v1/tasks",
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/absent",
    ];
    let writes =
        ["/webhook/alertmanager", "/api/v1/incidents/1/abort", "/api/v1/tasks/1/done", "/api/v1/pause", "/-/reload"];
    let all = reads.iter().map(|path| ("GET", *path)).chain(writes.iter().map(|path| ("POST", *path)));
    for (method, path) in all {
        let answer = ask(&program, method, path, "evil.example:10048");
        assert!(answer.starts_with("HTTP/1.1 421 Misdirected Request\r\n"), "{method} {path}: {answer}");
        assert!(answer.contains("--web.allowed-host=evil.example") && !answer.contains("demo"), "{answer}");
    }
    for host in ["ops.example:10048", "ops.example", "localhost:1", "192.0.2.7", "[::1]:10048"] {
        let answer = ask(&program, "GET", "/", host);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{host}: {answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'; script-src 'self';"), "{answer}");
    }
    let (_, metrics) = program.get("/metrics");
    assert!(metrics.contains("vvtv_remediator_http_refused_requests_total{reason=\"host\"} 20\n"), "{metrics}");
}
