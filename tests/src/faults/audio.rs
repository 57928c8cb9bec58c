//! The sound of an encoder ends while its picture goes on, as after a codec's or a capture card's failure: bytes arrive, and NGINX
//! cuts no segments any more.
//!
//! In a lab a script stands before ffmpeg. It starts the real one, and takes the sound out of the next encoder alone.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::pass;
use crate::site::Site;

/// When the sound ends, in seconds of the encoder's media: the channel is well again by then, after the encoder was started anew.
const SOUND_SECONDS: u64 = 25;

/// The output is ffmpeg's last argument, and only an encoder's is an RTMP address. Without the shorter interleaving ffmpeg itself
/// would hold the picture back for ten seconds, in wait for sound; without the second output it would leave the sound in its pipe.
const SCRIPT: &str = r#"#!/bin/sh
# ffmpeg, but for the encoder that is started while the file below is there: it loses its sound.
for output; do :; done
case "$output" in
rtmp://*)
    if rm "@FILE@" 2>/dev/null; then
        left=$#
        for argument; do
            shift
            if [ "$left" -eq 1 ]; then
                set -- "$@" -af atrim=end=@SECONDS@ -max_interleave_delta 100000 -flush_packets 1
            fi
            set -- "$@" "$argument"
            left=$((left - 1))
        done
        set -- "$@" -map 1:a:0 -f null /dev/null
    fi
    ;;
esac
exec ffmpeg "$@"
"#;

/// Where the script stands.
#[must_use]
pub fn script(root: &Path) -> PathBuf {
    root.join("bin/ffmpeg")
}

/// Puts the script below `root`.
///
/// # Errors
/// It cannot be written.
pub fn install(root: &Path) -> anyhow::Result<()> {
    let path = script(root);
    let text =
        SCRIPT.replace("@FILE@", &order(root).to_string_lossy()).replace("@SECONDS@", &SOUND_SECONDS.to_string());
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).with_context(|| format!("set the mode of {}", path.display()))
}

/// Starts an encoder whose sound ends, and waits until it has.
pub(super) fn cause(site: &Site) -> anyhow::Result<String> {
    let order = order(&site.root);
    std::fs::write(&order, "").with_context(|| format!("write {}", order.display()))?;
    site.vvtvctl(&["streaming", "restart-encoder", "--format", "json"])?;
    anyhow::ensure!(!order.exists(), "the new encoder was not started by {}", script(&site.root).display());
    pass(Duration::from_secs(SOUND_SECONDS));
    Ok(format!("the encoder was started anew, and its sound has ended after {SOUND_SECONDS} s"))
}

/// A new encoder has its sound.
pub(super) fn undo(site: &Site) -> anyhow::Result<String> {
    site.vvtvctl(&["streaming", "restart-encoder", "--format", "json"])?;
    Ok("the encoder was started anew, with its sound".to_owned())
}

fn order(root: &Path) -> PathBuf {
    root.join("run/audio-gone")
}
