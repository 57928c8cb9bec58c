//! The arguments by which every program of a channel is told where the channel is.

use std::path::PathBuf;

use clap::Args;

use crate::config::Config;
use crate::failure::Failure;
use crate::layout::Layout;

/// Where a channel's files are, to be flattened into a program's arguments.
#[derive(Clone, Debug, Args)]
pub struct RootArgs {
    /// Root directory: configs/, data/, logs/, run/ and storage/ lie below it
    #[arg(long, global = true, env = "VVTV_ROOT", default_value = "/vvtv", value_name = "DIR")]
    pub root: PathBuf,
    /// Configuration file; ROOT/configs/playout.yml when not given
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl RootArgs {
    /// The root's layout.
    ///
    /// # Errors
    /// `Usage` when there is no such root: a mistyped one must not be filled with new files.
    pub fn layout(&self) -> Result<Layout, Failure> {
        if !self.root.is_dir() {
            let root = self.root.display();
            return Err(Failure::Usage(anyhow::anyhow!("there is no root directory {root}: give --root or VVTV_ROOT")));
        }
        Ok(Layout::new(self.root.clone()))
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// `Usage`, with file, line and column.
    pub fn config(&self) -> Result<Config, Failure> {
        let loaded = match &self.config {
            Some(path) => Config::load(path, true),
            None => Config::load(&Layout::new(self.root.clone()).config(), false),
        };
        loaded.map_err(|error| Failure::Usage(error.into()))
    }
}
