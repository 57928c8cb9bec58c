//! A process is there before its step runs: it waits on a pipe while its identity is written down, and becomes the step's program once
//! it is let go. Whoever dies before that closes the pipe, and the process ends without having run anything.
//!
//! What waits is `/bin/sh`, which reads from the pipe what it is to become, and becomes it by `exec`: process id, start time, group and
//! arguments are the program's, and the pipe is not handed on. It is there wherever a step's shell text can run, and starts in less time
//! than this program itself would. Since it needs to know nothing before, some are kept ready: the identity of one and what was decided
//! about it are written in one transaction.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
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
use super::descendants::{Leader, Leaders};
use crate::failpoint::{Point, reached};

/// How long a process may wait for its start to be written down; what it was decided on may be over after that.
const WAITS_AT_MOST: Duration = Duration::from_secs(10);
/// How long one may take to end that is not let go.
pub(super) const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// A process that waits to be told what to become. Dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(super) child: Child,
    pub(super) leader: Leader,
    pipe: ChildStdin,
    identity: Identity,
}

/// A process that waits, and what lets it go.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// How it is known again.
    pub identity: Identity,
    /// How it is let go.
    pub go: Go,
}

/// Lets a process go. Dropped, it ends the process, which has then not run.
#[derive(Debug)]
pub(crate) struct Go(oneshot::Sender<()>);

/// A process that becomes its program once somebody lets it go.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) spare: Spare,
    may_go: oneshot::Receiver<()>,
}

/// Which process a step becomes.
#[derive(Debug)]
pub(crate) enum Process {
    /// One that is there.
    Held(Box<Held>),
    /// One that is made for it; it is told of here, and let go by whoever is told.
    Made(oneshot::Sender<Waiting>),
}

impl Go {
    /// It may run.
    pub(crate) fn ahead(self) {
        // Whoever held the process has been ended meanwhile, and the process with it.
        let _ended = self.0.send(());
    }

    /// Whether its process is gone already.
    #[must_use]
    pub(crate) fn is_moot(&self) -> bool {
        self.0.is_closed()
    }
}

impl Spare {
    /// Starts one as leader of a group of its own, with the environment that all steps have in common. It is known as a leader before
    /// it can be taken for an orphan.
    pub(super) fn start(environment: &[(OsString, OsString)], leaders: &Leaders) -> std::io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value))).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let (mut child, leader) = leaders.start(|| command.spawn())?;
        let pipe = child.stdin.take().ok_or_else(|| std::io::Error::other("its pipe is gone"))?;
        let identity = Identity::of(leader.pid());
        Ok(Self { child, leader, pipe, identity })
    }

    /// How it is known again.
    #[must_use]
    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether it is still there.
    pub(crate) fn waits(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Binds it to whoever lets it go.
    #[must_use]
    pub(crate) fn hold(self) -> (Held, Go) {
        let (go, may_go) = oneshot::channel();
        (Held { spare: self, may_go }, Go(go))
    }
}

impl Held {
    /// Waits until it may go, and tells it what to become: `script`. Gives its child, and the outcome of one that may not go.
    pub(super) async fn pass(self, script: &[u8], kill: &CancellationToken) -> (Child, Leader, Option<Outcome>) {
        let Self { spare: Spare { child, leader, mut pipe, .. }, may_go } = self;
        let going = async {
            let said = tokio::time::timeout(WAITS_AT_MOST, may_go).await;
            said.is_ok_and(|said| said.is_ok())
                // One that has ended does not read any more, which is found out by waiting for it. One that has not read all of it in
                // time, because it is stopped or starved, has not run.
                && tokio::time::timeout(WAITS_AT_MOST, pipe.write_all(script)).await.is_ok()
        };
        let never = tokio::select! {
            biased;
            went = going => (!went).then_some(Outcome::NotRun),
            () = kill.cancelled() => Some(Outcome::Failed("ended before it was started".to_owned())),
        };
        if never.is_none() {
            reached(Point::StepLetGo);
        }
        (child, leader, never)
    }
}

/// What makes the shell the program. It is one command in braces: whoever dies while it is written leaves one without an end, which does
/// not run (POSIX.1-2024, Shell Command Language, 2.9.4). From the note that it waits nothing is left once it does not any more.
///
/// # Errors
/// Something has a NUL in it, which neither arguments nor environments can hold.
pub(super) fn script(note: &Path, variables: &[(OsString, OsString)], argv: &[String]) -> std::io::Result<Vec<u8>> {
    // The shell's own variables are not the program's.
    let mut script = b"{ unset PWD OLDPWD; export".to_vec();
    for (name, value) in variables {
        script.push(b' ');
        script.extend(name.as_bytes());
        script.push(b'=');
        quote(&mut script, value)?;
    }
    script.extend(b"; true >");
    quote(&mut script, note.as_os_str())?;
    script.extend(b" && exec");
    for argument in argv {
        script.push(b' ');
        quote(&mut script, OsStr::new(argument))?;
    }
    script.extend(b" </dev/null; }\n");
    Ok(script)
}

fn quote(script: &mut Vec<u8>, text: &OsStr) -> std::io::Result<()> {
    script.push(b'\'');
    for byte in text.as_bytes() {
        match byte {
            0 => return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "nul byte found in provided data")),
            b'\'' => script.extend(b"'\\''"),
            byte => script.push(*byte),
        }
    }
    script.push(b'\'');
    Ok(())
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

#[cfg(test)]
mod tests;
