//! A full disk under the segments: a small one of its own is mounted there and filled, so that the machine's is not touched.

use std::fs::{File, FileTimes};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};

use crate::site::Site;

/// Room for a minute of segments.
const SIZE: &str = "size=32m,mode=0777";

/// Of one left-over segment.
const SEGMENT_BYTES: usize = 1 << 20;

/// No more than that, should the disk be larger than wanted.
const SEGMENTS_MAX: usize = 64;

/// Mounts the small disk and fills it with segments that nothing cleans: NGINX knows the endings of its own alone.
pub(super) fn fill(site: &Site) -> anyhow::Result<String> {
    if !rustix::process::geteuid().is_root() {
        bail!("this fault mounts a small disk and therefore needs root");
    }
    let place = place(&site.root);
    if is_mounted(&place)? {
        bail!("{} is on a small disk already", place.display());
    }
    run(Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "vvtv-lab"]).arg(&place))?;
    let old = SystemTime::now() - Duration::from_secs(24 * 3600);
    let hls = place.join("hls");
    std::fs::create_dir(&hls).with_context(|| format!("create {}", hls.display()))?;
    for number in 0..SEGMENTS_MAX {
        let path = hls.join(format!("main-{number}.m4s"));
        let mut file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        let written = file.write_all(&vec![0; SEGMENT_BYTES]);
        file.set_times(FileTimes::new().set_modified(old)).with_context(|| format!("date {}", path.display()))?;
        if written.is_err() {
            return Ok(format!("{} is a disk of 32 MiB, full of yesterday's segments", place.display()));
        }
    }
    bail!("{} does not get full", place.display())
}

/// Takes the small disk away; the directory beneath it is as it was.
pub(super) fn undo(site: &Site) -> anyhow::Result<String> {
    let place = place(&site.root);
    if !is_mounted(&place)? {
        bail!("no small disk is mounted at {}", place.display());
    }
    // NGINX has a segment open there: the disk goes when that is closed.
    run(Command::new("umount").arg("--lazy").arg(&place))?;
    Ok(format!("{} is on the machine's disk again", place.display()))
}

/// Takes away what a fault left mounted below `root`, if anything.
///
/// # Errors
/// It cannot be taken away.
pub fn release(root: &Path) -> anyhow::Result<()> {
    let place = place(root);
    while is_mounted(&place)? {
        run(Command::new("umount").arg("--lazy").arg(&place))?;
    }
    Ok(())
}

fn place(root: &Path) -> PathBuf {
    root.join("broadcast")
}

fn is_mounted(place: &Path) -> anyhow::Result<bool> {
    let mounts = procfs::process::Process::myself().and_then(|this| this.mountinfo()).context("read the mounts")?;
    Ok(mounts.into_iter().any(|mount| mount.mount_point == place && mount.fs_type == "tmpfs"))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
