//! Where everything lies below the root directory. The only place that spells paths.

use std::path::{Path, PathBuf};

/// The root directory, `/vvtv` unless told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("configs/playout.yml")
    }

    pub(crate) fn nginx_config(&self) -> PathBuf {
        self.root.join("configs/nginx/rtmp.conf")
    }

    pub(crate) fn check_nginx(&self) -> PathBuf {
        self.root.join("bin/check-nginx")
    }

    pub(crate) fn queue(&self) -> PathBuf {
        self.root.join("data/queue.sqlite")
    }

    pub(crate) fn flags(&self) -> PathBuf {
        self.root.join("data/flags.json")
    }

    pub(crate) fn flags_lock(&self) -> PathBuf {
        self.root.join("data/flags.lock")
    }

    /// What is shown to the remediator, to read.
    pub(crate) fn viewer_token(&self) -> PathBuf {
        self.root.join("secrets/vvtvctl/viewer_token")
    }

    pub(crate) fn hls(&self) -> PathBuf {
        self.root.join("broadcast/hls")
    }

    pub(crate) fn emergency(&self) -> PathBuf {
        self.root.join("storage/emergency")
    }

    pub(crate) fn streaming_log(&self) -> PathBuf {
        self.root.join("logs/streaming.log")
    }

    pub(crate) fn nginx_error_log(&self) -> PathBuf {
        self.root.join("logs/nginx_error.log")
    }

    pub(crate) fn nginx_access_log(&self) -> PathBuf {
        self.root.join("logs/nginx_access.log")
    }

    pub(crate) fn rtmp_access_log(&self) -> PathBuf {
        self.root.join("logs/rtmp_access.log")
    }

    pub(crate) fn nginx_pid(&self) -> PathBuf {
        self.root.join("run/nginx/nginx.pid")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.root.join("run/playout.sock")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("run/playout.lock")
    }

    pub(crate) fn encoder_pid(&self) -> PathBuf {
        self.root.join("run/encoder.pid")
    }
}
