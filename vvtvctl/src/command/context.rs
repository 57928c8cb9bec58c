//! What every command needs: where the root is, what the configuration says, how to print.

use crate::cli::{Format, Global};
use crate::config::Config;
use crate::failure::Failure;
use crate::layout::Layout;

pub(super) struct Context {
    pub(super) layout: Layout,
    pub(super) format: Format,
    global: Global,
}

impl Context {
    /// # Errors
    /// `Usage` when there is no such root: a mistyped one must not be filled with new files.
    pub(super) fn new(global: Global) -> Result<Self, Failure> {
        let layout = global.layout();
        if !layout.root().is_dir() {
            let root = layout.root().display();
            return Err(Failure::Usage(anyhow::anyhow!("there is no root directory {root}: give --root or VVTV_ROOT")));
        }
        Ok(Self { layout, format: global.format, global })
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// `Usage`, with file, line and column.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let loaded = match &self.global.config {
            Some(path) => Config::load(path, true),
            None => Config::load(&self.layout.config(), false),
        };
        loaded.map_err(|error| Failure::Usage(error.into()))
    }
}
