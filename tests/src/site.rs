//! Where a running stack is: its root, ports and programs. Written to a file, so that `vvtv-lab break` finds the stack.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vvtv_toolkit::process::Identity;

use crate::family::MARKER;
use crate::ports::Ports;
use crate::programs::search_path;

/// Name of the file below the root that describes a running stack.
pub const STATE_FILE: &str = "lab.json";

/// The addresses of a running stack.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The process that runs the lab.
    pub owner: i32,
    /// What `/vvtv` is elsewhere.
    pub root: PathBuf,
    /// Directory of vvtvctl and the other programs of ours.
    pub programs: PathBuf,
    /// Ports on 127.0.0.1.
    pub ports: Ports,
}

impl Site {
    /// Writes the state file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self) -> anyhow::Result<()> {
        let path = self.root.join(STATE_FILE);
        std::fs::write(&path, serde_json::to_vec_pretty(self)?).with_context(|| format!("write {}", path.display()))
    }

    /// Reads the state file of the stack at `root`.
    ///
    /// # Errors
    /// There is none, it is not ours, or the process that ran the stack has ended.
    pub fn load(root: &Path) -> anyhow::Result<Self> {
        let path = root.join(STATE_FILE);
        let Ok(text) = std::fs::read(&path) else {
            bail!("no stack runs at {}: start one with `make up`", root.display());
        };
        let site: Self = serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))?;
        if Identity::find(site.owner).is_none() {
            bail!("the stack at {} has ended: start one with `make up`", root.display());
        }
        Ok(site)
    }

    /// A command with the environment of the stack: its root, its programs first on the path, no proxy.
    ///
    /// # Errors
    /// The path cannot be composed.
    pub fn command(&self, program: &Path) -> anyhow::Result<Command> {
        let mut command = Command::new(program);
        command.env("PATH", search_path(Some(&self.programs))?).env("VVTV_ROOT", &self.root).env(MARKER, &self.root);
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command.current_dir(&self.root);
        Ok(command)
    }

    /// Runs `vvtvctl` and returns what it printed as JSON, whatever its exit code.
    ///
    /// # Errors
    /// It cannot be run, or did not print JSON; the message has what it said.
    pub fn vvtvctl(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self.command(&self.programs.join("vvtvctl"))?.args(arguments).output();
        let output = output.with_context(|| format!("run vvtvctl {}", arguments.join(" ")))?;
        serde_json::from_slice(&output.stdout).with_context(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("vvtvctl {} ({}): {}", arguments.join(" "), output.status, said.trim())
        })
    }

    /// `http://127.0.0.1:PORT` with a path.
    #[must_use]
    pub fn url(port: u16, path: &str) -> String {
        format!("http://127.0.0.1:{port}{path}")
    }
}
