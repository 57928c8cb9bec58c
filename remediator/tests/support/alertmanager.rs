//! Debian's Alertmanager on a port of its own.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(30);

/// A running Alertmanager, with a directory of its own.
pub(crate) struct Alertmanager {
    child: Child,
    address: String,
    dir: tempfile::TempDir,
}

impl Alertmanager {
    /// One that goes by this configuration.
    pub(crate) fn start(config: &Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("alertmanager.yml"), config.to_string()).unwrap();
        let mut it = Self { child: spawn(dir.path(), "127.0.0.1:0"), address: String::new(), dir };
        it.address = listening(it.dir.path());
        it
    }

    /// Ends it as a service manager does, and starts it again on the same files and port. Its alerts are gone by then.
    pub(crate) fn restart(&mut self) {
        self.end();
        self.child = spawn(self.dir.path(), &self.address);
        listening(self.dir.path());
    }

    /// Ends it as a service manager does.
    pub(crate) fn end(&mut self) {
        let _gone =
            rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM);
        let _gone = self.child.wait();
    }

    /// Its base address, without a slash at the end.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it takes and tells alerts.
    pub(crate) fn alerts(&self) -> Url {
        Url::parse(&format!("{}/api/v2/alerts", self.base())).unwrap()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn spawn(dir: &Path, address: &str) -> Child {
    let mut command = Command::new("prometheus-alertmanager");
    command.arg("--config.file").arg(dir.join("alertmanager.yml")).arg("--storage.path").arg(dir.join("data"));
    command.arg(format!("--web.listen-address={address}")).arg("--cluster.listen-address=");
    // A file: a pipe that nobody reads would end it.
    command.stderr(std::fs::File::create(dir.join("log")).unwrap());
    command.spawn().expect("prometheus-alertmanager is installed")
}

/// Where it listens, once it does.
fn listening(dir: &Path) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = std::fs::read_to_string(dir.join("log")).unwrap();
        let line = said.lines().find(|line| line.contains("Listening on"));
        if let Some(address) = line.and_then(|line| line.split("address=").nth(1)?.split_whitespace().next()) {
            return address.to_owned();
        }
        assert!(Instant::now() < deadline, "it does not listen after {PATIENCE:?}:\n{said}");
        std::thread::park_timeout(Duration::from_millis(25));
    }
}
