//! Running programs: started, asked, signalled, ended.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::listening::Listening;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) const EXPORTER: &str = env!("CARGO_BIN_EXE_vvtv-exporter");

pub(crate) struct Running {
    pub(crate) program: Listening,
    pub(crate) config: PathBuf,
    log: Arc<Mutex<String>>,
    _directory: TempDir,
}

impl Running {
    pub(crate) fn start(config: &str, flags: &[&str]) -> Self {
        Self::start_by(Command::new(EXPORTER), config, flags)
    }

    /// Starts it by a command that makes itself the exporter.
    pub(crate) fn start_by(mut command: Command, config: &str, flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("exporter.yml");
        std::fs::write(&path, config).unwrap();
        let log: Arc<Mutex<String>> = Arc::default();
        let written = Arc::clone(&log);
        let said = move |line: &str| written.lock().unwrap().push_str(line);
        let program = Listening::start(command.args(flags), &path, said);
        Self { program, config: path, log, _directory: directory }
    }

    /// What it said since it listens.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        self.request(reqwest::Method::GET, path).await
    }

    pub(crate) async fn request(&self, method: reqwest::Method, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let answer = client.request(method, format!("http://{}{path}", self.program.address)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Ends it as systemd would.
    pub(crate) async fn terminate(&mut self) {
        let terminated = Command::new("kill").args(["-TERM", &self.program.child.id().to_string()]).status().unwrap();
        assert!(terminated.success());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.program.child.try_wait().unwrap() {
                Some(status) => break status,
                None => tokio::task::yield_now().await,
            }
            assert!(Instant::now() < deadline, "it does not end");
        };
        assert!(status.success(), "{status}");
    }

    /// Scrapes until a line is there.
    pub(crate) async fn wait_for(&self, line: &str) -> String {
        self.wait_until(line, |body| body.lines().any(|found| found == line)).await
    }

    /// Scrapes until a scrape is as it should be.
    pub(crate) async fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, body) = self.get("/metrics").await;
            if is_so(&body) {
                return body;
            }
            assert!(Instant::now() < deadline, "`{what}` did not come, last seen:\n{body}");
        }
    }
}

/// Another program, ended with the test together with the processes that it started.
pub(crate) struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // They may have ended already.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Started {
    pub(crate) fn ffmpeg<'a>(arguments: impl IntoIterator<Item = &'a str>, output: &str) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-loglevel", "error"]).args(arguments).arg(output);
        Self::program(&mut command)
    }

    pub(crate) fn program(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap()
    }
}

/// Labels and values of a metric.
pub(crate) fn samples<'a>(scrape: &'a str, metric: &str) -> impl Iterator<Item = (&'a str, f64)> {
    let samples = scrape.lines().filter_map(move |line| line.strip_prefix(metric)?.strip_prefix('{')?.split_once("} "));
    samples.map(|(labels, value)| (labels, value.parse().unwrap()))
}

/// The value of a label.
pub(crate) fn label(labels: &str, name: &str) -> String {
    let value = labels.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\""));
    value.unwrap().trim_end_matches('"').to_owned()
}
