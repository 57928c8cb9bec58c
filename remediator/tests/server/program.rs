//! Starts the binary in a directory of its own and talks to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A runbook whose one change writes a line for each time it is run.
const RUNBOOK: &str = r#"
id: demo
title: Demo
alerts: [Demo]
severity: critical
target: stream
healthy: 'demo_healthy{stream="$target"}'
healthy_for: 1s
respond_within: 5m
escalate: {level: 2, after: 10m}
steps:
  - id: look
    title: Look
    kind: diagnose
    reads_only: true
    shell: echo looked >> "$VVTV_TEST_LOG"
    timeout: 5s
  - id: mend
    title: Mend
    kind: change
    shell: echo mended >> "$VVTV_TEST_LOG"
    timeout: 5s
    settle: 1s
"#;

/// The command of its first step.
const LOOK: &str = "shell: echo looked >> \"$VVTV_TEST_LOG\"";

const CONFIG: &str = r#"
listen: 127.0.0.1:0
external_url: http://127.0.0.1:10048
database: sqlite:remediator.db
runbooks: runbooks/
prometheus: http://127.0.0.1:9
alertmanager: http://127.0.0.1:9
inventory: [main]
targets: group by (stream) (vvtv_ingest_up)
environment: [VVTV_TEST_LOG]
webhook: {unauthenticated: true}
contacts:
  - {level: 1, name: SRE On-Call, respond_within: 5m, scope: Immediate response, notify: [hook]}
  - {level: 2, name: Streaming Lead, respond_within: 15m, scope: Technical expertise, notify: [hook]}
channels:
  hook: {webhook: {url: "http://127.0.0.1:9/"}}
"#;

/// Who the tests are, unless they say otherwise.
pub(crate) const WEB: &str = "tokens: [{name: tester, role: admin, file: admin-token}]\n";
pub(crate) const ADMIN: &str = "admin-token-of-the-tests";

pub(crate) struct Program {
    pub(crate) dir: TempDir,
    child: Child,
    pub(crate) base: String,
}

impl Program {
    pub(crate) fn start() -> Self {
        Self::start_in(Self::lay_out(&[]))
    }

    /// The files, with other texts in the place of some of theirs.
    pub(crate) fn lay_out(instead: &[(&str, &str)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("runbooks")).unwrap();
        let edited = |text: &str| instead.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new));
        std::fs::write(dir.path().join("runbooks/demo.yml"), edited(RUNBOOK)).unwrap();
        std::fs::write(dir.path().join("remediator.yml"), edited(CONFIG)).unwrap();
        secure(dir.path());
        dir
    }

    /// With another text in the place of the first step's command.
    pub(crate) fn start_with(command: &str) -> Self {
        Self::start().kill_and_start_with(command)
    }

    /// The same, on the files of a program that runs.
    pub(crate) fn kill_and_start_with(self, command: &str) -> Self {
        let runbook = RUNBOOK.replace(LOOK, command);
        std::fs::write(self.path("runbooks/demo.yml"), runbook).unwrap();
        self.kill_and_start()
    }

    /// With the change alone.
    pub(crate) fn without_first_step(self) -> Self {
        let (head, steps) = RUNBOOK.split_once("  - id: look").unwrap();
        let (_, mend) = steps.split_once("  - id: mend").unwrap();
        std::fs::write(self.path("runbooks/demo.yml"), format!("{head}  - id: mend{mend}")).unwrap();
        self.kill_and_start()
    }

    /// With another configuration.
    pub(crate) fn edited(self, change: impl FnOnce(String) -> String) -> Self {
        self.rewrite("remediator.yml", change);
        self.kill_and_start()
    }

    /// With an inventory that has these names.
    pub(crate) fn knowing(self, names: &[String]) -> Self {
        let names = serde_json::to_string(names).unwrap();
        self.edited(|config| config.replace("inventory: [main]", &format!("inventory: {names}")))
    }

    pub(crate) fn start_in(dir: TempDir) -> Self {
        let (child, base) = serve(dir.path(), &[]);
        Self { dir, child, base: base.unwrap() }
    }

    /// With more in its environment.
    pub(crate) fn start_with_environment(dir: TempDir, environment: &[(&str, String)]) -> Self {
        let (child, base) = serve(dir.path(), environment);
        Self { dir, child, base: base.unwrap() }
    }

    /// By another command, which becomes the program.
    pub(crate) fn start_by(dir: TempDir, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let base = listening(&mut child, dir.path().join("stderr")).unwrap();
        Self { dir, child, base }
    }

    /// Kill -9, and a new start on the same files.
    pub(crate) fn kill_and_start(self) -> Self {
        Self::start_in(self.killed())
    }

    /// Kill -9; its files stay.
    pub(crate) fn killed(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap())
    }

    /// SIGTERM, its end, and a new start on the same files.
    pub(crate) fn stop_and_start(mut self) -> Self {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        Self::start_in(dir)
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    /// Writes one of its files anew, while it runs.
    pub(crate) fn rewrite(&self, name: &str, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        std::fs::write(self.path(name), change(text)).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Lines that the runbook's steps have written.
    pub(crate) fn written(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Lines that the program has logged, in all its runs.
    pub(crate) fn logged(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("stderr")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The key under which a page of this installation leaves.
    pub(crate) fn page_key(&self, subject: &str) -> String {
        let journal = rusqlite::Connection::open(self.path("remediator.db")).unwrap();
        let sql = "SELECT value ->> '$.id' FROM setting WHERE name = 'installation'";
        let id: String = journal.query_row(sql, [], |row| row.get(0)).unwrap();
        format!("vvtv-{id}-{subject}")
    }

    pub(crate) fn deliver(&self, body: impl Into<Vec<u8>>) -> (u16, String) {
        let url = format!("{}/webhook/alertmanager", self.base);
        self.send(reqwest::Client::new().post(url).header("content-type", "application/json").body(body.into()))
    }

    /// Sends a request as it is, without credentials.
    pub(crate) fn send(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        block_on(async {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        })
    }

    pub(crate) fn post(&self, path: &str) -> u16 {
        self.asked(path).0
    }

    /// The status and the text of an operator's request.
    pub(crate) fn asked(&self, path: &str) -> (u16, String) {
        self.send(reqwest::Client::new().post(format!("{}{path}", self.base)).bearer_auth(ADMIN))
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.send(reqwest::Client::new().get(format!("{}{path}", self.base)).bearer_auth(ADMIN))
    }

    pub(crate) fn incidents(&self) -> Vec<serde_json::Value> {
        let (status, body) = self.get("/api/v1/incidents?state=all");
        assert_eq!(status, 200, "{body}");
        let list: serde_json::Value = serde_json::from_str(&body).unwrap();
        list["incidents"].as_array().unwrap().clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Starts `serve` in a directory: the process, and its address or, if it ended before it had one, its last words.
pub(crate) fn serve(dir: &Path, environment: &[(&str, String)]) -> (Child, Result<String, String>) {
    let mut child = command(dir).envs(environment.iter().cloned()).spawn().unwrap();
    let base = listening(&mut child, dir.join("stderr"));
    (child, base)
}

pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vvtv-remediator"));
    command.args(["serve", "--config.file"]).arg(dir.join("remediator.yml"));
    command.arg("--web.config.file").arg(dir.join("web.yml"));
    command.env("VVTV_TEST_LOG", dir.join("log"));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Runs `serve` on files that it must refuse, and gives its exit code and its last words.
pub(crate) fn refused(dir: &Path) -> (Option<i32>, String) {
    let output = command(dir).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).replace(&dir.display().to_string(), "DIR"))
}

fn listening(child: &mut Child, log: PathBuf) -> Result<String, String> {
    let stderr = child.stderr.take().unwrap();
    let mut log = std::fs::File::options().append(true).create(true).open(log).unwrap();
    let (lines, said) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stderr);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            log.write_all(line.as_bytes()).unwrap();
            let _gone = lines.send(std::mem::take(&mut line));
        }
        let mut rest = Vec::new();
        let _gone = reader.read_to_end(&mut rest);
    });
    let deadline = Instant::now() + PATIENCE;
    let mut all = String::new();
    while let Ok(line) = said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let Some(address) = line.split("address=").nth(1).filter(|_| line.contains("listening")) {
            return Ok(format!("http://{}", address.split_whitespace().next().unwrap()));
        }
        all.push_str(&line);
    }
    Err(format!("not listening; it said: {all}"))
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The files that say who may do what.
pub(crate) fn secure(dir: &Path) {
    write_private(&dir.join("web.yml"), WEB);
    write_private(&dir.join("admin-token"), ADMIN);
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Waits until a condition gives something, or fails with what was seen last.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}; last seen: {seen}"),
        }
        std::thread::park_timeout(Duration::from_millis(25));
    }
}

pub(crate) fn firing(stream: &str) -> String {
    format!(
        r#"{{"version":"4","groupKey":"k","truncatedAlerts":0,"status":"firing","receiver":"r","groupLabels":{{}},
        "commonLabels":{{}},"commonAnnotations":{{}},"externalURL":"http://localhost","alerts":[{{"status":"firing",
        "labels":{{"alertname":"Demo","stream":"{stream}"}},"annotations":{{}},"startsAt":"2026-11-22T15:07:17.131Z",
        "endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"f-{stream}"}}]}}"#
    )
}

/// The same alert's end.
pub(crate) fn resolved(stream: &str) -> String {
    let ended = firing(stream).replace("0001-01-01T00:00:00Z", "2026-11-22T15:08:00Z");
    ended.replace(r#"[{"status":"firing","#, r#"[{"status":"resolved","#)
}
