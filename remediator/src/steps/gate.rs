//! A process is there before its step runs: it waits on a pipe while its identity is written down, and becomes the step's program once
//! it is let go. Whoever dies before that closes the pipe, and the process ends without having run anything.
//!
//! What waits is `/bin/sh`, which becomes the program by `exec`: process id, start time, group and arguments are the program's, and the
//! pipe is not handed on. It is there wherever a step's shell text can run, and starts in less time than this program itself would.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use vvtv_incident::Outcome;

use super::Identity;
use crate::failpoint::{Point, reached};

/// A whole line lets it go: the end of the pipe does not. The shell's own variables are not the program's.
const WAITS: &str = "read -r go && unset go PWD OLDPWD && exec \"$@\" </dev/null";
/// How long a process may wait for its start to be written down; what it was decided on may be over after that.
const WAITS_AT_MOST: Duration = Duration::from_secs(10);
/// How long one may take to end that is not let go.
pub(super) const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// A process that waits.
#[derive(Debug)]
pub struct Waiting {
    /// How it is known again.
    pub identity: Identity,
    /// How it is let go.
    pub go: Go,
}

/// Lets a process go. Dropped, it ends the process, which has then not run.
#[derive(Debug)]
pub struct Go(oneshot::Sender<()>);

impl Go {
    /// It may run.
    pub fn ahead(self) {
        // Whoever held the process has been ended meanwhile, and the process with it.
        let _ended = self.0.send(());
    }

    /// Whether its process is gone already.
    #[must_use]
    pub fn is_moot(&self) -> bool {
        self.0.is_closed()
    }
}

/// The pipe that a process waits on.
pub(super) struct Gate(ChildStdin);

impl Gate {
    /// Starts a process that waits, as leader of a group of its own, to become a program.
    pub(super) fn before(
        program: &str,
        arguments: &[String],
        environment: Vec<(OsString, OsString)>,
    ) -> std::io::Result<(Child, Self)> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", WAITS, "/bin/sh", program])
            .args(arguments)
            .env_clear()
            .envs(environment)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take().ok_or_else(|| std::io::Error::other("its pipe is gone"))?;
        Ok((child, Self(pipe)))
    }

    /// Tells that the process waits, and lets it go when it may. Gives the outcome of one that may not.
    pub(super) async fn pass(
        mut self,
        identity: Identity,
        tell: oneshot::Sender<Waiting>,
        kill: &CancellationToken,
    ) -> Option<Outcome> {
        let (go, may_go) = oneshot::channel();
        if let Err(waiting) = tell.send(Waiting { identity, go: Go(go) }) {
            // Nobody listening is no reason not to run.
            waiting.go.ahead();
        }
        let may = tokio::select! {
            biased;
            said = may_go => said.is_ok(),
            () = tokio::time::sleep(WAITS_AT_MOST) => false,
            () = kill.cancelled() => return Some(Outcome::Failed("ended before it was started".to_owned())),
        };
        if !may {
            return Some(Outcome::NotRun);
        }
        // One that does not read any more has ended, which is found out by waiting for it.
        let _ended = self.0.write_all(b"\n").await;
        reached(Point::StepLetGo);
        None
    }
}

/// Whether there is a program of this name, as `exec` looks for it: its errors would only be the shell's.
pub(super) fn find(program: &str, environment: &[(OsString, OsString)]) -> std::io::Result<()> {
    let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone()).unwrap_or_default();
    let mut found = Err(std::io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error()));
    let places = if program.contains('/') {
        vec![Path::new("/").join(program)]
    } else {
        std::env::split_paths(&path).map(|place| place.join(program)).collect()
    };
    for place in places {
        match place.metadata() {
            Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => return Ok(()),
            Ok(_) => found = Err(std::io::Error::from_raw_os_error(rustix::io::Errno::ACCESS.raw_os_error())),
            Err(_) => {}
        }
    }
    found
}
