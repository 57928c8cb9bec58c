//! Where everything lies below the root directory. The only place that spells paths.

use std::path::{Path, PathBuf};

/// The root directory, `/vvtv` unless told otherwise.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of a root, which need not exist.
    pub const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The channel's configuration, `playout.yml`.
    pub fn config(&self) -> PathBuf {
        self.root.join("configs/playout.yml")
    }

    /// NGINX' configuration.
    pub fn nginx_config(&self) -> PathBuf {
        self.root.join("configs/nginx/rtmp.conf")
    }

    /// The program that has NGINX check its configuration as its own user.
    pub fn check_nginx(&self) -> PathBuf {
        self.root.join("bin/check-nginx")
    }

    /// The queue's database.
    pub fn queue(&self) -> PathBuf {
        self.root.join("data/queue.sqlite")
    }

    /// The flags that are set.
    pub fn flags(&self) -> PathBuf {
        self.root.join("data/flags.json")
    }

    /// Held while the flags are changed.
    pub fn flags_lock(&self) -> PathBuf {
        self.root.join("data/flags.lock")
    }

    /// What is shown to the remediator, to read.
    pub fn viewer_token(&self) -> PathBuf {
        self.root.join("secrets/vvtvctl/viewer_token")
    }

    /// Where NGINX writes playlists and segments.
    pub fn hls(&self) -> PathBuf {
        self.root.join("broadcast/hls")
    }

    /// Content that goes before everything else.
    pub fn emergency(&self) -> PathBuf {
        self.root.join("storage/emergency")
    }

    /// What the daemon and its encoder say.
    pub fn streaming_log(&self) -> PathBuf {
        self.root.join("logs/streaming.log")
    }

    /// NGINX' errors.
    pub fn nginx_error_log(&self) -> PathBuf {
        self.root.join("logs/nginx_error.log")
    }

    /// Requests for playlists and segments.
    pub fn nginx_access_log(&self) -> PathBuf {
        self.root.join("logs/nginx_access.log")
    }

    /// Who published and who played by RTMP.
    pub fn rtmp_access_log(&self) -> PathBuf {
        self.root.join("logs/rtmp_access.log")
    }

    /// NGINX' master, by its own account.
    pub fn nginx_pid(&self) -> PathBuf {
        self.root.join("run/nginx/nginx.pid")
    }

    /// The daemon's control socket.
    pub fn socket(&self) -> PathBuf {
        self.root.join("run/playout.sock")
    }

    /// Held by the daemon as long as it runs.
    pub fn lock(&self) -> PathBuf {
        self.root.join("run/playout.lock")
    }

    /// The running encoder, for a daemon that comes after one that was killed.
    pub fn encoder_pid(&self) -> PathBuf {
        self.root.join("run/encoder.pid")
    }
}

/// The file before the present one: a log that turns over keeps one old file, or the newest of several, under this name.
#[must_use]
pub fn turned_over(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}
