//! Mail, taken by aiosmtpd as PyPI has it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use vvtv_remediator::config::{self, Email, EmailTls, Secret};
use vvtv_remediator::paging::channels::{Channel, NoticeKind, PagerError};

use crate::page::{WITHIN, notice};

const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../toolkit/tests/fixtures/tls");

/// Python with aiosmtpd, installed once for all tests and runs.
fn python() -> PathBuf {
    const VERSION: &str = "1.4.6";
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("aiosmtpd-{VERSION}"));
    let lock = std::fs::File::create(environment.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let (python, done) = (environment.join("bin/python"), environment.join("done"));
    if !done.exists() {
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        let package = format!("aiosmtpd=={VERSION}");
        succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]));
        std::fs::write(done, "").unwrap();
    }
    python
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start(certificate: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pagers/smtp_server.py");
        let mut command = Command::new(python());
        command.arg(script).args(certificate.iter().map(|name| format!("{TLS}/{name}")));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        Self { child, lines, port: port.trim().parse().unwrap() }
    }

    /// The next mail that it took. It prints a mail before it answers.
    fn mail(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn email(server: &Server, tls: EmailTls) -> Email {
    Email {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        tls,
        login: None,
        from: "vvtv@stream.example".parse().unwrap(),
        to: "oncall@stream.example".parse().unwrap(),
    }
}

fn send(email: Email, kind: NoticeKind, target: &str) -> Result<(), PagerError> {
    let channel = Channel::new(config::Channel::Email(email), WITHIN).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(channel.send(&notice(kind, target)))
}

/// The mail without its date, which is the one thing that differs from run to run.
fn undated(mail: &Value) -> String {
    let lines = mail["text"].as_str().unwrap().split("\r\n");
    lines.filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_call_and_its_end_arrive_whole_and_belong_together() {
    let mut server = Server::start(&[]);
    let email = email(&server, EmailTls::Loopback);
    send(email.clone(), NoticeKind::Trigger, "main").unwrap();
    let mail = server.mail();
    assert!(mail["text"].as_str().unwrap().contains("\r\nDate: "), "{mail}");
    insta::assert_snapshot!(undated(&mail), @"
    From: vvtv@stream.example
    To: oncall@stream.example
    Subject: High Segment Age on main
    Auto-Submitted: auto-generated
    Content-Type: text/plain; charset=utf-8
    Message-ID: <vvtv-0123456789abcdef-incident-7-page-1.trigger@stream.example>
    Content-Transfer-Encoding: 7bit

    High Segment Age on main

    Called: L2, Streaming Lead
    Why: The runbook's escalation timer ran out.
    Incident: 7 (segment-age), open since 2026-01-02T03:14:00Z

    Incident: http://h/incidents/7
    Diagnostic bundle: http://h/incidents/7/bundle
    Runbook: http://h/runbooks/segment-age

    Tried:
    - Restart the encoder: failed (step_failed): vvtvctl: no publisher
    ");
    send(email, NoticeKind::Resolve, "main").unwrap();
    let mail = undated(&server.mail());
    let (head, _) = mail.split_once("\n\n").unwrap();
    insta::assert_snapshot!(head, @"
    From: vvtv@stream.example
    To: oncall@stream.example
    Subject: Resolved: High Segment Age on main
    Auto-Submitted: auto-generated
    Content-Type: text/plain; charset=utf-8
    Message-ID: <vvtv-0123456789abcdef-incident-7-page-1.resolve@stream.example>
    In-Reply-To: <vvtv-0123456789abcdef-incident-7-page-1.trigger@stream.example>
    Content-Transfer-Encoding: 7bit
    ");
}

#[test]
fn an_alert_s_text_is_no_header_and_no_end_of_the_mail() {
    let mut server = Server::start(&[]);
    let target = "main\r\nBcc: all@evil.example\r\n\r\n.\r\nMAIL FROM:<x@evil.example>\r\né";
    send(email(&server, EmailTls::Loopback), NoticeKind::Trigger, target).unwrap();
    let mail = server.mail();
    assert_eq!((&mail["from"], &mail["to"]), (&json!("vvtv@stream.example"), &json!(["oncall@stream.example"])));
    let text = undated(&mail);
    let (head, body) = text.split_once("\n\n").unwrap();
    insta::assert_snapshot!(head, @"
    From: vvtv@stream.example
    To: oncall@stream.example
    Subject: High Segment Age on main  Bcc: all@evil.example    .  MAIL
     FROM:<x@evil.example>  =?utf-8?b?w6k=?=
    Auto-Submitted: auto-generated
    Content-Type: text/plain; charset=utf-8
    Message-ID: <vvtv-0123456789abcdef-incident-7-page-1.trigger@stream.example>
    Content-Transfer-Encoding: quoted-printable
    ");
    assert!(!body.contains("\nMAIL") && !body.contains("\nBcc"), "{body}");
}

#[test]
fn starttls_and_a_login_are_used_and_a_stranger_s_certificate_is_not_trusted() {
    let mut server = Server::start(&["server.pem", "server.key"]);
    let ca = std::fs::read_to_string(format!("{TLS}/ca.pem")).unwrap();
    let login = |password| Some(("vvtv".to_owned(), Secret::new(password)));
    let private = Email { login: login("s3cret-w0rd"), ..email(&server, EmailTls::Starttls(Some(ca))) };
    send(private.clone(), NoticeKind::Trigger, "main").unwrap();
    let mail = server.mail();
    assert_eq!((&mail["private"], &mail["login"]), (&json!(true), &json!(true)));

    let error = send(Email { login: login("wrong-w0rd"), ..private.clone() }, NoticeKind::Trigger, "main").unwrap_err();
    let expected = "the mail server refuses the notice: 535: ";
    assert!(error.to_string().starts_with(expected) && !error.retryable(), "{error}");
    assert!(!format!("{error:?}").contains("w0rd"), "{error:?}");

    let error = send(Email { tls: EmailTls::Starttls(None), ..private }, NoticeKind::Trigger, "main").unwrap_err();
    let why = vvtv_toolkit::logging::chain(&error);
    assert!(why.contains("certificate") && error.retryable(), "{why}");
}

#[test]
fn a_server_without_starttls_gets_no_mail_that_should_be_private() {
    let server = Server::start(&[]);
    let error = send(email(&server, EmailTls::Starttls(None)), NoticeKind::Trigger, "main").unwrap_err();
    let why = vvtv_toolkit::logging::chain(&error);
    assert!(why.contains("STARTTLS"), "{why}");
}

#[test]
fn a_refusal_is_for_ever_and_a_delay_is_not() {
    let server = Server::start(&[]);
    let refused = |to: &str| {
        let email = Email { to: to.parse().unwrap(), ..email(&server, EmailTls::Loopback) };
        let error = send(email, NoticeKind::Trigger, "main").unwrap_err();
        (error.to_string(), error.retryable())
    };
    let (never, retryable) = refused("nobody@stream.example");
    assert_eq!((never.as_str(), retryable), ("the mail server refuses the notice: 550: 5.1.1 no such user", false));
    let (later, retryable) = refused("later@stream.example");
    let expected = "the mail server cannot take the notice now: 451: 4.7.1 greylisted";
    assert_eq!((later.as_str(), retryable), (expected, true));
}
