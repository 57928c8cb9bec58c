//! What every command needs: where the root is, what the configuration says, how to print.

use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::layout::Layout;
use vvtv_playout_interface::root::RootArgs;

use crate::cli::{Format, Global};

pub(super) struct Context {
    pub(super) layout: Layout,
    pub(super) format: Format,
    root: RootArgs,
}

impl Context {
    /// # Errors
    /// `Usage` when there is no such root.
    pub(super) fn new(global: Global) -> Result<Self, Failure> {
        let Global { root, format } = global;
        Ok(Self { layout: root.layout()?, format, root })
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// `Usage`, with file, line and column.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        self.root.config()
    }
}
