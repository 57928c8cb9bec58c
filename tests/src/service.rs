//! One part of the stack as a process: its log, its end, and what it left behind.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::Signal;
use vvtv_toolkit::process::Identity;

use crate::family;

/// How long a part may take to end by itself.
const TERM_PATIENCE: Duration = Duration::from_secs(8);
/// How long the kernel may take to end a killed process.
const KILL_PATIENCE: Duration = Duration::from_secs(3);
/// Lines of a log that an error shows.
const TAIL_LINES: usize = 12;

/// A started part. Dropping it kills it and its children.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Descendants seen before the part was killed: they outlive it, and would be nobody's.
    orphans: BTreeSet<Identity>,
}

impl Service {
    /// Starts `command` in a process group of its own, standard output and error appended to `logs/NAME.log`.
    ///
    /// # Errors
    /// The program cannot be started, or its log not be written.
    pub fn start(name: &'static str, mut command: Command, root: &Path) -> anyhow::Result<Self> {
        let log = root.join("logs").join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log);
        let output = output.with_context(|| format!("open {}", log.display()))?;
        let errors = output.try_clone().with_context(|| format!("open {} twice", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self { name, child, log, orphans: BTreeSet::new() })
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or_default()
    }

    /// Fails once the process has ended, with the last lines of its log: waiting for it to get ready is in vain then.
    ///
    /// # Errors
    /// It has ended.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().with_context(|| format!("look at {}", self.name))? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} ended ({status}); {}", self.name, log_tail(&self.log)),
        }
    }

    /// Ends the process as a service manager does: TERM, and KILL when it takes too long.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn stop(mut self) -> anyhow::Result<ExitStatus> {
        self.end(Signal::TERM)
    }

    /// Kills this process alone, as the kernel's memory killer does. Its children live on until the lab ends.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.orphans.extend(family::descendants(&[self.pid()]));
        self.child.kill().with_context(|| format!("kill {}", self.name))?;
        self.child.wait().with_context(|| format!("wait for {}", self.name))
    }

    fn end(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        let mut family = family::descendants(&[self.pid()]);
        family.append(&mut self.orphans);
        if let Some(leader) = Identity::find(self.pid()) {
            let _ended_meanwhile = leader.signal(signal);
            // A stopped process handles TERM only after it goes on; systemd does the same.
            let _ended_meanwhile = leader.signal(Signal::CONT);
        }
        let deadline = Instant::now() + TERM_PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().with_context(|| format!("wait for {}", self.name))? {
                break status;
            }
            if Instant::now() >= deadline {
                self.child.kill().with_context(|| format!("kill {}", self.name))?;
                break self.child.wait().with_context(|| format!("wait for {}", self.name))?;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        };
        for member in &family {
            let _ended_meanwhile = member.signal(Signal::KILL);
        }
        let _swept_later = family::wait_gone(&family, KILL_PATIENCE);
        Ok(status)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _nothing_left_to_do = self.end(Signal::TERM);
    }
}

/// The last lines of a log, for an error message.
#[must_use]
pub fn log_tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n  ");
    format!("its log {} ends:\n  {tail}", log.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_ends_early_shows_its_log() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("logs")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo port 10047 is taken >&2; exit 3"]);
        let mut service = Service::start("sample", command, root.path()).unwrap();
        service.child.wait().unwrap();
        let log = root.path().join("logs/sample.log");
        assert_eq!(
            service.check_running().unwrap_err().to_string(),
            format!("sample ended (exit status: 3); its log {} ends:\n  port 10047 is taken", log.display())
        );
    }

    #[test]
    fn children_of_a_killed_part_end_with_the_lab() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("logs")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "tail -f /dev/null & echo started; wait"]);
        let mut service = Service::start("sample", command, root.path()).unwrap();
        let log = root.path().join("logs/sample.log");
        while !std::fs::read_to_string(&log).unwrap().contains("started") {
            std::thread::yield_now();
        }
        service.kill().unwrap();
        let orphans: Vec<Identity> = service.orphans.iter().filter(|member| member.lives()).cloned().collect();
        assert_eq!(orphans.len(), 1);
        drop(service);
        assert!(!orphans[0].lives());
    }
}
